#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""POSTs of 32 KiB at a hundred a second, from eight visitors on connections of their own, to an origin that counts bytes.

usage: draining_posts.py PORT URL STOP

Runs until the file STOP exists, then prints `{"requests": …, "failures": […]}`.
"""

import http.client
import http.server
import json
import pathlib
import sys
import threading
import time
import urllib.parse

BODY = bytes(range(256)) * 128
VISITORS = 8
INTERVAL = VISITORS / 100


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"whole" if body == BODY else b"not whole"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def visit(address, path, stop, tally, failures):
    connection = None
    due = time.monotonic()
    while not stop.exists():
        try:
            connection = connection or http.client.HTTPConnection(*address, timeout=20)
            connection.request("POST", path, BODY, {"Content-Type": "application/octet-stream"})
            response = connection.getresponse()
            text = response.read()
            if response.status != 200 or text != b"whole":
                failures.append(f"{response.status} {response.getheader('Culvert-Error')} {text[:40]!r}")
            if response.will_close:
                connection.close()
                connection = None
        except (OSError, http.client.HTTPException) as error:
            failures.append(repr(error))
            connection = None
        tally.append(1)
        due = max(due + INTERVAL, time.monotonic() - INTERVAL)
        time.sleep(max(0, due - time.monotonic()))


def main():
    port, url, stop = int(sys.argv[1]), urllib.parse.urlsplit(sys.argv[2]), pathlib.Path(sys.argv[3])
    server = Server(("127.0.0.1", port), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tally, failures = [], []
    visitors = [
        threading.Thread(target=visit, args=((url.hostname, url.port), url.path, stop, tally, failures))
        for _ in range(VISITORS)
    ]
    print("posting", flush=True)
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    print(json.dumps({"requests": len(tally), "failures": failures[:20]}))


main()
