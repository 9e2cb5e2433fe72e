# SPDX-License-Identifier: Apache-2.0
import stage
from visit import check

BASE = "keep"


def command(port, base, home):
    return stage.program("single_page") + [str(port)] + ([base] if base else [])


def visit(app):
    page = app.page

    def found(name):
        """What the page's script has found out."""
        page.wait_for_function(f"window.found && found.{name} !== undefined && found.{name} !== null", timeout=5000)
        return page.evaluate(f"found.{name}")

    with app.essential("page"):
        app.open()
    with app.essential("module by a relative URL"):
        check(found("near"), "ok")
    with app.step("module by an absolute path"):
        check(found("far"), "ok")
    with app.step("import()"):
        check(found("lazy"), "ok")
    with app.step("router shows the home route"):
        check(found("route"), "Home")
    with app.step("CSS"):
        check(page.evaluate("getComputedStyle(document.getElementById('root')).color"), "rgb(1, 2, 3)")
    with app.step("picture of the CSS"):
        loaded = "performance.getEntriesByType('resource').some(e => e.name.includes('picture') && e.responseStatus == 200)"
        page.wait_for_function(loaded)
    with app.step("fetch"):
        check(found("items"), 3)
    with app.step("fetch with POST"):
        check(found("post"), 1)
    with app.step("EventSource"):
        check(found("event"), "0")
    with app.step("WebSocket"):
        check(found("socket"), "echo of hi by None")
    with app.step("module worker that fetches"):
        check(found("worker"), "ok")
    with app.step("service worker"):
        scope = found("serviceWorker")
        check(scope.startswith(app.origin + "/" if app.mode == "root" else app.url), True)
    with app.step("manifest"):
        manifest = app.context.new_cdp_session(page).send("Page.getAppManifest")
        check("single page" in manifest.get("data", ""))
    with app.step("login by a form"):
        page.click("#login button")
        page.wait_for_function("location.pathname.endsWith('/items/3')")
        page.wait_for_function("window.found && found.me === 'ann'")
    with app.step("WebSocket has the session"):
        page.wait_for_function("window.found && found.socket === 'echo of hi by ann'", timeout=5000)
    with app.step("history.pushState, fetch and reload"):
        app.open()
        page.wait_for_function("typeof window.go === 'function'")
        page.evaluate("go('/items/3')")
        if app.mode != "base":
            check(page.evaluate("fetch('/api/items').then(response => response.status)"), 200)
        page.reload()
        check(found("items"), 3)
        check(found("route"), "Item 3")
    with app.step("plain link to a route"):
        app.open()
        page.click("#plain")
        page.wait_for_function("location.pathname.endsWith('/items/3')")
        check(found("route"), "Item 3")
