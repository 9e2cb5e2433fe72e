#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a server-sent event needs from the origin to the visitor.

    event_latency.py ORIGIN_PORT TUNNEL_URL

Plays the origin on ORIGIN_PORT and a visitor of TUNNEL_URL, so that both time stamps come from one clock. Prints
`{"events": …, "median_ms": …, "worst_ms": …}`.
"""

import json
import socket
import statistics
import sys
import threading
import time
import urllib.parse

EVENTS = 40
PAUSE = 0.05
SECONDS = 20


def origin(listener):
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    connection.sendall(head)
    for _ in range(EVENTS):
        time.sleep(PAUSE)
        connection.sendall(b"data: %d\n\n" % time.monotonic_ns())
    connection.close()


def visitor(url):
    """The delays of the events, in milliseconds."""
    parts = urllib.parse.urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=SECONDS)
    head = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/event-stream\r\n\r\n"
    connection.sendall(head.encode())
    delays, data = [], b""
    while len(delays) < EVENTS:
        piece = connection.recv(65536)
        now = time.monotonic_ns()
        if not piece:
            raise SystemExit(f"the stream ended after {len(delays)} of {EVENTS} events")
        data += piece
        *events, data = data.split(b"\n\n")
        for event in events:
            for line in event.splitlines():
                if line.startswith(b"data: "):
                    delays.append((now - int(line[6:])) / 1e6)
    return delays


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    listener.settimeout(SECONDS)
    threading.Thread(target=origin, args=(listener,), daemon=True).start()
    delays = visitor(sys.argv[2])
    result = {"events": len(delays), "median_ms": statistics.median(delays), "worst_ms": max(delays)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
