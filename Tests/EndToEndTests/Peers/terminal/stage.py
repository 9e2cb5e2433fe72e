# SPDX-License-Identifier: Apache-2.0
"""What stands around the terminal: an edge, a local server, visitors, and the files of a user."""

import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from session import PATIENCE, Failure, Session

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from free_ports import free_port  # noqa: E402

API_KEY = "cvk_0123456789abcdefghijklmnopqrstuv"


class Answers(http.server.BaseHTTPRequestHandler):
    """The local server: the status that the path begins with, 404 for an icon, else 200."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        first = self.path.split("/")[1]
        status = int(first) if first.isdigit() else 404 if first == "favicon.ico" else 200
        body = b"" if status == 204 else b"hello\n"
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


class Origin:
    """The local server, which can be away."""

    def __init__(self):
        self.port = free_port()
        self._server = None

    def start(self):
        http.server.ThreadingHTTPServer.daemon_threads = True
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Answers)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Edge:
    """An edge of its own keys, which can be killed and started again."""

    def __init__(self, program, folder):
        self.port = free_port()
        self._admin = free_port()
        self._folder = folder
        self._command = [
            # Scenes of a lost edge show how it is looked for, not how sessions wait for it.
            program, "--dev", "--tunnel-resume", "0s",
            "--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self._admin}",
            "--limits-api-calls-per-second", "1000",
        ]  # fmt: skip
        self._process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        with open(os.path.join(self._folder, "edge.log"), "ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": os.environ["PATH"], "CULVERT_AUTH_API_KEY": API_KEY},
            )  # fmt: skip
        self._eventually(lambda: urllib.request.urlopen(f"http://127.0.0.1:{self._admin}/healthz", timeout=5))
        return self

    def kill(self):
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def call(self, method, path, value=None):
        """Calls the control API."""
        request = urllib.request.Request(
            f"{self.url}/api/tunnels/{path}", method=method, data=None if value is None else json.dumps(value).encode(),
            headers={"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def delete_all(self):
        """Deletes every tunnel, so that no scene sees another's."""
        for tunnel in self.call("GET", "list")["tunnels"]:
            self.call("DELETE", tunnel["tunnel_id"])

    def visit(self, path, method="GET"):
        """One request of a visitor; gives the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=b"x" * 10 if method in ("POST", "PUT") else None)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def _eventually(self, attempt):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return attempt().close()
            except (OSError, urllib.error.URLError) as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise Failure(f"the edge did not start: {error}") from error
                time.sleep(0.05)


class Stage:
    """One edge and one local server for all scenes, and a folder for each."""

    def __init__(self, programs):
        self._root = tempfile.mkdtemp(prefix="culvert-screens-")
        self._programs = programs
        self.edge = Edge(os.path.join(programs, "culvert-edge"), self._root).start()
        self.origin = Origin().start()
        # Nobody listens there.
        self.silent_port = free_port()
        self.folder = None

    def close(self):
        self.edge.kill()
        self.origin.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    def prepare(self, scene):
        """Makes the folder of a scene."""
        self.folder = os.path.join(self._root, scene)
        os.mkdir(self.folder)

    def write(self, name, text):
        """Writes a file that only the user may read."""
        with open(os.open(os.path.join(self.folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)

    def shell(self, columns=80, rows=24, **environment):
        """A shell in the folder of the scene, which is the user's home as well."""
        path = os.pathsep.join([os.path.abspath(self._programs), "/usr/bin", "/bin"])
        return Session(self.folder, {"PATH": path, "HOME": self.folder, **environment}, columns, rows)

    def user(self, columns=80, rows=24, **environment):
        """A shell of somebody who has an edge and a key."""
        known = {"CULVERT_EDGE": self.edge.url, "CULVERT_API_KEY": API_KEY}
        return self.shell(columns, rows, **known, **environment)

    def clues(self):
        """What stands for the names of this run."""
        ports = {self.edge.port: "18989", self.origin.port: "13000", self.silent_port: "13999"}
        return [(self.folder, "/home/me"), *((str(port), shown) for port, shown in ports.items())]
