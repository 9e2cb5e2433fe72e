#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exchanges that only raw sockets can make: messages cut anywhere, slow and half-closed visitors.

    raw_exchanges.py ORIGIN_PORT TUNNEL_URL

Plays the origin on ORIGIN_PORT and a visitor of TUNNEL_URL. Prints `{"cases": …, "failures": [name…]}`.
"""

import concurrent.futures
import json
import socket
import sys
import threading
import time
import urllib.parse

SECONDS = 20
# Long enough that each piece is a read of its own.
PAUSE = 0.05


class Origin:
    """Serves each connection with whatever the case in hand says."""

    def __init__(self, port):
        self.serve = None
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with connection:
            try:
                self.serve(connection)
            except OSError:
                pass


class Visitor:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.path = parts.path.encode()
        # A proxy in front chooses by it.
        self.host = parts.netloc.encode()

    def request(self, method=b"GET", fields=b"Connection: close\r\n", query=b""):
        return method + b" " + self.path + query + b" HTTP/1.1\r\nHost: " + self.host + b"\r\n" + fields + b"\r\n"

    def visit(self, pieces, half_close=False, pause=0, size=1 << 16):
        """All bytes of the answer; reads `size` bytes every `pause` seconds."""
        connection = socket.socket()
        if pause:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        with connection:
            connection.settimeout(SECONDS)
            connection.connect(self.address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(PAUSE)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            answer = bytearray()
            try:
                while received := connection.recv(size):
                    answer += received
                    time.sleep(pause)
            except (TimeoutError, ConnectionResetError):
                pass
            return bytes(answer)


def until(connection, end):
    received = b""
    while end not in received:
        more = connection.recv(65536)
        if not more:
            raise OSError("ended early")
        received += more
    return received


def echo_body(connection):
    """Answers with the request's body, chunks and trailers as they came."""
    head, _, body = until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
    while not (body.startswith(b"0\r\n") or b"\r\n0\r\n" in body) or not body.endswith(b"\r\n\r\n"):
        body += until(connection, b"\n") if not body else connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))


def answering(answer):
    def serve(connection):
        until(connection, b"\r\n\r\n")
        connection.sendall(answer)
        # Nothing here may depend on the origin's closing.
        connection.recv(1)

    return serve


def as_long_as_asked(connection):
    """Answers with so many bytes as the query says; an upgrade with a lot, once the visitor has ended."""
    head = until(connection, b"\r\n\r\n")
    if b"\r\nUpgrade: " in head:
        return late_bytes(connection)
    size = int(head.split(b"?", 1)[1].split(b" ", 1)[0])
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (size, b"x" * size))
    # Nothing here may depend on the origin's closing.
    connection.recv(1)


def late_bytes(connection):
    """Switches protocols, waits for the visitor's end, and then sends a lot."""
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: any\r\nConnection: Upgrade\r\n\r\n")
    while connection.recv(65536):
        pass
    connection.sendall(b"z" * 3_000_000)


def cases(origin, visitor):
    origin.serve = echo_body
    head = visitor.request(b"POST", b"Connection: close\r\nTransfer-Encoding: chunked\r\n")
    whole = b"5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    for at in range(len(whole)):
        answer = visitor.visit([head + whole[:at], whole[at:]])
        yield f"a chunked upload cut after {at} bytes", answer.endswith(b"\r\n\r\n" + whole)

    # Each of these takes many seconds, almost all of which the visitor waits.
    origin.serve = as_long_as_asked
    upgrade = visitor.request(fields=b"Connection: Upgrade\r\nUpgrade: any\r\n")
    with concurrent.futures.ThreadPoolExecutor(8) as slow:
        visits = {}
        for size, pause in [(3_000_000, 0.02), (300_000, 0.3)]:
            for fields, half_close in [(b"Connection: close\r\n", False), (b"", True)]:
                request = visitor.request(fields=fields, query=b"?%d" % size)
                visits[size, half_close] = slow.submit(visitor.visit, [request], half_close, pause)
        late = slow.submit(visitor.visit, [upgrade, b"hello"], half_close=True, pause=0.02)
        for (size, half_close), visit in visits.items():
            passed = visit.result().count(b"x") >= size
            yield f"a slow visitor gets {size} bytes (half-close: {half_close})", passed
        yield "what comes after the visitor's end of an upgraded connection arrives", late.result().count(b"z") == 3_000_000

    origin.serve = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Content-Length\r\n\r\nhi")
    yield "Content-Length survives Connection", b"\r\nContent-Length: 2\r\n" in visitor.visit([visitor.request()])

    origin.serve = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=\xe9; Path=/\r\n\r\n")
    yield "a cookie keeps its bytes", b"a=\xe9; Path=" in visitor.visit([visitor.request()])

    origin.serve = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    for pieces in [[b"\r\n" + visitor.request()], [b"\r", b"\n" + visitor.request()]]:
        yield "an empty line before a request", visitor.visit(pieces).startswith(b"HTTP/1.1 200 ")


def main():
    origin = Origin(int(sys.argv[1]))
    visitor = Visitor(sys.argv[2])
    results = list(cases(origin, visitor))
    print(json.dumps({"cases": len(results), "failures": [name for name, passed in results if not passed]}))


main()
