#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Visitors of an edge that is asked to stop: no request is lost, and the edge is gone as soon as nobody needs it.

    leaving_edge.py URL ORIGIN_PORT EDGE_PID DELAY

Serves the origin on ORIGIN_PORT, and visits URL, straight at the edge, in three ways: one connection that asks every
20 ms, again over a new connection whenever an answer says that it was the last; one that has asked once and waits; and
one whose answer takes longer than DELAY, the edge's `shutdown.delay` in seconds. Then sends SIGTERM to the edge, and
prints as JSON what became of them.
"""

import http.server
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse

INTERVAL = 0.02


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        time.sleep(float(query.get("seconds", ["0"])[0]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class Connection:
    """A visitor's connection, over which one request follows another."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.path, self.host = parts.path, parts.netloc
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=30)
        self.input = self.socket.makefile("rb")

    def get(self, query=""):
        """The status, and whether the answer says that it is the connection's last."""
        self.socket.sendall(f"GET {self.path}{query} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        line = self.input.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"the connection ended in place of an answer: {line!r}")
        fields = {}
        while (field := self.input.readline()) != b"\r\n":
            if not field:
                raise ConnectionError("the connection ended within an answer's head")
            name, _, value = field.decode().partition(":")
            fields[name.lower()] = value.strip()
        length = int(fields["content-length"])
        if len(self.input.read(length)) != length:
            raise ConnectionError("the connection ended within an answer")
        return int(line.split()[1]), fields.get("connection", "").lower() == "close"

    def close(self):
        self.input.close()
        self.socket.close()


def wait_until_it_answers(url):
    for _ in range(500):
        try:
            connection = Connection(url)
            status, _ = connection.get()
            connection.close()
            if status == 200:
                return
        except OSError:
            pass
        time.sleep(0.02)
    sys.exit("the tunnel does not answer")


class Asker(threading.Thread):
    """Asks every 20 ms until nobody listens any more."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url = url
        self.answers, self.closing_answers, self.failures = 0, 0, []
        self.says_last, self.last_answer = False, 0.0

    def run(self):
        connection = None
        while True:
            begin = time.monotonic()
            if connection is None:
                try:
                    connection = Connection(self.url)
                except ConnectionRefusedError:
                    return
            try:
                status, self.says_last = connection.get()
            except OSError as error:
                self.failures.append(f"{error!r} after {self.answers} answers")
                connection.close()
                connection = None
                continue
            self.last_answer = time.monotonic()
            self.answers += 1
            if status != 200:
                self.failures.append(f"status {status} after {self.answers} answers")
            if self.says_last:
                self.closing_answers += 1
                connection.close()
                connection = None
            time.sleep(max(0, begin + INTERVAL - time.monotonic()))


class Watcher(threading.Thread):
    """Runs a function, and keeps what it gives and when it gave it."""

    def __init__(self, body):
        super().__init__(daemon=True)
        self.body, self.result, self.at = body, None, 0.0

    def run(self):
        try:
            self.result = self.body()
        except OSError as error:
            self.result = repr(error)
        self.at = time.monotonic()


def wait_for_exit(pid):
    """A process that has exited is a zombie until its parent has asked for it."""
    while True:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.002)


def main():
    url, port, pid, delay = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", port), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    wait_until_it_answers(url)

    idle = Connection(url)
    idle.get()
    slow_connection = Connection(url)
    asker = Asker(url)
    asker.start()
    time.sleep(0.3)
    end_of_idle = Watcher(lambda: idle.socket.recv(1).decode())
    slow = Watcher(lambda: slow_connection.get(f"?seconds={delay + 0.6}"))
    end_of_edge = Watcher(lambda: wait_for_exit(pid))
    for thread in (end_of_idle, slow, end_of_edge):
        thread.start()
    # The slow request is on its way before the edge is told to stop.
    time.sleep(0.05)
    signalled = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    for thread in (end_of_idle, slow, end_of_edge, asker):
        thread.join(60)
        if thread.is_alive():
            sys.exit(f"{thread} has not ended")
    last = max(asker.last_answer, slow.at, signalled + delay)
    json.dump(
        {
            "answers": asker.answers,
            "closing_answers": asker.closing_answers,
            "failures": asker.failures,
            "last_says_close": asker.says_last,
            "idle_end": end_of_idle.result,
            "idle_after_delay": round(end_of_idle.at - signalled - delay, 4),
            "slow": slow.result,
            "exit_after_last": round(end_of_edge.at - last, 4),
        },
        sys.stdout,
    )


main()
