# SPDX-License-Identifier: Apache-2.0
"""One captured exchange as the inspector's API shows it."""

import base64
import datetime

import samples

LIMIT = 1 << 20
# 2026-05-04 14:02:13.481 UTC
START = 1_777_903_333_481


def media_type(fields):
    value = dict((name.lower(), value) for name, value in fields).get("content-type")
    return value, value and value.split(";")[0].strip().lower()


class Exchange:
    """What was captured of one request and its response."""

    def __init__(self, number, request, response, tunnel="my-app", replay_of=None):
        self.id = f"{0x019D0000_00000000 + (number << 20):016x}"
        self.number, self.request, self.response = number, request, response
        self.tunnel, self.replay_of = tunnel, replay_of
        self.kind = response.get("kind", "http")
        self.error = response.get("error")
        self.state = "failed" if self.error else "complete"
        self.replays = []
        self.frames = list(enumerate(samples.MESSAGES)) if self.kind == "websocket" else []
        if self.kind == "websocket":
            self.state = "open"

    @property
    def start(self):
        return START + self.number * 137

    @property
    def status(self):
        return None if self.error else int(self.response["status"][:3])

    def _size(self, side):
        message = self.request if side == "request" else self.response
        return message.get("size", len(message["body"]))

    def _is_whole(self, side):
        message = self.request if side == "request" else self.response
        return self._size(side) == len(message["body"])

    def summary(self):
        path, _, query = self.request["target"].partition("?")
        members = {
            "id": self.id, "tunnel_name": self.tunnel, "start": self.start, "method": self.request["method"], "path": path,
            "query": query or None, "status": self.status, "state": self.state, "error": self.error,
            "duration_ms": None if self.state == "open" else 4.2 + self.number % 40, "response_ms": 3.1,
            "request_size": self._size("request"), "response_size": self._size("response"),
            "request_type": media_type(self.request["fields"])[1], "type": media_type(self.response["fields"])[1],
            "kind": self.kind, "messages": len(self.frames) or None, "is_whole": self._is_whole("request") and self._is_whole("response"),
            "remote_addr": "203.0.113.7", "replay_of": self.replay_of,
        }  # fmt: skip
        return {name: value for name, value in members.items() if value is not None}

    def detail(self):
        summary = self.summary()
        for name in ("method", "path", "query", "status", "response_ms", "request_size", "response_size", "request_type", "type"):
            summary.pop(name, None)
        date = datetime.datetime.fromtimestamp(self.start / 1000, datetime.timezone.utc)
        can = self.kind != "websocket" and self._is_whole("request")
        members = {
            **summary, "uri": f"/api/requests/http/{self.id}", "start": date.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "start_ms": self.start,
            "duration": int(summary.get("duration_ms", 0) * 1e6), "url": "https://edge.example/my-app" + self.request["target"],
            "connection": 7, "request": self._message("request"), "response": None if self.error else self._message("response"),
            "interim": self._interim(),
            "timings": {"request_head_ms": 0, "request_end_ms": 0.4, "response_head_ms": None if self.error else 3.1,
                        "end_ms": summary.get("duration_ms")},
            "frames_uri": f"/api/requests/http/{self.id}/frames" if self.frames else None, "frames_dropped": 0,
            "replays": self.replays, "is_replayable": can,
        }  # fmt: skip
        if not can:
            members["not_replayable"] = "A connection that was upgraded can’t be sent again."
            members["not_replayable_code"] = "not_replayable"
        if any(name == "Stripe-Signature" for name, _ in self.request["fields"]):
            members["signature"] = {"field": "Stripe-Signature", "at_ms": 1_700_000_000_000}
        return {name: value for name, value in members.items() if value is not None or name == "response"}

    def _interim(self):
        if "interim" not in self.response:
            return []
        status, fields = self.response["interim"]
        return [{"status": int(status[:3]), "line": f"HTTP/1.1 {status}", "fields": fields, "at_ms": 1.2}]

    def line(self, side):
        if side == "request":
            return f"{self.request['method']} {self.request['target']} HTTP/1.1"
        return f"HTTP/1.1 {self.response['status']}"

    def fields(self, side):
        if side == "request":
            own = [("Host", "localhost:3000"), *self.request["fields"]]
            return own + ([("Content-Length", str(len(self.request["body"])))] if self.request["body"] else [])
        return self.response["fields"]

    def _message(self, side):
        message = self.request if side == "request" else self.response
        fields = self.fields(side)
        content_type, kind = media_type(fields)
        coding = dict((name.lower(), value) for name, value in fields).get("content-encoding")
        body = {
            "size": self._size(side), "kept": len(message["body"]), "is_whole": self._is_whole(side), "is_complete": self.state != "open",
            "content_type": content_type, "type": kind, "coding": coding, "is_chunked": "trailers" in message,
            "uri": f"/api/requests/http/{self.id}/{side}/body",
        }  # fmt: skip
        if kind == "text/event-stream":
            body["arrivals"], at = [], 0
            for number, event in enumerate(samples.EVENTS):
                body["arrivals"].append([at, 3.5 + 250 * number])
                at += len(event)
        shown = {"line": self.line(side), "fields": fields, "body": {k: v for k, v in body.items() if v is not None},
                 "trailers": message.get("trailers", []), "proto": "HTTP/1.1"}  # fmt: skip
        if side == "request":
            return {**shown, "method": message["method"], "uri": message["target"]}
        return {**shown, "status": message["status"], "status_code": self.status}

    def raw(self, side):
        message = self.request if side == "request" else self.response
        head = [self.line(side), *(f"{name}: {value}" for name, value in self.fields(side)), "", ""]
        return "\r\n".join(head).encode() + message["body"]

    def frame(self, number):
        _, (who, opcode, content) = self.frames[number]
        is_text = isinstance(content, str)
        size = len(content.encode() if is_text else content)
        members = {"n": number, "at_ms": 20.0 + 80 * number, "from": who, "opcode": opcode, "size": size, "is_deflated": False, "is_whole": True}
        members["text" if is_text else "base64"] = content if is_text else base64.b64encode(content).decode()
        return members
