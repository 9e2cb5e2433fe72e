# SPDX-License-Identifier: Apache-2.0
"""Visitors: requests at a steady rate, conversations, and listeners."""
import asyncio
import hashlib
import itertools
import os
import time

import aiohttp

UPLOAD = os.urandom(32_768)
DIGEST = {"GET": hashlib.sha256(b"").hexdigest(), "POST": hashlib.sha256(UPLOAD).hexdigest()}


class Load:
    """So many requests a second, GET and POST of 32 KiB in turns, each for the next of some addresses.

    Every request has a connection of its own: what the proxy in front does to kept connections when it is told of other
    edges is not what is measured.
    """

    def __init__(self, urls, rate, methods=("GET", "POST"), limit=30):
        self.urls, self.rate, self.methods, self.limit = urls, rate, methods, limit
        self.count, self.lost, self.times, self.over = 0, [], [], False
        self.answers = []
        self.under_way = set()
        self.task = None

    def start(self):
        self.begin = time.monotonic()
        self.task = asyncio.create_task(self.run())
        return self

    async def stop(self):
        self.over = True
        await self.task
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=self.limit + 5)
        return self

    async def run(self):
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        numbers = itertools.count()
        async with aiohttp.ClientSession(connector=connector) as session:
            next_at = time.monotonic()
            while not self.over:
                now = time.monotonic()
                while next_at <= now:
                    task = asyncio.create_task(self.ask(session, next(numbers)))
                    self.under_way.add(task)
                    task.add_done_callback(self.under_way.discard)
                    next_at += 1 / self.rate
                await asyncio.sleep(max(0.001, next_at - time.monotonic()))
            if self.under_way:
                await asyncio.wait(set(self.under_way), timeout=self.limit + 5)

    async def ask(self, session, number):
        method = self.methods[number % len(self.methods)]
        url = self.urls[(number // len(self.methods)) % len(self.urls)]
        begin = time.monotonic()
        try:
            async with session.request(method, f"{url}/{number}", data=UPLOAD if method == "POST" else None,
                                       timeout=aiohttp.ClientTimeout(total=self.limit)) as answer:
                text = await answer.text()
                good = answer.status == 200 and text == f"/{number} {DIGEST[method]}"
                said = None if good else f"{answer.status} {text[:120]!r}"
        except (OSError, aiohttp.ClientError, asyncio.TimeoutError) as error:
            said = repr(error)
        end = time.monotonic()
        self.count += 1
        self.times.append(end - begin)
        self.answers.append((begin - self.begin, end - self.begin, said is None))
        if said:
            self.lost.append(f"{begin - self.begin:.2f} s +{end - begin:.2f} {method} {url}: {said}")

    def pause_after(self, moment):
        """How long after a moment (of `time.monotonic`) the first request that came then was answered well."""
        ends = [end for begin, end, good in self.answers if good and begin + self.begin >= moment]
        return min(ends) + self.begin - moment if ends else None


class Conversation:
    """A WebSocket that echoes every 100 ms until it is stopped or lost."""

    def __init__(self, url, label):
        self.url, self.label, self.turns, self.lost, self.over = url, label, 0, None, False

    def start(self):
        self.task = asyncio.create_task(self.run())
        return self

    async def run(self):
        try:
            async with aiohttp.ClientSession() as session:
                async with session.ws_connect(self.url + "/echo", autoping=True) as there:
                    while not self.over:
                        await there.send_str(f"turn {self.turns}")
                        answer = await there.receive(timeout=20)
                        if answer.data != f"turn {self.turns}":
                            raise ConnectionError(f"{answer.type} {answer.data} {answer.extra}")
                        self.turns += 1
                        await asyncio.sleep(0.1)
        except (OSError, aiohttp.ClientError, asyncio.TimeoutError) as error:
            self.lost = repr(error)

    async def stop(self):
        self.over = True
        await self.task


class Listener(Conversation):
    """An event stream whose events come in order, until it is stopped or lost."""

    async def run(self):
        try:
            async with aiohttp.ClientSession() as session:
                async with session.get(self.url + "/events", timeout=aiohttp.ClientTimeout(sock_read=20)) as there:
                    async for line in there.content:
                        if self.over:
                            return
                        if line == b"\n":
                            continue
                        if line != f"data: {self.turns}\n".encode():
                            raise ConnectionError(repr(line))
                        self.turns += 1
            raise ConnectionError("the stream has ended")
        except (OSError, aiohttp.ClientError, asyncio.TimeoutError) as error:
            self.lost = repr(error)
