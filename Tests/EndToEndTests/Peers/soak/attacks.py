# SPDX-License-Identifier: Apache-2.0
"""What hostile visitors do, each attack without an end; a count tells that it is at work."""

import asyncio
import base64
import collections
import json
import os

Target = collections.namedtuple("Target", "port admin key name")
LOCKED_TUNNELS = 8
HELD = {"idle": 2_400, "half_heads": 1_200, "read_ahead": 600}


def run(attack, target, address, count):
    # Attackers bring processors of their own; here they share the edge's, and must not be what slows it down.
    os.nice(10)

    def counted(number=1):
        count.value += number

    asyncio.run(attack(target, address, counted))


def serve_origin(port):
    """Answers every request; `/hold` begins an answer and never goes on, `/pieces` is one in hostile pieces without end."""

    async def serve(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"/hold" in head:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\n")
                    await reader.read()
                    return
                if b"/pieces" in head:
                    await drip(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CUT, PIECE, lambda _: None)
                if b"chunked" in head.lower():
                    while await reader.read(1 << 16):
                        pass
                    return
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 18, backlog=1_024)
        await server.serve_forever()

    asyncio.run(main())


async def connect(port, address):
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0), limit=1 << 18)


async def again(attempt, pause=0.1):
    """Does something over and over, whatever becomes of it."""
    while True:
        try:
            await attempt()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass
        await asyncio.sleep(pause)


# Each piece ends in the middle of a size line.
CUT = b"1;" + b"a" * 1950
PIECE = (b"a" * 1950 + b"\r\nx\r\n" + CUT) * 15


async def drip(writer, first, piece, counted, pause=0.01):
    writer.write(first)
    while not writer.is_closing():
        writer.write(piece)
        await writer.drain()
        counted(len(piece))
        await asyncio.sleep(pause)


async def dropped(reader):
    while await reader.read(1 << 16):
        pass


