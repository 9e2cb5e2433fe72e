# SPDX-License-Identifier: Apache-2.0
"""An edge, connectors, an app, and how senders sign."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from free_ports import free_port  # noqa: E402

KEY = "key-of-the-webhooks-0123456789abcdef"
SECRETS = {"github": "It's a secret", "stripe": "whsec_stripe", "slack": "slack-secret",
           "standard": "whsec_" + base64.b64encode(b"standard-secret-of-24-by").decode()}
failures = []


def mac(secret, message):
    return hmac.new(secret, message, hashlib.sha256)


def signed(scheme, body, number):
    """The fields of a webhook, as its sender's documents say."""
    now = str(int(time.time()))
    secret = SECRETS[scheme].encode()
    if scheme == "github":
        return {"X-Hub-Signature-256": "sha256=" + mac(secret, body).hexdigest(), "X-GitHub-Delivery": str(number)}
    if scheme == "stripe":
        return {"Stripe-Signature": f"t={now},v1=" + mac(secret, now.encode() + b"." + body).hexdigest()}
    if scheme == "slack":
        value = mac(secret, b"v0:" + now.encode() + b":" + body).hexdigest()
        return {"X-Slack-Signature": "v0=" + value, "X-Slack-Request-Timestamp": now}
    key = base64.b64decode(SECRETS[scheme][6:])
    value = base64.b64encode(mac(key, f"msg_{number}.{now}.".encode() + body).digest()).decode()
    return {"webhook-id": f"msg_{number}", "webhook-timestamp": now, "webhook-signature": "v1," + value}


def is_valid(scheme, fields, body):
    """What the app checks over the bytes that it got."""
    secret = SECRETS[scheme].encode()
    if scheme == "github":
        return fields["X-Hub-Signature-256"] == "sha256=" + mac(secret, body).hexdigest()
    if scheme == "stripe":
        time_part, value = (part.split("=", 1)[1] for part in fields["Stripe-Signature"].split(","))
        return value == mac(secret, time_part.encode() + b"." + body).hexdigest()
    if scheme == "slack":
        message = b"v0:" + fields["X-Slack-Request-Timestamp"].encode() + b":" + body
        return fields["X-Slack-Signature"] == "v0=" + mac(secret, message).hexdigest()
    message = f"{fields['webhook-id']}.{fields['webhook-timestamp']}.".encode() + body
    value = base64.b64encode(mac(base64.b64decode(SECRETS[scheme][6:]), message).digest()).decode()
    return fields["webhook-signature"] == "v1," + value


class App(http.server.ThreadingHTTPServer):
    """Notes what it gets, in the order in which it gets it."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        # A connection that ends with its edge.
        pass

    def __init__(self):
        self.got = []
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.got.append((self.path, dict(self.headers.items()), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Edge:
    def __init__(self, program, folder, *arguments, keeps=None, environment=None):
        self.program, self.folder = program, pathlib.Path(folder)
        self.arguments = [*(keeps or ["--inbox-directory", str(self.folder / "inbox")]), *arguments]
        self.environment = environment or {}
        self.port, self.admin = free_port(), free_port()
        self.start()

    def start(self):
        log = open(self.folder / "edge.log", "ab")
        self.process = subprocess.Popen(
            [self.program, "--dev", "--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self.admin}",
             "--limits-api-calls-per-second", "1000",
             "--log-level", "warning", *self.arguments],
            env=dict(os.environ, CULVERT_AUTH_API_KEY=KEY, **self.environment), stdout=log, stderr=log)
        for _ in range(400):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=1)
                return
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit((self.folder / "edge.log").read_text())
                time.sleep(0.05)
        raise SystemExit("the edge does not begin")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/tunnels/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + " ", name + "{")))

    def check(self):
        with sqlite3.connect(self.folder / "inbox/inbox.sqlite") as file:
            found = file.execute("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            failures.append(f"integrity_check: {found}")


class Connector:
    def __init__(self, program, edge, name, port):
        folder = edge.folder / f"home-{name}"
        folder.mkdir(exist_ok=True)
        log = open(edge.folder / f"connector-{name}.log", "ab")
        self.process = subprocess.Popen(
            [program, "http", str(port), "--name", name, "--edge", f"http://127.0.0.1:{edge.port}", "--inspect", "off",
             "--log-format", "json"],
            env=dict(os.environ, CULVERT_API_KEY=KEY, HOME=str(folder), XDG_RUNTIME_DIR=str(folder)),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def post(connection, path, fields, body):
    connection.request("POST", path, body=body, headers=fields)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Culvert-Inbox")


def wait_until(what, is_true, limit=60):
    deadline = time.time() + limit
    while not is_true():
        if time.time() > deadline:
            failures.append(f"not in {limit} s: {what}")
            return
        time.sleep(0.02)
