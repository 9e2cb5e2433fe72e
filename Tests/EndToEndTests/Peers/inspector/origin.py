# SPDX-License-Identifier: Apache-2.0
"""A local server that answers the samples byte for byte, and remembers what it was asked."""

import base64
import hashlib
import socketserver
import struct
import threading
import time

import samples

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
OPCODES = {"text": 1, "binary": 2}


def frame(opcode, content, mask=None):
    """One frame of a WebSocket (RFC 6455 §5.2), masked as a client's has to be if `mask` is given."""
    content = content.encode() if isinstance(content, str) else content
    marked = 0x80 if mask else 0
    length = bytes([marked | len(content)]) if len(content) < 126 else bytes([marked | 126]) + struct.pack(">H", len(content))
    if mask:
        content = mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(content))
    return bytes([0x80 | OPCODES[opcode]]) + length + content


def read_head(stream):
    """The start line and the fields of a head; None at the end of the connection."""
    lines = []
    while True:
        line = stream.readline()
        if not line:
            return None
        if line in (b"\r\n", b"\n"):
            if not lines:
                continue
            break
        lines.append(line.rstrip(b"\r\n").decode("latin-1"))
    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
    return lines[0], fields


def read_body(stream, fields):
    values = {name.lower(): value for name, value in fields}
    if "chunked" in values.get("transfer-encoding", ""):
        content = b""
        while size := int(stream.readline().split(b";")[0], 16):
            content += stream.read(size)
            stream.readline()
        while stream.readline() not in (b"\r\n", b""):
            pass
        return content
    return stream.read(int(values.get("content-length", 0)))


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while head := read_head(self.rfile):
                line, fields = head
                method, target, _ = line.split(" ", 2)
                body = read_body(self.rfile, fields)
                self.server.origin.asked(method, target, fields, body)
                if not self.answer(target, fields):
                    break
        except (OSError, ValueError):
            pass

    def answer(self, target, fields):
        """Answers; False ends the connection."""
        response = self.server.origin.answers.get(target) or samples.response("200 OK", [("Content-Type", "text/plain")], b"hello")
        if "error" in response:
            return False
        if response.get("kind") == "websocket":
            self.talk(dict((name.lower(), value) for name, value in fields)["sec-websocket-key"])
            return False
        if "interim" in response:
            status, interim = response["interim"]
            self.send(status, interim)
        if response.get("kind") == "events":
            self.send(response["status"], [*response["fields"], ("Connection", "close")])
            for event in samples.EVENTS:
                self.wfile.write(event)
                time.sleep(0.03)
            return False
        body = response["body"]
        body *= response.get("size", len(body)) // max(1, len(body))
        if "trailers" in response:
            self.send(response["status"], [*response["fields"], ("Transfer-Encoding", "chunked")])
            trailers = "".join(f"{name}: {value}\r\n" for name, value in response["trailers"])
            self.wfile.write(f"{len(body):x}\r\n".encode() + body + f"\r\n0\r\n{trailers}\r\n".encode())
        else:
            length = [] if response["status"].startswith("204") else [("Content-Length", str(len(body)))]
            self.send(response["status"], [*response["fields"], *length])
            self.wfile.write(body)
        return True

    def send(self, status, fields):
        self.wfile.write(("\r\n".join([f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields), "", ""])).encode())

    def talk(self, key):
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        self.send("101 Switching Protocols", [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)])
        self.server.origin.chat = self
        for who, opcode, content in samples.MESSAGES:
            if who == "visitor":
                self.receive()
            else:
                self.wfile.write(frame(opcode, content))
        while self.receive():
            pass

    def receive(self):
        head = self.rfile.read(2)
        if len(head) < 2:
            return False
        length = head[1] & 127
        if length == 126:
            length = struct.unpack(">H", self.rfile.read(2))[0]
        self.rfile.read(4 + length)
        return head[0] & 15 != 8


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, *_):
        """A connection that is gone is no news."""


class Origin:
    """The local server behind a tunnel."""

    def __init__(self):
        self.answers = {request["target"]: response for request, response in samples.samples()}
        self.records = []
        self.chat = None
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.origin = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def asked(self, method, target, fields, body):
        self.records.append({"method": method, "target": target, "fields": fields, "body": body})

    def close(self):
        self._server.shutdown()
        self._server.server_close()
