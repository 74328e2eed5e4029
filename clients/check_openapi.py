#!/usr/bin/env python3
"""Checks that the responses of a fresh server match its OpenAPI document.

    check_openapi.py [--base URL] [--user NAME] [--password PASSWORD] [--examples N] [--seed N] [--phases PHASES]

The defaults of the first three come from CONTROLLER_HOST, CONTROLLER_USERNAME
and CONTROLLER_PASSWORD. The document is validated as OpenAPI 3.1; then
schemathesis, from the folder of the Python that runs this file, calls every
operation as a superuser and compares the responses with the document. The seed
is fixed, so failures are reproducible. One line per check, `ok - ...` or
`FAIL - ...`; the last line reads `N passed, N failed`, and the exit status is 1
when something failed.

schemathesis loads this file a second time, for its hooks.
"""
import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zlib

CHECKS = ",".join([
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
])
# Paths that are not implemented respond with 501; on other paths 501 is not in the document, so another check finds it.
CONFIGURATION = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "501"]
"""
# Passes the user and the token of the requests to the hooks.
OWN_USER, OWN_TOKEN, OWN_NAME = "HOSTLER_CHECK_USER", "HOSTLER_CHECK_TOKEN", "checker"


class Server:
    """The server, with the user who creates the objects."""

    def __init__(self, base, user, password):
        self.base = base.rstrip("/")
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(self, path, body=None, authorization=None):
        headers = {"Content-Type": "application/json", "Authorization": authorization or self.authorization}
        data = None if body is None else json.dumps(body).encode()
        with self.opener.open(urllib.request.Request(self.base + path, data, headers), timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def populate(self):
        """Creates objects of each kind, and a separate superuser with a token."""
        organization = self.request("/api/v2/organizations/", {"name": "Acme", "description": "Makes everything"})["id"]
        team = self.request("/api/v2/teams/", {"name": "Operators", "organization": organization})["id"]
        self.request("/api/v2/labels/", {"name": "blue", "organization": organization})
        for name in ("alice", "bob", "carol"):
            user = self.request("/api/v2/users/", {"username": name, "password": "Quite-Long-1"})["id"]
            self.request(f"/api/v2/organizations/{organization}/users/", {"id": user})
            self.request(f"/api/v2/teams/{team}/users/", {"id": user})
            self.request("/api/v2/tokens/", {"description": name})
        password = "Quite-Long-1"
        checker = self.request("/api/v2/users/", {"username": OWN_NAME, "password": password, "is_superuser": True})["id"]
        own = "Basic " + base64.b64encode(f"{OWN_NAME}:{password}".encode()).decode()
        token = self.request("/api/v2/tokens/", {"scope": "write"}, own)
        return checker, token["id"], token["token"]


def is_valid(document):
    """Whether the document is valid OpenAPI 3.1; prints the errors."""
    from openapi_spec_validator import OpenAPIV31SpecValidator

    problems = [f"{'/'.join(map(str, problem.path))}: {problem.message}" for problem in OpenAPIV31SpecValidator(document).iter_errors()]
    for problem in problems:
        print(problem)
    return not problems


def fuzz(options, checker, token_id, token):
    """Whether every response matches the document; schemathesis prints the differences."""
    here = os.path.dirname(os.path.abspath(__file__))
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LC_ALL", "LANG") if name in os.environ}
    environment |= {
        "PYTHONPATH": here,
        "PYTHONDONTWRITEBYTECODE": "1",
        "SCHEMATHESIS_HOOKS": os.path.splitext(os.path.basename(__file__))[0],
        OWN_USER: str(checker),
        OWN_TOKEN: str(token_id),
    }
    command = [
        os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", options.base.rstrip("/") + "/api/v2/openapi.json",
        "--header", f"Authorization: Bearer {token}",
        "--checks", CHECKS,
        "--phases", options.phases,
        "--max-examples", str(options.examples),
        "--seed", str(options.seed),
        # Several workers would change the order, and Python 3.11 has a bug with threads.
        "--workers", "1",
        "--suppress-health-check", "all",
        "--continue-on-failure",
        "--no-shrink",
        "--warnings", "off",
    ]
    # The examples that schemathesis stores in a run must not change the next one.
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "schemathesis.toml"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION)
        return subprocess.run(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=os.environ.get("CONTROLLER_HOST"))
    parser.add_argument("--user", default=os.environ.get("CONTROLLER_USERNAME", "admin"))
    parser.add_argument("--password", default=os.environ.get("CONTROLLER_PASSWORD"))
    parser.add_argument("--examples", type=int, default=4)
    parser.add_argument("--seed", type=int, default=20240601)
    parser.add_argument("--phases", default="coverage,fuzzing,stateful")
    options = parser.parse_args()
    server = Server(options.base, options.user, options.password)
    checks = [
        ("the document is OpenAPI 3.1", lambda: is_valid(server.request("/api/v2/openapi.json"))),
        ("every response matches the document", lambda: fuzz(options, *server.populate())),
    ]
    passed = failed = 0
    for name, check in checks:
        sys.stdout.flush()
        try:
            holds = check()
        except (urllib.error.URLError, ValueError) as problem:
            holds = False
            print(problem)
        passed, failed = (passed + 1, failed) if holds else (passed, failed + 1)
        print(f"{'ok' if holds else 'FAIL'} - {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

import schemathesis  # noqa: E402  Only its second loading needs it.


def fill_path(case):
    """Most random keys do not exist: replaces three in four by an id that may exist."""
    key = (case.path_parameters or {}).get("key")
    number = zlib.crc32(str(key).encode(errors="surrogatepass"))
    if key is not None and number % 4:
        case.path_parameters["key"] = str(number % 5 + 1)


def keep_caller(case):
    """Changes a request that would delete the own user or token, so that it affects no object."""
    if case.method.upper() in ("GET", "OPTIONS"):
        return
    own = {
        "/api/v2/users/{key}/": (os.environ[OWN_USER], OWN_NAME),
        "/api/v2/tokens/{key}/": (os.environ[OWN_TOKEN],),
    }
    key = str((case.path_parameters or {}).get("key", ""))
    if key in own.get(case.path, ()):
        case.path_parameters["key"] = "0"
    if isinstance(case.body, dict) and str(case.body.get("id")) == os.environ[OWN_USER]:
        case.body["id"] = 0


@schemathesis.hook
def before_call(context, case, kwargs):
    fill_path(case)
    keep_caller(case)
