# SPDX-License-Identifier: Apache-2.0
"""A local server that keeps the bytes of each request, over TCP, TLS or a Unix socket."""

import os
import re
import socket
import ssl
import subprocess
import threading
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


def certificate(folder):
    """A certificate for localhost that nobody has signed, and its key, as paths."""
    paths = os.path.join(folder, "local.pem"), os.path.join(folder, "local.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-out", paths[0], "-keyout", paths[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return paths


class Recorder:
    """Answers each request after `delay` seconds and keeps its connection: whoever waits for its end waits for ever."""

    def __init__(self, path=None, files=None, delay=0):
        self.received = []
        # How many requests wait for their answer, and the most that there were at a time.
        self.open = self.peak = 0
        self._delay = delay
        self._lock = threading.Lock()
        self._tls = None
        if files:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*files)
        self._socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._socket.bind(path or ("127.0.0.1", 0))
        self._socket.listen(128)
        self.port = None if path else self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            stream = connection.makefile("rb")
            while request := self._read(stream):
                with self._lock:
                    self.received.append(request)
                    self.open += 1
                    self.peak = max(self.peak, self.open)
                time.sleep(self._delay)
                with self._lock:
                    self.open -= 1
                connection.sendall(ANSWER)
        except OSError:
            pass
        finally:
            connection.close()

    @staticmethod
    def _read(stream):
        """The bytes of one request; nothing at the end of the connection."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return b""
            head += line
        if re.search(rb"(?im)^transfer-encoding:.*chunked", head):
            body = b""
            while not re.search(rb"(^|\r\n)0\r\n(?:[^\r]+\r\n)*\r\n$", body):
                body += stream.readline()
            return head + body
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        return head + (stream.read(int(length[1])) if length else b"")
