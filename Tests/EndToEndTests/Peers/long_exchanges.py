#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An upload and an event stream that take long, through whatever is in front of a tunnel.

    long_exchanges.py ORIGIN_PORT TUNNEL_URL UPLOAD_SECONDS EVENTS_SECONDS

Plays the origin on ORIGIN_PORT and two visitors of TUNNEL_URL at once: one that uploads a byte every second, and one
that listens to an event every second. Prints `{"uploaded": …, "received": …, "events": …, "worst_ms": …}`.
"""

import http.client
import http.server
import json
import socketserver
import sys
import threading
import time
import urllib.parse


class Origin(http.server.BaseHTTPRequestHandler):
    """Counts what is uploaded, and tells the time once a second."""

    protocol_version = "HTTP/1.1"
    seconds = 0

    def do_PUT(self):
        """Answers with the number of bytes."""
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(str(size).encode(), "text/plain")

    def do_GET(self):
        """Events, each with the time at which it left."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(self.seconds):
            event = f"data: {time.monotonic()}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            time.sleep(1)
        self.wfile.write(b"0\r\n\r\n")

    def answer(self, body, media_type):
        """A whole response."""
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Says nothing."""


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One thread a connection."""

    daemon_threads = True
    allow_reuse_address = True


def upload(url, seconds):
    """What the origin says it got, and what was sent."""
    count = seconds
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    connection.putrequest("PUT", url.path)
    connection.putheader("Content-Length", str(count))
    connection.endheaders()
    for _ in range(count):
        connection.send(b"x")
        time.sleep(1)
    return int(connection.getresponse().read()), count


def listen(url):
    """The delays of the events in seconds."""
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    connection.request("GET", url.path)
    delays = []
    for line in connection.getresponse():
        if line.startswith(b"data: "):
            delays.append(time.monotonic() - float(line[6:]))
    return delays


def main():
    url = urllib.parse.urlsplit(sys.argv[2])
    Origin.seconds = int(sys.argv[4])
    server = Server(("127.0.0.1", int(sys.argv[1])), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # The connector may still be on its way here.
    results = {}
    uploading = threading.Thread(target=lambda: results.update(upload=upload(url, int(sys.argv[3]))))
    uploading.start()
    delays = listen(url)
    uploading.join()
    received, uploaded = results["upload"]
    print(
        json.dumps(
            {"uploaded": uploaded, "received": received, "events": len(delays), "worst_ms": max(delays, default=0) * 1000}
        )
    )


main()
