# SPDX-License-Identifier: Apache-2.0
"""Socket.IO with its defaults, which let in only pages of the same origin.

    socket_io.py PORT [BASE]"""

import importlib.util
import pathlib
import sys

from flask import Flask, Response
from flask_socketio import SocketIO, emit

# NiceGUI's package carries the client for browsers.
STATIC = pathlib.Path(importlib.util.find_spec("nicegui").origin).parent / "static"
CLIENT = (STATIC / "socket.io.min.js").read_text()
PAGE = """<script src="{source}"></script>
<p id="heard"></p>
<script>
const socket = io({options});
socket.on("connect", () => socket.emit("message", "hi"));
socket.on("message", (text) => {{ document.getElementById("heard").textContent = text; }});
</script>
"""

app = Flask(__name__)
sockets = SocketIO(app, async_mode="threading")


@app.route("/")
def by_default():
    return PAGE.format(source="/client.js", options="")


@app.route("/relative")
def relative():
    options = '{path: location.pathname.replace(/relative$/, "") + "socket.io"}'
    return PAGE.format(source="client.js", options=options)


@app.route("/client.js")
def client():
    return Response(CLIENT, mimetype="text/javascript")


@sockets.on("message")
def message(text):
    emit("message", f"echo {text}")


sockets.run(app, host="localhost", port=int(sys.argv[1]), allow_unsafe_werkzeug=True)
