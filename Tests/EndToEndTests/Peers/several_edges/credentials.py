# SPDX-License-Identifier: Apache-2.0
"""Credentials that are over at one edge are over at all, and guesses count at all: access tokens, one-time codes, keys."""
import asyncio
import base64
import hmac
import json
import os
import struct
import subprocess
import time

import aiohttp

from stage import Connector, Stage, bound, failures, until


async def upgrade(edge, path, token):
    """How an edge answers whoever would open a session with a token."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{edge.url}/api/tunnel/{path}", headers={
                "Authorization": f"Bearer {token}", "Connection": "Upgrade", "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
                "Sec-WebSocket-Protocol": "culvert.mux.v1"}) as answer:
            return answer.status


class Visitor:
    """`culvert access` at an edge, and a connection through it that stays."""

    def __init__(self, stage, edge, name, token):
        self.output = stage.folder / f"access-{time.monotonic_ns()}"
        environment = dict(os.environ, HOME=str(stage.folder), CULVERT_ACCESS_TOKEN=token)
        environment.pop("CULVERT_API_KEY", None)
        with open(self.output, "wb") as out, open(f"{self.output}.err", "wb") as errors:
            self.process = subprocess.Popen(
                [stage.culvert, "access", name, "--edge", edge.url, "--listen", "127.0.0.1:0"], stdin=subprocess.DEVNULL,
                stdout=out, stderr=errors, env=environment)
        stage.connectors.append(self)

    async def connect(self):
        await until("culvert access listens", lambda: self.output.read_text().strip())
        port = int(self.output.read_text().strip().rsplit(":", 1)[1])
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        return await self.talks()

    async def talks(self):
        try:
            self.writer.write(b"GET /number HTTP/1.1\r\nHost: box\r\n\r\n")
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                          if line.startswith(b"content-length"))
            await self.reader.readexactly(length)
            return head.startswith(b"HTTP/1.1 200")
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            return False

    async def end(self):
        """When the connection ended."""
        try:
            await asyncio.wait_for(self.reader.read(1), 10)
        except OSError:
            pass
        return time.monotonic()


async def access(edge, culvert, folder):
    """Access is ended at one edge: visitors of all are cut off, and stay out after a restart of everything."""
    async with Stage(edge, culvert, folder) as stage:
        for name in ("box", "other"):
            status, answer = await stage.edges[0].call("POST", "create", {"name": name, "kind": "tcp", "public": False})
            if status != 201:
                raise SystemExit(f"create: {status} {answer}")
            stage.connectors.append(Connector(stage.culvert, stage.folder, answer["token"], stage.origin.port))
            await until(f"the session of {name} is known", lambda name=name: stage.places(name))

        async def token(name):
            return (await stage.edges[1].call("POST", f"{name}/access", {}))[1]["token"]

        given, kept = await token("box"), await token("other")
        visitors = [Visitor(stage, one, "box", given) for one in stage.edges]
        unharmed = [Visitor(stage, one, "other", kept) for one in stage.edges]
        for visitor in visitors + unharmed:
            if not await visitor.connect():
                failures.append("a private tunnel is not reached at every edge")
        begin = time.monotonic()
        status, _ = await stage.edges[2].call("DELETE", "box/access")
        if status != 204:
            failures.append(f"revocation: {status}")
        ended = [await visitor.end() - begin for visitor in visitors]
        # Unless the other edge tells of it, they go on.
        if max(ended) > bound(1, 4):
            failures.append(f"cut off after {max(ended):.2f} s")
        if not all([await visitor.talks() for visitor in unharmed]):
            failures.append("visitors of another tunnel were cut off, too")
        refused = [await upgrade(one, "access/box", given) for one in stage.edges]
        fresh = await token("box")
        await stage.restart_everything()
        refused += [await upgrade(one, "access/box", given) for one in stage.edges]
        if refused != [401] * 6:
            failures.append(f"the ended access token: {refused}")
        taken = [await upgrade(one, "access/box", fresh) for one in stage.edges]
        if taken != [101] * 3:
            failures.append(f"the access token made since: {taken}")
        # Deletion ends access, too.
        await until("the tunnel is served again", lambda: stage.places("box"))
        await stage.edges[0].call("DELETE", "box")
        status, _ = await stage.edges[0].call("POST", "create", {"name": "box", "kind": "tcp", "public": False})
        after = [await upgrade(one, "access/box", fresh) for one in stage.edges]
        if after != [401] * 3:
            failures.append(f"access to a tunnel that was deleted and made again: {after}")
        return {"cut_off_after": round(max(ended), 3), "refused": refused}


def code(secret, step):
    """The one-time code of a step (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.digest(key, struct.pack(">Q", step), "sha1")
    number = struct.unpack(">I", mac[mac[-1] & 15:][:4])[0] & 0x7fff_ffff
    return f"{number % 1_000_000:06}"


async def codes(edge, culvert, folder):
    """Each one-time code is shown to three edges at once: one of them takes it."""
    arguments = ["--limits-failed-logins-per-minute", "100"]
    async with Stage(edge, culvert, folder, arguments=arguments, keys=2, has_codes=True) as stage:
        secret = json.loads((stage.folder / "api-keys.json").read_text())["keys"][0]["totp_secret"]
        outcomes = []
        async with aiohttp.ClientSession() as session:
            async def show(one, digits, number):
                fields = {"Authorization": f"Bearer {stage.keys[0]}", "Culvert-OTP": digits}
                async with session.post(f"{one.url}/api/tunnels/create", json={"name": f"race-{number}"},
                                        headers=fields) as answer:
                    return answer.status

            # The codes of the moment, of the one before and of the next are all good, in this order, and must stay so until
            # the last race is over.
            while time.time() % 30 > bound(25, 15):
                await asyncio.sleep(0.1)
            step = int(time.time()) // 30
            for number, place in enumerate((step - 1, step, step + 1)):
                digits = code(secret, place)
                statuses = await asyncio.gather(*(show(one, digits, number) for one in stage.edges))
                outcomes.append(sorted(statuses))
                again = [await show(one, digits, number) for one in stage.edges]
                if sorted(statuses)[0] not in (200, 201) or sorted(statuses)[1:] != [401, 401]:
                    failures.append(f"race {number}: {statuses}")
                if any(status != 401 for status in again):
                    failures.append(f"a code of race {number} once more: {again}")
        return {"races": outcomes}


async def guesses(edge, culvert, folder):
    """Wrong keys and wrong passwords come to three edges in turn: they count together, and cost who is right nothing."""
    async with Stage(edge, culvert, folder) as stage:
        await stage.tunnel("my-app", policy={"basic_auth": [{"username": "ann", "password": "right"}]})
        async with aiohttp.ClientSession() as session:
            async def visit(one, password):
                fields = {"Authorization": aiohttp.BasicAuth("ann", password).encode()}
                async with session.get(f"{one.url}/my-app/number", headers=fields) as answer:
                    await answer.read()
                    return answer.status

            served = [await visit(one, "right") for one in stage.edges]
            before, begin = stage.redis.calls(), time.monotonic()
            for _ in range(100):
                served += await asyncio.gather(*(visit(one, "right") for one in stage.edges))
            after = stage.redis.calls()
            if set(served) != {200}:
                failures.append(f"who has the password: {set(served)}")
            # Beats are all that there is.
            asked = sum(after.get(name, 0) - before.get(name, 0) for name in ("evalsha", "hgetall", "get"))
            if asked > 10 + 10 * (time.monotonic() - begin):
                failures.append(f"{asked} questions for 300 right requests")
            keys = []
            for number in range(30):
                status, _ = await stage.edges[number % 3].call("GET", "list", key=f"cvk_{number:032}")
                keys.append(status)
            if keys.count(401) != 5 or keys.count(429) != 25:
                failures.append(f"wrong keys: {keys}")
            status, _ = await stage.edges[0].call("GET", "list")
            if status != 200:
                failures.append(f"the right key: {status}")
            words, begin = [], time.monotonic()
            for number in range(45):
                words.append(await visit(stage.edges[number % 3], f"wrong-{number}"))
                await asyncio.sleep(0.1)
            # What one edge counts the others learn with their own next one; meanwhile one comes back each six seconds.
            most = 14 + (time.monotonic() - begin) / 6
            if not 8 <= words.count(401) <= most or set(words) != {401, 429}:
                failures.append(f"wrong passwords: {words}")
        return {"asked": asked, "wrong_keys": keys.count(401), "wrong_passwords": words.count(401)}
