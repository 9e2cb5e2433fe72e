# SPDX-License-Identifier: Apache-2.0
"""What was answered 202 arrives, whatever happens meanwhile."""
import base64
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time

from stage import KEY, SECRETS, App, Connector, Edge, failures, free_port, is_valid, post, signed, wait_until


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


def of_file(edge_program, culvert, folder):
    """`culvert start` makes the inbox that its file asks for, changes it with the file, and leaves it when it ends."""
    edge, app, place = Edge(edge_program, folder), App(), pathlib.Path(folder)
    (place / "secret").write_text(SECRETS["github"] + "\n")

    def write(inbox):
        (place / "culvert.yaml").write_text(
            f"edge: http://127.0.0.1:{edge.port}\ntunnels:\n  - name: my-app\n    target: {app.port}\n{inbox}")

    write("    inbox:\n      paths: [/hooks/*]\n      verify: {scheme: github, secret-file: secret}\n"
          "      delivery: {per-second: 100}\n")
    log = open(place / "start.log", "ab")
    environment = dict(os.environ, CULVERT_API_KEY=KEY, HOME=folder, XDG_RUNTIME_DIR=folder)
    command = [culvert, "start", "--config", str(place / "culvert.yaml"), "--inspect", "off"]

    def settings():
        try:
            return edge.call("GET", "my-app/inbox")["settings"]
        except OSError:
            return {"paths": None}

    program = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_until("there is an inbox", lambda: settings()["paths"] == ["/hooks/*"], 20)
    write("    inbox:\n      paths: [/hooks/*, /more]\n      verify: {scheme: github, secret-file: secret}\n"
          "      delivery: {per-second: 100}\n")
    program.send_signal(signal.SIGHUP)
    wait_until("it has changed", lambda: settings()["paths"] == ["/hooks/*", "/more"], 20)
    if settings()["verify"] != {"scheme": "github", "on_failure": "refuse"}:
        failures.append(f"verify: {settings()['verify']}")
    program.terminate()
    program.wait()
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=30)
    for path, fields, expected in [("/my-app/more", signed("github", b"a", 1), 202), ("/my-app/more", {}, 401)]:
        status, _ = post(connection, path, fields, b"a")
        if status != expected:
            failures.append(f"{path} {fields}: {status}")
    write("")
    program = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_until("it is delivered", lambda: len(app.got) == 1, 20)
    if settings()["paths"] != ["/hooks/*", "/more"]:
        failures.append(f"without its lines the inbox has become {settings()}")
    program.terminate()
    program.wait()
    if SECRETS["github"] in (place / "start.log").read_text():
        failures.append("the secret is in the log")
    edge.stop()
    return {"delivered": len(app.got)}


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
    balancer = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).parent.parent / "balance.py"), str(entrance),
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
