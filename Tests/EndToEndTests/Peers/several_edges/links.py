# SPDX-License-Identifier: Apache-2.0
"""What lies between edges: strangers at their links, cut ways, silent connectors, other versions."""
import asyncio
import base64
import collections
import hashlib
import hmac
import json
import os
import signal
import statistics
import time

import aiohttp

from load import Load
from outages import visit
from path import Path
from stage import Connector, Stage, bound, failures, free_port, until

SECRET = bytes(range(32))


def coded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def link_key(secret):
    """The key of link tokens: HKDF-SHA256 without salt, one block (RFC 5869)."""
    fixed = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(fixed, b"culvert peer v1\x01", "sha256")


def token(kid, issuer, audience, secret=SECRET, begin=0.0, life=30):
    """What an edge shows another one; `begin` is in seconds from now."""
    now = int(time.time() + begin)
    head = coded(json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode())
    body = coded(json.dumps({"iss": issuer, "aud": audience, "iat": now, "exp": now + life}).encode())
    return f"{head}.{body}." + coded(hmac.digest(link_key(secret), f"{head}.{body}".encode(), "sha256"))


async def upgrade(port, target, *tokens):
    """How a listener answers whoever would open a session with these tokens."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = "".join(f"Authorization: Bearer {one}\r\n" for one in tokens)
    writer.write((
        f"GET {target} HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Sec-WebSocket-Protocol: culvert.mux.v1\r\n{fields}\r\n").encode())
    try:
        return int((await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)).split()[1])
    finally:
        writer.close()


async def with_paths(stage):
    """Has each edge reached over a path of its own, from before it begins."""
    paths = []
    for one in stage.edges:
        path = await Path(one.links).start()
        one.arguments += ["--cluster-advertise", f"127.0.0.1:{path.port}"]
        one.path, one.reached = path, path.port
        paths.append(path)
    return paths


async def at(stage, edge, name, connections=1):
    """A tunnel with a connector at one edge."""
    return await stage.tunnel(name, connections=connections, edge=edge.url)


async def strangers(edge, culvert, folder):
    """Link tokens that are wrong, expired or stolen open no link, are logged and counted; and links go on."""
    stage = Stage(edge, culvert, folder)
    await with_paths(stage)
    async with stage:
        visited, there, third = stage.edges
        await at(stage, there, "my-app")
        if await visit(visited, "my-app") != 200:
            failures.append("it is not served at another edge")
        seen = next(path for path in (there.path, visited.path) if path.tokens).tokens[0]
        kid = json.loads(decoded(seen.split(".")[0]))["kid"]
        pods = {one: names[0] for one, names in (await stage.pods()).items()}
        own, target = pods[visited], pods[there]
        made = (await stage.edges[0].call("POST", "create", {"name": "other"}))[1]["token"]
        good = token(kid, own, target)
        head, body, mac = good.split(".")
        cases = {
            "none": ("missing", []),
            "two": ("missing", [good, good]),
            "no token": ("malformed", ["rubbish"]),
            "another key": ("signature", [token(kid, own, target, secret=bytes(32))]),
            "changed": ("signature", [f"{head}.{body}." + coded(hashlib.sha256(b"").digest())]),
            "unsigned": ("algorithm", [coded(b'{"alg":"none","typ":"JWT"}') + f".{body}."]),
            "unknown key": ("unknownKey", [token("nobody", own, target)]),
            "expired": ("expired", [token(kid, own, target, begin=-120)]),
            "not yet": ("notYetValid", [token(kid, own, target, begin=120)]),
            "of a tunnel": ("signature", [made]),
            "stolen, of another edge's": ("otherAudience", [token(kid, own, pods[third])]),
            "stolen, as it passed": ("otherAudience", [seen]),
        }
        # What passed was meant for the edge that it led to: it is shown to the third one.
        answers, before = {}, await there.metric("culvert_link_refusals_total")
        for name, (_, shown) in cases.items():
            port = third.links if name.endswith("as it passed") else there.links
            answers[name] = await upgrade(port, "/peer", *shown)
        wrong = {name: status for name, status in answers.items() if status != 401}
        if wrong:
            failures.append(f"at a link's listener: {wrong}")
        elsewhere = {
            "a link's token at a tunnel": await upgrade(there.port, "/api/tunnel/connect/my-app", good),
            "a link's token at access": await upgrade(there.port, "/api/tunnel/access/my-app", good),
            "a tunnel's token at another path of links": await upgrade(there.links, "/api/tunnel/connect/other", made),
            "a link at the listener of visitors": await upgrade(there.port, "/peer", good),
        }
        # Nobody is told that edges have links: to visitors it is a tunnel's path like others.
        if list(elsewhere.values()) != [401, 401, 401, 404]:
            failures.append(f"elsewhere: {elsewhere}")
        # All but one of the tokens, and the tunnel's at another path.
        counted = [await one.metric("culvert_link_refusals_total") for one in (there, third)]
        if [counted[0] - before, counted[1]] != [len(cases), 1]:
            failures.append(f"counted: {counted} of {len(cases)}")
        log = (stage.folder / f"edge-{there.port}.log").read_text()
        logged = [json.loads(line)["why"] for line in log.splitlines() if '"link refused"' in line]
        wanted = [why for why, _ in cases.values()][:-1] + ["signature"]
        if logged != wanted:
            failures.append(f"logged {logged}")
        if seen in log or made in log or good in log:
            failures.append("a token is in the log")
        # A good one still opens a link, and requests pass.
        opened = await upgrade(there.links, "/peer", good)
        if opened != 101 or await visit(visited, "my-app") != 200:
            failures.append(f"afterwards: {opened}")
        return {"refused": answers, "elsewhere": elsewhere, "counted": counted, "logged": logged}


async def cut(edge, culvert, folder):
    """A way that drops everything is left, and requests go to another session.

    Where it leads to the only session, requests fail within seconds, and are served again once it is mended.
    """
    stage = Stage(edge, culvert, folder)
    await with_paths(stage)
    async with stage:
        visited, first, second = stage.edges
        await at(stage, first, "one")
        # A tunnel with sessions at two edges; the visited edge and one of the two do not reach each other any more.
        await at(stage, first, "both")
        token_ = (await visited.call("POST", "both/renew"))[1]["token"]
        stage.connectors.append(Connector(stage.culvert, stage.folder, token_, stage.origin.port, 1, second.url))
        await until("both are known", lambda: len(set(stage.places("both"))) == 2)
        pods = {one: names[0] for one, names in (await stage.pods()).items()}
        load = Load([f"{visited.url}/both"], 40, methods=("GET",), limit=40).start()
        lone = Load([f"{visited.url}/one"], 5, limit=40).start()
        await asyncio.sleep(2)

        async def served():
            return await visit(visited, "one") == 200

        moment = time.monotonic() - load.begin
        first.path.cut(pods[visited])
        visited.path.cut(pods[first])
        await asyncio.sleep(20)
        first.path.mend()
        visited.path.mend()
        mended = time.monotonic() - load.begin
        again = await until("the lone session is reached again", served, limit=20)
        await asyncio.sleep(5)
        after = [await visit(visited, "one") for _ in range(5)]
        await asyncio.gather(load.stop(), lone.stop())
        if load.lost:
            failures.append(f"cut: {len(load.lost)} are lost: {load.lost[:3]}")
        late = [(begin, end) for begin, end, good in load.answers if begin > moment and end - begin > 1]
        longest = max((end - begin for begin, end in late), default=0)
        if longest > bound(6, 8):
            failures.append(f"cut: {longest:.1f} s until another session answers")
        if after != [200] * 5:
            failures.append(f"mended: {after}")
        if again > bound(3, 6):
            failures.append(f"mended: served again after {again:.1f} s")
        # What waited for the mend counts as what came behind it.
        during = [(begin - moment, end - begin, good) for begin, end, good in lone.answers if moment < begin < mended]
        lone_longest = max((pause for _, pause, _ in during), default=0)
        if lone_longest > bound(6.5, 9):
            failures.append(f"cut from the only session: an answer after {lone_longest:.1f} s")
        said = [one.split(": ", 1)[1] for one in lone.lost]
        odd = [one for one in said if "session_lost" not in one and "tunnel_offline" not in one]
        if not said or odd:
            failures.append(f"cut from the only session: {len(said)} failed, and {odd[:3]}")
        return {"requests": load.count, "failed": len(load.lost), "late": len(late),
                "longest": round(longest, 2), "lone_requests": len(during),
                "lone_failed": sum(not good for *_, good in during),
                "lone_longest": round(lone_longest, 1), "served_after_mend": round(again, 2),
                "lone_answers": dict(collections.Counter(one[:90] for one in said).most_common(5))}


async def stuck(edge, culvert, folder, rate, seconds):
    """Two connectors of a tunnel are at two edges, visitors at a third; one connector is stopped for a while."""
    async with Stage(edge, culvert, folder) as stage:
        visited, first, second = stage.edges
        victim = await at(stage, first, "my-app")
        token_ = (await visited.call("POST", "my-app/renew"))[1]["token"]
        stage.connectors.append(Connector(stage.culvert, stage.folder, token_, stage.origin.port, 1, second.url))
        await until("both are known", lambda: len(set(stage.places("my-app"))) == 2)
        # Sessions take turns: with three in a row each of them has requests of both kinds.
        load = Load([f"{visited.url}/my-app"], rate, methods=("GET", "GET", "POST"), limit=60).start()
        await asyncio.sleep(3)
        before = await first.metric("culvert_link_streams_total")
        moment = time.monotonic() - load.begin
        victim.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        victim.process.send_signal(signal.SIGCONT)
        back = time.monotonic() - load.begin
        during = await first.metric("culvert_link_streams_total")

        async def is_used():
            return await first.metric("culvert_link_streams_total") > during

        await until("the connector that goes on is used again", is_used)
        after = await first.metric("culvert_link_streams_total")
        await load.stop()
        late = [(begin - moment, end - moment) for begin, end, _ in load.answers
                if moment - 1 < begin < back and end - begin > 1]
        last = max((begin for begin, _ in late), default=0)
        longest = max((end - begin for begin, end in late), default=0)
        # Who asks for an answer after five seconds of silence knows two to three seconds later.
        if last > bound(9, 12):
            failures.append(f"requests went to the stopped connector for {last:.1f} s")
        lost = [one for one in load.lost if " GET " in one]
        if lost:
            failures.append(f"{len(lost)} requests that may be sent twice are lost: {lost[:3]}")
        if before == 0 or after <= during:
            failures.append(f"streams at the first edge: {before}, {during}, {after}")
        gets = [end - begin for begin, end, _ in load.answers]
        return {"requests": load.count, "failed": len(load.lost), "lost": load.lost[:3], "late": len(late),
                "last_late_start": round(last, 2), "longest": round(longest, 2), "median": round(
                    statistics.median(gets), 4), "streams": [before, during, after]}


def hello(pod):
    """The HELLO of an edge without capabilities, as a WebSocket message."""
    payload = b"MUX1" + bytes([0, 2, 0, 0]) + bytes(8) + b"\x00\x23\x00\x0a" + pod.encode()
    frame = bytes([0x0C, 0]) + len(payload).to_bytes(2, "big") + bytes(4) + payload
    return bytes([0x82, len(frame)]) + frame


async def mixed(edge, culvert, folder, rate):
    """An edge of an earlier version, whose program is in EARLIER_EDGE, beside those of this one: all serve all."""
    earlier = os.environ.get("EARLIER_EDGE", edge)
    stage = Stage(edge, culvert, folder)
    stage.edges[0].program = earlier
    async with stage:
        names = [f"tunnel-{number}" for number in range(3)]
        for name, one in zip(names, stage.edges):
            await at(stage, one, name)
        load = Load([f"{one.url}/{name}" for one in stage.edges for name in names], rate).start()
        await asyncio.sleep(5)
        # Connectors fall silent: what newer edges say of that, the earlier one need not know.
        victim = stage.connectors[1]
        victim.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(9)
        victim.process.send_signal(signal.SIGCONT)
        await asyncio.sleep(5)
        # One that has no links at all is in the directory, too.
        asked = []

        async def serve(reader, writer):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            key = next(line.split(b": ")[1] for line in asked[-1].split(b"\r\n")
                       if line.lower().startswith(b"sec-websocket-key"))
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Protocol: culvert.mux.v1\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                         + hello("stranger00"))
            try:
                await reader.read()
            except asyncio.CancelledError:
                # The trial is over.
                pass
            writer.close()

        port = free_port()
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        stage.redis.ask("HSET", "cv:podinfo", "stranger00", json.dumps({"a": f"127.0.0.1:{port}", "v": "0"}))
        status, _ = await stage.edges[1].call("POST", "create", {"name": "nowhere"})
        stage.redis.ask("HSET", "cv:t:nowhere", "s:stranger.0", "stranger00")

        async def beat():
            while True:
                now = stage.redis.ask("TIME").split()
                stage.redis.ask("ZADD", "cv:pods", str(int(now[0]) * 1000), "stranger00")
                await asyncio.sleep(1)

        beating = asyncio.create_task(beat())
        await asyncio.sleep(5)
        answers = [await visit(one, "nowhere") for one in stage.edges]
        beating.cancel()
        server.close()
        if not asked or any(status not in (502, 503, 504) for status in answers):
            failures.append(f"an edge without links: asked {len(asked)} times, {answers}")
        log = (stage.folder / f"edge-{stage.edges[2].port}.log").read_text()
        if "another edge could not be reached" not in log:
            failures.append("no line in the log tells of an edge without links")
        await load.stop()
        # Requests to the tunnel of the connector that was stopped waited for it.
        lost = [one for one in load.lost if f"/{names[1]}" not in one]
        blamed = [one for one in load.lost if "origin_timeout" in one and f"{stage.edges[0].url}/" not in one]
        if blamed:
            failures.append(f"a local server is blamed for a connector that was stopped: {blamed[:3]}")
        if lost:
            failures.append(f"{len(lost)} requests are lost: {lost[:3]}")
        ended = [one.process.poll() for one in stage.edges]
        if ended != [None] * 3:
            failures.append(f"edges ended: {ended}")
        served = [[await visit(one, name) for name in names] for one in stage.edges]
        if served != [[200] * 3] * 3:
            failures.append(f"served: {served}")
        of_the_stopped = [one for one in load.lost if one not in lost]
        return {"requests": load.count, "failed": len(load.lost), "of_the_stopped": len(of_the_stopped),
                "lost": of_the_stopped[:3], "without_links": answers, "asked": len(asked), "earlier": earlier != edge}


async def guests(edge, culvert, folder, count):
    """Visitors ask an edge for more tunnels of another one than it remembers: it forgets the longest unused."""
    arguments = ["--tunnel-reconnect-hold", "1ms", "--tunnel-unknown-hold", "0s"]
    async with Stage(edge, culvert, folder, count=2, arguments=arguments) as stage:
        visited, there = stage.edges
        await at(stage, there, "pattern")

        async def is_served():
            return await visit(visited, "pattern") == 200

        # Requests do not wait for the link.
        await until("it is served at another edge", is_served)
        lines = stage.redis.ask("HGETALL", "cv:t:pattern").splitlines()
        pairs = [word for pair in zip(lines[::2], lines[1::2]) for word in pair]
        process = await asyncio.create_subprocess_exec(
            "redis-cli", "-p", str(stage.redis.port), "--pipe", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL)
        for number in range(count):
            words = ["HSET", f"cv:t:guest-{number}", *pairs]
            process.stdin.write(f"*{len(words)}\r\n".encode() + b"".join(
                f"${len(word.encode())}\r\n{word}\r\n".encode() for word in words))
            if number % 1_000 == 0:
                await process.stdin.drain()
        process.stdin.close()
        await process.wait()

        before, most, statuses = visited.resident(), 0, {}
        numbers = iter(range(count))
        begin = time.monotonic()

        async def ask(session):
            for number in numbers:
                async with session.get(f"{visited.url}/guest-{number}/") as answer:
                    await answer.read()
                    statuses[answer.status] = statuses.get(answer.status, 0) + 1

        async def sample():
            nonlocal most
            while True:
                most = max(most, await visited.metric("culvert_guests"))
                await asyncio.sleep(1)

        sampling = asyncio.create_task(sample())
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(ask(session) for _ in range(64)))
        seconds = time.monotonic() - begin
        await asyncio.sleep(2)
        sampling.cancel()
        after, left = visited.resident(), await visited.metric("culvert_guests")
        if await visit(visited, "pattern") != 200:
            failures.append("it is not served any more")
        # A little more than the bound may be there between two looks.
        if max(most, left) > 65_536 * 1.02 or (count > 66_000 and left < 50_000):
            failures.append(f"{most} guests at most, {left} in the end")
        if after - before > 200 * max(1, count / 65_536):
            failures.append(f"{after - before:.0f} MiB more")
        return {"requests": count, "most": most, "left": left, "mebibytes": round(after - before, 1),
                "bytes_each": round((after - before) * 1_048_576 / max(left, 1)), "a_second": round(count / seconds),
                "statuses": statuses}
