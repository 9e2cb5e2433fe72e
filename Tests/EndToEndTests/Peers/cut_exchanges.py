#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exchanges of every kind that run while connections of the connector break.

    cut_exchanges.py ORIGIN_PORT TUNNEL_URL SECONDS MEBIBYTES FILE

Plays the origin on ORIGIN_PORT, makes FILE when it listens, and waits until FILE is gone. Then for SECONDS: downloads
and uploads of MEBIBYTES, three at once of each, at a pace that makes each last; twenty conversations over an upgraded
connection with a message every 50 ms; three event streams of ten events a second; and POSTs at fifty a second. Prints
`{"failures": [...], "downloads": ..., "uploads": ..., "messages": ..., "events": ..., "posts": ..., "worst_ms": ...}`:
every byte, message and event is compared, and `worst_ms` is the longest wait of a conversation for its answer.
"""

import asyncio
import collections
import hashlib
import json
import pathlib
import sys
import time
import urllib.parse

PIECE = bytes(range(256)) * 256
totals = collections.Counter()
failures = []
worst = 0.0
mebibytes = int(sys.argv[4])
pieces = mebibytes * 16
digest = hashlib.sha256(PIECE * pieces).hexdigest()
# So many seconds a transfer should last: several breaks.
LASTS = 4.0


async def head(reader):
    """The first line, and the fields in lower case."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return lines[0], {name.lower(): value for name, value in fields.items()}


async def body(reader, fields):
    """The pieces of a body."""
    if "content-length" in fields:
        left = int(fields["content-length"])
        while left:
            piece = await reader.read(min(left, 65536))
            if not piece:
                raise EOFError("the body ends early")
            left -= len(piece)
            yield piece
        return
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        piece = await reader.readexactly(size + 2)
        if not size:
            return
        yield piece[:-2]


async def serve(reader, writer):
    """The origin's end of one connection."""
    try:
        while True:
            line, fields = await head(reader)
            method, path = line.split()[:2]
            name = path.rsplit("/", 1)[-1]
            if fields.get("upgrade") == "echo":
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
                while piece := await reader.read(65536):
                    writer.write(piece)
                    await writer.drain()
                return
            if name == "download":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * len(PIECE)))
                for _ in range(pieces):
                    writer.write(PIECE)
                    await writer.drain()
                    await asyncio.sleep(LASTS / pieces)
            elif name == "events":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
                writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
                for number in range(int(float(sys.argv[3]) * 10)):
                    event = b"data: %d\n\n" % number
                    writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                    await writer.drain()
                    await asyncio.sleep(0.1)
                writer.write(b"0\r\n\r\n")
            else:
                sums = hashlib.sha256()
                async for piece in body(reader, fields):
                    sums.update(piece)
                answer = sums.hexdigest().encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, EOFError):
        pass
    finally:
        writer.close()


url = urllib.parse.urlsplit(sys.argv[2])


async def ask(name, fields=""):
    """A connection to the edge on which a request was begun."""
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    method = "POST" if "Length" in fields else "GET"
    writer.write(f"{method} {url.path}{name} HTTP/1.1\r\nHost: {url.netloc}\r\n{fields}\r\n".encode())
    return reader, writer


async def download():
    """One download, compared by its sum."""
    reader, writer = await ask("download")
    line, fields = await head(reader)
    sums = hashlib.sha256()
    async for piece in body(reader, fields):
        sums.update(piece)
    writer.close()
    if " 200 " not in line or sums.hexdigest() != digest:
        failures.append(f"download: {line}, another sum")
    totals["downloads"] += 1


async def upload():
    """One upload, compared by the sum that the origin has."""
    reader, writer = await ask("upload", f"Content-Length: {pieces * len(PIECE)}\r\n")
    for _ in range(pieces):
        writer.write(PIECE)
        await writer.drain()
        await asyncio.sleep(LASTS / pieces)
    line, fields = await head(reader)
    answer = b"".join([piece async for piece in body(reader, fields)]).decode()
    writer.close()
    if " 200 " not in line or answer != digest:
        failures.append(f"upload: {line}, {answer[:40]}")
    totals["uploads"] += 1


async def converse(number, end):
    """One conversation, each message answered before the next."""
    global worst
    reader, writer = await ask("echo", "Connection: upgrade\r\nUpgrade: echo\r\n")
    line, _ = await head(reader)
    if " 101 " not in line:
        return failures.append(f"conversation: {line}")
    count = 0
    while time.monotonic() < end:
        message = b"%04d-%08d" % (number, count)
        begun = time.monotonic()
        writer.write(message)
        if await reader.readexactly(len(message)) != message:
            return failures.append(f"conversation {number}: another message")
        worst = max(worst, time.monotonic() - begun)
        count += 1
        totals["messages"] += 1
        await asyncio.sleep(0.05)
    writer.close()


async def listen():
    """One event stream: every event, once and in order."""
    reader, writer = await ask("events")
    line, fields = await head(reader)
    text = b"".join([piece async for piece in body(reader, fields)]).decode()
    writer.close()
    count = int(float(sys.argv[3]) * 10)
    if " 200 " not in line or text != "".join(f"data: {number}\n\n" for number in range(count)):
        failures.append(f"events: {line}, {text.count('data')} of {count}")
    totals["events"] += text.count("data")


async def post(number):
    """One small POST."""
    content = f"post {number}".encode()
    reader, writer = await ask("post", f"Content-Length: {len(content)}\r\n")
    writer.write(content)
    line, fields = await head(reader)
    answer = b"".join([piece async for piece in body(reader, fields)]).decode()
    writer.close()
    if " 200 " not in line or answer != hashlib.sha256(content).hexdigest():
        failures.append(f"post: {line}")
    totals["posts"] += 1


async def guarded(name, work):
    """Notes what a kind of exchange fails with."""
    try:
        await work
    except Exception as error:  # Whatever it is, the exchange has failed.
        failures.append(f"{name}: {error!r}")


async def again(name, work, end):
    """One exchange after the other."""
    while time.monotonic() < end:
        await guarded(name, work())


async def main():
    """The origin, and everything at once."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    start = pathlib.Path(sys.argv[5])
    start.touch()
    while start.exists():
        await asyncio.sleep(0.05)
    end = time.monotonic() + float(sys.argv[3])
    tasks = [again("download", download, end) for _ in range(3)] + [again("upload", upload, end) for _ in range(3)]
    tasks += [guarded("conversation", converse(number, end)) for number in range(20)]
    tasks += [guarded("events", listen()) for _ in range(3)]

    async def posts():
        """Fifty a second."""
        running = []
        number = 0
        while time.monotonic() < end:
            running.append(asyncio.ensure_future(guarded("post", post(number))))
            number += 1
            await asyncio.sleep(0.02)
        await asyncio.gather(*running)

    await asyncio.gather(posts(), *tasks)
    server.close()
    kinds = ["downloads", "uploads", "messages", "events", "posts"]
    counts = {kind: totals[kind] for kind in kinds}
    print(json.dumps({"failures": failures[:20], "worst_ms": round(worst * 1000), **counts}))


asyncio.run(main())
