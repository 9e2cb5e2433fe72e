# SPDX-License-Identifier: Apache-2.0
"""What a slow way between edges costs."""
import asyncio
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import time

import aiohttp

from links import at, with_paths
from path import Path
from stage import IS_FULL_SIZE, Stage, failures, free_port, until


async def times(edges, name, count, pause):
    """How long requests take on a connection that is kept to each of some edges: medians, in the order of the edges.

    The edges take turns, each request after a pause, so that all of them have the same minutes of the machine.
    """
    found = [[] for _ in edges]
    async with contextlib.AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(aiohttp.ClientSession()) for _ in edges]
        for _ in range(count):
            for edge, session, times_ in zip(edges, sessions, found):
                await asyncio.sleep(pause)
                begin = time.monotonic()
                async with session.get(f"{edge.url}/{name}/0") as answer:
                    await answer.read()
                    if answer.status != 200:
                        failures.append(f"{edge.url}: {answer.status}")
                times_.append(time.monotonic() - begin)
    return [statistics.median(one) for one in found]


# Each way between edges, in seconds.
DELAYS = (0, 0.001, 0.02)


class AwakeProcessors:
    """Keeps all processors from sleeping, at a priority that takes no time from anybody.

    Over a slow way they would sleep in the middle of a request, and a virtual one takes long to wake: what is measured
    is the edges, not the machine's sleep.
    """

    def __enter__(self):
        # They end with this program, however that ends.
        spin = "import os, sys\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n"
        spin += "while os.getppid() == int(sys.argv[1]):\n for _ in range(100000): pass"
        command = [sys.executable, "-c", spin, str(os.getpid())]
        self.processes = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


class LightestProxy:
    """HAProxy in the place of the edge without the session, over the same way: what a hop costs on this machine."""

    def __init__(self, folder, target):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        file = pathlib.Path(folder) / "haproxy.cfg"
        file.write_text(
            "global\n nbthread 1\ndefaults\n mode http\n timeout client 60s\n timeout server 60s\n timeout connect 5s\n"
            f"frontend visitors\n bind 127.0.0.1:{self.port}\n default_backend edge\n"
            f"backend edge\n http-reuse always\n server one 127.0.0.1:{target}\n")
        with (pathlib.Path(folder) / "haproxy.log").open("wb") as log:
            self.process = subprocess.Popen(["haproxy", "-f", str(file)], stderr=log)

    async def listens(self):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    def end(self):
        self.process.kill()
        self.process.wait()


class PathAlone:
    """The first edge, asked over a path: what a path takes of itself."""

    def __init__(self, path):
        self.path, self.url = path, f"http://127.0.0.1:{path.port}"


async def slow(edge, culvert, folder, count):
    """A slow way between edges costs requests a round trip and no more.

    The path is a program, which takes time of its own: two connections where a wire has one, and wake-ups. So it is tried
    alone first, and its delay shortened by what it is late; what a request over another edge then takes beyond a request
    over the path alone is the edges'. They may add 0.2 ms, or what HAProxy in the place of the edge without the session adds
    and 0.1 ms, where that is more.
    """
    stage = Stage(edge, culvert, folder)
    paths = await with_paths(stage)
    async with stage:
        visited, first, _ = stage.edges
        await at(stage, first, "one")
        paths.append(await Path(first.port).start())
        lightest, alone = LightestProxy(folder, paths[-1].port), PathAlone(paths[-1])
        result = {}
        try:
            await until("HAProxy listens", lightest.listens)
            for delay in DELAYS:
                for path in paths:
                    path.delay = delay
                with AwakeProcessors() if IS_FULL_SIZE else contextlib.nullcontext():
                    local, over = await times((first, alone), "one", count, 2 * delay)
                    late = (over - local) / 2 - delay
                    for path in paths:
                        path.delay = max(0, delay - max(0, late))
                    # What a request takes varies by the same time on a long way, which is less of it.
                    rounds = count if delay > 0.01 else 5 * count
                    local, *rest = await times((first, alone, visited, lightest), "one", rounds, 2 * delay)
                over, added, by_lightest = (one - local for one in rest)
                found = {"path": over, "added": added, "haproxy": by_lightest}
                result[f"at_{delay * 1000:g}_ms"] = {name: round(one * 1000, 3) for name, one in found.items()}
                # Caches and timers are colder after a longer wait; and in an hour in which the machine is slow for HAProxy,
                # too, nobody adds less.
                most = max(over + max(0.0002, 0.03 * delay), by_lightest + 0.0001)
                if IS_FULL_SIZE and added > most:
                    failures.append(f"{delay} s each way cost {added:.5f} s, where {most:.5f} s are allowed")
                if delay >= 0.02 and not 1.8 * delay < added < 4 * delay:
                    failures.append(f"{delay} s each way cost {added:.4f} s, which is no round trip")
        finally:
            lightest.end()
    return result
