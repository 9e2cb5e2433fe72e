#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An edge under all that hostile visitors do at once, with honest requests beside them.

    soak PROGRAMS SECONDS [--rate N] [--without NAME…]

Starts `culvert-edge` and `culvert` out of the folder PROGRAMS, an origin, and each attack of `attacks.py` in a process of
its own, all from addresses of their own. Honest visitors send N requests a second (200), one in ten of them with a
password. Prints `{"requests": …, "failures": [text…], "p50_ms": …, "p99_ms": …, "peak_mib": …, "attacks": {name: count}}`;
what is too much is for the caller to say.
"""

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import pathlib
import resource
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request

import attacks

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from free_ports import free_port  # noqa: E402

NAME, LOCKED, PASSWORD = "honest-app", "locked-app", "a right password"


def call(port, key, method, path, body=None):
    """Asks the control API; the decoded answer."""
    data = None if body is None else json.dumps(body).encode()
    fields = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/{path}", data, fields, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


class World:
    """The programs, and where they are."""

    def __init__(self, programs, folder):
        self.programs, self.folder = os.path.abspath(programs), folder
        self.port, self.admin, self.origin = free_port(), free_port(), free_port()
        self.key = "dev-" + secrets.token_hex(16)
        self.processes = []

    def run(self, *command, **environment):
        log = open(os.path.join(self.folder, "log"), "ab")
        environment = {"HOME": self.folder, "PATH": os.environ.get("PATH", ""), **environment}
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def start(self):
        self.edge = self.run(
            *(f"{self.programs}/culvert-edge", "--dev", "--log-level", "warning"),
            *("--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self.admin}"),
            *("--limits-creations-per-hour", "1000000", "--limits-api-calls-per-second", "1000"),
            CULVERT_AUTH_API_KEY=self.key,
        )
        self.wait(lambda: urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=2).status == 200)
        users = [{"username": "ann", "password": PASSWORD}]
        wrong = [{"username": "eve", "password": "nobody knows it"}]
        for name, policy in [(NAME, {}), (LOCKED, {"basic_auth": users})]:
            self.serve(name, policy)
        for number in range(attacks.LOCKED_TUNNELS):
            call(self.port, self.key, "POST", "tunnels/create", {"name": f"locked-{number}", "policy": {"basic_auth": wrong}})

    def serve(self, name, policy):
        tunnel = call(self.port, self.key, "POST", "tunnels/create", {"name": name, "policy": policy})
        command = (f"{self.programs}/culvert", "connect", "--to", str(self.origin))
        self.run(*command, CULVERT_TOKEN=tunnel["token"])
        self.wait(lambda: call(self.port, self.key, "GET", f"tunnels/{name}/status")["state"] == "online")

    def wait(self, is_there, seconds=30):
        end = time.monotonic() + seconds
        while True:
            try:
                if is_there():
                    return
            except OSError:
                pass
            if time.monotonic() > end:
                raise SystemExit("a program did not start: " + open(os.path.join(self.folder, "log")).read()[-2000:])
            time.sleep(0.05)

    def resident_mib(self):
        with open(f"/proc/{self.edge.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Honest:
    """Visitors with kept connections who each ask again and again; all keep time together."""

    VISITORS = 40

    def __init__(self, port, rate):
        self.port, self.rate = port, rate
        self.times, self.failures = [], []

    async def run(self, seconds):
        self.start = asyncio.get_running_loop().time()
        await asyncio.gather(*(self.visit(number, seconds) for number in range(self.VISITORS)))

    async def visit(self, number, seconds):
        loop, connection, step = asyncio.get_running_loop(), None, self.VISITORS / self.rate
        due = self.start + number / self.rate
        user = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
        path, field = (f"/{LOCKED}/", f"Authorization: Basic {user}\r\n") if number % 10 == 0 else (f"/{NAME}/", "")
        request = f"GET {path} HTTP/1.1\r\nHost: edge\r\n{field}\r\n".encode()
        while due < self.start + seconds:
            await asyncio.sleep(max(0, due - loop.time()))
            began = loop.time()
            try:
                async with asyncio.timeout(10):
                    if connection is None:
                        connection = await asyncio.open_connection("127.0.0.1", self.port)
                    status = await self.ask(*connection, request)
                if status != b"200":
                    self.failures.append(f"{path} was answered with {status.decode()}")
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failures.append(f"{path}: {error!r}")
                connection = connection and connection[1].close()
            self.times.append(loop.time() - began)
            due += step

    @staticmethod
    async def ask(reader, writer, request):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(length[0].split(b":")[1]))
        return head.split(b" ", 2)[1]


async def measure(world, honest, seconds, peaks):
    async def sample():
        while True:
            peaks.append(world.resident_mib())
            await asyncio.sleep(0.2)

    sampling = asyncio.create_task(sample())
    await honest.run(seconds)
    sampling.cancel()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--without", nargs="*", default=[])
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    spawn = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        world, attackers = World(arguments.programs, folder), []
        origin = spawn.Process(target=attacks.serve_origin, args=(world.origin,), daemon=True)
        origin.start()
        try:
            world.start()
            honest, peaks, counts = Honest(world.port, arguments.rate), [], {}
            # The first visit of each, so that the password is known and connections stand.
            asyncio.run(honest.run(1))
            honest.times.clear()
            target = attacks.Target(world.port, world.admin, world.key, NAME)
            for number, (name, attack) in enumerate(sorted(attacks.ATTACKS.items())):
                if name in arguments.without:
                    continue
                counts[name] = spawn.Value("q", 0)
                address = f"127.0.1.{number + 1}"
                process = spawn.Process(target=attacks.run, args=(attack, target, address, counts[name]), daemon=True)
                process.start()
                attackers.append(process)
            asyncio.run(measure(world, honest, arguments.seconds, peaks))
            is_alive = world.edge.poll() is None
        finally:
            for process in [*attackers, origin]:
                process.kill()
            world.stop()
    times = sorted(honest.times)
    result = {
        "requests": len(times),
        "failures": honest.failures[:20] + ([] if is_alive else ["the edge ended"]),
        "failed": len(honest.failures),
        "p50_ms": round(times[len(times) // 2] * 1000, 1),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 1),
        "peak_mib": round(max(peaks), 1),
        "attacks": {name: count.value for name, count in counts.items()},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
