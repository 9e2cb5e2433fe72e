# SPDX-License-Identifier: Apache-2.0
"""How long connectors wait until they are let in, while the registry is there and while it is not."""
import asyncio
import base64
import math
import re
import signal
import statistics
import time

import aiohttp

from stage import Stage, bound, failures, until

PING, PONG, HELLO = 0x08, 0x09, 0x0C
# Between two connectors: long enough for what one of them started to be over.
PAUSE = 0.02


def message(kind, payload):
    """One frame of the multiplexer's, of no stream, as a WebSocket message of a client."""
    data = bytes([kind, 0]) + len(payload).to_bytes(2, "big") + bytes(4) + payload
    # A mask of zeroes changes nothing.
    return bytes([0x82, 0x80 | len(data)]) + bytes(4) + data


# The least that a connector may say (docs/mini-connector.md): magic, version, its role, and how many streams it takes.
GREETING = message(HELLO, b"MUX1" + bytes([0, 1, 0, 0]) + bytes(8) + b"\x00\x03\x00\x04" + (256).to_bytes(4, "big"))


class Arrival:
    """A connector, from its dial until the edge has let it in."""

    def __init__(self, name, token):
        self.name, self.token, self.writers = name, token, []

    async def dial(self, edge):
        """How long until it is let in; what it sends after its greeting is answered once its tunnel has it."""
        begin = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        self.writers.append(writer)
        writer.write((
            f"GET /api/tunnel/connect/{self.name} HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n"
            f"Sec-WebSocket-Protocol: culvert.mux.v1\r\nAuthorization: Bearer {self.token}\r\n\r\n").encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            failures.append(f"{self.name} is refused: {head[:300]}")
            return time.monotonic() - begin
        writer.write(GREETING + message(PING, bytes(8)))
        try:
            while await self.frame(reader) != PONG:
                pass
        except asyncio.IncompleteReadError:
            failures.append(f"{self.name} is sent away")
        return time.monotonic() - begin

    async def frame(self, reader):
        """The kind of the next message's first frame."""
        _, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        return (await reader.readexactly(size))[0]

    def leave(self):
        for writer in self.writers:
            writer.close()


def spread(times):
    """Half of them, and all but one in a hundred, take so many milliseconds at most."""
    ordered = sorted(times)
    return {"p50": round(statistics.median(ordered) * 1e3, 2),
            "p99": round(ordered[math.ceil(0.99 * len(ordered)) - 1] * 1e3, 2), "longest": round(ordered[-1] * 1e3, 2)}


async def asked(edge):
    """How many joins the registry answered within how many seconds, from the edge's metrics."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{edge.admin}/metrics") as answer:
            lines = (await answer.text()).splitlines()
    found = {}
    for line in lines:
        if line.startswith("culvert_registry_seconds_bucket{") and 'operation="join"' in line:
            found[float(re.search(r'le="([^"]+)"', line)[1])] = float(line.rpartition(" ")[2])
    return found


def without_registry(edge):
    """Has an edge that has not begun be one alone."""
    for option in ("--cluster-listen", "--cluster-redis-url"):
        place = edge.arguments.index(option)
        del edge.arguments[place:place + 2]


async def admission(edge, culvert, folder, count):
    """A connector is let in within milliseconds, and no later while Redis is killed or frozen; then it is told of all.

    Each dials an edge that has no registry as well, in the same moments of the machine: what that takes is what the other
    one's time is held against.
    """
    arguments = ["--limits-tunnels-per-key", "1000000", "--limits-creations-per-hour", "1000000",
                 "--limits-connects-per-second", "10000"]
    stage = Stage(edge, culvert, folder, arguments=arguments, api_calls=100_000)
    there, other, alone = stage.edges
    without_registry(alone)
    async with stage:
        result = {}

        async def make(kind):
            """Tunnels that the edge itself has not heard of: all it knows is in the token, or in the directory."""
            made = []
            for number in range(count):
                name = f"{kind}-{number}"
                status, answer = await other.call("POST", "create", {"name": name})
                if status != 201:
                    raise SystemExit(f"create: {status} {answer}")
                made.append(Arrival(name, answer["token"]))
            return made

        async def arrive(arrivals):
            times, times_alone = [], []
            for one in arrivals:
                for place, found in ((there, times), (alone, times_alone)):
                    await asyncio.sleep(PAUSE)
                    found.append(await one.dial(place))
            return {**spread(times), "alone": spread(times_alone)}

        async def all_told(arrivals):
            places = await stage.all_places([one.name for one in arrivals])
            return len(places) == len(arrivals)

        def leave(arrivals):
            for one in arrivals:
                one.leave()

        async def is_away():
            return await there.metric("culvert_registry_up") == 0

        first = await make("first")
        # A program's first connectors are slower than all others.
        await arrive(first)
        leave(first)
        for kind in ("there", "killed", "frozen"):
            arrivals = await make(kind)
            if kind == "killed":
                stage.redis.kill()
            elif kind == "frozen":
                stage.redis.signal(signal.SIGSTOP)
                # Nobody can know at once that it does not answer any more: until then connectors wait.
                unlucky, arrivals = arrivals[:count // 4], arrivals[count // 4:]
                waited = await asyncio.gather(*(one.dial(there) for one in unlucky))
                result["when_it_freezes"] = spread(waited)
                if max(waited) > bound(1.5, 4):
                    failures.append(f"connectors wait {max(waited):.2f} s for a registry that has just frozen")
            if kind in ("killed", "frozen"):
                await until(f"the edge knows that Redis is {kind}", is_away)
            before = await asked(there)
            result[kind] = await arrive(arrivals)
            if kind in ("killed", "frozen"):
                if not await is_away():
                    failures.append(f"the edge takes a registry that is {kind} for one that is there")
                stage.redis.start() if kind == "killed" else stage.redis.signal(signal.SIGCONT)
            if kind == "frozen":
                arrivals += unlucky
            told = await until(f"Redis is told of all that came while it was {kind}", lambda: all_told(arrivals))
            if kind == "there":
                after = await asked(there)
                joins = {most: within - before.get(most, 0) for most, within in after.items()}
                result["join_p99_at_most_ms"] = round(1e3 * next(
                    most for most, within in sorted(joins.items()) if within >= 0.99 * joins[math.inf]), 2)
                result["joins"] = joins[math.inf]
            else:
                result[kind]["told_after"] = round(told, 2)
            leave(arrivals)
        if result["joins"] < count:
            failures.append(f"{result['joins']} joins of {count} connectors")
        if result["join_p99_at_most_ms"] > bound(5, 250):
            failures.append(f"the registry takes {result['join_p99_at_most_ms']} ms for a join")
        for kind in ("killed", "frozen"):
            found, beside = result[kind], result[kind]["alone"]
            # What else the machine does makes one in a hundred late, at either edge.
            for figure, most in (("p50", beside["p50"] + bound(1, 20)), ("p99", beside["longest"] + bound(5, 100))):
                if found[figure] > most:
                    failures.append(f"{figure} while Redis is {kind}: {found[figure]} ms, where {most:.1f} ms are allowed")
        return {"connectors": 4 * count, **result}
