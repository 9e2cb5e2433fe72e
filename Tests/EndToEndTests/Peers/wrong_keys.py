#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guesses API keys, and watches meanwhile how somebody with a right key fares.

    wrong_keys.py PORT COUNT one|many        (the right key is in RIGHT_KEY)

`one` guesses from one address; `many` claims another address with each guess, in X-Forwarded-For, which the edge has to
trust. Prints one JSON object: the statuses of the guesses, their duration, and the median and 95th percentile in
milliseconds of right calls from elsewhere, before and during the guessing.
"""

import collections
import json
import multiprocessing
import os
import re
import socket
import statistics
import sys
import time

BATCH = 50
QUIET_SECONDS = 1.5


def guess(port, count, is_many, results):
    """Sends wrong keys, many on their way at once, and counts the answers by status."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    statuses = collections.Counter()
    start = time.monotonic()
    for first in range(0, count, BATCH):
        requests = []
        for number in range(first, min(first + BATCH, count)):
            forwarded = ""
            if is_many:
                forwarded = f"X-Forwarded-For: 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}\r\n"
            requests.append(
                f"GET /api/tunnels/list HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer wrong{number}\r\n{forwarded}\r\n"
            )
        connection.sendall("".join(requests).encode())
        data, found = b"", []
        while len(found) < len(requests):
            piece = connection.recv(1 << 20)
            if not piece:
                raise RuntimeError("the edge closed the connection")
            data += piece
            found = re.findall(rb"HTTP/1.1 (\d{3}) ", data)
        # Bodies have no line like that, so that every match is a response; the last one's body may be on its way.
        while not data.endswith(b"}"):
            data += connection.recv(1 << 20)
        statuses.update(status.decode() for status in found)
    results.put((dict(statuses), time.monotonic() - start))


def right_call(connection, key):
    """Makes one right call; gives its duration in milliseconds."""
    start = time.monotonic()
    connection.sendall(f"GET /api/tunnels/list HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"}"):
        piece = connection.recv(65536)
        if not piece:
            raise RuntimeError("the edge closed the connection")
        data += piece
    if not data.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"a right key was refused: {data[:200]!r}")
    return (time.monotonic() - start) * 1000


def figures(durations):
    """The median and the 95th percentile."""
    ordered = sorted(durations)
    return {"median": statistics.median(ordered), "p95": ordered[int(len(ordered) * 0.95)], "calls": len(ordered)}


def main():
    port, count, is_many = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "many"
    key = os.environ["RIGHT_KEY"]
    # All of 127.0.0.0/8 is this machine: another address of it is another caller.
    connection = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=("127.0.0.2", 0))
    before, during = [], []
    end = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < end:
        before.append(right_call(connection, key))
        time.sleep(0.01)
    results = multiprocessing.Queue()
    process = multiprocessing.Process(target=guess, args=(port, count, is_many, results))
    process.start()
    while process.is_alive():
        during.append(right_call(connection, key))
        time.sleep(0.01)
    if process.exitcode != 0:
        sys.exit("the guessing failed")
    statuses, seconds = results.get()
    print(
        json.dumps(
            {"statuses": statuses, "seconds": seconds, "before": figures(before), "during": figures(during)}
        )
    )


if __name__ == "__main__":
    main()
