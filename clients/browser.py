"""Chromium as a person uses it: pages are opened, links and buttons found by their words and fields by their labels.

Selenium drives it through chromedriver. Nothing is downloaded, no host but 127.0.0.1 is found, and whatever the browser
complains of is kept until somebody asks.
"""
import base64
import json
import os
import re

from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

# Seconds in which a page has to be there.
PATIENCE = 20
# A desk and a small phone, in CSS pixels.
WIDE, NARROW = (1280, 900), (360, 740)
FLAGS = [
    "--headless=new",
    # Chromium refuses to run as root with its sandbox, and containers forbid what the sandbox needs.
    "--no-sandbox",
    # What containers offer there is too small.
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
# What WCAG asks for, and what axe recommends beside it.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


class CheckFailed(Exception):
    """Something that was asked for does not hold."""


class Browser:
    """One Chromium, with scripts or without, at a desk or on a phone."""

    def __init__(self, program, driver, base, scripts, narrow, screenshots):
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        # Told where both are, Selenium looks for none and fetches none.
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

    # Ways to somewhere.

    def open(self, path):
        self.driver.get(self.base + path)

    def follow(self, element, action=None):
        """Clicks something, or does something else with it, and waits for the page that comes of it."""
        self.driver.execute_script("document.isLeft = true")
        (action or element.click)()
        # Between two documents there is none to ask.
        waiting = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
        waiting.until(lambda driver: driver.execute_script("return !document.isLeft && document.readyState === 'complete'"))

    def press(self, *keys):
        """Presses keys wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def press_and_follow(self, *keys):
        self.follow(None, lambda: self.press(*keys))

    def log_in(self, name, password):
        """By the form that is open."""
        self.type("Username", name)
        self.type("Password", password)
        self.follow(self.button("Log in"))

    # What there is on a page.

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
        """The field that a label belongs to."""
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
        """The JSON of the page, as it is read there."""
        return json.loads(self.find("answer", ".exchange pre").text)

    def place(self):
        """The path and the query that are open."""
        return self.driver.current_url.removeprefix(self.base)

    def at(self, place):
        if self.place() != place:
            raise CheckFailed(f"this is {self.place()}, not {place}; it reads {self.text()[:600]!r}")

    # What it looks like.

    def resize(self, narrow):
        width, height = NARROW if narrow else WIDE
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": narrow}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        return width

    def scheme(self, name):
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def look(self, station):
        """Looks at the page at a desk by day and on a phone by night, and keeps a picture of the one that it is."""
        for narrow, scheme in ((False, "light"), (True, "dark")):
            width = self.resize(narrow)
            self.scheme(scheme)
            needed = self.driver.execute_script("return document.documentElement.scrollWidth")
            if needed > width:
                raise CheckFailed(f"{self.place()} needs {needed} pixels, and the window has {width}")
            # axe is a script that waits, which does not work where scripts are forbidden.
            if self.scripts:
                self.accessible(f"{width} pixels wide, {scheme}")
            if narrow == self.narrow:
                self.picture(station)
        self.scheme("light")
        self.resize(self.narrow)

    def accessible(self, how):
        found = Axe().run(self.driver, options=RULES)
        told = [
            f"{violation['help']} ({violation['id']}): {node['html']}"
            for violation in found["violations"]
            for node in violation["nodes"][:3]
        ]
        if told:
            raise CheckFailed(f"{self.place()}, {how}, is hard to use: {'; '.join(told)}")
        if not found["passes"]:
            raise CheckFailed(f"axe looked at nothing on {self.place()}")

    def picture(self, name):
        if self.screenshots:
            wanted = {"format": "png", "captureBeyondViewport": True}
            data = self.driver.execute_cdp_cmd("Page.captureScreenshot", wanted)["data"]
            with open(os.path.join(self.screenshots, f"{name}.png"), "wb") as file:
                file.write(base64.b64decode(data))

    # What the browser complains of.

    def expect(self, status, path):
        """An answer that the browser will complain of, and should."""
        self.expected.append((status, path))

    def complaints(self):
        """What the browser complained of, without what was expected; and what was, if it did not come."""
        missing, told = list(self.expected), []
        for entry in self.driver.get_log("browser"):
            # Remarks are none, such as that somebody was faster than `autofocus`.
            if entry["level"] not in ("SEVERE", "WARNING"):
                continue
            refused = re.fullmatch(r"(\S+) - Failed to load resource: .* status of (\d+) .*", entry["message"])
            known = refused and (int(refused[2]), refused[1].removeprefix(self.base))
            if known in missing:
                missing.remove(known)
            else:
                told.append(entry["message"])
        return told + [f"{path} was never answered with {status}" for status, path in missing]


__all__ = ["Browser", "Keys", "CheckFailed"]
