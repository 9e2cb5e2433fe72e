# SPDX-License-Identifier: Apache-2.0
"""How a connection ends, for raw sockets at both sides: the same in a tunnel of TCP, one of TLS, and private access."""
import contextlib
import os
import socket
import threading
import time

import access
from passthrough import DOMAIN, Passthrough
from stage import Origin, read_all, read_exactly, reset, until

# What a TLS client says first, with a server name; the edge looks at no more, so that the rest may be anything.
NAME = f"box.{DOMAIN}".encode()


def client_hello(name):
    def vector(body, width):
        return len(body).to_bytes(width, "big") + body

    server = vector(b"\0" + vector(name, 2), 2)
    extensions = b"\0\0" + vector(server, 2)
    body = b"\x03\x03" + os.urandom(32) + vector(b"", 1) + vector(b"\x13\x01", 2) + vector(b"\0", 1) + vector(extensions, 2)
    return b"\x16\x03\x01" + vector(b"\x01" + vector(body, 3), 2)


class Kind:
    """A way to an origin: where the visitor connects, and what has to be said first."""

    def __init__(self, name, port, first=b""):
        self.name, self.port, self.first = name, port, first

    def visit(self, stage):
        connection = stage.visit(self.port)
        if self.first:
            connection.sendall(self.first)
        return connection


@contextlib.contextmanager
def kinds(stage, origin):
    """The three kinds of way to one origin."""
    _, port = stage.connect(origin.port)
    stage.serve(origin.port, "box")
    access.serve(stage, origin.port, "--name", "hidden")
    _, local = access.Visitor(stage).listen("hidden")
    yield [Kind("tcp", port), Kind("tls", stage.tls_port, client_hello(NAME)), Kind("access", local)]


class Observer(Origin):
    """An origin whose connections do what the case says, in the order in which they come."""

    def __init__(self):
        self.behaviour = None
        super().__init__(lambda connection: self.behaviour(connection))


def ending(connection):
    """How the peer's direction ends: the bytes, and "end" or "reset"."""
    parts = []
    while True:
        try:
            part = connection.recv(1 << 16)
        except ConnectionResetError:
            return b"".join(parts), "reset"
        if not part:
            return b"".join(parts), "end"
        parts.append(part)


def visitor_ends(binaries):
    """What a visitor does to its direction, the origin sees exactly: an end, a reset, or an end and then a reset."""
    with Passthrough(binaries, has_ports=True) as stage:
        origin = Observer()
        with kinds(stage, origin) as ways:
            for way in ways:
                first = way.first
                seen = []

                def watch(connection):
                    seen.append(ending(connection))
                    seen.append("answered" if connection.send(b"late") else "")
                    connection.close()

                def begun(connection):
                    read_exactly(connection, len(first) + 1)
                    connection.sendall(b"go")
                    seen.append(ending(connection))
                    # Whoever is gone resets what comes now.
                    with contextlib.suppress(OSError):
                        while True:
                            connection.sendall(bytes(1 << 14))
                            time.sleep(0.01)
                    seen.append("reset")
                    connection.close()

                # The end at once, without a byte and with one: the answer still comes.
                for data in (b"", b"x"):
                    origin.behaviour, seen[:] = watch, []
                    with way.visit(stage) as visitor:
                        visitor.sendall(data)
                        visitor.shutdown(socket.SHUT_WR)
                        assert ending(visitor) == (b"late", "end"), (way.name, data)
                    assert seen[0] == (first + data, "end"), (way.name, seen)
                # A reset is no end.
                origin.behaviour, seen[:] = begun, []
                visitor = way.visit(stage)
                visitor.sendall(b"x")
                assert read_exactly(visitor, 2) == b"go"
                reset(visitor)
                until(f"{way.name}: the origin saw the reset", 5, lambda: seen)
                assert seen[0] == (b"", "reset"), (way.name, seen)
                # An end, and a reset behind it: for whoever sends the second one is to be seen.
                for leave in (reset, socket.socket.close):
                    origin.behaviour, seen[:] = begun, []
                    visitor = way.visit(stage)
                    visitor.sendall(b"x")
                    assert read_exactly(visitor, 2) == b"go"
                    visitor.shutdown(socket.SHUT_WR)
                    until(f"{way.name}: the origin saw the end", 5, lambda: seen)
                    leave(visitor)
                    assert seen[0] == (b"", "end"), (way.name, seen)
                    until(f"{way.name}: the origin saw the reset behind the end", 10, lambda: len(seen) == 2)
                # A reset while the origin sends what nobody reads, and has ended its own direction.
                def pour(connection):
                    read_exactly(connection, len(first) + 1)
                    connection.sendall(bytes(2 << 20))
                    connection.shutdown(socket.SHUT_WR)
                    seen.append(ending(connection))

                origin.behaviour, seen[:] = pour, []
                visitor = stage.visit_narrow(way.port)
                visitor.sendall(first + b"x")
                time.sleep(0.3)
                reset(visitor)
                until(f"{way.name}: the origin saw the end", 10, lambda: seen)
                assert seen[0] == (b"", "reset"), (way.name, "unread", seen)


