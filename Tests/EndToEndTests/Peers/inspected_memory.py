#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a connector has resident that keeps what passes, under much of everything.

    inspected_memory.py CULVERT EDGE [--inspect on|off] [--memory SIZE] [--requests N] [--megabytes N] [--bodies N] [--sockets N]
        [--growth MIB]

The API key is in CULVERT_API_KEY. Small requests, bodies down and up, and WebSockets that are busy at the same time pass
a connector, one after the other. Prints what it had resident before, at most, and in the end, in KiB, what passed, how
many exchanges were kept, and how many bytes they are counted as. The end is when it has given memory back for the last
time, or has no more than so many MiB above what it had before.
"""

import argparse
import asyncio
import json
import os
import subprocess
import threading
import time
import urllib.parse
import urllib.request

from free_ports import free_port

PIECE = bytes(range(256)) * 256
HEAD = "Host: {host}\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n"


async def serve(reader, writer):
    """The origin: small answers, long ones, a sink, and the echo of a WebSocket's frames."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            target = head.split(" ")[1]
            if "upgrade" in fields:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                while True:
                    payload = await masked_frame(reader)
                    writer.write(frame(payload))
            left = int(fields.get("content-length", 0))
            while left > 0:
                left -= len(await reader.read(min(left, 1 << 20)))
            size = int(target.rsplit("/", 1)[-1] or 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % size)
            for start in range(0, size, len(PIECE)):
                writer.write(PIECE[: size - start])
                await writer.drain()
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def frame(payload, mask=b""):
    """A binary message of at most 64 KiB."""
    length = len(payload)
    bits = 0x80 if mask else 0
    size = bytes([bits | length]) if length < 126 else bytes([bits | 126]) + length.to_bytes(2, "big")
    return b"\x82" + size + mask + payload


async def masked_frame(reader):
    """The payload of a frame that is masked with zeros."""
    length = (await reader.readexactly(2))[1] & 0x7F
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), "big")
    return (await reader.readexactly(4 + length))[4:]


async def plain_frame(reader):
    length = (await reader.readexactly(2))[1]
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(length)


class Visitor:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.path = parts.path.rstrip("/")
        self.head = HEAD.format(host=parts.netloc)

    async def open(self):
        return await asyncio.open_connection(*self.address, limit=1 << 20)

    def request(self, method, target, fields=""):
        return f"{method} {self.path}{target} HTTP/1.1\r\n{self.head}{fields}\r\n".encode()

    async def answer(self, reader):
        """Reads an answer to its end; returns its size."""
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(head.decode("latin-1"))
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        size = left = int(fields[b"content-length"])
        while left > 0:
            piece = await reader.read(min(left, 1 << 20))
            if not piece:
                raise RuntimeError("the answer was cut")
            left -= len(piece)
        return size

    async def small(self, count):
        reader, writer = await self.open()
        for _ in range(count):
            writer.write(self.request("GET", "/small/200"))
            await self.answer(reader)
        writer.close()

    async def down(self, size):
        reader, writer = await self.open()
        writer.write(self.request("GET", f"/large/{size}"))
        assert await self.answer(reader) == size
        writer.close()

    async def up(self, size):
        reader, writer = await self.open()
        writer.write(self.request("POST", "/sink/2", f"Content-Length: {size}\r\n"))
        for start in range(0, size, len(PIECE)):
            writer.write(PIECE[: size - start])
            await writer.drain()
        await self.answer(reader)
        writer.close()

    async def converse(self, rounds, everyone):
        reader, writer = await self.open()
        fields = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        writer.write(self.request("GET", "/echo/0", fields))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(head.decode("latin-1"))
        await everyone.wait()
        for number in range(rounds):
            payload = PIECE[: (16, 300, 4_000)[number % 3]]
            writer.write(frame(payload, mask=bytes(4)))
            if await plain_frame(reader) != payload:
                raise RuntimeError("a message came back changed")
        # Nobody leaves before all have talked.
        await everyone.wait()
        writer.close()


def resident_kibibytes(pid):
    """0, once the process has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmRSS:")), 0)
    except FileNotFoundError:
        return 0


class Peak(threading.Thread):
    """Looks ten times a second what a process has resident."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.highest = 0
        self.by_phase = {}
        self.phase = "start"
        self.start()

    def run(self):
        while now := resident_kibibytes(self.pid):
            self.highest = max(self.highest, now)
            self.by_phase[self.phase] = max(self.by_phase.get(self.phase, 0), now)
            time.sleep(0.1)


def status(inspector):
    with urllib.request.urlopen(f"http://{inspector}/api/status") as answer:
        return json.load(answer)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("culvert")
    parser.add_argument("edge")
    parser.add_argument("--inspect", choices=["on", "off"], default="on")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--memory", default="50MiB")
    parser.add_argument("--megabytes", type=int, default=3_000)
    parser.add_argument("--bodies", type=int, default=3)
    parser.add_argument("--sockets", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--growth", type=int, default=0)
    arguments = parser.parse_args()
    origin, inspector = free_port(), f"127.0.0.1:{free_port()}"
    server = await asyncio.start_server(serve, "127.0.0.1", origin, limit=1 << 20, backlog=2_000)
    connector = subprocess.Popen(
        [
            arguments.culvert, "http", str(origin), "--edge", arguments.edge, "--name", f"memory-{arguments.inspect}",
            "--max-requests-per-visitor", "10000", "--connections", "2", "--inspect-memory", arguments.memory,
            "--inspect", inspector if arguments.inspect == "on" else "off", "--log-level", "warning",
        ],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        visitor = Visitor(f"{arguments.edge}/memory-{arguments.inspect}")
        await asyncio.to_thread(connector.stdout.readline)
        await visitor.small(1)
        await asyncio.sleep(4)
        idle = resident_kibibytes(connector.pid)
        peak = Peak(connector.pid)
        peak.phase = "requests"
        await asyncio.gather(*(visitor.small(arguments.requests // 16) for _ in range(16)))
        peak.phase = "down"
        for _ in range(arguments.bodies):
            await visitor.down(arguments.megabytes * 1_000_000 // arguments.bodies)
        peak.phase = "up"
        for _ in range(arguments.bodies):
            await visitor.up(arguments.megabytes * 1_000_000 // arguments.bodies)
        peak.phase = "websockets"
        everyone = asyncio.Barrier(arguments.sockets)
        await asyncio.gather(*(visitor.converse(arguments.rounds, everyone) for _ in range(arguments.sockets)))
        peak.phase = "end"
        # What nobody needs any more is given back when the traffic rests, for the last time after 32 seconds.
        deadline = time.monotonic() + 40
        while (after := resident_kibibytes(connector.pid)) > idle + (arguments.growth << 10):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.5)
        report = {
            "idle": idle,
            "peak": peak.highest,
            "phases": peak.by_phase,
            "after": after,
            "messages": arguments.sockets * arguments.rounds,
        }
        if arguments.inspect == "on":
            now = await asyncio.to_thread(status, inspector)
            report |= {"captured": now["count"], "passed": now["total"], "counted": now["memory_used"]}
        print(json.dumps(report))
    finally:
        connector.terminate()
        connector.wait(40)
        server.close()


if __name__ == "__main__":
    os.environ.setdefault("CULVERT_API_KEY", "")
    asyncio.run(main())
