#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many requests at once, each of which knows what its answer has to be.

    crowd.py ORIGIN_PORT TUNNEL_URL REQUESTS ROUNDS SEED

Plays the origin on ORIGIN_PORT and the visitors of TUNNEL_URL. Sizes and delays follow from SEED. Each body, both ways,
is made from the request's own name, so that not a single byte can come from another one. Prints
`{"requests": …, "bytes": …, "failures": [text…]}`.
"""

import asyncio
import hashlib
import json
import random
import sys
import urllib.parse

SECONDS = 120
PIECE = 16384


def body_of(name, size):
    """Bytes that only this name has: its digest again and again, each time with its offset."""
    seed = hashlib.sha256(name.encode()).digest()
    block = b"".join(seed + offset.to_bytes(4, "big") for offset in range(size // 36 + 1))
    return block[:size]


async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    return head[0], {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}


async def read_chunks(reader):
    body = bytearray()
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return bytes(body)


async def read_body(reader, fields):
    if fields.get("transfer-encoding") == "chunked":
        return await read_chunks(reader)
    return await reader.readexactly(int(fields.get("content-length", 0)))


def framed(body, is_chunked, choice):
    """The fields, and the body in pieces, chunked when asked for."""
    cuts = [body[at : at + PIECE] for at in range(0, len(body), PIECE)]
    pauses = {index: choice.random() / 50 for index in choice.sample(range(len(cuts)), min(2, len(cuts)))}
    if not is_chunked:
        return f"Content-Length: {len(body)}\r\n", [(piece, pauses.get(index, 0)) for index, piece in enumerate(cuts)]
    pieces = [(b"%x\r\n%s\r\n" % (len(piece), piece), pauses.get(index, 0)) for index, piece in enumerate(cuts)]
    return "Transfer-Encoding: chunked\r\n", [*pieces, (b"0\r\n\r\n", 0)]


async def send(writer, head, pieces):
    writer.write(head.encode())
    for piece, pause in pieces:
        writer.write(piece)
        await writer.drain()
        if pause:
            await asyncio.sleep(pause)
    await writer.drain()


async def serve(reader, writer):
    """The origin: says in the answer whose request it was, and checks that its body was the right one."""
    try:
        while True:
            line, fields = await read_head(reader)
            name = urllib.parse.urlsplit(line.split(" ")[1]).path.lstrip("/")
            size = int(fields["answer-size"])
            choice = random.Random(f"origin {name}")
            reading = asyncio.create_task(read_body(reader, fields))
            # Some answers are on their way before the request's body is there.
            if choice.random() < 0.8:
                await reading
            await asyncio.sleep(choice.random() / 5)
            length, pieces = framed(body_of(f"down {name}", size), choice.random() < 0.5, choice)
            await send(writer, f"HTTP/1.1 200 OK\r\n{length}Name: {name}\r\n\r\n", pieces)
            if await reading != body_of(f"up {name}", int(fields["request-size"])):
                FAILURES.append(f"{name}: the origin got the wrong body")
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


FAILURES = []


async def visit(url, name, choice):
    """One request; gives how many bytes passed."""
    parts = urllib.parse.urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
    try:
        # Mostly small, now and then beyond every window.
        sizes = [int(2 ** choice.uniform(0, 18)) for _ in range(2)]
        up = sizes[0] if choice.random() < 0.5 else 0
        await asyncio.sleep(choice.random() / 10)
        fields, pieces = framed(body_of(f"up {name}", up), choice.random() < 0.5, choice)
        head = (
            f"POST {parts.path}{name} HTTP/1.1\r\nHost: here\r\n{fields}"
            f"Answer-Size: {sizes[1]}\r\nRequest-Size: {up}\r\n\r\n"
        )
        sending = asyncio.create_task(send(writer, head, pieces))
        status, fields = await read_head(reader)
        body = await read_body(reader, fields)
        await sending
        if " 200 " not in status:
            raise ValueError(f"{status} {body[:200]}")
        if fields.get("name") != name:
            raise ValueError(f"the answer to {fields.get('name')}")
        if body != body_of(f"down {name}", sizes[1]):
            raise ValueError(f"a wrong body of {len(body)} bytes in place of {sizes[1]}")
        return up + sizes[1]
    finally:
        writer.close()


async def main():
    port, url, requests, rounds, seed = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])
    await asyncio.start_server(serve, "127.0.0.1", port, backlog=2048, limit=1 << 20)

    async def attempt(name):
        try:
            return await asyncio.wait_for(visit(url, name, random.Random(f"{seed} {name}")), SECONDS)
        except Exception as error:
            FAILURES.append(f"{name}: {type(error).__name__}: {error}")
            return None

    passed = []
    for number in range(rounds):
        passed += await asyncio.gather(*(attempt(f"{number}-{index}") for index in range(requests)))
    done = [size for size in passed if size is not None]
    print(json.dumps({"requests": len(done), "bytes": sum(done), "failures": FAILURES[:5]}))


if __name__ == "__main__":
    asyncio.run(main())
