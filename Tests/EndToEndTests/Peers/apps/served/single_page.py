# SPDX-License-Identifier: Apache-2.0
"""A single-page app as build tools make them by default: every URL begins with a slash, routes live in the history.

    single_page.py PORT [BASE]

With BASE every URL begins with it, as with `vite build --base`, and the server expects it, too."""

import asyncio
import json
import secrets
import sys

from aiohttp import web

PORT = int(sys.argv[1])
BASE = sys.argv[2] if len(sys.argv) > 2 else ""

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Single page</title>
<link rel="stylesheet" href="BASE/assets/app.css">
<link rel="manifest" href="BASE/manifest.webmanifest">
<link rel="icon" href="BASE/images/icon.png">
<script type="module" src="BASE/assets/app.js"></script>
<div id="root"></div>
<div id="picture"></div>
<form id="login" method="post" action="BASE/login"><input name="user" value="ann"><button>in</button></form>
<a id="plain" href="BASE/items/3">plain link</a>
"""

SCRIPT = """import { near } from "./near.js";
import { far } from "BASE/assets/far.js";
const base = "BASE";
const found = window.found = { near, far };
function render() {
    const path = location.pathname;
    const route = path.startsWith(base) ? path.slice(base.length) || "/" : null;
    const item = route?.match(/^\\/items\\/(\\d+)$/);
    found.route = route === "/" ? "Home" : item ? "Item " + item[1] : "Not found: " + path;
    document.getElementById("root").textContent = found.route;
}
window.go = (to) => { history.pushState({}, "", base + to); render(); };
addEventListener("popstate", render);
render();
const json = (response) => response.ok ? response.json() : Promise.reject(new Error(response.status));
const into = (name, promise) => promise.then((value) => found[name] = value, (error) => found[name] = String(error));
into("items", fetch(base + "/api/items").then(json).then((value) => value.items.length));
into("me", fetch(base + "/api/me").then(json).then((value) => value.user));
const posted = { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"n": 1}' };
into("post", fetch(base + "/api/items", posted).then(json).then((value) => value.got.n));
const events = new EventSource(base + "/events");
events.onmessage = (event) => { found.event = event.data; events.close(); };
events.onerror = () => { found.event ??= "error"; };
const socket = new WebSocket(location.origin.replace(/^http/, "ws") + base + "/ws");
socket.onopen = () => socket.send("hi");
socket.onmessage = (event) => { found.socket = event.data; };
socket.onerror = () => { found.socket = "error"; };
const worker = new Worker(base + "/assets/worker.js", { type: "module" });
worker.onmessage = (event) => { found.worker = event.data; };
worker.onerror = () => { found.worker = "error"; };
into("serviceWorker", navigator.serviceWorker.register(base + "/sw.js").then((registered) => registered.scope));
into("lazy", import(base + "/assets/lazy.js").then((module) => module.lazy));
"""

WORKER = """import "BASE/assets/worker-part.js";
fetch("BASE/api/items").then((response) => postMessage(response.ok ? "ok" : String(response.status)),
    (error) => postMessage(String(error)));
"""

STYLE = """#root { color: rgb(1, 2, 3) }
#picture { width: 9px; height: 9px; background: url(BASE/images/picture.png) }
"""

JAVASCRIPT = "text/javascript"
TEXTS = {
    "/assets/app.js": (SCRIPT, JAVASCRIPT),
    "/assets/near.js": ('export const near = "ok";', JAVASCRIPT),
    "/assets/far.js": ('export const far = "ok";', JAVASCRIPT),
    "/assets/lazy.js": ('export const lazy = "ok";', JAVASCRIPT),
    "/assets/worker.js": (WORKER, JAVASCRIPT),
    "/assets/worker-part.js": ("", JAVASCRIPT),
    "/sw.js": ('self.addEventListener("fetch", () => {});', JAVASCRIPT),
    "/assets/app.css": (STYLE, "text/css"),
    "/manifest.webmanifest": (
        json.dumps({"name": "single page", "start_url": "BASE/", "icons": []}),
        "application/manifest+json",
    ),
}
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
USERS = {}


def user(request):
    return USERS.get(request.cookies.get("session"))


async def items(request):
    if request.method == "POST":
        return web.json_response({"got": await request.json()})
    return web.json_response({"items": [1, 2, 3]})


async def me(request):
    return web.json_response({"user": user(request)})


async def login(request):
    session = secrets.token_hex(8)
    USERS[session] = (await request.post())["user"]
    response = web.Response(status=303, headers={"Location": f"{BASE}/items/3"})
    response.set_cookie("session", session, path=f"{BASE}/", httponly=True, samesite="Lax")
    return response


async def socket(request):
    connection = web.WebSocketResponse()
    await connection.prepare(request)
    async for message in connection:
        await connection.send_str(f"echo of {message.data} by {user(request)}")
    return connection


async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in range(3):
        await response.write(f"data: {number}\n\n".encode())
        await asyncio.sleep(0.1)
    return response


async def other(request):
    path = request.path.removeprefix(BASE)
    if path in TEXTS:
        text, kind = TEXTS[path]
        return web.Response(text=text.replace("BASE", BASE), content_type=kind)
    if path.startswith("/images/"):
        return web.Response(body=PICTURE, content_type="image/png")
    if path.startswith(("/api/", "/assets/")):
        return web.Response(status=404)
    # The page, whatever the route.
    return web.Response(text=PAGE.replace("BASE", BASE), content_type="text/html")


app = web.Application()
app.router.add_route("*", f"{BASE}/api/items", items)
app.router.add_get(f"{BASE}/api/me", me)
app.router.add_post(f"{BASE}/login", login)
app.router.add_get(f"{BASE}/ws", socket)
app.router.add_get(f"{BASE}/events", events)
app.router.add_get(BASE + "/{path:.*}", other)
web.run_app(app, host="localhost", port=PORT, print=None)
