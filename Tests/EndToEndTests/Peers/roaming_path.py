#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exchanges through a connector whose way to the edge changes: the interface goes down and another one comes up, with
another address and route.

    unshare --net roaming_path.py EDGE CONNECTOR CUT_EXCHANGES MOVES MEBIBYTES FOLDER

Runs as root in a network of its own, in which the connector, its origin and the visitors are; the edge is in another one.
Two pairs of interfaces lead there, of which one is up at a time, and a third for the visitors. EDGE and CONNECTOR are the
programs, CUT_EXCHANGES the script that makes the exchanges; FOLDER is for files. Every three seconds the connector's way
changes. Prints what CUT_EXCHANGES prints, with `resumed`, the sessions that went on, and `sessions`, those there were."""

import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

edge, connector, exchanges = sys.argv[1:4]
moves, mebibytes = int(sys.argv[4]), sys.argv[5]
folder = pathlib.Path(sys.argv[6])
started = []


def start(*command, **options):
    """A process that ends with this one."""
    process = subprocess.Popen(command, cwd=folder, **options)
    started.append(process)
    return process


def ip(*arguments, inside=None):
    """One change of the network here, or inside that of a process."""
    where = ["nsenter", "--target", str(inside), "--net"] if inside else []
    subprocess.run([*where, "ip", *arguments], check=True)


def eventually(what, seconds=20.0):
    """Waits until something works."""
    end = time.monotonic() + seconds
    while True:
        try:
            return what()
        except (OSError, ValueError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def lead(number):
    """Leads the way to the edge over a pair of interfaces; the other one goes down."""
    ip("link", "set", f"way{3 - number}", "down")
    ip("link", "set", f"way{number}", "up")
    ip("route", "replace", "10.9.0.1", "via", f"10.9.{number}.2")


def make_network(inside):
    """Three pairs of interfaces between here and the network of a process."""
    ip("link", "set", "lo", "up")
    ip("link", "set", "lo", "up", inside=inside)
    ip("address", "add", "10.9.0.1/32", "dev", "lo", inside=inside)
    for number in (1, 2, 3):
        ip("link", "add", f"way{number}", "type", "veth", "peer", "name", f"end{number}")
        ip("link", "set", f"end{number}", "netns", str(inside))
        ip("address", "add", f"10.9.{number}.1/24", "dev", f"way{number}")
        ip("address", "add", f"10.9.{number}.2/24", "dev", f"end{number}", inside=inside)
        ip("link", "set", f"end{number}", "up", inside=inside)
    ip("link", "set", "way3", "up")
    lead(1)


def metric(name):
    """The value of one of the edge's metrics."""
    with urllib.request.urlopen("http://10.9.3.2:8990/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    values = [float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name]
    if not values:
        raise ValueError(f"there is no {name}")
    return sum(values)


def run():
    """The programs, the exchanges and the changes."""
    place = start("unshare", "--net", "sleep", "infinity")
    # From when unshare has become the other program, its network is the new one.
    eventually(lambda: pathlib.Path(f"/proc/{place.pid}/comm").read_text().index("sleep"))
    make_network(place.pid)
    made = subprocess.run(
        [edge, "credentials", "new", "--name", "me", "--no-otp"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    key = next(line.split()[-1] for line in made.splitlines() if line.startswith("API key"))
    start(
        "nsenter", "--target", str(place.pid), "--net", edge,
        "--public-url", "http://10.9.0.1:8989", "--listen", "0.0.0.0:8989", "--admin-listen", "0.0.0.0:8990",
        "--auth-api-keys-file", "api-keys.json", "--auth-signing-keys-file", "signing-keys.json",
        stderr=(folder / "edge.log").open("w"), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    eventually(lambda: metric("culvert_active_sessions"))
    serving = start(
        connector, "http", "3000", "--edge", "http://10.9.0.1:8989", "--log-format", "json",
        env={"CULVERT_API_KEY": key, "HOME": str(folder), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE, stderr=(folder / "connector.log").open("w"), text=True,
    )  # fmt: skip
    tunnel = serving.stdout.readline().strip().rstrip("/").rsplit("/", 1)[-1]

    def both():
        if metric("culvert_active_sessions") < 2:
            raise ValueError("not both connections yet")

    eventually(both)
    ready = folder / "ready"
    work = start(
        sys.executable, exchanges, "3000", f"http://10.9.3.2:8989/{tunnel}/", str(moves * 3 + 3), mebibytes, str(ready),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(ready.unlink)
    for number in range(moves):
        time.sleep(3)
        lead(2 - number % 2)
    output, _ = work.communicate(timeout=moves * 3 + 120)
    counts = {"resumed": metric("culvert_sessions_resumed_total"), "sessions": metric("culvert_sessions_total")}
    print(json.dumps(json.loads(output) | counts))


socket.setdefaulttimeout(10)
try:
    run()
finally:
    for process in reversed(started):
        process.kill()
        process.wait()
