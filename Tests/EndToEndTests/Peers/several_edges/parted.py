# SPDX-License-Identifier: Apache-2.0
"""One edge does not reach Redis while the others do, nor, if wanted, does it reach them."""
import asyncio

from links import with_paths
from load import Load
from outages import visit
from stage import Connector, Stage, bound, failures, free_port, until


class Wire:
    """What one edge reaches Redis over: a relay that can be cut, as by a network, which ends no connection."""

    def __init__(self, target):
        self.target, self.port = target, free_port()
        self.whole = asyncio.Event()
        self.whole.set()

    async def start(self):
        self.server = await asyncio.start_server(self.join, "127.0.0.1", self.port)
        return self

    async def join(self, reader, writer):
        await self.whole.wait()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(self.pass_on(reader, back), self.pass_on(there, writer))
        except asyncio.CancelledError:
            # The trial is over.
            pass

    async def pass_on(self, reader, writer):
        try:
            while data := await reader.read(65_536):
                await self.whole.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            # The end of one side is the end of both.
            pass
        writer.close()


async def parted(edge, culvert, folder, seconds, from_peers=0):
    """It serves what is connected to it, and others stop choosing it once its lease is over; when it is back its tunnels
    are known again, and one that was deleted meanwhile is gone. So it is where it does not reach the others either.
    """
    stage = Stage(edge, culvert, folder, arguments=["--cluster-lease", "3s"])
    first, second, alone = stage.edges
    wire = Wire(stage.redis.port)
    place = alone.arguments.index("--cluster-redis-url") + 1
    alone.arguments[place] = f"redis://127.0.0.1:{wire.port}"
    await wire.start()
    if from_peers:
        await with_paths(stage)

    def peers(act):
        """Cuts or mends the ways between it and the others."""
        for one in (first, second) if from_peers else ():
            act(one.path, alone)
            act(alone.path, one)

    async with stage:
        for name in ("only", "deleted"):
            await stage.tunnel(name, edge=alone.url)
        await stage.tunnel("both", edge=alone.url)
        token = (await first.call("POST", "both/renew"))[1]["token"]
        stage.connectors.append(Connector(culvert, stage.folder, token, stage.origin.port, 1, first.url))
        await until("both sessions are known", lambda: len(set(stage.places("both"))) == 2)
        # What another edge has taken, and nobody can repeat, is lost where edges are parted.
        asked = {"methods": ("GET",), "limit": 40} if from_peers else {}
        everywhere = Load([f"{one.url}/both" for one in stage.edges], 30, **asked).start()
        own = Load([f"{alone.url}/only"], 10).start()
        await asyncio.sleep(2)
        pods = {one: names[0] for one, names in (await stage.pods()).items()} if from_peers else {}
        wire.whole.clear()
        peers(lambda path, pod: path.cut(pods[pod]))

        async def notices():
            return await alone.metric("culvert_registry_up") == 0

        noticed = await until("it notices", notices)
        forgotten = await until("its lease is over", lambda: stage.places("only") == [], limit=20)
        # Who asks others waits for a connector that may come back, and hears that there is none.
        elsewhere = [await visit(one, "only") for one in (first, second)]
        if elsewhere != [503, 503]:
            failures.append(f"elsewhere: {elsewhere}")
        status, _ = await second.call("DELETE", "deleted")
        if status != 204:
            failures.append(f"deleted elsewhere: {status}")
        if await visit(alone, "deleted") != 200:
            failures.append("a deletion reached it")
        status, said = await alone.call("POST", "create", {"name": "too-late"})
        if (said or {}).get("code") != "registry_unavailable":
            failures.append(f"it makes a tunnel: {status}")
        await asyncio.sleep(seconds)
        wire.whole.set()
        peers(lambda path, _: path.mend())
        known = await until("its tunnels are known again", lambda: len(stage.places("only")) == 1)

        statuses = []

        async def is_gone():
            statuses[:] = [await visit(one, "deleted") for one in stage.edges]
            return statuses == [404] * 3

        gone = await until("the deleted one is gone everywhere", is_gone)

        async def is_served():
            return [await visit(one, "only") for one in stage.edges] == [200] * 3

        served = await until("it is served everywhere again", is_served)
        if max(known, gone, served) > bound(5, 12):
            failures.append(f"back after {known:.1f} s, deleted after {gone:.1f} s ({statuses}), served after {served:.1f} s")
        await asyncio.gather(everywhere.stop(), own.stop())
        lost = everywhere.lost + own.lost
        if lost:
            failures.append(f"{len(lost)} requests are lost: {lost[:3]}")
        return {"requests": everywhere.count + own.count, "failed": len(lost), "noticed_after": round(noticed, 2),
                "forgotten_after": round(forgotten, 2), "known_after": round(known, 2), "gone_after": round(gone, 2),
                "served_after": round(served, 2)}
