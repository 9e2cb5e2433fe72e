# SPDX-License-Identifier: Apache-2.0
"""The inbox of the tunnel as the inspector's API shows it, without an edge."""

import datetime
import gzip
import json

import samples
from exchange import START, Exchange

MISSING = {"code": "inbox_not_found", "detail": "The tunnel has no inbox: make one with PUT /api/tunnels/{id}/inbox."}


def letters():
    """Messages, the newest first: the state, and what else the edge says of each, with the request."""
    json_type = ("Content-Type", "application/json")
    return [
        ("waiting", {"attempts": 0}, samples.request("POST", "/hooks/github?token=" + samples.SECRETS[3], [
            json_type, ("X-GitHub-Event", "push"), ("X-Hub-Signature-256", "sha256=5257a869")], b'{"ref": "refs/heads/main", "size": 2}')),
        ("waiting", {"attempts": 2, "last_status": 500, "verified": True}, samples.request("POST", "/hooks/stripe", [
            json_type, ("Stripe-Signature", "t=1700000000,v1=5257a869e7ec")], b'{"id": "evt_1", "type": "charge.failed"}')),
        ("delivered", {"attempts": 1, "last_status": 200}, samples.request("POST", "/hooks/packed", [
            json_type, ("Content-Encoding", "gzip")], gzip.compress(json.dumps({"packed": True}).encode(), mtime=0))),
        ("dead", {"attempts": 8, "last_error": "origin_timeout", "verified": False}, samples.request("PUT", "/hooks/" + samples.hostile(
            "target").replace(" ", "%20"), [json_type, ("X-Hostile", samples.hostile("inbox field"))], samples.hostile("inbox body").encode())),
        ("dead", {"attempts": 0, "last_error": "skipped"}, samples.request("POST", "/hooks/empty")),
    ]  # fmt: skip


class FakeInbox:
    """Messages and what is done with them; `None` for those of a tunnel without an inbox."""

    def __init__(self):
        self.messages = None
        self.missing = MISSING
        # A problem that every call is answered with.
        self.trouble = None
        self.done = []

    def fill(self, copies=1):
        self.messages = []
        for number, (state, more, request) in enumerate(letters() * copies):
            came = datetime.datetime.fromtimestamp((START - 60_000 * (number + 1)) / 1000, datetime.timezone.utc)
            name = "".join("abcdefghijklmnopqrst"[(number // 20**place) % 20] for place in range(20))
            message = {"id": f"msg_{name}", "state": state, "received_at": came.strftime("%Y-%m-%dT%H:%M:%SZ"), "method": request["method"],
                       "target": request["target"], "size": len(request["body"]), **more}  # fmt: skip
            self.messages.append((message, request))

    def status(self):
        if self.messages is None:
            return {"missing": self.missing}
        numbers = {state: sum(message["state"] == state for message, _ in self.messages) for state in ("waiting", "delivered", "dead")}
        waiting = [message["received_at"] for message, _ in self.messages if message["state"] == "waiting"]
        oldest = {"oldest_waiting_at": waiting[-1]} if waiting else {}
        return {"inbox": {"tunnel_id": "my-app", "settings": {}, **numbers, "bytes": sum(m["size"] for m, _ in self.messages), **oldest}}

    def page(self, query):
        found = [message for message, _ in self.messages or [] if query.get("state") in (None, message["state"])]
        first = next((row + 1 for row, message in enumerate(found) if message["id"] == query.get("cursor")), 0)
        page = found[first : first + int(query.get("limit", 50))]
        more = {"next_cursor": page[-1]["id"]} if found[first + len(page) :] else {}
        return {"messages": page, **more}

    def get(self, handler, rest, query):
        """Answers a call below `inbox`."""
        if self.trouble:
            handler.problem(*self.trouble)
        elif not rest:
            handler.answer(200, self.status())
        elif rest == ["messages"]:
            handler.answer(200, self.page(query))
        elif found := self._find(rest[1]):
            self._show(handler, found, rest[2:], query)
        else:
            detail = f"The inbox of my-app has no message {rest[1]}, or not any more: culvert inbox list my-app shows those that it has."
            handler.problem(404, "message_not_found", detail)

    def _find(self, name):
        return next(((message, request) for message, request in self.messages or [] if message["id"] == name), None)

    @staticmethod
    def _show(handler, found, rest, query):
        message, request = found
        attachment = [("Content-Disposition", "attachment"), ("Content-Security-Policy", "sandbox")]
        exchange = Exchange(1, request, samples.response("200 OK"))
        if not rest:
            detail = exchange.detail()
            handler.answer(200, {"message": message, "request": detail["request"], "signature": detail.get("signature")})
        elif rest == ["raw"]:
            handler.answer(200, exchange.raw("request"), "application/octet-stream", attachment)
        else:
            coded = "stored" not in query and any(name == "Content-Encoding" for name, _ in request["fields"])
            fields = [("Content-Encoding", "gzip")] if coded else []
            handler.answer(200, request["body"], "application/octet-stream", [*attachment, *fields])

    def post(self, handler, rest, call):
        """Changes something, and notes it in `done`."""
        if self.trouble:
            handler.problem(*self.trouble)
            return
        self.done.append((rest[-1], rest[1] if len(rest) > 1 else None, call))
        if rest == ["deliver"]:
            dead = [message for message, _ in self.messages if message["state"] == "dead"]
            for message in dead:
                message["state"], message["attempts"] = "waiting", 0
            handler.answer(200, {"changed": len(dead)})
            return
        message, request = self._find(rest[1])
        if rest[-1] == "send":
            made = {**request, "target": call.get("path", request["target"]), "body": call.get("body", "").encode()}
            handler.answer(201, {"ids": [handler.program.add(made, samples.response("200 OK", [("Content-Type", "text/plain")], b"taken")).id]})
            return
        message["state"] = "dead" if rest[-1] == "skip" else "waiting"
        if rest[-1] == "skip":
            message["last_error"] = "skipped"
        handler.answer(200, {"changed": 1})

    def delete(self, handler, name):
        self.done.append(("delete", name, None))
        self.messages = [one for one in self.messages if one[0]["id"] != name]
        handler.answer(204)
