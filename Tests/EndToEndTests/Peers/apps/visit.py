# SPDX-License-Identifier: Apache-2.0
"""One app in one mode, seen by a tab of a browser and by programs that are none, step by step."""

import contextlib
import urllib.parse

import requests

# For one action of a page. Debug builds on a busy machine are slow.
SECONDS = 10


class Broken(Exception):
    """A step has failed without which the next ones make no sense."""


class Visit:
    def __init__(self, context, url, mode, certificate, home):
        self.url, self.mode, self.certificate = url, mode, certificate
        # The folder that the app runs in.
        self.home = home
        parts = urllib.parse.urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.passed = []
        self.failed = {}
        # What the browser and the server said, for who reads a failure.
        self.notes = []
        self.context = context
        context.set_default_timeout(SECONDS * 1000)
        context.on("page", self.watch)
        self.page = context.new_page()

    def watch(self, page):
        def answered(response):
            if response.status >= 400:
                code = response.headers.get("culvert-error", "")
                self.note(f"{response.status} {response.request.method} {response.url} {code}")

        page.on("response", answered)
        page.on("requestfailed", lambda request: self.note(f"{request.failure}: {request.method} {request.url}"))
        page.on("pageerror", lambda error: self.note(f"script: {error}"))
        page.on("websocket", self.watch_socket)

    def watch_socket(self, socket):
        socket.on("socketerror", lambda error: self.note(f"WebSocket {socket.url}: {error}"))

    def note(self, text):
        if len(self.notes) < 12:
            self.notes.append(text[:200])

    @contextlib.contextmanager
    def step(self, name, essential=False):
        try:
            yield
        except Exception as error:
            text = str(error).split("\n")[0]
            self.failed[name] = f"{type(error).__name__}: {text}"[:300]
            if essential:
                raise Broken from error
        else:
            self.passed.append(name)

    def essential(self, name):
        return self.step(name, essential=True)

    def open(self, path="", **options):
        response = self.page.goto(self.url + path, **options)
        if response.status >= 400:
            raise RuntimeError(f"{response.status} for {response.url}")

    def request(self, method, path, **options):
        """A request of a program that is no browser."""
        trust = self.certificate if self.origin.startswith("https") else True
        return requests.request(method, self.url + path, verify=trust, timeout=20, **options)

    def stays(self):
        """Whether the tab is still at a URL of the app."""
        return self.page.url.startswith(self.origin + "/" if self.mode == "root" else self.url)

    def has_style(self, rules):
        """Waits until the page has a style sheet of at least so many rules; a live reload may come between."""
        # A sheet that could not be loaded lets nobody read its rules.
        script = """least => [...document.styleSheets].some(sheet => {
            try { return sheet.cssRules.length >= least; } catch { return false; }
        })"""
        self.page.wait_for_function(script, arg=rules)
        return True

    def result(self):
        return {"passed": self.passed, "failed": self.failed, "notes": self.notes if self.failed else []}


def check(found, expected=True):
    if found != expected:
        raise AssertionError(f"{str(found)[:150]!r} instead of {str(expected)[:150]!r}")
