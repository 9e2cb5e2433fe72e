#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What four bodies that nobody reads cost the other requests on the same tunnel.

    stalled.py ORIGIN_PORT TUNNEL_URL download|upload

Plays the origin on ORIGIN_PORT and the visitors of TUNNEL_URL: four who read the head of a 256 MiB answer and no more,
or four who send 256 MiB to an origin that does not read it. Fifty small requests, each on a connection of its own, are
timed before that and during it. Prints `{"before_ms": [ms…], "during_ms": [ms…], "moved_bytes": …, "failures": […]}`,
where `moved_bytes` is what the stalled bodies were sent of by the end, and each list has a time for each request.
"""

import json
import socket
import sys
import threading
import time
import urllib.parse

STALLED = 4
REQUESTS = 50
SIZE = 256 << 20
SECONDS = 20
BLOCK = bytes(65536)


class Counter:
    """How many bytes went out, and when the last ones did."""

    def __init__(self):
        self.lock = threading.Lock()
        self.bytes = 0
        self.last = time.monotonic()

    def add(self, count):
        with self.lock:
            self.bytes += count
            self.last = time.monotonic()


moved = Counter()
failures = []
the_end = threading.Event()


def until_head(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("ended before the head was there")
        received += more
    return received


def pour(connection):
    """Sends a large body for as long as there is somebody to take it."""
    sent = 0
    try:
        while sent < SIZE:
            count = connection.send(BLOCK)
            sent += count
            moved.add(count)
    except OSError:
        pass


def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while True:
            target = until_head(connection).split(b" ", 2)[1]
            if target == b"/large":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
                return pour(connection)
            if target == b"/stall":
                the_end.wait()
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall")
    except OSError:
        pass


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def connect(url, size=None):
    connection = socket.socket()
    if size:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    connection.settimeout(SECONDS)
    connection.connect((url.hostname, url.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def small_request(url):
    """The milliseconds that a small request takes."""
    start = time.monotonic()
    with connect(url) as connection:
        connection.sendall(f"GET {url.path}small HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while more := connection.recv(65536):
            answer += more
    if not answer.startswith(b"HTTP/1.1 200") or not answer.endswith(b"small"):
        failures.append(f"a small request got {answer[:200]!r}")
    return (time.monotonic() - start) * 1000


def stall(url, kind):
    connection = connect(url, 16384)
    connection.settimeout(None)
    if kind == "download":
        connection.sendall(f"GET {url.path}large HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        if not connection.recv(1000).startswith(b"HTTP/1.1 200"):
            failures.append("a download did not begin")
    else:
        connection.sendall(f"PUT {url.path}stall HTTP/1.1\r\nHost: here\r\nContent-Length: {SIZE}\r\n\r\n".encode())
        threading.Thread(target=pour, args=(connection,), daemon=True).start()
    return connection


def main():
    url, kind = urllib.parse.urlsplit(sys.argv[2]), sys.argv[3]
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    small_request(url)  # The first one opens what later ones use.
    before = [small_request(url) for _ in range(REQUESTS)]
    stalled = [stall(url, kind) for _ in range(STALLED)]
    # Stalled means that for a while nothing went out any more.
    deadline = time.monotonic() + SECONDS
    while moved.bytes == 0 or time.monotonic() - moved.last < 1:
        if time.monotonic() > deadline:
            raise SystemExit("the bodies never stalled")
        time.sleep(0.05)
    during = [small_request(url) for _ in range(REQUESTS)]
    if moved.bytes >= STALLED * SIZE:
        failures.append("the bodies went through: nothing was stalled")
    for connection in stalled:
        if kind == "download":
            connection.settimeout(SECONDS)
            if not connection.recv(1):
                failures.append("a stalled download had ended meanwhile")
        connection.close()
    the_end.set()
    result = {"before_ms": before, "during_ms": during, "moved_bytes": moved.bytes, "failures": failures[:5]}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
