# SPDX-License-Identifier: Apache-2.0
"""The network between edges: a relay of TCP that delays, and drops what passes between two of them."""
import asyncio
import base64
import json
import re
import socket
import struct
import time

from stage import free_port

# Linux has the kernel's time of arrival come with what is read (socket(7)); Python has no name for it.
SO_TIMESTAMPNS = 35


class Path:
    """Leads to one edge. Whoever dials shows a token that names it, which is how one is told from another.

    A delay counts from when the kernel received the bytes, so that the time this program needs is not added to it.
    """

    def __init__(self, target):
        self.target, self.port = target, free_port()
        # Seconds each way.
        self.delay = 0.0
        self.away = set()
        self.tokens, self.connections = [], []
        self.whole = asyncio.Event()
        self.whole.set()

    async def start(self):
        listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        listener.setblocking(False)
        self.accepting = asyncio.create_task(self.accept(listener))
        return self

    async def accept(self, listener):
        tasks = set()
        with listener:
            while True:
                try:
                    connection, _ = await asyncio.get_running_loop().sock_accept(listener)
                except OSError:
                    # Whoever dialled has left, or the program has no descriptor for it: the next one may find one.
                    await asyncio.sleep(0.01)
                    continue
                tasks.add(task := asyncio.create_task(self.pass_on(connection)))
                task.add_done_callback(tasks.discard)

    def cut(self, pod):
        """Nothing that an edge sends over the path, or is sent, arrives any more; no connection ends."""
        self.away.add(pod)
        self.whole.clear()

    def mend(self):
        """Everything arrives again, but what was under way: connections of that time are dead."""
        for connection in self.connections:
            if connection.pod in self.away:
                connection.abort()
        self.away.clear()
        self.whole.set()

    async def pass_on(self, dialled):
        dialled.setblocking(False)
        dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop, head = asyncio.get_running_loop(), b""
        with dialled:
            while b"\r\n\r\n" not in head:
                try:
                    data = await loop.sock_recv(dialled, 65_536)
                except OSError:
                    return
                if not data:
                    return
                head += data
            found = re.search(rb"Authorization: Bearer (\S+)", head, re.IGNORECASE)
            pod = None
            if found:
                self.tokens.append(found[1].decode())
                body = self.tokens[-1].split(".")[1]
                pod = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["iss"]
            if pod in self.away:
                # Whoever dials hears nothing.
                await self.whole.wait()
                return
            with socket.socket() as target:
                target.setblocking(False)
                target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    await loop.sock_connect(target, ("127.0.0.1", self.target))
                except OSError:
                    return
                if pod in self.away:
                    await self.whole.wait()
                    return
                connection = Relayed(self, pod, dialled, target)
                self.connections.append(connection)
                await connection.run(head)
                self.connections.remove(connection)


class Relayed:
    """A connection over a path."""

    def __init__(self, path, pod, dialled, target):
        self.path, self.pod, self.dialled, self.target = path, pod, dialled, target

    async def run(self, head):
        # What is under way is bounded: a receiver that reads nothing holds the sender up.
        there, back = asyncio.Queue(64), asyncio.Queue(64)
        there.put_nowait((time.monotonic() + self.path.delay, head))
        self.tasks = [
            asyncio.create_task(one)
            for one in (
                self.read(self.dialled, there), self.write(there, self.target),
                self.read(self.target, back), self.write(back, self.dialled))]
        # The end of one side is the end of both, and what came before it arrives.
        await asyncio.wait(self.tasks[1::2], return_when=asyncio.FIRST_COMPLETED)
        await self.end()

    async def end(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def abort(self):
        """Ends with resets."""
        for one in (self.dialled, self.target):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for task in self.tasks:
            task.cancel()

    async def read(self, source, queue):
        source.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        while True:
            try:
                data, at = await arrival(source)
            except OSError:
                data, at = b"", time.monotonic()
            # A cut path says nothing of ends either.
            if self.pod not in self.path.away:
                await queue.put((at + self.path.delay, data))
            if not data:
                return

    async def write(self, queue, target):
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            # Timers of asyncio are late by up to a millisecond, and its turns take long: the last moments are waited for
            # by looking at the clock.
            if due - time.monotonic() > 0.003:
                await asyncio.sleep(due - time.monotonic() - 0.002)
            while due - time.monotonic() > 0.000_3:
                await asyncio.sleep(0)
            while time.monotonic() < due:
                pass
            try:
                if not data:
                    return
                await loop.sock_sendall(target, data)
            except OSError:
                if self.pod in self.path.away:
                    await self.path.whole.wait()
                return


async def arrival(source):
    """Reads, and tells when the kernel received it, on the monotonic clock."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            data, about, *_ = source.recvmsg(262_144, socket.CMSG_SPACE(16))
        except BlockingIOError:
            readable = loop.create_future()
            loop.add_reader(source, lambda: readable.done() or readable.set_result(None))
            try:
                await readable
            finally:
                loop.remove_reader(source)
            continue
        now = time.monotonic()
        for level, kind, value in about:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("ll", value[:16])
                return data, now - max(0.0, time.time() - seconds - nanoseconds / 1e9)
        return data, now
