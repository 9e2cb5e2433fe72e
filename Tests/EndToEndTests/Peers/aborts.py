#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whoever leaves is missed at once: by the origin when a visitor goes, by the visitor when the origin goes.

    aborts.py ORIGIN_PORT TUNNEL_URL METRICS_URL EDGE_PROCESS CONNECTOR_PROCESS

Plays the origin on ORIGIN_PORT and the visitors of TUNNEL_URL. Each case is done ten times over. Afterwards the edge and
the connector have the descriptors and the edge the streams that they had before. Prints
`{"cases": {name: [milliseconds…]}, "before": {…}, "after": {…}, "failures": [text…]}`.
"""

import json
import os
import queue
import socket
import struct
import sys
import threading
import time
import urllib.parse
import urllib.request

SECONDS = 20
TIMES = 10
NOW = struct.pack("ii", 1, 0)


def until_head(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("ended before the head was there")
        received += more
    return received


def leave(connection, is_reset):
    """Closes a connection, with a reset when asked for."""
    if is_reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
    connection.close()


def time_of_end(connection):
    """Reads until the connection has ended, however it does, and gives what came and when it was over."""
    received = b""
    connection.settimeout(SECONDS)
    try:
        while more := connection.recv(1 << 20):
            received = (received + more)[-1000:]
    except ConnectionError:
        pass
    except TimeoutError:
        return received, float("inf")
    return received, time.monotonic()


class Bench:
    def __init__(self, port, url):
        self.url = urllib.parse.urlsplit(url)
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.accepted = queue.Queue()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            self.accepted.put(self.listener.accept()[0])

    def exchange(self, request):
        """A visitor who has sent a request, and the origin's connection with its head read."""
        visitor = socket.create_connection((self.url.hostname, self.url.port), timeout=SECONDS)
        visitor.sendall(request.replace(b"PATH", self.url.path.encode()))
        while True:
            origin = self.accepted.get(timeout=SECONDS)
            origin.settimeout(SECONDS)
            try:
                return visitor, origin, until_head(origin)
            except ConnectionError:
                origin.close()


GET = b"GET PATH HTTP/1.1\r\nHost: here\r\n\r\n"
PUT = b"PUT PATH HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000)
UPGRADE = b"GET PATH HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: any\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: any\r\n\r\n"
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000)
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


def visitor_leaves(bench, request, answer, is_reset):
    visitor, origin, _ = bench.exchange(request)
    if answer:
        origin.sendall(answer)
        until_head(visitor)
    start = time.monotonic()
    leave(visitor, is_reset)
    _, end = time_of_end(origin)
    origin.close()
    return end - start


def visitor_leaves_while_stalled(bench, is_reset):
    """The visitor goes without having read what has filled every buffer on the way."""
    visitor, origin, _ = bench.exchange(GET)
    origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    origin.settimeout(0.3)
    block = bytes(1 << 20)
    try:
        while True:
            origin.sendall(block)
    except TimeoutError:
        pass
    origin.settimeout(SECONDS)
    start = time.monotonic()
    leave(visitor, is_reset)
    try:
        while True:
            origin.sendall(block)
    except TimeoutError:
        return float("inf")
    except OSError:
        return time.monotonic() - start
    finally:
        origin.close()


def origin_leaves(bench, request, answer, is_reset, expected):
    visitor, origin, _ = bench.exchange(request)
    if answer:
        origin.sendall(answer)
        until_head(visitor)
    start = time.monotonic()
    leave(origin, is_reset)
    received, end = visitor_end(visitor, answer)
    if expected not in received:
        raise ValueError(f"{received[:200]!r} in place of {expected!r}")
    if received.endswith(b"0\r\n\r\n"):
        raise ValueError("a body that was cut looks complete")
    visitor.close()
    return end - start


def visitor_end(visitor, answer):
    if answer:
        return time_of_end(visitor)
    # Before an answer the visitor gets an error, and may keep the connection.
    return until_head(visitor), time.monotonic()


def cases(bench):
    for name, is_reset in (("leaves", False), ("resets", True)):
        yield f"a visitor {name} before the answer", lambda r=is_reset: visitor_leaves(bench, GET, None, r)
        yield f"a visitor {name} in mid-download", lambda r=is_reset: visitor_leaves(bench, GET, BODY, r)
        yield f"a visitor {name} in mid-upload", lambda r=is_reset: visitor_leaves(bench, PUT, None, r)
        yield f"a visitor {name} an event stream", lambda r=is_reset: visitor_leaves(bench, GET, CHUNKS, r)
        yield f"a visitor {name} a download nobody reads", lambda r=is_reset: visitor_leaves_while_stalled(bench, r)
        yield f"an origin {name} in mid-body", lambda r=is_reset: origin_leaves(bench, GET, BODY, r, b"")
        yield f"an origin {name} in mid-chunks", lambda r=is_reset: origin_leaves(bench, GET, CHUNKS, r, b"")
        yield f"an origin {name} in mid-upload", lambda r=is_reset: origin_leaves(bench, PUT, None, r, b" 502 ")
    # The end of one side alone is passed on as that; see the raw upgrades.
    yield "a visitor resets a conversation", lambda: visitor_leaves(bench, UPGRADE, SWITCH, True)
    yield "an origin resets a conversation", lambda: origin_leaves(bench, UPGRADE, SWITCH, True, b"")


def streams(url):
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(("culvert_streams ", "culvert_streams{")):
                return int(float(line.split()[1]))
    raise SystemExit("there is no metric culvert_streams")


def usage(url, edge, connector):
    return {
        "edge": len(os.listdir(f"/proc/{edge}/fd")),
        "connector": len(os.listdir(f"/proc/{connector}/fd")),
        "streams": streams(url),
    }


def settled(measure, is_settled):
    """What is measured as soon as it has settled, or at the end of the time for that."""
    deadline = time.monotonic() + SECONDS
    while not is_settled(measured := measure()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return measured


def main():
    port, url, metrics, edge, connector = int(sys.argv[1]), *sys.argv[2:6]
    bench = Bench(port, url)
    # Once, for what is made at the first request and stays. Its stream may be there for a moment longer.
    visitor_leaves(bench, GET, BODY, False)

    def measure():
        return usage(metrics, edge, connector)

    before = settled(measure, lambda measured: measured["streams"] == 0)
    taken, failures = {}, []
    for name, attempt in cases(bench):
        for _ in range(TIMES):
            try:
                taken.setdefault(name, []).append(min(round(attempt() * 1000, 1), 1e6))
            except (OSError, ValueError, queue.Empty) as error:
                failures.append(f"{name}: {type(error).__name__}: {error}")
    after = settled(measure, lambda measured: measured == before)
    print(json.dumps({"cases": taken, "before": before, "after": after, "failures": failures[:8]}))


if __name__ == "__main__":
    main()
