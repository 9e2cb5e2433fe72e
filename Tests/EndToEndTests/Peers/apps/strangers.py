# SPDX-License-Identifier: Apache-2.0
"""A browser that has a tunnel open goes to pages of others, which try every way to reach the tunnel without its id."""

import asyncio
import ssl
import threading

from aiohttp import web

import signals

VISITED = "alpha"

# EDGE is the edge's origin. Each try has a kind of its own, and `done` says that all have had their answer.
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>waiting</title>
<meta name="referrer" content="REFERRER">
<script>
const edge = "EDGE";
const at = (kind) => edge + "/signal/stranger/" + kind;
const settled = (promise) => promise.then(() => {}, () => {});
const loads = (element, kind, attribute = "src") => new Promise((resolve) => {
    element.onload = element.onerror = resolve;
    if (element.tagName === "LINK") element.rel = "stylesheet";
    element[attribute] = at(kind);
    document.body.append(element);
    setTimeout(resolve, 3000);
});
const element = (name) => document.createElement(name);
const form = (method, kind, target) => {
    const made = Object.assign(element("form"), { method, action: at(kind), target });
    document.body.append(made);
    made.submit();
};
onload = async () => {
    const frame = Object.assign(element("iframe"), { name: "frame" });
    document.body.append(frame);
    form("post", "form-post-in-frame", "frame");
    const other = Object.assign(element("iframe"), { name: "other" });
    document.body.append(other);
    form("get", "form-get-in-frame", "other");
    const socket = new WebSocket(edge.replace(/^http/, "ws") + "/signal/stranger/socket");
    const events = new EventSource(at("events"), { withCredentials: true });
    navigator.sendBeacon(at("beacon"), "x");
    await Promise.all([
        loads(element("img"), "image"), loads(element("script"), "script"), loads(element("link"), "style", "href"),
        loads(element("iframe"), "frame"), loads(element("object"), "object", "data"),
        loads(element("video"), "video"), loads(Object.assign(element("img"), { crossOrigin: "use-credentials" }), "cors"),
        settled(fetch(at("fetch"), { mode: "no-cors", credentials: "include" })),
        settled(fetch(at("fetch-post"), { mode: "no-cors", credentials: "include", method: "POST", body: "x" })),
        settled(fetch(at("fetch-cors"), { credentials: "include" })),
        settled(fetch(at("fetch-delete"), { credentials: "include", method: "DELETE" })),
        settled(fetch(at("fetch-no-referrer"), { mode: "no-cors", credentials: "include", referrerPolicy: "no-referrer" })),
        settled(fetch("/redirect/redirected-fetch", { mode: "no-cors", credentials: "include" })),
        settled(import(at("import"))),
        new Promise((resolve) => { socket.onopen = socket.onerror = resolve; }),
        new Promise((resolve) => { events.onopen = events.onerror = () => { events.close(); resolve(); }; }),
    ]);
    document.title = "done";
};
</script>
<a id="link" href="EDGE/signal/stranger/link">link</a>
<a id="noreferrer" rel="noreferrer" href="EDGE/signal/stranger/noreferrer-link">link</a>
<a id="redirect" href="/redirect/redirected-link">link</a>
<body></body>
"""
TRIES_OF_A_PAGE = 19
HIDDEN = ("stranger.test", "no-referrer")
NAVIGATIONS = {
    "link": "document.getElementById('link').click()",
    "noreferrer-link": "document.getElementById('noreferrer').click()",
    "redirected-link": "document.getElementById('redirect').click()",
    "form-post": "form('post', 'form-post', '')",
    "form-get": "form('get', 'form-get', '')",
    "location": "location.href = at('location')",
    "refresh": "document.head.insertAdjacentHTML('beforeend', `<meta http-equiv=refresh content='0;url=${at('refresh')}'>`)",
}


class Stranger:
    """A server of somebody else's, for any name."""

    def __init__(self, edge, certificate, key):
        self.edge = edge
        self.referrer = "strict-origin-when-cross-origin"
        # What came here with the edge's cookie, which no other server may ever get.
        self.cookies = []
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.port = asyncio.run_coroutine_threadsafe(self.serve(certificate, key), self.loop).result(10)

    async def serve(self, certificate, key):
        application = web.Application()
        application.router.add_get("/", self.page)
        application.router.add_get("/redirect/{kind}", self.redirect)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        return runner.addresses[0][1]

    async def page(self, request):
        self.cookies.append((request.host, request.headers.get("Cookie", "")))
        text = PAGE.replace("EDGE", self.edge).replace("REFERRER", self.referrer)
        return web.Response(text=text, content_type="text/html")

    async def redirect(self, request):
        kind = request.match_info["kind"]
        raise web.HTTPFound(f"{self.edge}/signal/stranger/{kind}")


def reached(apps):
    return sorted({kind for name in (VISITED, "beta") for owner, kind in apps[name].seen if owner == "stranger"})


def run(browser, place):
    problems, tries = [], 0
    apps = signals.Apps({name: place.ports[name] for name in (VISITED, "beta")})
    stranger = Stranger(place.edge, place.certificate, place.key)
    context = browser.new_context()
    page = context.new_page()
    page.goto(place.path_url(VISITED))
    page.wait_for_function("document.title === 'done'", timeout=30_000)
    cookies = [cookie for cookie in context.cookies(place.edge) if cookie["name"] == "culvert-tunnel"]
    problems += problems_of_the_cookie(cookies, page)

    # Another site, another host of the same site, another port of the same host: that one gets the cookie.
    for host in ("stranger.test", "neighbour.edge.test", "edge.test"):
        for referrer in ("strict-origin-when-cross-origin", "no-referrer", "unsafe-url"):
            stranger.referrer = referrer
            home = f"https://{host}:{stranger.port}/"
            apps.forget()
            page.goto(home)
            page.wait_for_function("document.title === 'done'", timeout=30_000)
            tries += TRIES_OF_A_PAGE
            # What a link says of where it is differs most where it comes from another site.
            is_told = referrer == "strict-origin-when-cross-origin"
            for script in NAVIGATIONS.values() if is_told or (host, referrer) == HIDDEN else ():
                page.goto(home)
                page.wait_for_function("document.title === 'done'", timeout=30_000)
                # The edge answers with a page of its own.
                with page.expect_event("load"):
                    page.evaluate(script)
                tries += 1
            problems += [f"{host}, {referrer}: {kind} reaches an app" for kind in reached(apps)]
    page.goto(f"https://stranger.test:{stranger.port}/")
    with context.expect_event("response", lambda response: "/signal/stranger/opened" in response.url):
        page.evaluate("void open(at('opened'))")
    problems += [f"window.open: {kind} reaches an app" for kind in reached(apps)]
    return {"problems": problems, "tries": tries + 1}


def problems_of_the_cookie(cookies, page):
    if len(cookies) != 1:
        return [f"there are {len(cookies)} cookies of the edge"]
    cookie = cookies[0]
    expected = {"httpOnly": True, "secure": True, "sameSite": "Lax", "path": "/", "domain": "edge.test"}
    problems = [f"the cookie's {name} is {cookie[name]}" for name, value in expected.items() if cookie[name] != value]
    if "culvert" in page.evaluate("document.cookie"):
        problems.append("a script reads the edge's cookie")
    return problems
