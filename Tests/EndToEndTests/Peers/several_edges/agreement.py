# SPDX-License-Identifier: Apache-2.0
"""What is so at one edge is so at all: deletions, policies, names, limits."""
import asyncio
import collections
import time

import aiohttp

from load import Load
from outages import visit
from stage import Connector, Stage, bound, failures, until


async def deleted(edge, culvert, folder):
    """A tunnel is deleted, a policy tightened, at another edge than the connector's; then all are restarted."""
    async with Stage(edge, culvert, folder) as stage:
        await stage.tunnel("kept")
        status, answer = await stage.edges[0].call("POST", "create", {"name": "dead", "local_port": stage.origin.port})
        connector = Connector(stage.culvert, stage.folder, answer["token"], stage.origin.port)
        stage.connectors.append(connector)
        await until("the session is known", lambda: stage.places("dead"))
        for one in stage.edges:
            for name in ("kept", "dead"):
                if await visit(one, name) != 200:
                    failures.append(f"{name} is not served")
        pods = await stage.pods()
        elsewhere = next(one for one in stage.edges if not set(pods[one]) & set(stage.places("dead")))

        async def everywhere(name, wanted):
            return all([await visit(one, name) in wanted for one in stage.edges])

        status, _ = await elsewhere.call("DELETE", "dead")
        deleted_after = await until("it is deleted everywhere", lambda: everywhere("dead", (404,)))
        status, _ = await elsewhere.call("POST", "create", {"name": "kept", "policy": {"ip_allow": ["192.0.2.1"]}})
        tightened_after = await until("the policy counts everywhere", lambda: everywhere("kept", (403,)))
        for what, pause in (("deletion", deleted_after), ("policy", tightened_after)):
            # Unless the other edge tells of it, it takes minutes.
            if pause > bound(1, 4):
                failures.append(f"{what} in force after {pause:.2f} s")
        await stage.restart_everything()
        statuses = []
        async with aiohttp.ClientSession() as session:
            for one in stage.edges:
                async with session.get(f"{one.url}/api/tunnel/connect/dead", headers={
                        "Authorization": f"Bearer {answer['token']}", "Connection": "Upgrade", "Upgrade": "websocket",
                        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
                        "Sec-WebSocket-Protocol": "culvert.mux.v1"}) as refused:
                    statuses.append(refused.status)
        if statuses != [401] * 3:
            failures.append(f"the token of a deleted tunnel: {statuses}")
        return {"deleted_after": round(deleted_after, 3), "tightened_after": round(tightened_after, 3),
                "token": statuses}


async def names(edge, culvert, folder, rounds):
    """Two keys ask three edges for one name at once, again and again: one of them gets it."""
    arguments = ["--limits-tunnels-per-key", "100000", "--limits-creations-per-hour", "1000000"]
    async with Stage(edge, culvert, folder, arguments=arguments, keys=2) as stage:
        outcomes = collections.Counter()
        async with aiohttp.ClientSession() as session:
            async def ask(one, key, name):
                async with session.post(f"{one.url}/api/tunnels/create", json={"name": name},
                                        headers={"Authorization": f"Bearer {key}"}) as answer:
                    text = await answer.json()
                    return answer.status, key, text.get("code")

            for number in range(rounds):
                keys = stage.keys if number % 2 else stage.keys[::-1]
                answers = await asyncio.gather(*(ask(one, keys[(place + turn) % 2], f"name-{number}")
                                                 for place, one in enumerate(stage.edges) for turn in range(2)))
                winners = {key for status, key, _ in answers if status == 201}
                outcomes[len(winners)] += 1
                odd = [one for one in answers if one[0] not in (201, 409)]
                if len(winners) != 1 or odd:
                    failures.append(f"name-{number}: {sorted(winners)} {odd[:3]}")
        return {"rounds": rounds, "winners": dict(outcomes)}


async def limits(edge, culvert, folder, seconds):
    """50 requests a second over three edges, and a key's ten calls a second."""
    async with Stage(edge, culvert, folder, api_calls=10) as stage:
        await stage.tunnel("my-app", policy={"requests_per_second": 50})
        result = {}
        # Edges that do not speak to each other serve fifty each, or a third of it where all requests come to one.
        low, high = bound((45, 55), (30, 75))
        spreads = {"even": stage.edges, "skewed": [stage.edges[0]] * 8 + stage.edges[1:], "one": stage.edges[:1]}
        for label, edges in spreads.items():
            load = Load([f"{one.url}/my-app" for one in edges], 150, methods=("GET",)).start()
            await asyncio.sleep(2)
            begin = time.monotonic()
            before = sum(good for _, _, good in load.answers)
            await asyncio.sleep(seconds)
            served = (sum(good for _, _, good in load.answers) - before) / (time.monotonic() - begin)
            await load.stop()
            result[label] = round(served, 1)
            if not low <= served <= high:
                failures.append(f"{label}: {served:.1f} requests a second")
            if any("429" not in lost for lost in load.lost):
                failures.append(f"{label}: {[lost for lost in load.lost if '429' not in lost][:2]}")
            await asyncio.sleep(1.5)
        allowed = 0
        async with aiohttp.ClientSession() as session:
            async def call(one):
                fields = {"Authorization": f"Bearer {stage.keys[0]}"}
                async with session.get(f"{one.url}/api/tunnels/list", headers=fields) as answer:
                    return answer.status == 200

            await asyncio.sleep(2)
            begin = time.monotonic()
            while time.monotonic() - begin < seconds:
                allowed += sum(await asyncio.gather(*(call(one) for one in stage.edges * 3)))
                await asyncio.sleep(0.1)
        # A bucket that was full has ten more.
        rate = (allowed - 10) / (time.monotonic() - begin)
        result["api_calls"] = round(rate, 1)
        low, high = bound((9, 11), (5, 20))
        if not low <= rate <= high:
            failures.append(f"{rate:.1f} calls a second")
        return result
