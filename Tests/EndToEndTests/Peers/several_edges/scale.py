# SPDX-License-Identifier: Apache-2.0
"""Numbers: ids that nobody has, and a registry that has to be told of everything again."""
import asyncio
import os
import pathlib
import re
import subprocess
import time

from stage import KEY, Edge, Stage, bound, failures, until

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

        def load(length):
            return subprocess.run(
                ["wrk", "-t1", "-c8", f"-d{length}s", "--latency", "-s", str(script), visited.url],
                capture_output=True, text=True, check=True).stdout

        await asyncio.to_thread(load, 1)
        unknown = 'culvert_errors_total{code="tunnel_not_found"}'
        memory, before, told = visited.resident(), stage.redis.seconds(), await visited.metric(unknown)
        printed = await asyncio.to_thread(load, seconds)
        taken = stage.redis.seconds() - before
        count = int(re.search(r"(\d+) requests in", printed)[1])
        refused = int(re.search(r"Non-2xx or 3xx responses: (\d+)", printed)[1])
        value, unit = re.search(r"99%\s+([0-9.]+)(us|ms|s)", printed).groups()
        longest = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
        told = await visited.metric(unknown) - told
        # wrk counts neither the requests that it warms up with nor those that it leaves.
        if told < count:
            failures.append(f"{count - told:.0f} of {count} guessed ids were answered otherwise than by 404")
        if refused != count:
            failures.append(f"{count - refused} of {count} guessed ids were answered")
        share = taken / count * 5_000
        if share > bound(0.1, 0.5):
            failures.append(f"five thousand guesses a second keep the registry busy for {share:.2f} of a second")
        if longest > bound(20, 500):
            failures.append(f"a refusal takes {longest} ms")
        growth = visited.resident() - memory
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


async def pings(redis, connections, each, seconds):
    """Sends PING on many connections, so many a second on each, for a while."""
    async def ask(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", redis.port)
        await asyncio.sleep(number / connections / each)
        end = time.monotonic() + seconds + 2
        while time.monotonic() < end:
            writer.write(b"*1\r\n$4\r\nPING\r\n")
            await reader.readline()
            await asyncio.sleep(1 / each)
        writer.close()

    await asyncio.gather(*(ask(number) for number in range(connections)))


async def beats(edge, culvert, folder, count, seconds):
    """What the registry's processor has to do for edges that have nothing to do.

    They beat, and ask whether it is there. What the latter takes is measured afterwards, with nothing else, so that it is
    known what the former takes.
    """
    async with Stage(edge, culvert, folder, count=1) as stage:
        redis = stage.redis

        async def share():
            """How much of a processor the registry takes, over a while."""
            begin, before = time.monotonic(), redis.seconds()
            await asyncio.sleep(seconds)
            return (redis.seconds() - before) / (time.monotonic() - begin)

        url = f"redis://127.0.0.1:{redis.port}"
        more = [Edge(edge, stage.folder, url, stage.front.port) for _ in range(count - 1)]
        # No more at a time than begin while others are waited for.
        for place in range(0, len(more), 4):
            stage.edges += more[place:place + 4]
            await asyncio.gather(*(one.start() for one in more[place:place + 4]))
        live = int(redis.ask("ZCARD", "cv:pods") or 0)
        if live != count:
            failures.append(f"{live} of {count} edges are in the directory")
        # The first seconds of the last ones are over.
        await asyncio.sleep(min(seconds, 10))
        before, begin = redis.calls(), time.monotonic()
        whole = await share()
        after, length = redis.calls(), time.monotonic() - begin
        each_beat = re.search(r"cmdstat_evalsha:.*usec_per_call=([0-9.]+)", redis.ask("INFO", "commandstats"))
        calls = {name: (after.get(name, 0) - before.get(name, 0)) / count / length for name in ("evalsha", "ping")}
        memory = [one.resident() for one in stage.edges]
        await asyncio.gather(*(one.kill() for one in stage.edges))
        # Two connections an edge: one of them hears what others do.
        pinging = asyncio.create_task(pings(redis, 2 * count, calls["ping"] / 2, seconds))
        await asyncio.sleep(1)
        of_pings = await share()
        await pinging
        of_beats = whole - of_pings
        if of_beats > 0.02:
            failures.append(f"beats of {count} edges take {of_beats:.4f} of a processor")
        # One each third of the lease of ten seconds, and a look for idle tunnels now and then.
        if not 0.25 < calls["evalsha"] < 0.4:
            failures.append(f"an edge that does nothing runs {calls['evalsha']:.2f} scripts a second")
        # One a second on each connection.
        if calls["ping"] > 2.2:
            failures.append(f"an edge that does nothing sends {calls['ping']:.2f} times PING a second")
        return {"edges": count, "share_of_beats": round(of_beats, 4), "share_of_pings": round(of_pings, 4),
                "share_of_all": round(whole, 4), "microseconds_a_beat": float(each_beat[1]), "calls_each": {name: round(each, 2) for name, each in calls.items()},
                "resident_mib": [round(min(memory), 1), round(max(memory), 1)]}


class Many:
    """A connector of many tunnels."""

    def __init__(self, process):
        self.process = process
