# SPDX-License-Identifier: Apache-2.0
"""An edge with ports for tunnels, connectors, and origins that a case makes; everything ends with the stage."""
import contextlib
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from free_ports import free_port, free_ports  # noqa: E402

KEY = "key-of-the-tcp-cases-0123456789abcdef"


def until(what, seconds, ask):
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = ask()
            if answer:
                return answer
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain: {what}")
        time.sleep(0.02)


class Origin:
    """A server of raw bytes: each connection is given to a function, in a thread of its own."""

    def __init__(self, serve):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1024)
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with contextlib.suppress(OSError):
            self.serve(connection)

    def close(self):
        self.listener.close()


class Path:
    """A way to a server that can be cut: what runs over it is reset, and nobody gets through until it is mended."""

    def __init__(self, target):
        self.target = target
        self.ends = []
        self.is_cut = False
        self.carried = 0
        self.port = Origin(self._carry).port

    def _carry(self, near):
        if self.is_cut:
            return reset(near)
        with socket.create_connection(("127.0.0.1", self.target)) as far, near:
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ends += [near, far]
            back = threading.Thread(target=self._copy, args=(far, near), daemon=True)
            back.start()
            self._copy(near, far)
            back.join()

    def _copy(self, source, target):
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 16):
                self.carried += len(part)
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    def cut(self, seconds):
        self.is_cut = True
        ends, self.ends = self.ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # Wakes up whoever waits for bytes of it.
                end.shutdown(socket.SHUT_RDWR)
        time.sleep(seconds)
        self.is_cut = False


def reset(connection):
    """Closes with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def is_reset(connection):
    try:
        while connection.recv(1 << 16):
            pass
        return False
    except ConnectionResetError:
        return True


def read_all(connection):
    parts = []
    while True:
        part = connection.recv(1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise RuntimeError(f"the end after {len(data)} of {count} bytes")
        data += part
    return data


class Stage:
    """What a case works with."""

    ports = 16

    def __init__(self, binaries, *settings, has_ports=True):
        self.binaries = pathlib.Path(binaries)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="culvert-tcp-"))
        self.stack = contextlib.ExitStack()
        self.first = free_ports(self.ports)
        self.listen, self.admin = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.listen}"
        self.log = self.folder / "edge.log"
        range_ = ["--tcp-ports", f"{self.first}-{self.first + self.ports - 1}"] if has_ports else []
        self.edge_arguments = [
            "--dev", "--listen", f"127.0.0.1:{self.listen}", "--admin-listen", f"127.0.0.1:{self.admin}",
            "--limits-api-calls-per-second", "1000", "--limits-creations-per-hour", "1000", *range_, *settings,
        ]
        self.edge = self.start_edge()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()
        for process in (self.edge,):
            process.terminate()
        try:
            self.edge.wait(5)
        except subprocess.TimeoutExpired:
            self.edge.kill()

    def run(self, arguments, **options):
        """Starts a program that ends with the stage."""
        process = subprocess.Popen(arguments, **options)
        self.stack.callback(self._end, process)
        return process

    @staticmethod
    def _end(process):
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def start_edge(self):
        edge = subprocess.Popen(
            [self.binaries / "culvert-edge", *self.edge_arguments], stdout=subprocess.DEVNULL, stderr=open(self.log, "ab"),
            # The edge refuses settings that it does not know, and takes variables of ours for some.
            env={
                **{
                    name: value for name, value in os.environ.items()
                    if name != "CULVERT_LONG" and not name.startswith("CULVERT_BENCH_")
                },
                "CULVERT_AUTH_API_KEY": KEY,
            },
        )
        until("the edge is ready", 20, lambda: self.get("/readyz"))
        return edge

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}") as answer:
            return answer.read().decode()

    def metric(self, name, label=""):
        return sum(
            float(line.split()[-1]) for line in self.get("/metrics").splitlines()
            if line.split("{")[0].split(" ")[0] == name and label in line
        )

    def call(self, method, path, body=None):
        """The status and the JSON of a call of the control API."""
        request = urllib.request.Request(
            f"{self.url}/api/tunnels/{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def connect(self, target, *arguments, edge=None):
        """Starts a connector for a target; the process, and the port of the edge."""
        output = self.folder / f"connector-{time.monotonic_ns()}"
        with open(output, "wb") as out, open(f"{output}.err", "wb") as errors:
            process = self.run(
                [self.binaries / "culvert", "tcp", str(target), "--edge", edge or self.url, "--log-format", "json",
                 "--log-requests", *arguments],
                stdout=out, stderr=errors, env={**os.environ, "CULVERT_API_KEY": KEY, "HOME": str(self.folder)},
            )
        process.log = pathlib.Path(f"{output}.err")

        def url():
            if process.poll() is not None:
                raise RuntimeError(process.log.read_text())
            return output.read_text().strip()

        return process, int(until("the tunnel's URL", 20, url).rsplit(":", 1)[1])

    def visit(self, port, **options):
        connection = socket.create_connection(("127.0.0.1", port), timeout=20, **options)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def connect_web(self, target, *arguments):
        """Starts a connector of a tunnel of HTTP; its URL."""
        output = self.folder / f"connector-{time.monotonic_ns()}"
        with open(output, "wb") as out, open(f"{output}.err", "wb") as errors:
            process = self.run(
                [self.binaries / "culvert", "http", str(target), "--edge", self.url, *arguments],
                stdout=out, stderr=errors, env={**os.environ, "CULVERT_API_KEY": KEY, "HOME": str(self.folder)},
            )
        return until("the tunnel's URL", 20, lambda: output.read_text().strip() or process.poll() is not None)

    def visit_narrow(self, port):
        """A connection that takes little before it is read."""
        connection = socket.socket()
        connection.settimeout(20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        connection.connect(("127.0.0.1", port))
        return connection

    def lines(self):
        """The lines of the access log that are about connections."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["message"] == "connection"]

    def line(self, count=1):
        """The latest line, once there are so many."""
        until(f"{count} lines in the access log", 10, lambda: len(self.lines()) >= count)
        return self.lines()[-1]

    def resident_mib(self):
        for line in pathlib.Path(f"/proc/{self.edge.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")
