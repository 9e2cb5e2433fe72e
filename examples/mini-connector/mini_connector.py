#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The smallest connector that conforms to the protocol: one session, HTTP alone, explained in docs/mini-connector.md.

    CULVERT_TOKEN=… python3 mini_connector.py PORT        (pip install websockets)
"""

import asyncio
import base64
import json
import os
import random
import struct
import sys
import time
import urllib.error
import urllib.request

import websockets

DATA, OPEN, OPEN_ACK, REJECT, WINDOW_UPDATE, BLOCKED, RESET, STOP_SENDING = range(8)
PING, PONG, GOAWAY, MAX_STREAMS, HELLO = 0x08, 0x09, 0x0A, 0x0B, 0x0C
FIN = DRAIN = 0x01
HTTP, UNSUPPORTED_KIND, CONNECT_REFUSED, LOCAL_IO_ERROR = 0x01, 0x2A, 0x22, 0x21
WINDOW, CONNECTION_WINDOW, SLOTS, PIECE = 65536, 16 << 20, 256, 16352


def claims(token):
    """What the token says: it is a JWT, whose middle part is JSON. The edge checks its signature, and nobody else."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def frame(kind, stream, payload=b"", flags=0):
    """A frame: type, flags, length and stream, then the payload (B.3.2)."""
    return struct.pack(">BBHI", kind, flags, len(payload), stream) + payload


