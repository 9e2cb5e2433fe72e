#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two conversations after `Upgrade: anything`, with raw sockets at both ends.

    raw_upgrade.py ORIGIN_PORT TUNNEL_URL

Plays the origin on ORIGIN_PORT and a visitor of TUNNEL_URL. Exits 0 when every byte arrived and each side could go
on sending after the other had finished; else prints what went wrong and exits 1.
"""

import hashlib
import os
import socket
import sys
import threading
import time
import urllib.parse

SECONDS = 30
BULK = 3 << 20
SLOW_START = 0.5


def read_head(connection):
    """Reads up to the empty line; gives the head and what came glued to it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise RuntimeError(f"ended inside a head: {data!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def read_exactly(connection, count, start=b""):
    data = bytearray(start)
    while len(data) < count:
        piece = connection.recv(65536)
        if not piece:
            raise RuntimeError(f"ended after {len(data)} of {count} bytes")
        data += piece
    if len(data) > count:
        raise RuntimeError(f"{len(data) - count} bytes too many")
    return bytes(data)


def read_to_end(connection):
    data = bytearray()
    while piece := connection.recv(65536):
        data += piece
    return bytes(data)


def same(what, sent, received):
    if hashlib.sha256(sent).digest() != hashlib.sha256(received).digest():
        raise RuntimeError(f"{what}: {len(sent)} bytes left, {len(received)} other bytes arrived")


class Conversation:
    """What the two sides say, and who finishes first."""

    def __init__(self, visitor_finishes_first):
        self.visitor_finishes_first = visitor_finishes_first
        self.glued = b"first words \x00\xff\r\n\r\n"
        self.upward, self.downward = os.urandom(BULK), os.urandom(BULK)
        # More than the sockets on the way hold, so that the end comes while bytes are queued.
        self.last_words = os.urandom(12 << 20)

    def origin(self, listener):
        connection, _ = listener.accept()
        connection.settimeout(SECONDS)
        head, rest = read_head(connection)
        first, *fields = head.split("\r\n")
        if first != "GET /talk?x=%2F HTTP/1.1":
            raise RuntimeError(f"the origin was asked for {first!r}")
        if "upgrade: anything" not in [field.lower() for field in fields]:
            raise RuntimeError(f"the upgrade did not reach the origin: {fields}")
        answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: anything\r\n\r\n"
        connection.sendall(answer + self.glued)
        speaker = threading.Thread(target=connection.sendall, args=(self.downward,))
        speaker.start()
        same("visitor to origin", self.upward, read_exactly(connection, BULK, rest))
        speaker.join()
        self._finish(connection, finishes_first=not self.visitor_finishes_first)

    def visitor(self, url):
        parts = urllib.parse.urlsplit(url)
        connection = socket.create_connection((parts.hostname, parts.port), timeout=SECONDS)
        target = parts.path.rstrip("/") + "/talk?x=%2F"
        head = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\nUpgrade: anything\r\n\r\n"
        connection.sendall(head.encode())
        head, rest = read_head(connection)
        if not head.startswith("HTTP/1.1 101 "):
            raise RuntimeError(f"no upgrade: {head}")
        if "upgrade: anything" not in head.lower().split("\r\n"):
            raise RuntimeError(f"the answer names another protocol: {head}")
        speaker = threading.Thread(target=connection.sendall, args=(self.upward,))
        speaker.start()
        expected = self.glued + self.downward
        same("origin to visitor", expected, read_exactly(connection, len(expected), rest))
        speaker.join()
        self._finish(connection, finishes_first=self.visitor_finishes_first)

    def _finish(self, connection, finishes_first):
        if finishes_first:
            connection.shutdown(socket.SHUT_WR)
            time.sleep(SLOW_START)
            same("last words after half-close", self.last_words, read_to_end(connection))
        else:
            same("end of the other half", b"", read_to_end(connection))
            connection.sendall(self.last_words)
            connection.shutdown(socket.SHUT_WR)
        connection.close()


def hold(conversation, listener, url):
    failures = []

    def play(role, *arguments):
        try:
            role(*arguments)
        except Exception as error:
            failures.append(f"{role.__name__}: {type(error).__name__}: {error}")

    origin = threading.Thread(target=play, args=(conversation.origin, listener), daemon=True)
    origin.start()
    play(conversation.visitor, url)
    origin.join(SECONDS)
    if origin.is_alive():
        failures.append("origin: still waiting")
    return failures


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    listener.settimeout(SECONDS)
    failures = []
    for visitor_first in (True, False):
        name = "the visitor" if visitor_first else "the origin"
        found = hold(Conversation(visitor_first), listener, sys.argv[2])
        failures += [f"{name} finishes first: {failure}" for failure in found]
    print("\n".join(failures) or "both conversations arrived whole")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
