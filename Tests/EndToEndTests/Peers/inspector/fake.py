# SPDX-License-Identifier: Apache-2.0
"""A server that speaks the inspector's API without an edge or a connector, for tests of the page alone."""

import base64
import json
import mimetypes
import os
import queue
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import samples
from exchange import Exchange
from fakeinbox import FakeInbox

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
PREFIX = "/some/prefix/"
TUNNEL = {
    "name": "my-app", "id": "my-app", "uri": "/api/tunnels/my-app", "public_url": "https://edge.example/my-app/", "proto": "https",
    "config": {"addr": "http://localhost:3000", "inspect": True}, "metrics": {"conns": {"count": 0, "gauge": 0}, "http": {"count": 12}},
    "state": "online", "origin_failure": None, "connections": [{"index": 0, "state": "connected", "round_trip_ms": 12.3}],
}  # fmt: skip


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A browser that closes a connection is no news."""


class FakeProgram:
    """Keeps exchanges and tells those who listen of new ones."""

    def __init__(self, folder):
        self.folder = folder
        self.exchanges = {}
        self.posted = []
        self.number = 0
        self.lock = threading.Lock()
        self.listeners = set()
        self.is_away = False
        self.inbox = FakeInbox()
        program = self

        class Handler(FakeHandler):
            pass

        Handler.program = program
        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{PREFIX}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def add(self, request, response, tells=True, **more):
        with self.lock:
            self.number += 1
            made = Exchange(self.number, request, response, **more)
            self.exchanges[made.id] = made
        if tells:
            self.tell("requests", [made.summary()])
        return made

    def tell(self, event, data):
        for listener in list(self.listeners):
            listener.put((event, data))

    def clear(self):
        self.exchanges.clear()
        self.tell("reset", {})

    def status(self):
        oldest = min(self.exchanges, default=None)
        return {"version": "0.1.0", "started_ms": 0, "count": len(self.exchanges), "total": self.number, "oldest": oldest,
                "memory_used": 123_456, "memory_limit": 50 << 20, "body_limit": 1 << 20, "exchange_limit": 10_000, "dropped_fields": [],
                "shows_edge_answers": False}  # fmt: skip

    def replay(self, call):
        """What the local server would have seen, kept in `posted`."""
        original = self.exchanges[call["id"]]
        made = dict(original.request)
        made["method"] = call.get("method", made["method"])
        made["target"] = call.get("path", made["target"])
        fields = call.get("fields") or [*original.fields("request"), ["Culvert-Replay", original.id]]
        made["fields"] = [field for field in fields if field[0].lower() not in ("host", "content-length")]
        if "body" in call:
            made["body"] = call["body"].encode()
        elif "body_base64" in call:
            made["body"] = base64.b64decode(call["body_base64"])
        ids = []
        for _ in range(call.get("times", 1)):
            self.posted.append(made)
            new = self.add(made, original.response, replay_of=original.id)
            original.replays.append(new.id)
            ids.append(new.id)
        return ids


class FakeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    program = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="application/json", fields=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), ("Content-Security-Policy", POLICY),
                            ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-cache"), *fields]:  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def problem(self, status, code, detail):
        self.answer(status, {"status": status, "code": code, "detail": detail}, "application/problem+json")

    def do_GET(self):
        if self.program.is_away:
            self.close_connection = True
            return
        path, _, text = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text))
        if not path.startswith(PREFIX):
            self.problem(404, "not_found", "There is nothing here.")
            return
        path = path[len(PREFIX) :] or "index.html"
        parts = path.split("/")
        if path == "api/status":
            self.answer(200, self.program.status())
        elif path == "api/tunnels":
            self.answer(200, {"tunnels": [TUNNEL]})
        elif parts[:4] == ["api", "tunnels", "my-app", "inbox"]:
            self.program.inbox.get(self, parts[4:], query)
        elif path == "api/events":
            self.feed()
        elif path == "api/requests/http":
            self.list(query)
        elif parts[:3] == ["api", "requests", "http"]:
            exchange = self.program.exchanges.get(parts[3])
            if exchange is None:
                self.problem(404, "not_found", "It is not kept any more.")
            else:
                self.exchange(exchange, parts[4:], query)
        elif os.path.isfile(file := os.path.join(self.program.folder, os.path.basename(path))):
            with open(file, "rb") as content:
                self.answer(200, content.read(), mimetypes.guess_type(file)[0])
        else:
            self.problem(404, "not_found", "There is nothing here.")

    def list(self, query):
        newest = sorted(self.program.exchanges.values(), key=lambda one: one.id, reverse=True)
        words = query.get("filter", "").split()
        # The page asks only for what it can't find out itself: here, a body's text.
        wanted = [word.removeprefix("body:").encode() for word in words if word.startswith("body:")]
        found = [one for one in newest if all(text in one.request["body"] + one.response["body"] for text in wanted)]
        if before := query.get("before"):
            found = [one for one in found if one.id < before]
        self.answer(200, {"requests": [one.summary() for one in found[: int(query.get("limit", 50))]]})

    def exchange(self, exchange, rest, query):
        attachment = [("Content-Disposition", "attachment"), ("Content-Security-Policy", "sandbox")]
        if not rest:
            self.answer(200, exchange.detail())
        elif rest == ["curl"]:
            self.answer(200, f"curl http://localhost:3000{exchange.request['target']}".encode(), "text/plain")
        elif rest == ["frames"]:
            after = int(query.get("after", -1))
            frames = [exchange.frame(number) for number in range(after + 1, len(exchange.frames))]
            self.answer(200, {"frames": frames, "total": len(exchange.frames), "first": 0})
        elif rest[1] == "raw":
            self.answer(200, exchange.raw(rest[0]), "application/octet-stream", attachment)
        else:
            message = exchange.request if rest[0] == "request" else exchange.response
            coding = dict(exchange.fields(rest[0])).get("Content-Encoding")
            name = "Content-Encoding" if coding == "gzip" else "Culvert-Coding"
            fields = [(name, coding)] if coding and "stored" not in query else []
            self.answer(200, message["body"], "application/octet-stream", [*attachment, *fields])

    def feed(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        events = queue.Queue()
        self.program.listeners.add(events)
        try:
            events.put(("reset", {}))
            events.put(("status", self.program.status()))
            while not self.program.is_away:
                try:
                    event, data = events.get(timeout=0.2)
                except queue.Empty:
                    continue
                self.wfile.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
                self.wfile.flush()
        except OSError:
            pass
        finally:
            self.program.listeners.discard(events)

    def do_POST(self):
        if self.program.is_away:
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Type") != "application/json":
            self.problem(415, "unsupported_media_type", "Send application/json.")
            return
        call = json.loads(body) if body else None
        parts = self.path[len(PREFIX) :].split("/")
        if parts[:4] == ["api", "tunnels", "my-app", "inbox"]:
            self.program.inbox.post(self, parts[4:], call)
            return
        ids = self.program.replay(call)
        if set(call) <= {"id", "tunnel_name"}:
            self.answer(204, fields=[("Culvert-Replays", ids[0])])
        else:
            self.answer(201, {"ids": ids})

    def do_DELETE(self):
        if self.headers.get("Content-Type") != "application/json":
            self.problem(415, "unsupported_media_type", "Send application/json.")
            return
        last = self.path.split("/")[-1]
        if "/inbox/" in self.path:
            self.program.inbox.delete(self, last)
            return
        if last == "http":
            self.program.clear()
        else:
            self.program.exchanges.pop(last, None)
            self.program.tell("removed", {"ids": [last]})
        self.answer(204)


def fill(program, number):
    """Many small exchanges, without telling anybody: as if they had passed before the page was opened."""
    answers = [samples.response(status, [("Content-Type", "text/plain")], b"x" * 40)
               for status in ("200 OK", "200 OK", "404 Not Found", "500 Internal Server Error")]  # fmt: skip
    for index in range(number):
        program.number += 1
        method = "POST" if index % 5 == 0 else "GET"
        made = Exchange(program.number, samples.request(method, f"/many/{index}"), answers[index % 4])
        program.exchanges[made.id] = made
