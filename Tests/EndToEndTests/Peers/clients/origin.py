# SPDX-License-Identifier: Apache-2.0
"""A development server as such tools have it: modules, a WebSocket, a cookie, a redirect, server-sent events.

Like them it has to be told its base, and takes X-Forwarded-Prefix for that."""

import asyncio

from aiohttp import WSMsgType, web

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>waiting</title>
<link rel="stylesheet" href="BASE/style.css">
<script type="module" src="BASE/src/main.js"></script>
<p id="result">waiting</p>
"""

MAIN = """import { colour } from "./style.js";
import { base } from "BASE/src/base.js";

const found = {};
const socket = new Promise((resolve, reject) => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const connection = new WebSocket(`${scheme}//${location.host}${base}/hmr`, "vite-hmr");
    connection.onopen = () => connection.send("ping");
    connection.onmessage = (event) => { resolve(`${event.data} by ${connection.protocol}`); connection.close(); };
    connection.onerror = () => reject(new Error("WebSocket"));
});
const events = new Promise((resolve, reject) => {
    const source = new EventSource(`${base}/events`);
    const heard = [];
    source.onmessage = (event) => {
        heard.push(event.data);
        if (heard.length === 3) { source.close(); resolve(heard.join(" ")); }
    };
    source.onerror = () => reject(new Error("EventSource"));
});
try {
    found.colour = colour();
    found.socket = await socket;
    found.events = await events;
    const moved = await fetch(`${base}/old`);
    found.moved = `${moved.redirected} ${await moved.text()}`;
    found.cookie = await (await fetch(`${base}/cookie`)).text();
    const posted = await fetch(`${base}/echo`, { method: "POST", body: "grün" });
    found.posted = await posted.text();
} catch (error) {
    found.error = String(error);
}
document.getElementById("result").textContent = JSON.stringify(found);
document.title = "done";
"""

STYLE = """export const colour = () => getComputedStyle(document.getElementById("result")).color;
"""


def base_of(request):
    return request.headers.get("X-Forwarded-Prefix", "").rstrip("/")


def text(body, kind):
    async def handler(request):
        return web.Response(text=body.replace("BASE", base_of(request)), content_type=kind)

    return handler


async def page(request):
    response = web.Response(text=PAGE.replace("BASE", base_of(request)), content_type="text/html")
    response.set_cookie("session", "42", path="/", httponly=True)
    return response


async def hmr(request):
    socket = web.WebSocketResponse(protocols=("vite-hmr",))
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"echo of {message.data}")
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    try:
        for number in range(1_000):
            await response.write(f"data: {number}\n\n".encode())
            await asyncio.sleep(0.05)
    except ConnectionError:
        pass
    return response


async def old(request):
    raise web.HTTPFound("/new")


async def cookie(request):
    return web.Response(text=request.cookies.get("session", "none"))


async def echo(request):
    """Answers with the body while it still comes."""
    response = web.StreamResponse()
    response.content_type = "application/octet-stream"
    await response.prepare(request)
    async for part in request.content.iter_any():
        await response.write(part)
    await response.write_eof()
    return response


def application():
    app = web.Application(client_max_size=0)
    app.router.add_get("/", page)
    app.router.add_get("/src/main.js", text(MAIN, "text/javascript"))
    app.router.add_get("/src/style.js", text(STYLE, "text/javascript"))
    app.router.add_get("/src/base.js", text('export const base = "BASE";\n', "text/javascript"))
    app.router.add_get("/style.css", text("#result { color: rgb(1, 2, 3) }\n", "text/css"))
    app.router.add_get("/hmr", hmr)
    app.router.add_get("/events", events)
    app.router.add_get("/old", old)
    app.router.add_get("/new", text("new", "text/plain"))
    app.router.add_get("/cookie", cookie)
    app.router.add_route("*", "/echo", echo)
    return app
