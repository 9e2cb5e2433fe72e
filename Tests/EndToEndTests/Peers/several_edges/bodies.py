# SPDX-License-Identifier: Apache-2.0
"""Large bodies whose connector is at another edge than the visitor."""
import asyncio
import hashlib
import os
import time

import aiohttp
from aiohttp import web

from links import at
from stage import Origin, Stage, bound, failures, resident

MEBIBYTE = 1 << 20
# So many times a body, its reader reads nothing for a while.
STALLS = 16
# What an edge may have resident, in MiB.
MOST = 64


def pieces(seed, size):
    """A body: no two pieces are the same, so that one that is missing, doubled or misplaced shows."""
    block = seed * (MEBIBYTE // 4 // len(seed))
    for number in range(0, size, len(block)):
        yield number.to_bytes(8, "big") + block[8:]


def digest(seed, size):
    whole = hashlib.sha256()
    for piece in pieces(seed, size):
        whole.update(piece)
    return whole.hexdigest()


class Passage:
    """A body on its way: how far its sender is, and its reader, who stops now and then."""

    def __init__(self, size, stall):
        self.size, self.stall, self.seed = size, stall, os.urandom(4096)
        self.sent = self.read = self.ahead = 0

    async def send(self):
        for piece in pieces(self.seed, self.size):
            yield piece
            self.sent += len(piece)

    async def take(self, content):
        """Reads a body slowly; the digest of what came."""
        whole, due = hashlib.sha256(), 0
        async for piece in content.iter_any():
            whole.update(piece)
            self.read += len(piece)
            if self.read >= due:
                due += self.size / STALLS
                await asyncio.sleep(self.stall)
                # What the way between them holds while nobody reads.
                self.ahead = max(self.ahead, self.sent - self.read)
        if self.read != self.size:
            failures.append(f"{self.read} bytes of {self.size}")
        return whole.hexdigest()


class Storage(Origin):
    """An origin that sends one body, and takes another one slowly."""

    def __init__(self, down, up):
        super().__init__()
        self.down, self.up = down, up

    async def start(self):
        application = web.Application()
        application.router.add_get("/down", self.send)
        application.router.add_post("/up", self.take)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()

    async def send(self, request):
        response = web.StreamResponse(headers={"Content-Length": str(self.down.size)})
        await response.prepare(request)
        async for piece in self.down.send():
            await response.write(piece)
        return response

    async def take(self, request):
        return web.Response(text=await self.up.take(request.content))


async def large(edge, culvert, folder, mebibytes):
    """A large body down and another one up at the same time, each to a slow reader: both arrive, and no edge grows."""
    size, stall = mebibytes * MEBIBYTE, bound(1, 0.05)
    down, up = Passage(size, stall), Passage(size, stall)
    stage = Stage(edge, culvert, folder, count=2)
    stage.origin = Storage(down, up)
    async with stage:
        visited, there = stage.edges
        connector = await at(stage, there, "my-app")
        samples = {one: [] for one in stage.edges}

        async def watch():
            while True:
                for one, found in samples.items():
                    found.append(one.resident())
                await asyncio.sleep(0.1)

        watching = asyncio.create_task(watch())
        begin = time.monotonic()
        limit = aiohttp.ClientTimeout(total=600)
        async with aiohttp.ClientSession(timeout=limit) as session:

            async def download():
                async with session.get(f"{visited.url}/my-app/down") as answer:
                    return await down.take(answer.content)

            async def upload():
                async with session.post(f"{visited.url}/my-app/up", data=up.send()) as answer:
                    return await answer.text()

            digests = await asyncio.gather(download(), upload())
        seconds = time.monotonic() - begin
        watching.cancel()
        for name, passage, found in zip(("down", "up"), (down, up), digests):
            if found != digest(passage.seed, size):
                failures.append(f"another body arrived {name}: {found[:100]}")
        # The kernel's own mark misses nothing between two looks.
        most = [max(one.resident("VmHWM"), *samples[one]) for one in stage.edges]
        for name, one in zip(("of the visitor", "of the connector"), most):
            if one >= MOST:
                failures.append(f"the edge {name} had {one:.1f} MiB resident")
        if await there.metric("culvert_link_streams_total") < 2 or await visited.metric("culvert_sessions_total"):
            failures.append("the bodies did not pass between edges")
        # Else no edge had anything to hold.
        if min(down.ahead, up.ahead) < bound(MEBIBYTE, 0):
            failures.append(f"no sender was held up: {down.ahead} and {up.ahead} bytes ahead of their readers")
        return {"mebibytes": mebibytes, "seconds": round(seconds, 1), "most_resident": [round(one, 1) for one in most],
                "samples": len(samples[visited]), "connector": round(resident(connector.process.pid, "VmHWM"), 1),
                "ahead_down": round(down.ahead / MEBIBYTE, 1), "ahead_up": round(up.ahead / MEBIBYTE, 1)}
