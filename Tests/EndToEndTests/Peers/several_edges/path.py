# SPDX-License-Identifier: Apache-2.0
"""The network between edges: a relay of TCP that delays, and drops what passes between two of them."""
import asyncio
import base64
import collections
import json
import re
import time

from stage import free_port


class Path:
    """Leads to one edge. Whoever dials shows a token that names it, which is how one is told from another."""

    def __init__(self, target):
        self.target, self.port = target, free_port()
        # Seconds each way, and what is on its way.
        self.delay, self.due = 0.0, collections.deque()
        self.away = set()
        self.tokens, self.open = [], []
        self.whole = asyncio.Event()
        self.whole.set()

    async def start(self):
        self.server = await asyncio.start_server(self.pass_on, "127.0.0.1", self.port)
        return self

    def later(self, call, *arguments):
        """Calls when the delay is over."""
        self.due.append((time.monotonic() + self.delay, call, arguments))
        if len(self.due) == 1:
            self.turn()

    def turn(self):
        """Calls what is due. Timers of asyncio are late by up to a millisecond: the last moments are spent in turns."""
        while self.due and self.due[0][0] <= time.monotonic():
            _, call, arguments = self.due.popleft()
            call(*arguments)
        if self.due:
            loop, left = asyncio.get_running_loop(), self.due[0][0] - time.monotonic()
            if left > 0.003:
                loop.call_later(left - 0.002, self.turn)
            else:
                loop.call_soon(self.turn)

    def cut(self, pod):
        """Nothing that an edge sends over the path, or is sent, arrives any more; no connection ends."""
        self.away.add(pod)
        self.whole.clear()

    def mend(self):
        """Everything arrives again, but what was under way: connections of that time are dead."""
        for pod, writers in self.open:
            if pod in self.away:
                for writer in writers:
                    writer.transport.abort()
        self.away.clear()
        self.whole.set()

    async def pass_on(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError):
            return writer.close()
        found = re.search(rb"Authorization: Bearer (\S+)", head, re.IGNORECASE)
        pod = None
        if found:
            self.tokens.append(found[1].decode())
            body = self.tokens[-1].split(".")[1]
            pod = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["iss"]
        if pod in self.away:
            # Whoever dials hears nothing.
            await self.whole.wait()
            return writer.close()
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.open.append((pod, (writer, there_writer)))
        try:
            await asyncio.gather(
                self.carry(reader, there_writer, pod, head), self.carry(there_reader, writer, pod, b""))
        except asyncio.CancelledError:
            # The trial is over.
            pass

    async def carry(self, reader, writer, pod, data):
        try:
            while data or (data := await reader.read(262_144)):
                if pod in self.away:
                    pass
                elif self.delay:
                    self.later(writer.write, data)
                else:
                    writer.write(data)
                    await writer.drain()
                data = b""
        except OSError:
            pass
        if pod not in self.away:
            self.later(writer.close)
