# SPDX-License-Identifier: Apache-2.0
"""Raw sockets at both ends: one thread plays the origin, another the visitor, both by a list of steps.

A step is bytes to send or one of the classes below. In bytes, `{base}` stands for the tunnel's path prefix, `{host}`
for the host that the visitor asks for, `{origin}` for what the origin sees in `Host`, `{port}` for the origin's port.
"""

import dataclasses
import queue
import re
import socket
import struct
import threading
import time
import typing

import messages

# For whatever must come, in seconds; a case that passes never waits so long.
PATIENCE = 5
# How long excess bytes are waited for.
GRACE = 0.03


class Failure(Exception):
    pass


@dataclasses.dataclass
class Until:
    """Waits until the peer has sent `end`, counted from what earlier steps have taken."""

    end: bytes


HEAD = Until(b"\r\n\r\n")


@dataclasses.dataclass
class Take:
    """Waits for so many bytes more."""

    count: int


@dataclasses.dataclass
class Body:
    """Waits for a body of so many bytes, or for all of it where the way there may change how it is cut in chunks."""

    count: int


class Whole:
    """Waits until the last message is complete."""


@dataclasses.dataclass
class Ended:
    """Waits until the peer has ended the connection: `how` is "end", "reset" or None for either."""

    within: float = 1.0
    how: str | None = None


@dataclasses.dataclass
class Pause:
    seconds: float = 0.05


@dataclasses.dataclass
class AtOrigin:
    """The visitor waits until the origin has been sent this."""

    what: bytes


@dataclasses.dataclass
class StillOpen:
    """The peer must not end the connection for that long."""

    seconds: float = 0.1


@dataclasses.dataclass
class Drip:
    """Sends a piece again and again until the peer has ended the connection."""

    piece: bytes
    seconds: float = 0.1
    within: float = 8.0


class Shut:
    """Closes one direction."""


class Close:
    pass


class Reset:
    """Closes in a way that discards what is on its way."""


class End:
    """One end of a connection: takes steps, and keeps all that it was sent."""

    def __init__(self, connection):
        self.connection = connection
        self.received = bytearray()
        self.taken = 0
        self.ended = None
        self.changed = threading.Condition()
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        how = "end"
        try:
            while more := self.connection.recv(1 << 16):
                with self.changed:
                    self.received += more
                    self.changed.notify_all()
        except OSError:
            how = "reset"
        with self.changed:
            self.ended = how
            self.changed.notify_all()

    def wait(self, what, holds, seconds=None):
        with self.changed:
            if not self.changed.wait_for(holds, PATIENCE if seconds is None else seconds):
                raise Failure(f"waited in vain for {what}; got {bytes(self.received[-300:])!r} ({self.ended})")

    def take(self, step):
        match step:
            case bytes():
                try:
                    self.connection.sendall(step)
                except OSError as error:
                    raise Failure(f"could not send: {error}") from None
            case Until(end):
                find = lambda: self.received.find(end, self.taken)
                self.wait(end, lambda: find() >= 0 or self.ended)
                if find() < 0:
                    raise Failure(f"ended before {end!r}; got {bytes(self.received[-300:])!r} ({self.ended})")
                self.taken = find() + len(end)
            case Take(count):
                self.wait(f"{count} bytes", lambda: len(self.received) >= self.taken + count or self.ended)
                if len(self.received) < self.taken + count:
                    raise Failure(f"ended before {count} bytes; got {bytes(self.received[-300:])!r} ({self.ended})")
                self.taken += count
            case _ if step is Whole:
                self.wait("a whole message", lambda: messages.is_whole(self.received) or self.ended)
                self.taken = len(self.received)
            case Ended(within, how):
                self.wait(f"the end within {within} s", lambda: self.ended, within)
                if how and self.ended != how:
                    raise Failure(f"the connection ended with {self.ended}, not {how}")
            case Pause(seconds):
                time.sleep(seconds)
            case StillOpen(seconds):
                time.sleep(seconds)
                if self.ended:
                    raise Failure(f"the connection ended ({self.ended})")
            case Drip(piece, seconds, within):
                deadline = time.monotonic() + within
                while not self.ended:
                    if time.monotonic() > deadline:
                        raise Failure(f"the peer took {piece!r} for {within} s")
                    try:
                        self.connection.sendall(piece)
                    except OSError:
                        break
                    with self.changed:
                        self.changed.wait_for(lambda: self.ended, seconds)
            case _ if step is Shut:
                try:
                    self.connection.shutdown(socket.SHUT_WR)
                except OSError as error:
                    raise Failure(f"could not end: {error}") from None
            case _ if step is Close:
                self.close()
            case _ if step is Reset:
                self.close(socket.SHUT_RD, linger=struct.pack("ii", 1, 0))
            case _:
                raise TypeError(step)

    def close(self, how=socket.SHUT_RDWR, linger=None):
        try:
            if linger:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            # Wakes the reader: while it waits the socket would stay open.
            self.connection.shutdown(how)
        except OSError:
            pass
        self.reader.join()
        self.connection.close()


