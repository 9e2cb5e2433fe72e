#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two edges, a connector at one of them, and what a visitor at the other one costs."""
import argparse
import asyncio
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import aiohttp

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "Benchmarks/HTTP"), str(ROOT / "Tests/EndToEndTests/Peers/several_edges")]
import directory  # noqa: E402
import loads  # noqa: E402
import machine  # noqa: E402
from stage import Connector, Stage, failures, free_port, until  # noqa: E402

GIGABYTE = 1 << 30
arguments = argparse.ArgumentParser()
arguments.add_argument("programs", type=pathlib.Path)
arguments.add_argument("--only", default="")
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--seconds", type=int, default=8, help="of each load")
arguments.add_argument("--tunnels", type=int, default=100_000, help="in Redis")
arguments.add_argument("--guests", type=int, default=60_000)
arguments.add_argument("--joins", type=int, default=200)
options = arguments.parse_args()
edge_program, culvert = (str((options.programs / name).resolve()) for name in ("culvert-edge", "culvert"))
missed = []


def wanted(name):
    return options.only in name


def show(name, value, unit, most, note=""):
    is_met = value <= most
    if not is_met:
        missed.append(name)
    print(f"{name:44}{value:12.3f} {unit:9} at most {most:g}{'' if is_met else '  MISSED'}{note}", flush=True)


class Origin:
    """nginx with a small file and one of a gigabyte."""

    def __init__(self, folder):
        self.port = free_port()
        root = folder / "origin"
        (root / "files").mkdir(parents=True)
        # Its worker is another user where root starts it.
        for one in (folder.parent, folder):
            one.chmod(0o755)
        (root / "files/small").write_bytes(b"x" * 300)
        with open(root / "files/large", "wb") as large:
            large.truncate(GIGABYTE)
        (root / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off; sendfile on; keepalive_requests 1000000000;
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    server {{ listen 127.0.0.1:{self.port} backlog=1024; root {root}/files; }}
}}
""")
        self.process = subprocess.Popen(["nginx", "-p", str(root), "-c", str(root / "nginx.conf"), "-e",
                                         str(root / "error.log")])


class Hop:
    """One tunnel whose connector is at one of two edges, and the processes that carry its bytes."""

    def __init__(self, stage, connector):
        self.stage, self.pids = stage, [one.process.pid for one in (*stage.edges, connector)]
        there, visited = stage.edges
        self.ways = {"local": f"{there.url}/my-app", "remote": f"{visited.url}/my-app"}

    def seconds(self):
        return sum(machine.processor_seconds(pid) for pid in self.pids)

    def requests(self, way, connections):
        """The p50 in milliseconds, and the processor time of a request in microseconds."""
        before = self.seconds()
        result = loads.wrk(f"{self.ways[way]}/small", connections, options.seconds)
        return result["p50_ms"], (self.seconds() - before) * 1e6 / result["requests"], result["requests"]

    def download(self, way):
        before = self.seconds()
        size = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{size_download}", f"{self.ways[way]}/large"],
                              capture_output=True, text=True, check=True).stdout
        if int(size) != GIGABYTE:
            raise SystemExit(f"{way}: {size} bytes")
        return self.seconds() - before

    def in_turns(self, measure):
        """What both ways cost, round by round, so that what else the machine does befalls both."""
        rounds = [{way: measure(way) for way in self.ways} for _ in range(options.rounds)]
        return {way: [one[way] for one in rounds] for way in self.ways}


def middle(values, place=None):
    return statistics.median(value if place is None else value[place] for value in values)


def measure_hop(hop):
    for way in hop.ways:
        hop.requests(way, 64)
    if wanted("hop: p50"):
        found = hop.in_turns(lambda way: hop.requests(way, 1))
        local, remote = middle(found["local"], 0), middle(found["remote"], 0)
        show("hop: p50, one connection", remote - local, "ms more", 0.25, f"   {local:.3f} and {remote:.3f}")
    if wanted("hop: small GET"):
        found = hop.in_turns(lambda way: hop.requests(way, 64))
        local, remote = middle(found["local"], 1), middle(found["remote"], 1)
        show("hop: small GET, 64 connections", remote / local, "x local", 1.3, f"   {local:.1f} and {remote:.1f} us")
    if wanted("hop: gigabyte"):
        found = hop.in_turns(hop.download)
        local, remote = middle(found["local"]), middle(found["remote"])
        show("hop: gigabyte down", remote - local, "s more", 2, f"   {local:.2f} and {remote:.2f} s")
    if wanted("registry: questions"):
        redis = hop.stage.redis
        before = redis.calls()
        *_, count = hop.requests("remote", 64)
        after = redis.calls()
        more = {name: calls - before.get(name, 0) for name, calls in after.items() if calls > before.get(name, 0)}
        # Each edge beats each third of the lease of ten seconds, and looks after what it has now and then.
        beats = sum(more.get(name, 0) for name in ("evalsha", "eval"))
        due = 2 * (options.seconds / 3 + 2) * 3
        lookups = sum(more.get(name, 0) for name in ("hgetall", "hget", "get"))
        show("registry: questions of known ways", lookups, "questions", 0, f"   {count:.0f} requests, {more}")
        show("registry: questions: beats", beats, "calls", due)


def histogram(text, operation):
    """How many answers of the registry came within how long, from the edge's metrics; `inf` has all."""
    found = {}
    for line in text.splitlines():
        if line.startswith("culvert_registry_seconds_bucket{") and f'operation="{operation}"' in line:
            found[float(re.search(r'le="([^"]+)"', line)[1])] = float(line.rpartition(" ")[2])
    return found


