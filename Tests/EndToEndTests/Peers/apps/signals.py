# SPDX-License-Identifier: Apache-2.0
"""Apps whose pages ask for things in every way that a browser knows, always by a path that lacks the tunnel's id.

Each URL names the app whose page asks: /signal/OWNER/KIND. An app notes what it is asked for, so that a request for
another owner shows that it came to the wrong app."""

import asyncio
import threading

from aiohttp import web

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>waiting</title>
<link rel="stylesheet" href="/signal/OWNER/style.css">
<link rel="manifest" href="/signal/OWNER/manifest.webmanifest">
<link rel="prefetch" href="/signal/OWNER/prefetch">
<link rel="modulepreload" href="/signal/OWNER/preloaded.js">
<script src="/signal/OWNER/script.js"></script>
<script type="module" src="/signal/OWNER/module.js"></script>
<p id="owner">OWNER</p>
<img src="/signal/OWNER/image.png">
<img src="/signal/OWNER/cors-image.png" crossorigin>
<video src="/signal/OWNER/video.mp4"></video>
<iframe src="/signal/OWNER/frame.html"></iframe>
<iframe srcdoc="<img src=/signal/OWNER/srcdoc-image.png>"></iframe>
<object data="/signal/OWNER/object.html"></object>
<div style="background: url(/signal/OWNER/inline-background.png)">text</div>
<a id="link" href="/signal/OWNER/link.html">link</a>
<a id="noreferrer" rel="noreferrer" href="/signal/OWNER/noreferrer-link.html">link</a>
<a id="download" download href="/signal/OWNER/download">download</a>
<form id="get" action="/signal/OWNER/form-get.html"><input name="a" value="1"><button>get</button></form>
<form id="post" method="post" action="/signal/OWNER/form-post"><input name="a" value="1"><button>post</button></form>
<script>
const at = (kind) => "/signal/OWNER/" + kind;
const settled = (promise) => promise.then((value) => String(value), (error) => String(error));
const status = (promise) => settled(promise.then((response) => response.status));
const socket = (kind) => new Promise((resolve) => {
    const connection = new WebSocket(location.origin.replace(/^http/, "ws") + at(kind));
    connection.onmessage = (event) => { resolve(event.data); connection.close(); };
    connection.onerror = () => resolve("refused");
});
const worker = (constructor, url, options) => new Promise((resolve) => {
    const made = new constructor(url, options);
    const port = made.port ?? made;
    port.onmessage = (event) => resolve(event.data);
    made.onerror = () => resolve("error");
});
// A Chromium that is busy does not always tell a page that the script of its shared worker was refused.
const silence = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds, "silent"));
const blob = (text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
window.results = {};
window.asked = {};
async function ask() {
    Object.assign(asked, {
        "fetch": status(fetch(at("fetch"))),
        "fetch-post": status(fetch(at("fetch-post"), { method: "POST", body: "x" })),
        "fetch-delete": status(fetch(at("fetch-delete"), { method: "DELETE" })),
        "fetch-without-credentials": status(fetch(at("fetch-without-credentials"), { credentials: "omit" })),
        "fetch-no-referrer": status(fetch(at("fetch-no-referrer"), { referrerPolicy: "no-referrer" })),
        "import": settled(import(at("import.js")).then(() => "ok")),
        "events": new Promise((resolve) => {
            const source = new EventSource(at("events"));
            source.onmessage = (event) => { resolve(event.data); source.close(); };
            source.onerror = () => { resolve("error"); source.close(); };
        }),
        "socket": socket("socket"),
        "worker": worker(Worker, at("worker.js")),
        "module-worker": worker(Worker, at("module-worker.js"), { type: "module" }),
        "shared-worker": Promise.race([worker(SharedWorker, at("shared-worker.js")), silence(5_000)]),
        "blob-worker": worker(Worker, blob(`
            fetch("${location.origin}" + "${at("blob-worker-fetch")}").then((r) => postMessage(r.status), () => postMessage(0));
        `)),
        "service-worker": settled(navigator.serviceWorker.register(at("service-worker.js"))),
    });
    navigator.sendBeacon(at("beacon"), "x");
    await Promise.all(Object.entries(asked).map(async ([kind, promise]) => { results[kind] = await promise; }));
}
async function askAfterPushState() {
    history.pushState({}, "", at("pushed.html"));
    results["pushed-fetch"] = await status(fetch(at("pushed-fetch")));
    results["pushed-post"] = await status(fetch(at("pushed-post"), { method: "POST", body: "x" }));
    results["pushed-socket"] = await socket("pushed-socket");
}
const loaded = new Promise((resolve) => addEventListener("load", resolve));
Promise.all([ask(), loaded]).then(() => { document.title = "done"; });
</script>
"""

TEXTS = {
    "style.css": """@import "/signal/OWNER/imported.css";
        @font-face { font-family: signal; src: url(/signal/OWNER/font.woff2); }
        p { font-family: signal; background: url(/signal/OWNER/background.png); }""",
    "module.js": 'import "/signal/OWNER/static-import.js"; await import("/signal/OWNER/dynamic-import.js");',
    "frame.html": '<script src="/signal/OWNER/frame-script.js"></script>',
    "worker.js": """importScripts("/signal/OWNER/import-scripts.js");
        const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/signal/OWNER/worker-socket");
        const heard = new Promise((resolve) => { socket.onmessage = socket.onerror = resolve; });
        fetch("/signal/OWNER/worker-fetch").then((r) => r.status, String)
            .then((status) => heard.then(() => postMessage(status)));""",
    "module-worker.js": 'import "/signal/OWNER/worker-import.js"; postMessage("ok");',
    "shared-worker.js": """onconnect = (event) => fetch("/signal/OWNER/shared-worker-fetch")
        .then((r) => event.ports[0].postMessage(r.status), (error) => event.ports[0].postMessage(String(error)));""",
    "manifest.webmanifest": '{"name": "signals"}',
}
KINDS = {
    ".css": "text/css", ".js": "text/javascript", ".html": "text/html", ".png": "image/png", ".mp4": "video/mp4",
    ".woff2": "font/woff2", ".webmanifest": "application/manifest+json",
}  # fmt: skip

# Whose page asks is known by the Referer: of a page, or of something that was led below the id before.
BY_REFERER = {
    "style.css", "imported.css", "background.png", "inline-background.png", "font.woff2", "manifest.webmanifest",
    "prefetch", "preloaded.js", "script.js", "module.js", "static-import.js", "dynamic-import.js", "image.png",
    "cors-image.png", "video.mp4", "frame.html", "frame-script.js", "srcdoc-image.png", "object.html", "fetch",
    "fetch-post", "fetch-delete", "fetch-without-credentials", "import.js", "events", "beacon", "worker.js",
    "import-scripts.js", "worker-fetch", "module-worker.js", "worker-import.js", "shared-worker.js",
    "shared-worker-fetch",
}  # fmt: skip
# There is no Referer, or one without an id: only the cookie is left.
BY_COOKIE = {"fetch-no-referrer", "socket", "worker-socket", "blob-worker-fetch"}
# What browsers send without cookies.
WITHOUT_COOKIE = {"fetch-without-credentials", "manifest.webmanifest"}
AFTER_PUSH_STATE = {"pushed-fetch", "pushed-post", "pushed-socket"}


class App:
    """The local server behind one tunnel."""

    def __init__(self, name):
        self.name = name
        # The owner and the kind of each request.
        self.seen = []
        # The fields of each request.
        self.heads = []
        # A value of Referrer-Policy that the pages have.
        self.policy = None

    async def answer(self, request):
        owner, kind = request.match_info.get("owner", self.name), request.match_info.get("kind", "page")
        self.seen.append((owner, kind))
        self.heads.append((request.path_qs, dict(request.headers)))
        if request.headers.get("Upgrade", "").lower() == "websocket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str(self.name)
            await socket.receive()
            return socket
        await request.read()
        if kind == "form-post":
            return web.Response(status=303, headers={"Location": f"/signal/{owner}/after-post.html"})
        if kind == "events":
            return web.Response(text=f"data: {self.name}\n\n", content_type="text/event-stream")
        suffix = "." + kind.rpartition(".")[2]
        text = PAGE if kind == "page" else TEXTS.get(kind, "" if suffix != ".html" else "<p id=owner>OWNER</p>")
        # A page says who serves it, everything else goes on for whoever asked.
        whose = self.name if suffix == ".html" and kind not in TEXTS or kind == "page" else owner
        headers = {"Cache-Control": "no-store"}
        if self.policy:
            headers["Referrer-Policy"] = self.policy
        kind = "text/html" if kind == "page" else KINDS.get(suffix, "text/plain")
        return web.Response(text=text.replace("OWNER", whose), content_type=kind, headers=headers)

    async def serve(self, port):
        application = web.Application()
        application.router.add_route("*", "/", self.answer)
        application.router.add_route("*", "/signal/{owner}/{kind}", self.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "localhost", port).start()


class Apps:
    """Serves apps in a thread of their own: the browser's driver waits in this one."""

    def __init__(self, ports):
        self.apps = {name: App(name) for name in ports}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        for name, app in self.apps.items():
            asyncio.run_coroutine_threadsafe(app.serve(ports[name]), self.loop).result(10)

    def __getitem__(self, name):
        return self.apps[name]

    def misrouted(self):
        """The requests that came to an app though another one's page had asked."""
        return [
            f"{kind} of {owner} at {name}"
            for name, app in self.apps.items() for owner, kind in app.seen if owner != name
        ]  # fmt: skip

    def forget(self):
        for app in self.apps.values():
            app.seen.clear()
            app.heads.clear()