class Stream:
    """One connection to the local server, opened by the edge (B.4.2)."""

    def __init__(self, session, number, window):
        self.session, self.number = session, number
        self.limit, self.sent = window, 0  # what the edge lets us send, and what we have sent
        self.granted, self.consumed = WINDOW, 0  # the same the other way
        self.arrived = asyncio.Queue()  # bounded by the window; None is the end
        self.may_send = asyncio.Event()
        self.stopped = False
        self.task = asyncio.create_task(self.run())

    async def run(self):
        """Connects, says so, and moves bytes both ways until both directions have ended."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.session.port)
        except OSError:
            # Nothing was delivered: the edge may try elsewhere (B.9.6).
            await self.session.give_up(self, REJECT, CONNECT_REFUSED)
            return
        try:
            await self.session.send(frame(OPEN_ACK, self.number))
            await asyncio.gather(self.to_local(writer), self.to_edge(reader))
            self.session.over(self)
        except OSError:
            await self.session.give_up(self, RESET, LOCAL_IO_ERROR)
        finally:
            writer.close()

    async def to_local(self, writer):
        """Writes what has arrived, and grants as much again once the local server has taken it (B.7.3)."""
        while (piece := await self.arrived.get()) is not None:
            writer.write(piece)
            await writer.drain()
            self.consumed += len(piece)
            if self.consumed + WINDOW - self.granted >= WINDOW // 4:
                self.granted = self.consumed + WINDOW
                await self.session.send(frame(WINDOW_UPDATE, self.number, struct.pack(">Q", self.granted)))
        if writer.can_write_eof():
            writer.write_eof()

    async def to_edge(self, reader):
        """Reads from the local server as fast as the edge gives credit for, and no faster."""
        while piece := await reader.read(PIECE):
            while piece and not self.stopped:
                room = min(len(piece), self.limit - self.sent, self.session.limit - self.session.sent)
                if room <= 0:
                    self.may_send.clear()
                    await self.may_send.wait()
                    continue
                self.sent += room
                self.session.sent += room
                await self.session.send(frame(DATA, self.number, piece[:room]))
                piece = piece[room:]
            if self.stopped:
                break
        await self.session.send(frame(DATA, self.number, flags=FIN))


class Session:
    """One WebSocket to the edge (B.2)."""

    def __init__(self, socket, port):
        self.socket, self.port = socket, port
        self.streams = {}
        self.limit, self.sent = CONNECTION_WINDOW, 0
        self.received, self.granted = 0, CONNECTION_WINDOW
        self.slots = SLOTS  # how many streams the edge may have opened, all in all
        self.waiting, self.barrier, self.pings = [], [], 0
        self.draining = False

    async def send(self, *frames):
        """Sends a message of whole frames."""
        await self.socket.send(b"".join(frames))

    async def run(self):
        """Greets, and reads until the connection ends. It never waits for a local server: credit bounds what comes."""
        settings = struct.pack(">HHI", 0x0003, 4, SLOTS)
        await self.send(frame(HELLO, 0, struct.pack(">IBBHQ", 0x4D555831, 0, 1, 0, 0) + settings))
        async for message in self.socket:
            offset = 0
            while offset < len(message):
                kind, flags, length, stream = struct.unpack_from(">BBHI", message, offset)
                payload = message[offset + 8 : offset + 8 + length]
                offset += 8 + length
                await self.take(kind, flags, stream, payload)
            if self.draining and not self.streams:
                return

    async def take(self, kind, flags, number, payload):
        """Acts on one frame; what is not here needs no answer."""
        stream = self.streams.get(number)
        if kind == HELLO:
            for name, value in self.entries(payload[16:]):
                if name == 0x0002:
                    self.limit = int.from_bytes(value, "big")
        elif kind == OPEN:
            what, _, _, window, _ = struct.unpack_from(">BBHII", payload)
            self.streams[number] = Stream(self, number, window) if what == HTTP else None
            if what != HTTP:
                await self.give_up(number, REJECT, UNSUPPORTED_KIND)
        elif kind == DATA:
            # Credit of the session comes back at once, that of the stream when the bytes are used (B.7.2).
            self.received += len(payload)
            if self.received + CONNECTION_WINDOW - self.granted >= CONNECTION_WINDOW // 16:
                self.granted = self.received + CONNECTION_WINDOW
                await self.send(frame(WINDOW_UPDATE, 0, struct.pack(">Q", self.granted)))
            if stream and payload:
                stream.arrived.put_nowait(payload)
            if stream and flags & FIN:
                stream.arrived.put_nowait(None)
        elif kind == WINDOW_UPDATE:
            value = int.from_bytes(payload, "big")
            if number == 0:
                self.limit = max(self.limit, value)
            elif stream:
                stream.limit = max(stream.limit, value)
            for each in filter(None, self.streams.values()):
                each.may_send.set()
        elif kind == RESET and stream:
            stream.task.cancel()
            self.over(stream)
        elif kind == STOP_SENDING and stream:
            stream.stopped = True
            stream.may_send.set()
        elif kind == PING:
            await self.send(frame(PONG, 0, payload))
        elif kind == PONG and self.barrier:
            # Nothing that was on its way to a stream that we gave up can come any more (B.6.4).
            await self.free(self.barrier)
            self.barrier = []
            await self.raise_barrier()
        elif kind == GOAWAY:
            self.draining = True
        elif kind < 0x80 and kind > 0x0E:
            raise ValueError(f"a frame of type {kind}, which this connector does not know")

    @staticmethod
    def entries(payload):
        """The type-length-value entries of a payload (B.3.3)."""
        offset = 0
        while offset < len(payload):
            name, length = struct.unpack_from(">HH", payload, offset)
            yield name, payload[offset + 4 : offset + 4 + length]
            offset += 4 + length

    def over(self, stream):
        """A stream ended in good order: the edge may open another one in its place."""
        if self.streams.pop(stream.number, None):
            asyncio.ensure_future(self.free([stream.number]))

    async def give_up(self, stream, kind, code):
        """Rejects or resets a stream; its place is free when a PING has come back that was sent behind it."""
        number = stream if isinstance(stream, int) else stream.number
        self.streams.pop(number, None)
        self.waiting.append(number)
        await self.send(frame(kind, number, struct.pack(">I", code)))
        if not self.barrier:
            await self.raise_barrier()

    async def raise_barrier(self):
        """Sends the PING for those that have been given up since the last one."""
        self.barrier, self.waiting = self.waiting, []
        if self.barrier:
            self.pings += 1
            await self.send(frame(PING, 0, struct.pack(">Q", self.pings)))

    async def free(self, numbers):
        """Lets the edge open as many streams again (B.6.4)."""
        self.slots += len(numbers)
        await self.send(frame(MAX_STREAMS, 0, struct.pack(">I", self.slots)))


def renewed(token):
    """A successor of the token, with nothing but itself: asked for at two thirds of its life (docs/api.md)."""
    said = claims(token)
    request = urllib.request.Request(
        f"{said['edge']}/api/tunnels/{said['sub']}/renew", method="POST", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)["token"]


def asked_wait(headers):
    """How many seconds a server wants to be left alone, if it says so."""
    text = headers.get("Retry-After", "")
    return min(int(text), 300) if text.isdigit() else 0


class Token:
    """The tunnel's token, and in time its successor, while sessions come and go."""

    def __init__(self, text):
        self.text = text

    async def keep(self):
        """Asks for a successor at two thirds of each token's life, and again where the edge can't be asked."""
        while True:
            said = claims(self.text)
            await asyncio.sleep(max(0, said["iat"] + (said["exp"] - said["iat"]) * 2 / 3 - time.time()))
            try:
                self.text = await asyncio.to_thread(renewed, self.text)
            except (OSError, ValueError, KeyError) as error:
                wait = asked_wait(error.headers) if isinstance(error, urllib.error.HTTPError) else 0
                await asyncio.sleep(max(wait, random.uniform(1, 5)))


async def main():
    """Dials where the token says, and again for ever."""
    token, port, pause = Token(os.environ["CULVERT_TOKEN"].strip()), int(sys.argv[1]), 0.25
    print(claims(token.text)["url"], flush=True)
    keeping = asyncio.create_task(token.keep())
    while not keeping.done():
        said, wait = claims(token.text), 0
        address = said["edge"].replace("http", "ws", 1) + "/api/tunnel/connect/" + said["sub"]
        try:
            async with websockets.connect(
                address,
                subprotocols=["culvert.mux.v1"],
                additional_headers={"Authorization": f"Bearer {token.text}"},
                compression=None,  # an extension would end the connection (B.2)
                ping_interval=None,  # the edge asks for signs of life with frames of its own
                max_size=65536,
            ) as socket:
                await Session(socket, port).run()
                pause = 0.25
        except websockets.InvalidStatus as refusal:
            if refusal.response.status_code in (401, 403, 404):
                sys.exit(f"the edge refuses the token: HTTP {refusal.response.status_code}")
            wait = asked_wait(refusal.response.headers)
        except (OSError, websockets.WebSocketException):
            pass
        await asyncio.sleep(max(wait, random.uniform(0, pause)))
        pause = min(2 * pause, 30)


if __name__ == "__main__":
    asyncio.run(main())