class Origin:
    """The local server: each connection of a case takes the next of the case's scripts."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.scripts = []
        self.ends = []
        self.failures = queue.Queue()
        self.running = []
        self.taken = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self, scripts):
        self.scripts = list(scripts)
        self.ends = []
        self.running = []
        self.failures = queue.Queue()

    def _accept(self):
        while True:
            end = End(self.listener.accept()[0])
            with self.taken:
                self.ends.append(end)
                script = self.scripts.pop(0) if self.scripts else None
                # A script that outlives its case must not speak into the next one.
                thread = threading.Thread(target=self._run, args=(end, script, self.failures), daemon=True)
                thread.start()
                self.running.append(thread)
                self.taken.notify_all()

    def _run(self, end, script, failures):
        if script is None:
            return failures.put(Failure("the origin got a connection too many"))
        try:
            for step in script:
                end.take(step)
        except Failure as failure:
            failures.put(Failure(f"origin: {failure}"))

    def state(self):
        """What it has got, for a message."""
        return [(bytes(end.received[-60:]), end.ended) for end in self.ends] + list(self.failures.queue)

    def reached(self, what):
        """Waits until a connection has brought this."""
        deadline = time.monotonic() + PATIENCE
        while not any(what in end.received for end in self.ends):
            if time.monotonic() > deadline:
                raise Failure(f"waited in vain for {what!r} to reach the origin")
            time.sleep(0.002)

    def finish(self):
        """Waits for all scripts; raises the first failure."""
        with self.taken:
            # A connection may still be on its way from the listener.
            self.taken.wait_for(lambda: not self.scripts, 1)
            running = list(self.running)
        for thread in running:
            thread.join(PATIENCE + 1)
        if not self.failures.empty():
            raise self.failures.get()
        if self.scripts:
            raise Failure(f"the origin got no connection for {self.scripts[0]!r}"[:300])

    def close(self):
        for end in self.ends:
            end.close()


@dataclasses.dataclass
class Place:
    """A tunnel, or another way to the origin, as the visitor and the origin see it."""

    address: tuple
    base: bytes
    host: bytes
    origin: bytes
    port: bytes
    source: str = "127.0.0.1"
    # Makes messages equal that differ in nothing but what the proxy on the way may change.
    allow: typing.Callable = messages.as_it_is
    # Whether chunks are cut anew.
    reframes: bool = False

    def fill(self, template):
        return (
            template.replace(b"{base}", self.base).replace(b"{host}", self.host)
            .replace(b"{origin}", self.origin).replace(b"{port}", self.port)
        )

    def fill_step(self, step):
        match step:
            case bytes():
                return self.fill(step)
            case Until(end):
                return Until(self.fill(end))
            case Body(count):
                return Whole if self.reframes else Take(count)
            case _:
                return step

    def connect(self):
        connection = socket.socket()
        connection.settimeout(PATIENCE)
        connection.bind((self.source, 0))
        connection.connect(self.address)
        return End(connection)


# What the edge adds to each request, and where it says the rest (docs/http.md, "Changed in requests").
ADDED = re.compile(
    rb"(?:X-Forwarded-(?:For|Proto|Host|Prefix)|X-Real-IP|Forwarded|X-Request-Id|Culvert-Hops): [^\r\n]*\r\n"
    rb"|Via: 1\.[01] culvert\r\n"
)


# What the edge adds to a response that does not say when it was made.
DATE = re.compile(rb"Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n")


def without_added(received):
    return ADDED.sub(b"", received)


def without_date(received, expected):
    """Without what the edge adds to responses, unless the origin has sent one."""
    return received if b"Date: " in expected else DATE.sub(b"", received)


def differing(what, expected, got):
    """Says where two byte strings part."""
    at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
    start = max(0, at - 60)
    return Failure(
        f"{what} differs at {at}: expected {len(expected)} bytes …{expected[start:at + 60]!r}, "
        f"got {len(got)} …{got[start:at + 60]!r}"
    )
