#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Senders of webhooks and the app that they are for, around an edge that dies while the connector is away.

    webhooks.py senders EDGE CULVERT FOLDER COUNT         senders that sign as GitHub, Stripe, Slack and Standard Webhooks do
    webhooks.py kills EDGE CULVERT FOLDER ROUNDS SENDERS  kill -9 of the edge under senders, then every 202 is delivered
    webhooks.py rate EDGE CULVERT FOLDER SECONDS PERSECOND SENDERS
    webhooks.py full EDGE CULVERT FOLDER                  a file that is full, and then has room again
    webhooks.py edges EDGE CULVERT FOLDER COUNT           three edges that share inboxes, and those that deliver are killed

FOLDER is empty and becomes the edge's. Prints one line of JSON; nothing that is listed under `failures` is to happen.
"""
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

KEY = "key-of-the-webhooks-0123456789abcdef"
SECRETS = {"github": "It's a secret", "stripe": "whsec_stripe", "slack": "slack-secret",
           "standard": "whsec_" + base64.b64encode(b"standard-secret-of-24-by").decode()}
failures = []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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


def senders(edge_program, culvert, folder, count):
    """Four tunnels; what each is sent while its connector is away, half of it before a restart of the edge, arrives."""
    edge = Edge(edge_program, folder)
    apps, sent, ids = {}, {}, {}
    for scheme in SECRETS:
        edge.call("POST", "create", {"name": scheme})
        edge.call("PUT", f"{scheme}/inbox", {"paths": ["/hooks/*"], "delivery": {"per_second": 1000},
                                             "verify": {"scheme": scheme, "secret": SECRETS[scheme]}})
        apps[scheme], sent[scheme], ids[scheme] = App(), [], []

    def send(scheme, numbers):
        connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=30)
        for number in numbers:
            # Bytes that are no UTF-8 among them: whoever reads and writes JSON would change them.
            body = json.dumps({"n": 12345678901234567890, "i": number}).encode() + bytes([10, 0xFF, number % 256])
            body += os.urandom(random.choice([0, 10, 3000, 70_000]))
            path = f"/{scheme}/hooks/a%2Fb?i={number}"
            status, name = post(connection, path, signed(scheme, body, number), body)
            if status != 202:
                failures.append(f"{scheme} {number}: {status}")
            sent[scheme].append((f"/hooks/a%2Fb?i={number}", body))
            ids[scheme].append(name)
            changed = signed(scheme, body + b"x", number)
            status, _ = post(connection, path, changed, body)
            if status != 401:
                failures.append(f"{scheme}: a wrong signature got {status}")

    def all_send(numbers):
        threads = [threading.Thread(target=send, args=(scheme, numbers)) for scheme in SECRETS]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]

    all_send(range(count // 2))
    edge.stop()
    edge.start()
    all_send(range(count // 2, count))
    connectors = [Connector(culvert, edge, scheme, apps[scheme].port) for scheme in SECRETS]
    wait_until("all is delivered", lambda: all(len(app.got) >= count for app in apps.values()))
    time.sleep(0.3)
    for scheme, app in apps.items():
        if [(path, body) for path, _, body in app.got] != sent[scheme]:
            failures.append(f"{scheme}: {len(app.got)} of {count}, not the same or not in order")
        if [fields.get("Culvert-Inbox") for _, fields, _ in app.got] != ids[scheme]:
            failures.append(f"{scheme}: other ids than the sender was told")
        for path, fields, body in app.got:
            if not is_valid(scheme, fields, body):
                failures.append(f"{scheme} {path}: the signature is not valid any more")
    [connector.stop() for connector in connectors]
    edge.stop()
    edge.check()
    return {"sent": sum(map(len, sent.values())), "delivered": sum(len(app.got) for app in apps.values())}


def kills(edge_program, culvert, folder, rounds, count):
    """The edge is killed under senders, again and again; whatever was answered 202 arrives."""
    edge = Edge(edge_program, folder)
    edge.call("POST", "create", {"name": "hooks"})
    # Each is kept at once: otherwise a request waits a second for a connector that may be just reconnecting.
    edge.call("PUT", "hooks/inbox", {"when": "always", "delivery": {"per_second": 1000},
                                     "keep": {"messages": 100000, "bytes": 1 << 30}})
    accepted, lock, stopping = set(), threading.Lock(), threading.Event()
    tries = 0

    def send(sender):
        nonlocal tries
        connection, number = None, 0
        while not stopping.is_set():
            number += 1
            name = f"{sender}-{number}"
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
                status, _ = post(connection, f"/hooks/{name}", {}, name.encode() * 100)
                with lock:
                    tries += 1
                    if status == 202:
                        accepted.add(name)
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.02)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(count)]
    [thread.start() for thread in threads]
    for _ in range(rounds):
        time.sleep(random.uniform(0.4, 0.9))
        edge.kill()
        edge.check()
        edge.start()
    time.sleep(0.5)
    stopping.set()
    [thread.join() for thread in threads]
    app = App()
    connector = Connector(culvert, edge, "hooks", app.port)
    wait_until("all is delivered", lambda: edge.call("GET", "hooks/inbox")["waiting"] == 0, 600)
    got = [path.rpartition("/")[2] for path, _, _ in app.got]
    bodies_right = all(body == path.rpartition("/")[2].encode() * 100 for path, _, body in app.got)
    if missing := accepted - set(got):
        failures.append(f"{len(missing)} that were answered 202 are lost")
    if not bodies_right:
        failures.append("a body is another one")
    connector.stop()
    edge.stop()
    edge.check()
    return {"tries": tries, "accepted": len(accepted), "delivered": len(got), "twice": len(got) - len(set(got))}


def rate(edge_program, culvert, folder, seconds, per_second, count):
    """How many webhooks of 10 KiB are kept a second, or how long each takes at a rate."""
    edge = Edge(edge_program, folder)
    edge.call("POST", "create", {"name": "hooks"})
    edge.call("PUT", "hooks/inbox", {"when": "always", "keep": {"messages": 100000, "bytes": 1 << 30}})
    times, lock = [], threading.Lock()
    end = time.time() + seconds
    body = os.urandom(10_240)
    head = (f"POST /hooks/a HTTP/1.1\r\nHost: edge.example\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()

    def send():
        connection = socket.create_connection(("127.0.0.1", edge.port))
        mine, due = [], time.perf_counter()
        while time.time() < end:
            if per_second:
                due += count / per_second
                time.sleep(max(0, due - time.perf_counter()))
            start = time.perf_counter()
            connection.sendall(head + body)
            answer = connection.recv(4096)
            mine.append(time.perf_counter() - start)
            if not answer.startswith(b"HTTP/1.1 202"):
                failures.append(answer[:200].decode("latin-1"))
                break
        with lock:
            times.extend(mine)

    threads = [threading.Thread(target=send) for _ in range(count)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    times.sort()
    ticks = sum(map(int, pathlib.Path(f"/proc/{edge.process.pid}/stat").read_text().rsplit(")")[1].split()[11:13]))
    edge.stop()
    edge.check()
    return {"kept": len(times), "a_second": round(len(times) / seconds), "p50_ms": round(times[len(times) // 2] * 1e3, 2),
            "p99_ms": round(times[len(times) * 99 // 100] * 1e3, 2), "slowest_ms": round(times[-1] * 1e3, 2),
            "edge_cpu_us": round(ticks * 10_000 / len(times))}


def full(edge_program, culvert, folder):
    """A full file refuses with the code; the edge goes on, and takes again once messages were delivered."""
    edge = Edge(edge_program, folder, "--inbox-max-size", "2MiB")
    edge.call("POST", "create", {"name": "hooks"})
    edge.call("PUT", "hooks/inbox", {"delivery": {"per_second": 1000}, "keep": {"delivered_hours": 0}})
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=30)
    kept, slowest = 0, 0
    for number in range(400):
        start = time.perf_counter()
        connection.request("POST", f"/hooks/{number}", body=os.urandom(10_240))
        answer = connection.getresponse()
        answer.read()
        slowest = max(slowest, time.perf_counter() - start)
        if answer.status == 202:
            kept += 1
        elif answer.status != 503 or answer.getheader("Culvert-Error") != "inbox_full":
            failures.append(f"{answer.status} {answer.getheader('Culvert-Error')}")
    if not 50 < kept < 400:
        failures.append(f"{kept} were kept")
    size = (edge.folder / "inbox/inbox.sqlite").stat().st_size
    app = App()
    connector = Connector(culvert, edge, "hooks", app.port)
    wait_until("all is delivered", lambda: len(app.got) >= kept)
    connector.stop()
    wait_until("the file shrinks",
               lambda: (edge.folder / "inbox/inbox.sqlite").stat().st_size < size / 4, 30)
    status, _ = post(connection, "/hooks/again", {}, b"x" * 10_240)
    if status != 202:
        failures.append(f"again: {status}")
    edge.stop()
    edge.check()
    return {"kept": kept, "slowest_ms": round(slowest * 1e3, 1), "file": size}


def edges(edge_program, culvert, folder, count):
    """Webhooks reach three edges in turn; the one with the connector hands them over, and is killed in the middle, twice."""
    place, port, entrance = pathlib.Path(folder), free_port(), free_port()
    (place / "key").write_text(base64.b64encode(bytes(32)).decode())
    (place / "key").chmod(0o600)
    redis = subprocess.Popen(["redis-server", "--port", str(port), "--dir", folder, "--save", "", "--appendonly", "yes",
                              "--appendfsync", "always"], stdout=subprocess.DEVNULL)
    wait_until("Redis listens", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    fleet = []
    for number in range(3):
        (place / f"edge{number}").mkdir()
        links = free_port()
        fleet.append(Edge(
            edge_program, place / f"edge{number}", "--public-url", f"http://127.0.0.1:{entrance}", "--cluster-redis-url",
            f"redis://127.0.0.1:{port}", "--cluster-listen", f"127.0.0.1:{links}", "--cluster-lease", "2s",
            keeps=["--inbox-store", "redis", "--inbox-key-file", str(place / "key")],
            environment={"CULVERT_AUTH_SIGNING_KEY": base64.b64encode(bytes(range(32))).decode()}))
    balancer = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).parent / "balance.py"), str(entrance),
                                 *(str(edge.port) for edge in fleet)], stdout=subprocess.DEVNULL)
    tunnel = fleet[0].call("POST", "create", {"name": "hooks"})
    fleet[0].call("PUT", "hooks/inbox", {"when": "always", "delivery": {"per_second": 100}})
    sent, lock, refused = [], threading.Lock(), 0

    def send(to, many):
        """One after the other, so that there is an order; an edge that was killed is passed over."""
        nonlocal refused
        for _ in range(many):
            body = f"{len(sent)}-".encode() + os.urandom(random.choice([10, 2000, 60_000]))
            for edge in random.sample(to, len(to)):
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
                    status, name = post(connection, f"/hooks/{len(sent)}", {}, body)
                except OSError:
                    refused += 1
                    continue
                if status == 202:
                    with lock:
                        sent.append((f"/{len(sent)}", body, name))
                else:
                    failures.append(f"{edge.port}: {status}")
                break

    # Redis tells the other edges of the inbox.
    time.sleep(0.5)
    send(fleet, count // 2)
    app = App()
    log = open(place / "connector.log", "ab")
    connector = subprocess.Popen(
        [culvert, "connect", "--to", str(app.port), "--inspect", "off"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        env=dict(os.environ, CULVERT_TOKEN=tunnel["token"], HOME=folder, XDG_RUNTIME_DIR=folder))
    victims, pauses = [], []
    for round_number in (1, 2):
        wait_until("some are delivered", lambda: len(app.got) >= round_number * count // 6)
        alive = [edge for edge in fleet if edge not in victims]
        counts = [edge.metric("culvert_inbox_deliveries_total") for edge in alive]
        time.sleep(0.1)
        grown = [edge for edge, count in zip(alive, counts) if edge.metric("culvert_inbox_deliveries_total") > count]
        if len(grown) != 1:
            failures.append(f"{len(grown)} edges hand over at a time")
        victim = (grown or alive)[0]
        victim.kill()
        victims.append(victim)
        before, start = len(app.got), time.time()
        send([edge for edge in fleet if edge not in victims], count // 4)
        wait_until("another edge delivers", lambda: len(app.got) > before + 1)
        pauses.append(round(time.time() - start, 1))
        victim.start()
        victims.clear()
    wait_until("all is delivered", lambda: len({name for _, fields, _ in app.got for name in [fields["Culvert-Inbox"]]})
               >= len(sent), 120)
    time.sleep(0.5)
    first, seen = [], set()
    for path, fields, body in app.got:
        if fields["Culvert-Inbox"] not in seen:
            seen.add(fields["Culvert-Inbox"])
            first.append((path, body, fields["Culvert-Inbox"]))
    if first != sent:
        failures.append(f"{len(first)} of {len(sent)}, not the same or not in order")
    twice = len(app.got) - len(first)
    # What was under way when its edge was killed may have been answered, which nobody knows.
    if twice > 2:
        failures.append(f"{twice} were delivered twice")
    inbox = fleet[0].call("GET", "hooks/inbox")
    if inbox["waiting"] or inbox["dead"] or inbox["delivered"] != len(sent):
        failures.append(f"the inbox has {inbox}")
    connector.terminate()
    connector.wait()
    [edge.stop() for edge in fleet]
    [process.kill() for process in (balancer, redis)]
    return {"accepted": len(sent), "delivered": len(app.got), "twice": twice, "pauses_s": pauses, "passed_over": refused}


if __name__ == "__main__":
    mode, edge_path, culvert_path, place, *numbers = sys.argv[1:]
    modes = {"senders": senders, "kills": kills, "rate": rate, "full": full, "edges": edges}
    result = modes[mode](edge_path, culvert_path, place, *map(int, numbers))
    print(json.dumps({**result, "failures": failures[:20]}))
