# SPDX-License-Identifier: Apache-2.0
"""What happens to a directory while tunnels are used: it is killed, frozen, emptied, or fails over."""
import asyncio
import pathlib
import signal
import subprocess
import time

import aiohttp

from load import Load
from stage import Connector, Redis, Stage, bound, failures, free_port, until


async def watch(stage, names, rate, away, back, seconds, limit):
    """Runs one outage under load: nothing fails, newcomers are let in, changes are refused, and all is told again."""
    urls = [f"{edge.url}/{name}" for edge in stage.edges for name in names]
    load = Load(urls, rate)
    # Every edge knows the way to every tunnel.
    warm = Load(urls, 100)
    warm.start()
    await asyncio.sleep(len(urls) * 2 / 100 + 0.5)
    await warm.stop()
    failures.extend(f"before: {lost}" for lost in warm.lost[:3])
    status, spare = await stage.edges[0].call("POST", "create", {"name": "newcomer", "local_port": stage.origin.port})
    if status not in (200, 201):
        failures.append(f"newcomer: {status}")
    load.start()
    await asyncio.sleep(1)
    await away()
    await asyncio.sleep(2)
    newcomer = Connector(stage.culvert, stage.folder, spare["token"], stage.origin.port, 1, stage.edges[1].url)
    stage.connectors.append(newcomer)
    begin = time.monotonic()

    async def serves():
        is_away = await stage.edges[1].metric("culvert_registry_up") == 0
        return is_away and await visit(stage.edges[1], "newcomer") == 200

    let_in = await until("a new connector is let in", serves)
    refused = []
    for method, path, body in (("POST", "create", {"name": "too-late"}), ("DELETE", names[0], None),
                               ("POST", f"{names[0]}/token", None)):
        answer, said = await stage.edges[2].call(method, path, body)
        refused.append((said or {}).get("code", answer))
    if refused != ["registry_unavailable"] * 3:
        failures.append(f"changes while it is away: {refused}")
    status, listed = await stage.edges[0].call("GET", "list")
    if status != 200 or not listed.get("partial"):
        failures.append(f"a list that says that it is whole: {status}")
    await asyncio.sleep(max(0, seconds - (time.monotonic() - begin) - 2))
    await back()

    unlisted = None

    async def all_listed():
        nonlocal unlisted
        for number, edge in enumerate(stage.edges):
            status, listed = await edge.call("GET", "list")
            online = {one["tunnel_id"] for one in (listed or {}).get("tunnels", []) if one["state"] == "online"}
            missing = sorted({*names, "newcomer"} - online)
            if status != 200 or listed.get("partial") or missing:
                unlisted = f"edge {number}: {status}, partial {(listed or {}).get('partial')}, without {missing}"
                return False
        return True

    listed = await until("all is listed again", all_listed)
    if listed > limit:
        failures.append(f"listed again after {listed:.1f} s; {unlisted}")
    await asyncio.sleep(1)
    await load.stop()
    failures.extend(load.lost[:5])
    return {"requests": load.count, "failed": len(load.lost), "let_in_after": round(let_in, 2),
            "listed_after": round(listed, 2)}


async def visit(edge, name):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{edge.url}/{name}/0") as answer:
            return answer.status


async def tunnels(stage, count=6):
    names = [f"tunnel-{number}" for number in range(count)]
    for number, name in enumerate(names):
        await stage.tunnel(name, connections=1 + number % 2)
    return names


async def outage(edge, culvert, folder, seconds, rate):
    """Redis is killed and comes back, is frozen, and is killed and comes back empty."""
    result = {}
    for kind in ("killed", "frozen", "emptied"):
        where = pathlib.Path(folder) / kind
        where.mkdir()
        async with Stage(edge, culvert, where) as stage:
            names, redis = await tunnels(stage), stage.redis

            async def away():
                redis.signal(signal.SIGSTOP) if kind == "frozen" else redis.kill()

            async def back():
                if kind == "frozen":
                    redis.signal(signal.SIGCONT)
                else:
                    if kind == "emptied":
                        redis.forget()
                    redis.start()

            result[kind] = await watch(stage, names, rate, away, back, seconds, limit=bound(5, 12))
    return result


async def sentinel(edge, culvert, folder, rate):
    """The primary of three sentinels is killed: a replica takes its place."""
    folder = pathlib.Path(folder)
    first, second = Redis(folder / "first"), Redis(folder / "second")
    first.start()
    second.arguments = ("--replicaof", "127.0.0.1", str(first.port))
    second.start()
    watchers = []
    for number in range(3):
        place = folder / f"sentinel-{number}"
        place.mkdir()
        port = free_port()
        (place / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\ndir {place}\nsentinel monitor edges 127.0.0.1 {first.port} 2\n"
            "sentinel down-after-milliseconds edges 3000\nsentinel failover-timeout edges 10000\n")
        log = open(place / "log", "ab")
        program = ["redis-sentinel", str(place / "sentinel.conf")]
        watchers.append((port, subprocess.Popen(program, stdout=log, stderr=log)))
    url = "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port, _ in watchers) + "/edges"
    try:
        await asyncio.sleep(3)
        async with Stage(edge, culvert, folder, redis_url=url, redis=first) as stage:
            names = await tunnels(stage)

            async def all_up():
                return all([await one.metric("culvert_registry_up") == 1 for one in stage.edges])

            moment = 0.0

            async def away():
                nonlocal moment
                moment = time.monotonic()
                first.kill()

            up_after = 0.0

            async def back():
                nonlocal up_after
                await until("the registry is there again", all_up, limit=40)
                up_after = round(time.monotonic() - moment, 2)

            result = await watch(stage, names, rate, away, back, 0, limit=bound(5, 12))
            if up_after > 10:
                failures.append(f"the registry is there again after {up_after} s")
            # The old primary comes back as a replica, and is no primary to anybody.
            first.start()
            stage.redis = second
            await asyncio.sleep(5)
            status, _ = await stage.edges[2].call("POST", "create", {"name": "afterwards"})
            if status != 201:
                failures.append(f"create after the failover: {status}")
            return {**result, "up_after": up_after}
    finally:
        for _, process in watchers:
            process.terminate()
        first.kill()
        second.kill()
