#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tries everything the sample origin offers at an address, and says what worked.

    python3 check.py http://127.0.0.1:8989/my-tunnel/ [--upload-mib 64]

Exits 0 when each of page, clock, echo and upload worked, else 1. Needs nothing but Python's standard library.
"""

import argparse
import base64
import hashlib
import http.client
import json
import os
import socket
import ssl
import struct
import sys
import time
import urllib.parse

PIECE = 256 * 1024
SECONDS_PER_ANSWER = 30


resolve = socket.getaddrinfo


def resolve_localhost(host, *rest, **named):
    """Names below localhost are this machine's own (RFC 6761 §6.3), which not every resolver knows."""
    return resolve("localhost" if str(host).endswith(".localhost") else host, *rest, **named)


socket.getaddrinfo = resolve_localhost


class Failed(Exception):
    """A check that did not hold, as a sentence."""


def expect(condition, sentence):
    if not condition:
        raise Failed(sentence)


class Address:
    """Where the sample origin is reached."""

    def __init__(self, text):
        parts = urllib.parse.urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            sys.exit(f"not a web address: {text}")
        self.secure = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.secure else 80)
        self.authority = parts.netloc
        self.path = parts.path if parts.path.endswith("/") else parts.path + "/"

    def connection(self):
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        return kind(self.host, self.port, timeout=SECONDS_PER_ANSWER)

    def socket(self):
        plain = socket.create_connection((self.host, self.port), timeout=SECONDS_PER_ANSWER)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) if self.secure else plain


def check_page(address, _options):
    connection = address.connection()
    connection.request("GET", address.path)
    answer = connection.getresponse()
    body = answer.read()
    expect(answer.status == 200, f"status {answer.status} {answer.getheader('Culvert-Error', '')}".rstrip())
    expect(b"Culvert sample origin" in body, "another page answered")
    return f"{len(body)} bytes"


def check_clock(address, _options):
    connection = address.connection()
    connection.request("GET", address.path + "clock?interval=0.2", headers={"Accept": "text/event-stream"})
    answer = connection.getresponse()
    expect(answer.status == 200, f"status {answer.status}")
    ages = []
    while len(ages) < 5:
        line = answer.readline()
        expect(line, "the stream ended")
        if line.startswith(b"data: "):
            ages.append(time.time() * 1000 - json.loads(line[6:])["unix_ms"])
    connection.close()
    return f"5 events, each at most {max(0.0, max(ages)):.0f} ms old"


class WebSocketClient:
    """The client's half of RFC 6455, as far as an echo needs it."""

    def __init__(self, address):
        self._socket = address.socket()
        self._stream = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET {address.path}echo HTTP/1.1\r\nHost: {address.authority}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        status = self._stream.readline().decode("latin-1").strip()
        expect(" 101 " in status + " ", f"no upgrade: {status}")
        fields = http.client.parse_headers(self._stream)
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        expect(fields["Sec-WebSocket-Accept"] == base64.b64encode(digest).decode(), "wrong Sec-WebSocket-Accept")

    def send(self, opcode, payload):
        length, mask = len(payload), os.urandom(4)
        if length < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | length)
        elif length < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, length)
        key = (mask * (length // 4 + 1))[:length]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
        self._socket.sendall(head + mask + masked)

    def receive(self):
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._exactly(8))
        return first & 0x0F, self._exactly(length)

    def close(self):
        self._stream.close()
        self._socket.close()

    def _exactly(self, count):
        data = self._stream.read(count)
        expect(len(data) == count, "the connection ended")
        return data


def check_echo(address, _options):
    client = WebSocketClient(address)
    sizes = (0, 1, 125, 126, 65535, 65536, 1 << 20)
    for size in sizes:
        message = os.urandom(size)
        client.send(2, message)
        opcode, echoed = client.receive()
        expect(opcode == 2 and echoed == message, f"a message of {size} bytes came back changed")
    start = time.monotonic()
    client.send(1, b"ping")
    expect(client.receive() == (1, b"ping"), "a text message came back changed")
    milliseconds = (time.monotonic() - start) * 1000
    client.send(8, struct.pack(">H", 1000))
    opcode, payload = client.receive()
    expect(opcode == 8 and payload[:2] == struct.pack(">H", 1000), "no close frame in answer")
    client.close()
    return f"{len(sizes) + 1} messages up to 1 MiB, a small one in {milliseconds:.1f} ms"


def check_upload(address, options):
    size = options.upload_mib << 20
    digest, piece = hashlib.sha256(), os.urandom(PIECE)

    def pieces():
        for number in range(size // PIECE):
            # Each piece differs, so that one lost, doubled or swapped changes the digest.
            data = number.to_bytes(8, "big") + piece[8:]
            digest.update(data)
            yield data

    start = time.monotonic()
    connection = address.connection()
    connection.request("POST", address.path + "upload", body=pieces(), headers={"Content-Length": str(size)})
    answer = connection.getresponse()
    body = answer.read()
    expect(answer.status == 200, f"status {answer.status}")
    result = json.loads(body)
    expect(result["size"] == size, f"{result['size']} bytes of {size} arrived")
    expect(result["sha256"] == digest.hexdigest(), "the SHA-256 differs")
    return f"{options.upload_mib} MiB in {time.monotonic() - start:.1f} s, SHA-256 equal"


CHECKS = (("page", check_page), ("clock", check_clock), ("echo", check_echo), ("upload", check_upload))


def main():
    parser = argparse.ArgumentParser(description="Try the sample origin at an address.")
    parser.add_argument("url")
    parser.add_argument("--upload-mib", type=int, default=64)
    options = parser.parse_args()
    address = Address(options.url)
    failures = 0
    for name, check in CHECKS:
        try:
            verdict, detail = "ok  ", check(address, options)
        except Failed as error:
            verdict, detail = "FAIL", str(error)
        except (OSError, http.client.HTTPException, ValueError) as error:
            verdict, detail = "FAIL", f"{type(error).__name__}: {error}"
        failures += verdict == "FAIL"
        print(f"  {verdict} {name:8} {detail}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