async def joins(folder):
    """Has connectors come one after another, and reads how long the registry took for each from the edge's histogram."""
    arguments_ = ["--limits-tunnels-per-key", "1000000", "--limits-creations-per-hour", "1000000"]
    async with Stage(edge_program, culvert, folder, count=1, arguments=arguments_) as stage:
        there = stage.edges[0]

        async def look():
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{there.admin}/metrics") as answer:
                    return histogram(await answer.text(), "join")

        for number in range(options.joins):
            await stage.tunnel(f"tunnel-{number}", edge=there.url)
            await asyncio.to_thread(stage.connectors.pop().stop)
        found = await look()
        count = found[math.inf]
        if count < options.joins:
            failures.append(f"{count:.0f} joins of {options.joins}")
        return next(bound for bound, within in sorted(found.items()) if within >= 0.99 * count), found


async def hop_and_registry(folder):
    async with Stage(edge_program, culvert, folder, count=2) as stage:
        origin = Origin(stage.folder)
        try:
            there = stage.edges[0]
            status, answer = await there.call("POST", "create", {"name": "my-app", "local_port": origin.port})
            if status != 201:
                raise SystemExit(f"create: {status} {answer}")
            connector = Connector(culvert, stage.folder, answer["token"], origin.port, 1, there.url)
            stage.connectors.append(connector)
            await until("the session is known", lambda: stage.places("my-app"))
            await asyncio.to_thread(measure_hop, Hop(stage, connector))
            if wanted("registry: bytes"):
                # With two sessions, as a connector has them by itself.
                await stage.tunnel("pattern-0000", connections=2)
                each, keys = await asyncio.to_thread(directory.fill, stage.redis, "pattern-0000", options.tunnels)
                show("registry: bytes a tunnel", each, "bytes", 1_200, f"   {options.tunnels} of {keys}")
        finally:
            origin.process.terminate()
            origin.process.wait()


def guests(folder):
    """What the trial of guests says of their memory."""
    output = subprocess.run(
        [sys.executable, "-B", str(ROOT / "Tests/EndToEndTests/Peers/several_edges"), "guests", edge_program, culvert,
         str(folder), str(options.guests)], capture_output=True, text=True, check=True).stdout
    result = json.loads(output.splitlines()[-1])
    failures.extend(result["failures"])
    return result


with tempfile.TemporaryDirectory() as place:
    places = [pathlib.Path(place) / name for name in ("hop", "guests", "joins")]
    for one in places:
        one.mkdir()
    if wanted("hop: p50") or wanted("hop: small GET") or wanted("hop: gigabyte") or wanted("registry: "):
        asyncio.run(hop_and_registry(places[0]))
    if wanted("guests: bytes"):
        found = guests(places[1])
        show("guests: bytes each", found["bytes_each"], "bytes", 3_072, f"   {found['left']:.0f} of them")
    if wanted("joins: p99"):
        longest, spread = asyncio.run(joins(places[2]))
        show("joins: p99 of the registry, at most", longest * 1_000, "ms", 5, f"   {spread}")
for failure in failures:
    print(failure)
sys.exit(1 if missed or failures else 0)
