#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An origin that closes its connection after each answer without having said so.

    closing_origin.py ORIGIN_PORT TUNNEL_URL REQUESTS [SECONDS]

Plays the origin on ORIGIN_PORT and a visitor of TUNNEL_URL who sends one GET after the other on one connection. Every
second connection is closed at once, the others up to a millisecond later, so that requests meet one that is about to
close, one that is closing and one that is closed. With SECONDS it sends no more when they are over. Prints
`{"requests": …, "seconds": …, "visitor_connections": …, "origin_connections": …, "failures": [text…]}`.
"""

import json
import random
import socket
import sys
import threading
import time
import urllib.parse

SECONDS = 20


class Origin:
    def __init__(self, port):
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            self.connections += 1
            pause = 0 if self.connections % 2 else random.random() / 1000
            threading.Thread(target=self._serve, args=(connection, pause), daemon=True).start()

    @staticmethod
    def _serve(connection, pause):
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                received = connection.recv(65536)
                if not received:
                    return
                request += received
            target = request.split(b" ", 2)[1]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), target))
            if pause:
                time.sleep(pause)


class Visitor:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.path = parts.path
        self.connections = 0
        self.connection = None

    def get(self, target):
        """The status line and the body."""
        if self.connection is None:
            self.connection = socket.create_connection(self.address, timeout=SECONDS)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
        self.connection.sendall(f"GET {self.path}{target} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        while len(body) < int(fields["content-length"]):
            body += self._receive()
        if fields.get("connection", "").lower() == "close":
            self.connection.close()
            self.connection = None
        return lines[0], body.decode("latin-1")

    def _receive(self):
        received = self.connection.recv(65536)
        if not received:
            self.connection.close()
            self.connection = None
            raise ConnectionError("the connection ended in the middle of an answer")
        return received


def main():
    origin = Origin(int(sys.argv[1]))
    visitor = Visitor(sys.argv[2])
    count = int(sys.argv[3])
    limit = float(sys.argv[4]) if len(sys.argv) > 4 else float("inf")
    requests = 0
    failures = []
    start = time.monotonic()
    for number in range(count):
        if time.monotonic() - start > limit:
            break
        requests += 1
        try:
            status, body = visitor.get(f"number-{number}")
        except (OSError, KeyError, ValueError) as error:
            failures.append(f"request {number}: {type(error).__name__}: {error}")
            visitor.connection = None
            continue
        if status != "HTTP/1.1 200 OK" or body != f"/number-{number}":
            failures.append(f"request {number}: {status}: {body[:200]}")
    result = {
        "requests": requests,
        "seconds": time.monotonic() - start,
        "visitor_connections": visitor.connections,
        "origin_connections": origin.connections,
        "failures": failures[:5] + ([f"{len(failures)} in all"] if failures else []),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
