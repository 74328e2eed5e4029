#!/usr/bin/env python3
"""Opens the pages of a fresh server in a headless Chromium: in a desktop window with scripts, in a phone window without.

    check_pages.py [--base URL] [--user NAME] [--password PASSWORD] [--chromium FILE] [--chromedriver FILE]
                   [--screenshots DIR] [CHECK ...]

The defaults of the first three come from CONTROLLER_HOST, CONTROLLER_USERNAME
and CONTROLLER_PASSWORD, of the others from CHROMIUM and CHROMEDRIVER (or they
are found in PATH) and from SCREENSHOTS. Each check begins with a new browser
profile and its own users, so that it can run alone (named with `_` between its
words). A check also fails if the console of the browser has an unexpected
error: an error of a script, a violation of the content security policy, an
error response. Screenshots are saved in DIR.
One line per check, `ok - ...` or `FAIL - ...`; the last line reads
`N passed, N failed`, and the exit status is 1 when something failed.
"""
import argparse
import base64
import hmac
import http.server
import json
import os
import shutil
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from selenium.common.exceptions import WebDriverException

from browser import Browser, Keys, CheckFailed

PASSWORD = "correct horse battery"
# The values of RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class Server:
    """The server, with the user who creates the objects and checks the results."""

    def __init__(self, base, user, password):
        self.base = base.rstrip("/")
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(self, path, body=None, **headers):
        headers = {"Content-Type": "application/json", "Authorization": self.authorization, **headers}
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        with self.opener.open(urllib.request.Request(self.base + path, data, headers), timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def status(self, path):
        try:
            self.request(path)
            return 200
        except urllib.error.HTTPError as problem:
            return problem.code

    def user(self, name, **more):
        """A superuser by default; other users see fewer forms."""
        body = {"username": name, "password": PASSWORD, "is_superuser": True, **more}
        return self.request("/api/v2/users/", body)["url"]


class Application:
    """An application on this machine that browsers are redirected to; it records their requests."""

    def __init__(self):
        brought = self.brought = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                place = urllib.parse.urlsplit(self.path)
                if place.path == "/callback":
                    brought.append(dict(urllib.parse.parse_qsl(place.query)))
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>Application</title><p>Back at the application.</p>")

            def log_message(self, *_):
                pass

        listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.callback = f"http://127.0.0.1:{listener.server_port}/callback"
        threading.Thread(target=listener.serve_forever, daemon=True).start()


class Checks:
    """The checks, in order."""

    def __init__(self, server, browser, application, walk):
        self._server, self._browser, self._application, self._walk = server, browser, application, walk

    def _log_in_as(self, name, path="/api/v2/", **more):
        """Creates a user and logs in; returns the path of the user."""
        name = f"{name}-{self._walk}"
        url = self._server.user(name, **more)
        self._browser.open("/api/login/?next=" + urllib.parse.quote(path))
        self._browser.log_in(name, PASSWORD)
        self._browser.at(path)
        return url

    def _screenshot(self, station):
        self._browser.look(f"{self._walk}-{station}")

    # Signing in and out.

    def login_rejects_wrong_password(self):
        browser, name = self._browser, f"ada-{self._walk}"
        self._server.user(name)
        browser.expect(401, "/api/v2/users/?order_by=username")
        browser.open("/api/v2/users/?order_by=username")
        browser.shows("You are not logged in")
        browser.lacks(name)
        self._screenshot("closed")
        browser.follow(browser.driver.find_elements("link text", "Log in")[0])
        self._screenshot("login")
        browser.expect(401, "/api/login/")
        browser.log_in(name, "wrong")
        equal(browser.find("error", ".login [role=alert]").text, "Your username or password was incorrect.")
        equal(browser.field("Username").get_attribute("value"), name)
        equal(browser.field("Password").get_attribute("value"), "")
        self._screenshot("login-refused")
        equal(self._sessions(), [])
        browser.type("Password", PASSWORD)
        browser.follow(browser.button("Log in"))
        browser.at("/api/v2/users/?order_by=username")
        browser.shows(name, "Log out")

    def login_asks_for_second_factor(self):
        browser, name = self._browser, f"factor-{self._walk}"
        own = Server(self._server.base, name, PASSWORD)
        factor = self._server.user(name) + "second_factor/"
        secret = own.request(factor, {"password": PASSWORD})["secret"]
        codes = own.request(factor + "verify/", {"code": one_time_code(secret)})["recovery_codes"]
        browser.open("/api/login/?next=/api/v2/me/")
        browser.expect(401, "/api/login/")
        browser.log_in(name, PASSWORD)
        self._screenshot("login-code")
        browser.type("Code of your device", "000000")
        browser.expect(401, "/api/login/")
        browser.follow(browser.button("Log in"))
        equal("This code is wrong" in browser.find("error", ".login [role=alert]").text, True)
        equal(self._sessions(), [])
        browser.type("Code of your device", codes[0])
        browser.follow(browser.button("Log in"))
        browser.at("/api/v2/me/")
        browser.shows(name, "Log out")

    def login_form_works_with_keyboard(self):
        browser, name = self._browser, f"keys-{self._walk}"
        self._server.user(name)
        browser.open("/api/login/?next=/api/v2/me/")
        # The username field has the focus.
        browser.press(name, Keys.TAB)
        browser.press(PASSWORD, Keys.TAB)
        equal(browser.driver.switch_to.active_element.text, "Log in")
        browser.press_and_follow(Keys.ENTER)
        browser.at("/api/v2/me/")
        # The first key press goes to the skip link.
        browser.press(Keys.TAB)
        skip = browser.driver.switch_to.active_element
        equal((skip.text, skip.rect["x"] >= 0), ("Skip to the content", True))

    def logout_ends_session(self):
        browser = self._browser
        url = self._log_in_as("out")
        browser.open(url)
        cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in browser.driver.get_cookies())
        browser.follow(browser.button("Log out"))
        browser.shows("Username", "Password")
        equal(self._sessions(), [])
        browser.expect(401, url)
        browser.open(url)
        browser.shows("You are not logged in")
        browser.lacks("out-")
        # Going back does not show the previous page, and the old cookie is rejected.
        browser.expect(401, url)
        browser.driver.back()
        browser.driver.back()
        browser.lacks("out-")
        request = urllib.request.Request(browser.base + url, headers={"Cookie": cookies})
        try:
            self._server.opener.open(request, timeout=60).close()
            raise CheckFailed("the session goes on after logging out")
        except urllib.error.HTTPError as problem:
            equal(problem.code, 401)

    def _sessions(self):
        return [cookie for cookie in self._browser.driver.get_cookies() if cookie["name"] == "awx_sessionid"]

    # Reading.

    def links_from_root_to_user(self):
        browser = self._browser
        url = self._log_in_as("links")
        browser.open("/api/")
        browser.follow(browser.link('"/api/v2/"'))
        self._screenshot("root")
        browser.follow(browser.link('"/api/v2/users/"'))
        browser.at("/api/v2/users/")
        self._screenshot("users")
        browser.type("Search", f"links-{self._walk}")
        browser.follow(browser.button("Search"))
        browser.shows("1 object")
        browser.follow(browser.link(json.dumps(url)))
        browser.at(url)
        equal(browser.find("heading", "h1").text.split()[0], f"links-{self._walk}")
        self._screenshot("user")
        browser.follow(browser.link(json.dumps(url + "activity_stream/")))
        browser.follow(browser.link("users"))
        browser.at("/api/v2/users/")

    def lists_have_pages(self):
        browser = self._browser
        self._log_in_as("pages")
        names = [f"paged-{self._walk}-{number}" for number in range(5)]
        for name in names:
            self._server.request("/api/v2/organizations/", {"name": name})
        browser.open(f"/api/v2/organizations/?page_size=2&order_by=name&search=paged-{self._walk}")
        listed = lambda: [found["name"] for found in browser.answer()["results"]]
        equal(listed(), names[:2])
        browser.shows("5 objects, page 1 of 3")
        equal(browser.has("[rel=prev]"), False)
        browser.follow(browser.link("Next"))
        equal(listed(), names[2:4])
        self._screenshot("page-of-a-list")
        browser.follow(browser.link("Next"))
        equal(listed(), names[4:])
        equal(browser.has("[rel=next]"), False)
        browser.follow(browser.link("Previous"))
        equal(listed(), names[2:4])

    def unknown_path_has_error_page(self):
        browser = self._browser
        self._log_in_as("lost")
        for path, words in [("/api/v2/users/999999/", "No User matches"), ("/api/v2/users/?page=99", "Invalid page.")]:
            browser.expect(404, path)
            browser.open(path)
            browser.shows("404 Not Found", words)
        browser.expect(404, "/api/v2/nothing/")
        browser.open("/api/v2/nothing/")
        self._screenshot("unknown")
        browser.follow(browser.link("All that there is"))
        browser.at("/api/v2/")

    def options_button(self):
        browser = self._browser
        url = self._log_in_as("options")
        browser.open(url)
        browser.follow(browser.button("OPTIONS"))
        equal("first_name" in browser.answer()["actions"]["PUT"], True)
        browser.shows("OPTIONS " + url)
        self._screenshot("options")

    # Writing.

    def form_changes_first_name(self):
        browser = self._browser
        url = self._log_in_as("change")
        for button, name in [("PATCH", "Ada"), ("PUT", "Augusta")]:
            browser.open(url)
            content = json.loads(browser.field("Content").get_attribute("value"))
            body = {**content, "first_name": name} if button == "PUT" else {"first_name": name}
            browser.type("Content", json.dumps(body, indent=2))
            browser.follow(browser.button(button))
            browser.at(url)
            equal(browser.answer()["first_name"], name)
            equal(json.loads(browser.field("Content").get_attribute("value"))["first_name"], name)
            equal(self._server.request(url)["first_name"], name)
            # Reloading the page does not send the form again.
            browser.driver.refresh()
            equal(browser.answer()["first_name"], name)
        self._screenshot("changed")
        changes = self._server.request(url + "activity_stream/?operation=update&order_by=id")["results"]
        equal([change["changes"].get("first_name") for change in changes], [["", "Ada"], ["Ada", "Augusta"]])

    def rejected_form_keeps_input(self):
        browser = self._browser
        url = self._log_in_as("refuse", first_name="Before")
        typed = '{"email": "no address", "first_name": "After"}'
        browser.open(url)
        browser.type("Content", typed)
        browser.expect(400, url)
        browser.follow(browser.button("PATCH"))
        browser.shows("400 Bad Request")
        equal(browser.find("error at the form", ".write [role=alert]").text, "email: Enter a valid email address.")
        field = browser.field("Content")
        equal(field.get_attribute("value"), typed)
        equal(field.get_attribute("aria-invalid"), "true")
        self._screenshot("refused")
        equal(self._server.request(url)["first_name"], "Before")
        # The corrected form is accepted.
        browser.type("Content", typed.replace("no address", "ada@example.org"))
        browser.follow(browser.button("PATCH"))
        browser.at(url)
        equal(self._server.request(url)["email"], "ada@example.org")
        browser.type("Content", '{"first_name": ')
        browser.expect(400, url)
        browser.follow(browser.button("PATCH"))
        equal("JSON parse error" in browser.find("error at the form", ".write [role=alert]").text, True)
        equal(browser.field("Content").get_attribute("value"), '{"first_name": ')

    def form_rejects_stale_object(self):
        browser = self._browser
        url = self._log_in_as("stale")
        browser.open(url)
        request = urllib.request.Request(self._server.base + url, b'{"first_name": "Other"}', method="PATCH", headers={
            "Authorization": self._server.authorization, "Content-Type": "application/json"})
        self._server.opener.open(request, timeout=60).close()
        browser.type("Content", '{"first_name": "Mine"}')
        browser.expect(412, url)
        browser.follow(browser.button("PATCH"))
        browser.shows("412 Precondition Failed")
        equal("has changed since" in browser.find("error at the form", ".write [role=alert]").text, True)
        equal(browser.field("Content").get_attribute("value"), '{"first_name": "Mine"}')
        equal(self._server.request(url)["first_name"], "Other")

    def form_creates_and_deletes_organization(self):
        browser, name = self._browser, f"made-{self._walk}"
        self._log_in_as("maker", "/api/v2/organizations/")
        browser.type("Content", json.dumps({"name": ""}))
        browser.expect(400, "/api/v2/organizations/")
        browser.follow(browser.button("POST"))
        equal(browser.find("error at the form", ".write [role=alert]").text.split(":")[0], "name")
        browser.type("Content", json.dumps({"name": name}))
        browser.follow(browser.button("POST"))
        browser.shows("201 Created")
        self._screenshot("created")
        url = self._server.request(f"/api/v2/organizations/?name={name}")["results"][0]["url"]
        browser.follow(browser.link(json.dumps(url)))
        browser.find("summary", "//summary[starts-with(., 'Delete')]", "xpath").click()
        self._screenshot("delete")
        browser.field("Yes, delete").click()
        browser.follow(browser.button("DELETE"))
        browser.at("/api/v2/organizations/")
        equal(self._server.status(url), 404)

    def deleting_asks_for_confirmation(self):
        browser = self._browser
        self._log_in_as("thought")
        url = self._server.request("/api/v2/organizations/", {"name": f"kept-{self._walk}"})["url"]
        browser.open(url)
        browser.find("summary", "//summary[starts-with(., 'Delete')]", "xpath").click()
        # The form is not sent unless the checkbox is set.
        browser.button("DELETE").click()
        browser.at(url)
        equal(browser.find("tick", "input[type=checkbox]:invalid").is_displayed(), True)
        equal(self._server.status(url), 200)

    def names_are_escaped(self):
        browser = self._browser
        self._log_in_as("names")
        name = f"<script>document.title='{self._walk}'</script><img src=x onerror=\"document.title=1\">"
        url = self._server.request("/api/v2/organizations/", {"name": name})["url"]
        browser.open(url)
        browser.shows(json.dumps(name))
        equal(browser.answer()["name"], name)
        equal(browser.find("heading", "h1").text.startswith(name), True)
        equal(browser.driver.title.startswith(name), True)
        equal((browser.has("script"), browser.has("img")), (False, False))
        self._screenshot("hostile-name")
        named = browser.answer()["related"]["named_url"]
        browser.follow(browser.link(json.dumps(named)))
        equal(browser.answer()["url"], url)
        browser.open("/api/v2/organizations/?search=" + urllib.parse.quote(name))
        equal((browser.has("script"), browser.has("img")), (False, False))
        equal(browser.field("Search").get_attribute("value"), name)

    # Applications.

    def consent_issues_code(self):
        browser, application = self._browser, self._register()
        asked = {
            "client_id": application["client_id"], "redirect_uri": application["redirect_uris"], "response_type": "code",
            "scope": "read", "state": "a b&c", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
        }
        name = f"consent-{self._walk}"
        self._server.user(name)
        browser.open("/api/o/authorize/?" + urllib.parse.urlencode(asked))
        browser.log_in(name, PASSWORD)
        browser.shows(f"Walk {self._walk}", name, "see everything that you can see, and change nothing", "127.0.0.1")
        self._screenshot("consent")
        browser.follow(browser.button("Refuse"))
        browser.shows("Back at the application.")
        brought = self._application.brought.pop()
        equal((brought["error"], brought["state"]), ("access_denied", "a b&c"))

        browser.open("/api/o/authorize/?" + urllib.parse.urlencode(asked))
        browser.follow(browser.button("Allow"))
        browser.shows("Back at the application.")
        brought = self._application.brought.pop()
        equal(sorted(brought), ["code", "state"])
        form = urllib.parse.urlencode({
            "grant_type": "authorization_code", "code": brought["code"], "redirect_uri": application["redirect_uris"],
            "client_id": application["client_id"], "code_verifier": VERIFIER})
        request = urllib.request.Request(browser.base + "/api/o/token/", form.encode())
        with self._server.opener.open(request, timeout=60) as answer:
            token = json.load(answer)["access_token"]
        me = self._server.request("/api/v2/me/", Authorization=f"Bearer {token}")
        equal(me["results"][0]["username"], name)

    def unregistered_redirect_uri_is_reported(self):
        browser, application = self._browser, self._register()
        self._log_in_as("stray")
        asked = {"client_id": application["client_id"], "redirect_uri": "http://127.0.0.1:1/", "response_type": "code"}
        path = "/api/o/authorize/?" + urllib.parse.urlencode(asked)
        browser.expect(400, path)
        browser.open(path)
        equal("not registered" in browser.find("error", "[role=alert]").text, True)
        self._screenshot("consent-fault")

    def trusted_application_skips_consent(self):
        browser, application = self._browser, self._register(skip_authorization=True)
        name = f"trusting-{self._walk}"
        self._server.user(name)
        asked = {"client_id": application["client_id"], "response_type": "code", "state": "x",
                 "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        browser.open("/api/o/authorize/?" + urllib.parse.urlencode(asked))
        browser.log_in(name, PASSWORD)
        browser.shows("Back at the application.")
        equal(sorted(self._application.brought.pop()), ["code", "state"])

    def _register(self, **more):
        """Creates a public application that redirects browsers to this program."""
        organization = self._server.request("/api/v2/organizations/", {"name": f"org-{os.urandom(4).hex()}"})["id"]
        return self._server.request("/api/v2/applications/", {
            "name": f"Walk {self._walk}", "organization": organization, "client_type": "public",
            "authorization_grant_type": "authorization-code", "redirect_uris": self._application.callback, **more})

    # The crawl of all pages.

    def policy_violations_are_detected(self):
        browser = self._browser
        browser.open("/api/login/")
        browser.driver.execute_script("document.body.setAttribute('style', 'color: red')")
        complaints = browser.complaints()
        equal(len(complaints), 1)
        equal("Content Security Policy" in complaints[0], True)


def one_time_code(secret):
    """The current code (RFC 6238, RFC 4226)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, int(time.time() // 30).to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset:offset + 4], 'big') & 0x7fffffff) % 10 ** 6:06}"


def equal(found, wanted):
    if found != wanted:
        raise CheckFailed(f"found {found!r} instead of {wanted!r}")


def outcome(browser, check):
    """None if the check passes, otherwise the problem."""
    try:
        browser.begin()
        check()
        complaints = browser.complaints()
        return f"the browser complains: {'; '.join(complaints)}" if complaints else None
    except urllib.error.HTTPError as problem:
        return f"{problem.url} was answered with {problem.code}: {problem.read().decode()}"
    except (CheckFailed, KeyError, IndexError, TypeError, ValueError, OSError, WebDriverException) as caught:
        return f"{type(caught).__name__}: {caught}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default=os.environ.get("CONTROLLER_HOST", "http://127.0.0.1:8052"))
    parser.add_argument("--user", default=os.environ.get("CONTROLLER_USERNAME", "admin"))
    parser.add_argument("--password", default=os.environ.get("CONTROLLER_PASSWORD", "password"))
    parser.add_argument("--chromium", metavar="FILE", default=os.environ.get("CHROMIUM") or shutil.which("chromium"))
    parser.add_argument("--chromedriver", metavar="FILE", default=os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver"))
    parser.add_argument("--screenshots", metavar="DIR", default=os.environ.get("SCREENSHOTS"))
    parser.add_argument("checks", nargs="*", metavar="CHECK")
    options = parser.parse_args()
    if not options.chromium or not options.chromedriver:
        parser.error("chromium or chromedriver is not in PATH: name them")
    if options.screenshots:
        os.makedirs(options.screenshots, exist_ok=True)
    server = Server(options.base, options.user, options.password)
    application = Application()
    names = options.checks or [name for name in vars(Checks) if not name.startswith("_")]
    tally = {"passed": 0, "failed": 0}
    for walk, scripts, narrow in [("desk", True, False), ("phone-without-scripts", False, True)]:
        browser = Browser(options.chromium, options.chromedriver, server.base, scripts, narrow, options.screenshots)
        checks = Checks(server, browser, application, walk)
        try:
            for name in names:
                problem = outcome(browser, getattr(checks, name))
                tally["failed" if problem else "passed"] += 1
                label = f"pages: {walk}: {name.replace('_', ' ')}"
                print(f"FAIL - {label}: {problem}" if problem else f"ok - {label}", flush=True)
        finally:
            browser.quit()
    print(f"{tally['passed']} passed, {tally['failed']} failed")
    return 1 if tally["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
