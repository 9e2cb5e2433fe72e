# SPDX-License-Identifier: Apache-2.0
"""Chromium with a window on the inspector's page, and what it complains of."""

import contextlib
import datetime
import pathlib
import sys
import urllib.request

from playwright.sync_api import TimeoutError as PatienceIsOver
from playwright.sync_api import expect, sync_playwright

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from chromium import EXECUTABLE  # noqa: E402

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 360, "height": 740}
# Reports what the page's Content-Security-Policy refused, also where the console doesn't say it.
REPORT = """
window.violations = [];
addEventListener('securitypolicyviolation', event => {
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""

# How long a page may take, beside other tests on a busy machine, in milliseconds.
PATIENCE = 15_000
expect.set_options(timeout=PATIENCE)


class Window:
    """A page of the browser that remembers every complaint."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.url = url
        self.complaints = []
        # Parts of complaints that a scene provokes.
        self.expected = []
        self.page.set_default_timeout(PATIENCE)
        self.page.add_init_script(REPORT)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        # The URLs that were asked for and are not there yet.
        self.awaited = []
        self.page.on("request", lambda request: self.awaited.append(request.url))
        self.page.on("requestfinished", self._done)
        self.page.on("requestfailed", self._done)

    def _done(self, request):
        if request.url in self.awaited:
            self.awaited.remove(request.url)

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def open(self, fragment=""):
        self.page.goto("about:blank")
        try:
            self.page.goto(self.url + fragment)
        except PatienceIsOver as late:
            raise AssertionError(f"the browser waits for {self.awaited}; asked beside it, {self._asked_beside()}") from late
        self.page.locator("#tunnels button").first.wait_for()
        return self

    def _asked_beside(self):
        """Tells a program that does not answer from a browser that is too busy."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return f"{self.url} answers {answer.status}"
        except OSError as error:
            return f"{self.url} gives {error}"

    def close(self):
        """Ends the window; what it complained of is a failure, and so is captured content that was run."""
        complaints = [one for one in self.complaints if not any(part in one for part in self.expected)]
        complaints += [f"CSP: {one}" for one in self.page.evaluate("() => window.violations ?? []")]
        hacked = self.page.evaluate("() => window.hacked ?? null")
        self.page.close()
        assert hacked is None, f"captured content was run: {hacked}"
        assert not complaints, "\n".join(complaints)

    # What scenes do again and again

    def rows(self, text=None):
        rows = self.page.locator("#list .space > .row:not([hidden])")
        return rows.filter(has_text=text) if text else rows

    def wait_for_rows(self, number):
        """Waits until the list has so many rows; gives how many it has."""
        self.page.wait_for_function(
            "number => Number(document.getElementById('list').getAttribute('aria-rowcount')) > number", arg=number, timeout=60_000
        )
        return int(self.page.locator("#list").get_attribute("aria-rowcount")) - 1

    def choose(self, text, tab=None):
        """Chooses the newest exchange whose line has `text`, and waits for its details."""
        self.rows(text).first.click()
        self.page.locator("#detail h2").filter(has_text=text.split("?")[0]).wait_for()
        if tab:
            self.page.get_by_role("tab", name=tab).click()
        return self.page.locator("#panel")

    def button(self, name, inside="#detail"):
        return self.page.locator(inside).get_by_role("button", name=name, exact=True)

    def filter(self, text):
        self.page.locator("#filter").fill(text)


@contextlib.contextmanager
def chromium(rules=()):
    """A browser; `rules` are Chromium's `--host-resolver-rules`."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        if rules:
            arguments.append(f"--host-resolver-rules={','.join(rules)}")
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def context(browser, size=None, scheme="light", now=None):
    made = browser.new_context(
        viewport=size or WIDE, color_scheme=scheme, timezone_id="UTC", locale="en-GB", reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )  # fmt: skip
    if now is not None:
        made.clock.set_fixed_time(datetime.datetime.fromtimestamp(now / 1000, datetime.timezone.utc))
    return made
