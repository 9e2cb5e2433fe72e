# SPDX-License-Identifier: Apache-2.0
"""A page that opens its own WebSocket, on a server that refuses other origins than its own.

    origin_socket.py PORT [BASE]"""

import asyncio
import sys

from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.http11 import Response

PORT = int(sys.argv[1])
PAGE = b"""<!doctype html>
<script>
const say = (text) => document.body.append(text + ";");
onload = () => {
    window.socket = new WebSocket(location.href.replace(/^http/, "ws") + "chat?n=1", ["chat.v1"]);
    socket.onopen = () => { say("protocol " + socket.protocol); say(socket.extensions); socket.send("hi"); };
    socket.onmessage = (event) => say("heard " + event.data);
    socket.onclose = (event) => say("closed " + event.code);
};
</script>
<body></body>
"""


async def chat(socket):
    async for message in socket:
        if message == "bye":
            await socket.close(4001, "bye")
        else:
            await socket.send(message)


def page(_, request):
    if request.headers.get("Upgrade"):
        return None
    headers = {"Content-Type": "text/html", "Content-Length": str(len(PAGE)), "Connection": "close"}
    return Response(200, "OK", Headers(headers), PAGE)


async def main():
    origins = [f"http://localhost:{PORT}"]
    async with serve(chat, "localhost", PORT, process_request=page, subprotocols=["chat.v1"], origins=origins):
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
