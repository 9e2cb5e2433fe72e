# SPDX-License-Identifier: Apache-2.0
"""The page as `culvert` serves it: an edge, a connector and a local server, and visitors who send the samples."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import samples
from browser import Window, context
from origin import Origin, frame, read_head

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from free_ports import free_port  # noqa: E402

API_KEY = "cvk_0123456789abcdefghijklmnopqrstuv"
NAME = "my-app"
PATIENCE = 30


def eventually(what, attempt):
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if (found := attempt()) is not None:
                return found
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {PATIENCE} s")
        time.sleep(0.05)


def ask(url, path, method="GET", body=None):
    """Calls an inspector's API."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}api/{path}", method=method, data=content, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        body = answer.read()
    return json.loads(body) if body else None


class Connector:
    """A connector beside that of the stage."""

    def __init__(self, process, url):
        self.process, self.url = process, url

    def api(self, path, method="GET", body=None):
        return ask(self.url, path, method, body)

    def post(self, path, body):
        return self.api(path, "POST", body)


class RealStage:
    """The same as `FakeStage`, with the programs themselves."""

    now = None
    # Programs that are not optimised take a minute to pass 10 000; the page before the fake program always has them.
    is_long = bool(os.environ.get("CULVERT_LONG"))
    many = 10_000 if is_long else 1_000

    def __init__(self, browser, programs, album):
        self.browser, self.album = browser, album
        self.samples = [request for request, _ in samples.samples()]
        self.figures = {}
        self._programs = programs
        # As `Programs.areReleased` has it.
        self.is_released = "release" in programs.split("/")
        self._folder = tempfile.TemporaryDirectory()
        self._sockets = []
        self._seen = 0
        self.origin = Origin()
        self.edge_port, self.port = free_port(), free_port()
        self._edge = self._start("culvert-edge", "--dev", "--listen", f"127.0.0.1:{self.edge_port}", "--admin-listen", f"127.0.0.1:{free_port()}")
        eventually("edge", lambda: socket.create_connection(("127.0.0.1", self.edge_port)).close() or True)
        self._connector = None
        try:
            self.come_back()
        except BaseException:
            print(self.log(), file=sys.stderr)
            self.close()
            raise

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    @property
    def edge(self):
        return f"http://127.0.0.1:{self.edge_port}"

    @property
    def program(self):
        """The path of `culvert`."""
        return os.path.join(self._programs, "culvert")

    @property
    def folder(self):
        return self._folder.name

    def _start(self, program, *arguments, environment=None):
        log = open(os.path.join(self._folder.name, f"{program}.log"), "ab")  # The process keeps it.
        with log:
            return subprocess.Popen(
                [os.path.join(self._programs, program), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": self._folder.name, "CULVERT_AUTH_API_KEY": API_KEY, "CULVERT_API_KEY": API_KEY, **(environment or {})},
            )  # fmt: skip

    def log(self):
        parts = []
        for name in ("culvert-edge", "culvert"):
            with open(os.path.join(self._folder.name, f"{name}.log"), encoding="utf-8", errors="replace") as file:
                parts.append(file.read()[-2000:])
        return "\n".join(parts)

    def close(self):
        self._hang_up()
        for process in (self._connector, self._edge):
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.origin.close()
        self._folder.cleanup()

    def window(self, made):
        return Window(made, self.url)

    def context(self):
        return context(self.browser)

    # The program

    def api(self, path, method="GET", body=None):
        return ask(self.url, path, method, body)

    def post(self, path, body):
        return self.api(path, "POST", body)

    @property
    def connector_pid(self):
        return self._connector.pid

    @property
    def connector_process(self):
        return self._connector

    @contextlib.contextmanager
    def connector(self, *arguments, inspect=None, environment=None):
        """Another connector, with an inspector at a free port unless `inspect` says something else."""
        port = free_port()
        process = self._start("culvert", *arguments, "--inspect", inspect or f"127.0.0.1:{port}", environment=environment)
        other = Connector(process, f"http://127.0.0.1:{port}/")
        try:
            if inspect is None:
                eventually("inspector", lambda: other.api("status"))
            yield other
        finally:
            process.kill()
            process.wait()

    def prepare(self):
        self._hang_up()
        self.api("requests/http", "DELETE")

    clear = prepare

    def go_away(self):
        self._hang_up()
        self._connector.send_signal(signal.SIGKILL)
        self._connector.wait()

    def processor_seconds(self):
        """What the connector has used of the processors (clock_getcpuclockid(3))."""
        return time.clock_gettime(~self._connector.pid << 3 | 2)

    def come_back(self, reuse="never"):
        self._connector = self._start(
            "culvert", "http", str(self.origin.port), "--name", NAME, "--edge", self.edge, "--inspect", f"127.0.0.1:{self.port}",
            # A request that fails on a connection that has served another is sent once more, and would be two lines:
            # connections to the origin are kept only where it is counted what a request costs.
            "--origin-reuse", reuse,
        )  # fmt: skip
        eventually("inspector", lambda: self.api("status"))
        eventually("tunnel", lambda: self.send(samples.request("GET", "/warm-up")) == 200 or None)

    # Visitors

    def send(self, request, tunnel=NAME, has_length=True):
        """Sends one request through a tunnel and reads its answer to the end; gives its status."""
        connection = socket.create_connection(("127.0.0.1", self.edge_port), timeout=PATIENCE)
        fields = [("Host", f"127.0.0.1:{self.edge_port}"), *request["fields"]]
        if request["body"] and has_length:
            fields.append(("Content-Length", str(len(request["body"]))))
        is_chat = any(name == "Upgrade" for name, _ in fields)
        fields += [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")] if is_chat else [("Connection", "close")]
        lines = [f"{request['method']} /{tunnel}{request['target']} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
        connection.sendall("\r\n".join(lines).encode() + request["body"])
        stream = connection.makefile("rb")
        line = read_head(stream)[0]
        if is_chat:
            self._sockets += [stream, connection]
            for who, opcode, content in samples.MESSAGES:
                if who == "visitor":
                    connection.sendall(frame(opcode, content, b"\x01\x02\x03\x04"))
                else:
                    content = content.encode() if isinstance(content, str) else content
                    stream.read(2 + len(content))
        else:
            while stream.read(65536):
                pass
            connection.close()
        return int(re.match(r"HTTP/1\.1 (\d+)", line)[1])

    def show_samples(self):
        self.prepare()
        self.samples = []
        for request, response in samples.samples():
            if self.send(request) == 400:
                # The edge refuses what a browser would not send in a target.
                assert "<" in request["target"], request["target"]
                continue
            self.samples.append(request)

        def all_there():
            found = self.api("requests/http?fields=summary&limit=100")["requests"]
            chat = next((one for one in found if one.get("kind") == "websocket"), {})
            is_complete = len(found) == len(self.samples) and chat.get("messages") == len(samples.MESSAGES)
            return True if is_complete else None

        eventually("samples", all_there)
        self.origin.records.clear()
        self._seen = 0

    def _hang_up(self):
        for one in self._sockets:
            one.close()
        self._sockets.clear()

    def visit(self, target):
        self.send(samples.request("GET", target))

    def fill(self, number):
        def some(first, last):
            connection = http.client.HTTPConnection("127.0.0.1", self.edge_port, timeout=PATIENCE)
            for index in range(first, last):
                connection.request("GET", f"/{NAME}/many/{index}")
                connection.getresponse().read()
            connection.close()

        share = number // 4
        threads = [threading.Thread(target=some, args=(index * share, (index + 1) * share)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def say(self, text):
        self.origin.chat.wfile.write(frame("text", text))

    def received(self):
        """The latest request that was sent again since the last call."""
        eventually("replay at the local server", lambda: len(self.origin.records) > self._seen or None)
        self._seen = len(self.origin.records)
        return self.origin.records[-1]

    def trickle(self, seconds, each_second):
        for _ in range(seconds * 4):
            begin = time.monotonic()
            for number in range(each_second // 4):
                self.visit(f"/trickle/{number}")
            time.sleep(max(0, 0.25 - (time.monotonic() - begin)))
