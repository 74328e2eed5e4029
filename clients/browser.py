"""A Chromium that is controlled with Selenium. Links and buttons are found by their texts, fields by their labels.

Nothing is downloaded, only the host 127.0.0.1 resolves, and errors in the browser's console are recorded.
"""
import base64
import json
import os
import re

from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

# The page load timeout in seconds.
PATIENCE = 20
# A desktop and a small phone, in CSS pixels.
WIDE, NARROW = (1280, 900), (360, 740)
FLAGS = [
    "--headless=new",
    # Chromium does not start as root with its sandbox, and containers forbid the system calls of the sandbox.
    "--no-sandbox",
    # /dev/shm of containers is too small.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# The WCAG rules, and the best practices of axe.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


class CheckFailed(Exception):
    """A check failed."""


class Browser:
    """A Chromium, with or without scripts, with a desktop or a phone window."""

    def __init__(self, program, driver, base, scripts, narrow, screenshots):
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        # With both paths set, Selenium downloads nothing.
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.driver.set_page_load_timeout(PATIENCE)
        self.base, self.scripts, self.narrow, self.screenshots = base, scripts, narrow, screenshots
        self.expected = []
        self.resize(narrow)

    def quit(self):
        self.driver.quit()

    def begin(self):
        """Deletes the cookies and the recorded errors."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.expected = []

    # Navigation.

    def open(self, path):
        self.driver.get(self.base + path)

    def follow(self, element):
        """Clicks an element, and waits for the next page."""
        self.driver.execute_script("document.isLeft = true")
        element.click()
        self._wait_for_next_page(PATIENCE)

    def _wait_for_next_page(self, seconds):
        # Between two documents there is no body.
        waiting = WebDriverWait(self.driver, seconds, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
        waiting.until(lambda driver: driver.execute_script("return !document.isLeft && document.readyState === 'complete'"))

    def press(self, *keys):
        """Sends keys to the focused element."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def press_and_follow(self, *keys):
        self.driver.execute_script("document.isLeft = true")
        self.press(*keys)
        try:
            self._wait_for_next_page(PATIENCE / 4)
        except TimeoutException:
            # Chromium without a window loses a key press now and then.
            self.press(*keys)
            self._wait_for_next_page(PATIENCE)

    def log_in(self, name, password):
        """Logs in with the open form."""
        self.type("Username", name)
        self.type("Password", password)
        self.follow(self.button("Log in"))

    # Content of the page.

    def find(self, what, selector, by=By.CSS_SELECTOR):
        try:
            return self.driver.find_element(by, selector)
        except NoSuchElementException:
            raise CheckFailed(f"there is no {what} on {self.place()}, which reads {self.text()[:600]!r}") from None

    def has(self, selector):
        return bool(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def link(self, words):
        return self.find(f"link {words!r}", words, By.LINK_TEXT)

    def button(self, words):
        return self.find(f"button {words!r}", f"//button[normalize-space()='{words}']", By.XPATH)

    def field(self, label):
        """The field of a label."""
        found = self.find(f"label {label!r}", f"//label[starts-with(normalize-space(), '{label}')]", By.XPATH)
        field = self.driver.execute_script("return arguments[0].control", found)
        if field is None:
            raise CheckFailed(f"the label {label!r} on {self.place()} belongs to no field")
        return field

    def type(self, label, words):
        field = self.field(label)
        field.clear()
        field.send_keys(words)

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def shows(self, *parts):
        text = self.text()
        for part in parts:
            if part not in text:
                raise CheckFailed(f"{self.place()} does not show {part!r} but {text!r}")

    def lacks(self, *parts):
        text = self.text()
        for part in parts:
            if part in text:
                raise CheckFailed(f"{self.place()} shows {part!r}")

    def answer(self):
        """The JSON that the page shows."""
        return json.loads(self.find("answer", ".exchange pre").text)

    def place(self):
        """The path and the query of the open page."""
        return self.driver.current_url.removeprefix(self.base)

    def at(self, place):
        if self.place() != place:
            raise CheckFailed(f"this is {self.place()}, not {place}; it reads {self.text()[:600]!r}")

    # Screenshots and accessibility.

    def resize(self, narrow):
        width, height = NARROW if narrow else WIDE
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": narrow}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        return width

    def scheme(self, name):
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def look(self, station):
        """Checks the page with a light desktop and a dark phone window, and saves a screenshot of the current one."""
        for narrow, scheme in ((False, "light"), (True, "dark")):
            width = self.resize(narrow)
            self.scheme(scheme)
            needed = self.driver.execute_script("return document.documentElement.scrollWidth")
            if needed > width:
                raise CheckFailed(f"{self.place()} needs {needed} pixels, and the window has {width}")
            # axe runs as an asynchronous script, which the content security policy of the pages forbids.
            if self.scripts:
                self.accessible(f"{width} pixels wide, {scheme}")
            if narrow == self.narrow:
                self.picture(station)
        self.scheme("light")
        self.resize(self.narrow)

    def accessible(self, how):
        found = Axe().run(self.driver, options=RULES)
        violations = [
            f"{violation['help']} ({violation['id']}): {node['html']}"
            for violation in found["violations"]
            for node in violation["nodes"][:3]
        ]
        if violations:
            raise CheckFailed(f"{self.place()}, {how}, is hard to use: {'; '.join(violations)}")
        if not found["passes"]:
            raise CheckFailed(f"axe looked at nothing on {self.place()}")

    def picture(self, name):
        if self.screenshots:
            wanted = {"format": "png", "captureBeyondViewport": True}
            data = self.driver.execute_cdp_cmd("Page.captureScreenshot", wanted)["data"]
            with open(os.path.join(self.screenshots, f"{name}.png"), "wb") as file:
                file.write(base64.b64decode(data))

    # Errors in the browser's console.

    def expect(self, status, path):
        """Expects an error response in the browser's console."""
        self.expected.append((status, path))

    def complaints(self):
        """The unexpected errors in the browser's console, and the expected ones that are missing."""
        missing, messages = list(self.expected), []
        for entry in self.driver.get_log("browser"):
            # Informational messages are ignored, such as that another element has the focus before `autofocus`.
            if entry["level"] not in ("SEVERE", "WARNING"):
                continue
            refused = re.fullmatch(r"(\S+) - Failed to load resource: .* status of (\d+) .*", entry["message"])
            known = refused and (int(refused[2]), refused[1].removeprefix(self.base))
            if known in missing:
                missing.remove(known)
            else:
                messages.append(entry["message"])
        return messages + [f"{path} never responded with {status}" for status, path in missing]


__all__ = ["Browser", "Keys", "CheckFailed"]
