# SPDX-License-Identifier: Apache-2.0
"""Numbers: ids that nobody has, and a registry that has to be told of everything again."""
import asyncio
import os
import pathlib
import re
import subprocess

from stage import KEY, Stage, bound, failures, until

# As many tunnels as one file may have.
TUNNELS_A_FILE = 1_000


async def guessed(edge, culvert, folder, seconds):
    """Visitors guess ids: what it costs the registry and the edge, and how long a refusal takes."""
    folder = pathlib.Path(folder).resolve()
    # Each id is another, of the form of random ones.
    script = folder / "guess.lua"
    script.write_text('''
local number = 0
request = function()
   number = number + 1
   return wrk.format("GET", string.format("/guess-%08d/", number))
end
''')
    async with Stage(edge, culvert, folder, count=2) as stage:
        visited = stage.edges[0]

        def resident():
            with open(f"/proc/{visited.process.pid}/status", encoding="ascii") as lines:
                return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

        def registry_seconds():
            found = re.findall(r"^used_cpu_(?:sys|user):([0-9.]+)", stage.redis.ask("INFO", "cpu"), re.M)
            return sum(map(float, found))

        def load(length):
            return subprocess.run(
                ["wrk", "-t1", "-c8", f"-d{length}s", "--latency", "-s", str(script), visited.url],
                capture_output=True, text=True, check=True).stdout

        await asyncio.to_thread(load, 1)
        memory, before = resident(), registry_seconds()
        printed = await asyncio.to_thread(load, seconds)
        taken = registry_seconds() - before
        count = int(re.search(r"(\d+) requests in", printed)[1])
        refused = int(re.search(r"Non-2xx or 3xx responses: (\d+)", printed)[1])
        value, unit = re.search(r"99%\s+([0-9.]+)(us|ms|s)", printed).groups()
        longest = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
        if refused != count:
            failures.append(f"{count - refused} of {count} guessed ids were answered")
        share = taken / count * 5_000
        if share > bound(0.1, 0.5):
            failures.append(f"five thousand guesses a second keep the registry busy for {share:.2f} of a second")
        if longest > bound(20, 500):
            failures.append(f"a refusal takes {longest} ms")
        growth = resident() - memory
        if growth > 16:
            failures.append(f"the edge has grown by {growth:.1f} MiB")
    return {"a_second": round(count / seconds), "registry_share_at_5000": round(share, 4), "p99_ms": longest,
            "grown_mib": round(growth, 1)}


async def resync(edge, culvert, folder, count):
    """The registry comes back empty and is told of many tunnels again, all of which one edge has."""
    folder = pathlib.Path(folder).resolve()
    arguments = ["--limits-tunnels-per-key", "1000000", "--limits-creations-per-hour", "1000000"]
    async with Stage(edge, culvert, folder, count=2, arguments=arguments, api_calls=100_000) as stage:
        there, redis = stage.edges[0], stage.redis
        for first in range(0, count, TUNNELS_A_FILE):
            file = folder / f"culvert-{first}.yaml"
            names = range(first, min(first + TUNNELS_A_FILE, count))
            file.write_text(f"edge: {there.url}\nconnections: 1\ninspect: off\ntunnels:\n" + "".join(
                f"  - name: many-{number}\n    target: {stage.origin.port}\n" for number in names))
            log = open(folder / "connectors.log", "ab")
            stage.connectors.append(Many(subprocess.Popen(
                [culvert, "start", str(file), "--log-format", "json", "--log-level", "warning"],
                env=dict(os.environ, CULVERT_API_KEY=KEY, HOME=str(folder)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)))

        def listed():
            return int(redis.ask("ZCARD", "cv:ids") or 0)

        def placed():
            return sum(int(redis.ask("SCARD", key) or 0) for key in redis.ask("KEYS", "cv:p:*:t").split())

        made = await until("all are there", lambda: listed() == count and placed() == count, limit=240, pause=0.5)
        redis.kill()
        redis.forget()
        redis.start()
        back = await until("all are there again", lambda: listed() == count and placed() == count, limit=60)
        if back > bound(5, 30):
            failures.append(f"the registry knows all {count} again after {back:.1f} s")
        status, _ = await there.call("GET", "many-0/status")
        if status != 200:
            failures.append(f"a tunnel's status is refused: {status}")
    return {"tunnels": count, "made_in": round(made, 1), "known_again_after": round(back, 2)}


class Many:
    """A connector of many tunnels."""

    def __init__(self, process):
        self.process = process
