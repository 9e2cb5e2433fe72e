#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A download, a WebSocket conversation, an event stream and short requests while the tunnel's token is renewed.

    renewals.py ORIGIN_PORT TUNNEL_URL SECONDS

Plays the origin on ORIGIN_PORT and the visitors of TUNNEL_URL, for SECONDS. Prints
`{"download": …, "expected": …, "events": …, "messages": …, "short": …, "failures": […]}`.
"""

import base64
import hashlib
import http.client
import json
import os
import socket
import socketserver
import sys
import threading
import time
import urllib.parse

PORT, URL, SECONDS = int(sys.argv[1]), urllib.parse.urlsplit(sys.argv[2]), int(sys.argv[3])
PIECE = b"x" * 1_000
PIECES = SECONDS * 4


def head(connection):
    """The head of the next message; nothing at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        byte = connection.recv(1)
        if not byte:
            return b""
        data += byte
    return data


def exactly(connection, count):
    """So many bytes."""
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError("the connection ended")
        data += piece
    return data


def frame(connection):
    """The payload of a short WebSocket message (RFC 6455 §5.2)."""
    first, second = exactly(connection, 2)
    mask = exactly(connection, 4) if second & 0x80 else bytes(4)
    payload = exactly(connection, second & 0x7F)
    return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class Origin(socketserver.BaseRequestHandler):
    """Serves what the visitors ask for, and echoes messages."""

    def handle(self):
        while request := head(self.request):
            if b"/download " in request:
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (PIECES * len(PIECE)))
                for _ in range(PIECES):
                    self.request.sendall(PIECE)
                    time.sleep(0.25)
            elif b"/events " in request:
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
                for number in range(SECONDS * 2):
                    self.request.sendall(b"data: %d\n\n" % number)
                    time.sleep(0.5)
                return
            elif b"/echo " in request:
                return self.echo(request)
            else:
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def echo(self, request):
        """A WebSocket that says what it hears."""
        key = next(line[18:].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.request.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        while True:
            kind, payload = frame(self.request)
            self.request.sendall(bytes([0x80 | kind, len(payload)]) + payload)
            if kind == 8:
                return


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One thread a connection."""

    daemon_threads = True
    allow_reuse_address = True


def dial():
    connection = socket.create_connection((URL.hostname, URL.port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask(path):
    connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=30)
    connection.request("GET", URL.path + path)
    return connection.getresponse()


def download(results):
    results["download"] = len(ask("download").read())


def listen(results):
    results["events"] = sum(1 for line in ask("events") if line.startswith(b"data: "))


def converse(results):
    results["messages"] = 0
    connection = dial()
    connection.sendall(
        (
            f"GET {URL.path}echo HTTP/1.1\r\nHost: {URL.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
        ).encode()
    )
    answer = head(connection)
    if b" 101 " not in answer[:20]:
        raise RuntimeError(f"no upgrade: {answer[:80]!r}")
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        text = b"message %d" % results["messages"]
        connection.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)
        if frame(connection) != (1, text):
            raise RuntimeError("another message came back")
        results["messages"] += 1
        time.sleep(0.2)
    connection.sendall(bytes([0x88, 0x80]) + bytes(4))
    if frame(connection)[0] != 8:
        raise RuntimeError("no Close came back")


def short(results):
    results["short"] = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        status = ask("short").status
        if status != 200:
            raise RuntimeError(f"a short request got {status}")
        results["short"] += 1
        time.sleep(0.05)


def main():
    server = Server(("127.0.0.1", PORT), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    results, failures = {"expected": PIECES * len(PIECE)}, []

    def attempt(visit):
        try:
            visit(results)
        except Exception as error:  # pylint: disable=broad-except
            failures.append(f"{visit.__name__}: {type(error).__name__}: {error}")

    visitors = [threading.Thread(target=attempt, args=(visit,)) for visit in (download, listen, converse, short)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    print(json.dumps({"download": 0, "events": 0, "messages": 0, "short": 0, **results, "failures": failures}))


main()
