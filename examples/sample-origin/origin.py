#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sample origin: a small local web server to put behind a tunnel.

    python3 origin.py [--port 3000]

It needs nothing but Python's standard library and listens on loopback only. Every address in its page is relative,
because behind a tunnel the page lives below /<tunnel_id>/.

    /         a page that tries everything below
    /clock    server-sent events, one a second; ?interval=0.1 for more
    /echo     a WebSocket that answers each message with itself
    /upload   POST or PUT any number of bytes: their count and SHA-256 as JSON
    /headers  the request as it arrived here, as JSON
"""

import argparse
import asyncio
import base64
import hashlib
import json
import pathlib
import struct
import sys
import time
import urllib.parse
from http import HTTPStatus

PAGE = pathlib.Path(__file__).with_name("page.html")
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEAD_LIMIT = 64 * 1024
PIECE = 64 * 1024
MESSAGE_LIMIT = 16 * 1024 * 1024


class BadRequest(Exception):
    """The request cannot be understood; the connection ends after a 400."""


class Request:
    """A request head, and its body as a stream."""

    def __init__(self, head, reader, writer):
        lines = head.decode("latin-1").split("\r\n")
        try:
            self.method, self.target, self.version = lines[0].split(" ")
        except ValueError:
            raise BadRequest("malformed request line") from None
        self.fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BadRequest("malformed field line")
            self.fields.append((name, value.strip()))
        path, _, query = self.target.partition("?")
        self.path = path
        self.query = urllib.parse.parse_qs(query)
        self._reader = reader
        self._writer = writer
        self._chunked = "chunked" in self.field("transfer-encoding").lower()
        length = self.field("content-length") or "0"
        if not length.isdecimal():
            raise BadRequest("malformed Content-Length")
        self._remaining = int(length)
        self._continue_expected = self.field("expect").lower() == "100-continue"
        self.body_is_read = not self._chunked and self._remaining == 0

    def field(self, name):
        """The values of a field, joined as RFC 9110 section 5.3 allows."""
        return ", ".join(value for key, value in self.fields if key.lower() == name)

    @property
    def keeps_alive(self):
        tokens = self.field("connection").lower()
        return "close" not in tokens and self.version != "HTTP/1.0"

    async def body(self):
        """The body in pieces of at most PIECE bytes, so that its size is of no concern."""
        if self._continue_expected and not self.body_is_read:
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await self._writer.drain()
        if self._chunked:
            async for piece in self._chunks():
                yield piece
        while self._remaining:
            piece = await self._reader.read(min(PIECE, self._remaining))
            if not piece:
                raise asyncio.IncompleteReadError(b"", self._remaining)
            self._remaining -= len(piece)
            yield piece
        self.body_is_read = True

    async def _chunks(self):
        while True:
            line = await self._reader.readuntil(b"\r\n")
            try:
                left = int(line.split(b";")[0].strip(), 16)
            except ValueError:
                raise BadRequest("malformed chunk size") from None
            if left == 0:
                break
            while left:
                piece = await self._reader.read(min(PIECE, left))
                if not piece:
                    raise asyncio.IncompleteReadError(b"", left)
                left -= len(piece)
                yield piece
            await self._reader.readexactly(2)
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass  # Trailers: nothing here uses them.


def response_head(status, fields):
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def answer(request, writer, status, content_type, body, extra=()):
    fields = [("Content-Type", content_type), ("Content-Length", len(body)), ("Cache-Control", "no-store"), *extra]
    if not request.body_is_read:
        fields.append(("Connection", "close"))
    writer.write(response_head(status, fields) + (b"" if request.method == "HEAD" else body))
    await writer.drain()


async def answer_json(request, writer, value, status=HTTPStatus.OK, extra=()):
    body = (json.dumps(value, indent=2) + "\n").encode()
    await answer(request, writer, status, "application/json", body, extra)


async def clock(request, writer):
    """Server-sent events: the time here, until the visitor leaves."""
    try:
        interval = min(max(float(request.query.get("interval", ["1"])[0]), 0.01), 60)
    except ValueError:
        interval = 1.0
    # No length: the stream ends with the connection (RFC 9112 section 6.3, rule 8).
    fields = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), ("Connection", "close")]
    writer.write(response_head(HTTPStatus.OK, fields))
    if request.method == "HEAD":
        return
    number = 0
    while not writer.is_closing():
        now = time.time()
        event = {"time": time.strftime("%H:%M:%S", time.localtime(now)), "unix_ms": int(now * 1000)}
        writer.write(f"id: {number}\ndata: {json.dumps(event)}\n\n".encode())
        await writer.drain()
        number += 1
        await asyncio.sleep(interval)


async def upload(request, writer):
    if request.method not in ("POST", "PUT"):
        return await answer_page(request, writer)
    digest, size, start = hashlib.sha256(), 0, time.monotonic()
    async for piece in request.body():
        digest.update(piece)
        size += len(piece)
    seconds = round(time.monotonic() - start, 3)
    await answer_json(request, writer, {"size": size, "sha256": digest.hexdigest(), "seconds": seconds})


async def headers(request, writer):
    value = {"method": request.method, "target": request.target, "version": request.version, "fields": request.fields}
    await answer_json(request, writer, value)


async def answer_page(request, writer):
    await answer(request, writer, HTTPStatus.OK, "text/html; charset=utf-8", PAGE.read_bytes())


class WebSocketError(Exception):
    """A violation of RFC 6455; the close frame carries the code."""

    def __init__(self, code, reason):
        super().__init__(reason)
        self.code = code


class EchoConversation:
    """One WebSocket (RFC 6455): every message goes back as it came."""

    TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    async def run(self):
        try:
            while await self._echo_one():
                pass
        except WebSocketError as error:
            self._write(self.CLOSE, struct.pack(">H", error.code) + str(error).encode())
            await self._writer.drain()

    async def _echo_one(self):
        """Reads one message and answers it; false once the conversation is over."""
        kind, parts, size = None, [], 0
        while True:
            final, opcode, payload = await self._frame()
            if opcode == self.CLOSE:
                self._write(self.CLOSE, self._checked_close(payload))
                await self._writer.drain()
                return False
            if opcode == self.PING:
                self._write(self.PONG, payload)
                await self._writer.drain()
                continue
            if opcode == self.PONG:
                continue
            if (opcode == 0) != (kind is not None):
                raise WebSocketError(1002, "continuation out of place")
            kind = kind or opcode
            parts.append(payload)
            size += len(payload)
            if size > MESSAGE_LIMIT:
                raise WebSocketError(1009, "message above 16 MiB")
            if final:
                break
        message = b"".join(parts)
        if kind == self.TEXT:
            try:
                message.decode()
            except UnicodeDecodeError:
                raise WebSocketError(1007, "text is not UTF-8") from None
        self._write(kind, message)
        await self._writer.drain()
        return True

    async def _frame(self):
        first, second = await self._reader.readexactly(2)
        opcode, length = first & 0x0F, second & 0x7F
        if first & 0x70:
            raise WebSocketError(1002, "reserved bit set")
        if opcode not in (0, self.TEXT, self.BINARY, self.CLOSE, self.PING, self.PONG):
            raise WebSocketError(1002, "unknown opcode")
        if not second & 0x80:
            raise WebSocketError(1002, "client frame without a mask")
        if opcode >= self.CLOSE and (length > 125 or not first & 0x80):
            raise WebSocketError(1002, "control frame fragmented or too long")
        if length == 126:
            (length,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
        if length > MESSAGE_LIMIT:
            raise WebSocketError(1009, "message above 16 MiB")
        mask = await self._reader.readexactly(4)
        payload = await self._reader.readexactly(length)
        return bool(first & 0x80), opcode, self._unmasked(payload, mask)

    @staticmethod
    def _unmasked(payload, mask):
        # One XOR of two big integers: byte by byte, Python would need a second for a few megabytes.
        length = len(payload)
        key = (mask * (length // 4 + 1))[:length]
        return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")

    @staticmethod
    def _checked_close(payload):
        if not payload:
            return b""
        if len(payload) == 1:
            raise WebSocketError(1002, "close code cut short")
        (code,) = struct.unpack(">H", payload[:2])
        if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            raise WebSocketError(1002, "invalid close code")
        return payload[:2]

    def _write(self, opcode, payload):
        length = len(payload)
        if length < 126:
            head = struct.pack(">BB", 0x80 | opcode, length)
        elif length < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 127, length)
        self._writer.write(head + payload)


async def echo(request, reader, writer):
    key = request.field("sec-websocket-key")
    asks = request.field("upgrade").lower() == "websocket" and request.field("sec-websocket-version") == "13"
    if request.method != "GET" or not asks or not key:
        extra = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
        value = {"error": "this address speaks WebSocket only"}
        return await answer_json(request, writer, value, HTTPStatus.UPGRADE_REQUIRED, extra)
    accept = base64.b64encode(hashlib.sha1((key + WEBSOCKET_GUID).encode()).digest()).decode()
    fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
    writer.write(response_head(HTTPStatus.SWITCHING_PROTOCOLS, fields))
    await EchoConversation(reader, writer).run()


ROUTES = {"/": answer_page, "/clock": clock, "/upload": upload, "/headers": headers}


async def serve_one(reader, writer):
    """Serves one request; false when the connection cannot carry another."""
    head = await reader.readuntil(b"\r\n\r\n")
    request = Request(head[:-4], reader, writer)
    if request.path == "/echo":
        await echo(request, reader, writer)
        return False
    handler = ROUTES.get(request.path)
    if handler:
        await handler(request, writer)
    else:
        await answer_json(request, writer, {"error": "nothing here", "path": request.path}, HTTPStatus.NOT_FOUND)
    if not request.body_is_read:
        return False  # Nobody wanted the body, so where the next request begins is unknown.
    return request.keeps_alive and request.path != "/clock"


async def serve(reader, writer):
    try:
        while await serve_one(reader, writer):
            pass
    except (BadRequest, asyncio.LimitOverrunError) as error:
        writer.write(response_head(HTTPStatus.BAD_REQUEST, [("Connection", "close"), ("Content-Length", 0)]))
        print(f"sample origin: refused a request: {error}", file=sys.stderr, flush=True)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # The other side left.
    finally:
        writer.close()


async def main():
    parser = argparse.ArgumentParser(description="A small web server to try a tunnel with.")
    parser.add_argument("--port", type=int, default=3000, help="the port on 127.0.0.1; 0 takes a free one")
    port = parser.parse_args().port
    try:
        server = await asyncio.start_server(serve, "127.0.0.1", port, limit=HEAD_LIMIT, backlog=512)
    except OSError as error:
        sys.exit(f"sample origin: cannot listen on 127.0.0.1:{port}: {error.strerror}")
    port = server.sockets[0].getsockname()[1]
    print(f"sample origin: http://127.0.0.1:{port}/", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