async def unread_answers(port, requests, address, counted, connections):
    """Requests that the edge answers itself, one behind the other; no answer is read."""

    async def attempt(request):
        _, writer = await connect(port, address)
        # The transport stops reading only if it is told to.
        writer.transport.pause_reading()
        try:
            async with asyncio.timeout(20):
                while not writer.is_closing():
                    writer.write(request * (65_536 // len(request)))
                    await writer.drain()
                    counted()
                    await asyncio.sleep(0.02)
        finally:
            writer.transport.abort()

    await asyncio.gather(*(again(lambda: attempt(requests[n % len(requests)])) for n in range(connections)))


async def pipelined(target, address, counted):
    heads = [b"GET /api/openapi.json", b"GET /nobody/", b"GET /nobody", f"GET /{target.name}/".encode()]
    requests = [head + b" HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n" for head in heads]
    await unread_answers(target.port, requests, address, counted, 16)


async def admin(target, address, counted):
    await unread_answers(target.admin, [b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"], address, counted, 4)


async def held(port, address, counted, number, first, rest=b""):
    """Keeps connections that have sent something and then nothing; those that end are made anew."""
    pace = asyncio.Semaphore(16)

    async def attempt():
        async with pace:
            reader, writer = await connect(port, address)
            writer.write(first)
            if rest:
                await asyncio.sleep(0.05)
                writer.write(rest)
            counted()
            await asyncio.sleep(0.02)
        try:
            await dropped(reader)
        finally:
            writer.transport.abort()

    await asyncio.gather(*(again(attempt, pause=1) for _ in range(number)))


async def half_heads(target, address, counted):
    head = b"GET /nobody/ HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 60_000
    await held(target.port, address, counted, HELD["half_heads"], head)


async def read_ahead(target, address, counted):
    head = f"GET /{target.name}/hold HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    await held(target.port, address, counted, HELD["read_ahead"], head, head + b"GET / HTTP/1.1\r\nX: " + b"b" * 120_000)


async def idle(target, address, counted):
    await held(target.port, address, counted, HELD["idle"], b"")


async def costly_heads(target, address, counted):
    fields = [
        *("Connection: " + "a," * 30_000, "TE: " + "a," * 30_000, "Accept: " + "a," * 30_000),
        *("Accept: " + "text/html;q=0.1," * 3_800, "X-A: " + "a" * 60_000),
        "\r\n".join(f"X-{n}: {'a' * 480}" for n in range(120)),
        "Connection: " + ",".join(f"x-{n}" for n in range(8_000)) + "".join(f"\r\nX-{n}: a" for n in range(100)),
    ]
    requests = [
        f"GET {path} HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n".encode()
        for path in [f"/{target.name}/", "/nobody/", "/api/tunnels/list"]
        for field in fields
    ] + [f"GET /nobody/{'a' * 60_000} HTTP/1.1\r\nHost: x\r\n\r\n".encode()]

    async def attempt():
        for request in requests:
            reader, writer = await connect(target.port, address)
            writer.write(request)
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            counted()
            await asyncio.sleep(0.05)

    await again(attempt)


async def hostile_pieces(target, address, counted):
    """Uploads, downloads and requests of which every read ends in the middle of something."""
    head = f"POST /{target.name}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    request = b"GET /nobody/ HTTP/1.1\r\nHost: x\r\nX-Filler: " + b"a" * 3_000 + b"\r\n\r\n"
    pipeline = request * 12

    async def send(first, piece, pause):
        reader, writer = await connect(target.port, address)
        reading = asyncio.create_task(dropped(reader))
        try:
            await drip(writer, first, piece, counted, pause)
        finally:
            reading.cancel()
            writer.transport.abort()

    async def receive():
        reader, writer = await connect(target.port, address)
        writer.write(f"GET /{target.name}/pieces HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        try:
            while got := await reader.read(1 << 16):
                counted(len(got))
        finally:
            writer.transport.abort()

    await asyncio.gather(
        again(lambda: send(head + CUT, PIECE, 0.01)),
        again(lambda: send(request[:1_500], pipeline[1_500:] + pipeline[:1_500], 0.05)),
        again(receive),
    )


async def guesses(target, address, counted):
    """Passwords guessed at many tunnels."""

    async def attempt(number):
        user = base64.b64encode(f"eve:{os.urandom(6).hex()}".encode()).decode()
        reader, writer = await connect(target.port, address)
        try:
            head = f"GET /locked-{number % LOCKED_TUNNELS}/ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {user}\r\n\r\n"
            writer.write(head.encode())
            await reader.readuntil(b"\r\n\r\n")
            counted()
        finally:
            writer.transport.abort()

    await asyncio.gather(*(again(lambda n=n: attempt(n), pause=0.02) for n in range(LOCKED_TUNNELS)))


async def new_passwords(target, address, counted):
    """Tunnels with sixteen passwords each, made and deleted by somebody with a key."""

    async def ask(method, path, body=None):
        data = b"" if body is None else json.dumps(body).encode()
        reader, writer = await connect(target.port, address)
        try:
            writer.write(
                f"{method} /api/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.key}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
            return await reader.read()
        finally:
            writer.transport.abort()

    async def attempt(number):
        users = [{"username": f"u{user}", "password": os.urandom(8).hex()} for user in range(16)]
        name = f"made-{number}"
        # Counted when it is asked: hashing sixteen passwords may take longer than the attack.
        counted()
        await ask("POST", "tunnels/create", {"name": name, "policy": {"basic_auth": users}})
        await ask("DELETE", f"tunnels/{name}")

    await asyncio.gather(*(again(lambda n=n: attempt(n)) for n in range(4)))


ATTACKS = {
    "admin": admin,
    "costly_heads": costly_heads,
    "guesses": guesses,
    "half_heads": half_heads,
    "hostile_pieces": hostile_pieces,
    "idle": idle,
    "new_passwords": new_passwords,
    "pipelined": pipelined,
    "read_ahead": read_ahead,
}
