# SPDX-License-Identifier: Apache-2.0
"""One browser with one tunnel open, and with two in two tabs: what asks reaches its own app, or nobody."""

import signals
import stage
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

FIRST, SECOND = "alpha", "beta"

# Ways to another page: what is done on the page, and which pages of the app that leads to.
NAVIGATIONS = {
    "a link": ("document.getElementById('link').click()", {"link.html"}),
    "location.href": ("location.href = at('assigned.html')", {"assigned.html"}),
    "a form with GET": ("document.querySelector('#get button').click()", {"form-get.html"}),
    "a form with POST, and what its 303 leads to": (
        "document.querySelector('#post button').click()",
        {"form-post", "after-post.html"},
    ),
    "meta refresh": (
        "document.head.insertAdjacentHTML('beforeend', `<meta http-equiv=refresh content='0;url=${at('refresh.html')}'>`)",
        {"refresh.html"},
    ),
}
# Those that only the cookie tells.
NAVIGATIONS_BY_COOKIE = {
    "a link without a referrer": ("document.getElementById('noreferrer').click()", {"noreferrer-link.html"}),
    "a reload after pushState": ("history.pushState({}, '', at('reloaded.html')); location.reload()", {"reloaded.html"}),
}


class Findings:
    def __init__(self, apps):
        self.apps = apps
        self.problems = []
        # Requests that came where they belong.
        self.arrived = 0

    def note(self, problem):
        self.problems.append(problem)

    def settle(self, situation, owner, expected):
        """Takes stock of what the apps have seen since the last time."""
        app = self.apps[owner]
        try:
            stage.wait_until(lambda: expected <= {kind for _, kind in app.seen}, "requests", seconds=10)
        except TimeoutError:
            missing = expected - {kind for _, kind in app.seen}
            self.note(f"{situation}: {owner} misses {', '.join(sorted(missing))}")
        for request in self.apps.misrouted():
            self.note(f"{situation}: {request}")
        for name in (FIRST, SECOND):
            leaked = [path for path, head in self.apps[name].heads if "culvert" in head.get("Cookie", "")]
            if leaked:
                self.note(f"{situation}: {name} sees the edge's cookie at {', '.join(leaked[:3])}")
            self.arrived += len(self.apps[name].seen)
        self.apps.forget()


def finish(page):
    """Waits until a page has asked for everything."""
    try:
        page.wait_for_function("document.title === 'done'", timeout=30_000)
    except PlaywrightTimeoutError:
        missing = page.evaluate("[document.readyState, ...Object.keys(window.asked ?? {}).filter((kind) => !(kind in results))]")
        raise TimeoutError(f"{page.url} waits for its answers: {', '.join(missing)}") from None
    page.context.new_cdp_session(page).send("Page.getAppManifest")


def all_kinds(page, findings, situation, owner, expected, by_cookie):
    finish(page)
    findings.settle(situation, owner, expected)
    # It would own every tunnel of the edge.
    if "SecurityError" not in (found := page.evaluate("results['service-worker']")):
        if "TypeError" not in found:
            findings.note(f"{situation}: a service worker: {found}")
    page.evaluate("askAfterPushState()")
    findings.settle(f"{situation}, after pushState", owner, signals.AFTER_PUSH_STATE if by_cookie else set())


def navigate(page, place, findings, situation, owner, ways, arrives):
    for name, (script, expected) in ways.items():
        page.goto(place.path_url(owner))
        finish(page)
        findings.apps.forget()
        # Not a navigation: pushState is one, too.
        with page.expect_event("load"):
            page.evaluate(script)
        findings.settle(f"{situation}, {name}", owner, expected if arrives else set())
        if arrives and f"/{owner}/" not in page.url:
            findings.note(f"{situation}, {name}: the address bar shows {page.url}")


def downloads(page, place, findings, owner):
    page.goto(place.path_url(owner))
    finish(page)
    with page.expect_download() as download:
        page.evaluate("document.getElementById('download').click()")
    download.value.path()
    findings.settle("a download", owner, {"download"})


def one_tunnel(context, place, findings):
    """Everything arrives, also what only the cookie tells."""
    page = context.new_page()
    page.goto(place.path_url(FIRST))
    all_kinds(page, findings, "one tunnel", FIRST, signals.BY_REFERER | signals.BY_COOKIE, by_cookie=True)
    navigate(page, place, findings, "one tunnel", FIRST, NAVIGATIONS | NAVIGATIONS_BY_COOKIE, arrives=True)
    downloads(page, place, findings, FIRST)
    with context.expect_page() as opened:
        page.evaluate("open(at('opened.html'))")
    opened.value.wait_for_load_state()
    findings.settle("window.open", FIRST, {"opened.html"})
    # A bookmark, or typed.
    page.goto(f"{place.edge}/signal/{FIRST}/typed.html")
    findings.settle("a URL without the id, typed", FIRST, {"typed.html"})


def no_referrer(context, place, findings):
    """A server that sends `Referrer-Policy: no-referrer`, as Express with helmet does: only the cookie is left."""
    findings.apps[FIRST].policy = findings.apps[SECOND].policy = "no-referrer"
    page = context.new_page()
    page.goto(place.path_url(FIRST))
    expected = (signals.BY_REFERER | signals.BY_COOKIE) - signals.WITHOUT_COOKIE
    all_kinds(page, findings, "no Referer", FIRST, expected, by_cookie=True)
    navigate(page, place, findings, "no Referer", FIRST, NAVIGATIONS, arrives=True)
    other = context.new_page()
    other.goto(place.path_url(SECOND))
    finish(other)
    findings.settle("no Referer, the second tunnel", SECOND, set())
    page.goto(place.path_url(FIRST))
    finish(page)
    findings.settle("no Referer, two tunnels", FIRST, set())


def two_tunnels(context, place, findings):
    """Two tabs, each reloaded three times in turn: what a Referer tells arrives, the rest does or is refused."""
    tabs = {owner: context.new_page() for owner in (FIRST, SECOND)}
    for owner, page in tabs.items():
        page.goto(place.path_url(owner))
        finish(page)
        findings.settle(f"two tunnels, {owner} opened", owner, signals.BY_REFERER)
    for turn in range(3):
        for owner, page in tabs.items():
            page.goto(place.path_url(owner)) if turn else page.reload()
            page.reload()
            all_kinds(page, findings, f"two tunnels, turn {turn + 1}", owner, signals.BY_REFERER, by_cookie=False)
    for owner, page in tabs.items():
        navigate(page, place, findings, "two tunnels", owner, NAVIGATIONS, arrives=True)
        navigate(page, place, findings, "two tunnels", owner, NAVIGATIONS_BY_COOKIE, arrives=False)
        if page.evaluate("document.getElementById('owner')?.textContent") not in (None, owner):
            findings.note(f"a tab of {owner} shows another app")


def run(browser, place):
    findings = Findings(signals.Apps({name: place.ports[name] for name in (FIRST, SECOND)}))
    for situation in (one_tunnel, two_tunnels, no_referrer):
        context = browser.new_context()
        try:
            situation(context, place, findings)
        except Exception as error:
            findings.note(f"{situation.__name__}: {type(error).__name__}: {str(error)[:300]}")
        context.close()
        findings.apps.forget()
    return {"problems": findings.problems, "arrived": findings.arrived}