def origin_ends(binaries):
    """What an origin does to its direction, the visitor sees exactly, and what an upload has queued still arrives."""
    with Passthrough(binaries, has_ports=True) as stage:
        origin = Observer()
        with kinds(stage, origin) as ways:
            for way in ways:
                first = way.first
                # Closed at once, with a greeting: bytes and the end.
                def greet(connection):
                    read_exactly(connection, len(first) + 1)
                    connection.sendall(b"hello")
                    connection.close()

                origin.behaviour = greet
                with way.visit(stage) as visitor:
                    visitor.sendall(b"x")
                    assert read_exactly(visitor, 5) == b"hello"
                    assert visitor.recv(1) == b"", way.name
                    # Nobody is there any more: who goes on sending is told.
                    with contextlib.suppress(ConnectionError):
                        for _ in range(500):
                            visitor.sendall(b"more")
                            time.sleep(0.01)
                        raise AssertionError(f"{way.name}: the visitor sends into the void")
                # Ends its direction, takes an upload slowly and all of it.
                heard = []

                def swallow(connection):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
                    connection.shutdown(socket.SHUT_WR)
                    time.sleep(1)
                    heard.append(ending(connection))
                    connection.close()

                origin.behaviour = swallow
                with way.visit(stage) as visitor:
                    data = os.urandom(4 << 20)
                    sender = threading.Thread(target=lambda: (visitor.sendall(data), visitor.shutdown(socket.SHUT_WR)))
                    sender.start()
                    assert visitor.recv(1) == b""
                    sender.join()
                    until(f"{way.name}: the origin heard all", 20, lambda: heard)
                    assert heard[0] == (first + data, "end"), (way.name, len(heard[0][0]), heard[0][1])
                # A reset, at once and behind bytes.
                for greeting in (b"", b"hello"):
                    def break_off(connection):
                        read_exactly(connection, len(first) + 1)
                        connection.sendall(greeting)
                        time.sleep(0.1)
                        reset(connection)

                    origin.behaviour = break_off
                    with way.visit(stage) as visitor:
                        visitor.sendall(b"x")
                        assert ending(visitor) == (greeting, "reset"), (way.name, greeting)
        until("all are over", 10, lambda: stage.metric("culvert_active_connections") == 0)


def early(binaries):
    """Visitors who say all they have before anything is ready lose none of it, and one who is gone leaves nothing behind."""
    with Passthrough(binaries, has_ports=True) as stage:
        seen = []
        origin = Origin(lambda connection: (seen.append(ending(connection)), connection.close()))
        with kinds(stage, origin) as ways:
            for way in ways:
                data = os.urandom(300_000)
                with stage.visit(way.port) as visitor:
                    visitor.sendall(way.first + data)
                    visitor.shutdown(socket.SHUT_WR)
                    assert read_all(visitor) == b""
                assert seen.pop() == (way.first + data, "end"), way.name
                reset(stage.visit(way.port))
        until("all are over", 10, lambda: stage.metric("culvert_active_connections") == 0)


CASES = [visitor_ends, origin_ends, early]
