# SPDX-License-Identifier: Apache-2.0
"""Raw sockets at both ends of a tunnel of TCP: what ends how, and what is bounded."""
import contextlib
import hashlib
import multiprocessing
import os
import resource
import selectors
import socket
import struct
import threading
import time

from stage import Origin, Stage, free_port, is_reset, read_all, read_exactly, reset, until

LARGE = 8 << 20
LONG = os.environ.get("CULVERT_LONG") == "1"


def echo(connection):
    while part := connection.recv(1 << 16):
        connection.sendall(part)
    connection.sendall(b"bye")
    connection.close()


def half_close(binaries):
    """Bytes of any size arrive equal, and the end of one direction leaves the other open."""
    with Stage(binaries) as stage:
        origin = Origin(echo)
        connector, port = stage.connect(origin.port)
        for size in (0, 1, 65_537, LARGE):
            data = os.urandom(size)
            with stage.visit(port) as visitor:
                sender = threading.Thread(target=lambda: (visitor.sendall(data), visitor.shutdown(socket.SHUT_WR)))
                sender.start()
                assert read_all(visitor) == data + b"bye", f"{size} bytes"
                sender.join()
        line = stage.line(4)
        assert (line["received"], line["sent"]) == (str(LARGE), str(LARGE + 3)), line
        assert line["kind"] == "tcp" and line["port"] == str(port) and "error" not in line, line
        until("the connector's line", 5, lambda: f'"received":{LARGE}' in connector.log.read_text())
        # The other way round: the origin ends first, and still hears what the visitor says.
        heard = []

        def talk_first(connection):
            connection.sendall(b"hello")
            connection.shutdown(socket.SHUT_WR)
            heard.append(read_all(connection))
            connection.close()

        origin = Origin(talk_first)
        _, port = stage.connect(origin.port)
        with stage.visit(port) as visitor:
            assert read_all(visitor) == b"hello"
            time.sleep(0.2)
            visitor.sendall(b"after the end")
            visitor.shutdown(socket.SHUT_WR)
            until("the origin heard it", 5, lambda: heard == [b"after the end"])
            assert visitor.recv(1) == b""


def resets(binaries):
    """A reset of either end is a reset at the other, and an origin that is not there is a reset before a byte."""
    with Stage(binaries) as stage:
        def reset_after_a_byte(connection):
            connection.recv(1)
            reset(connection)

        _, port = stage.connect(Origin(reset_after_a_byte).port)
        with stage.visit(port) as visitor:
            visitor.sendall(b"x")
            assert is_reset(visitor), "the origin's reset became an end"
        assert stage.line()["error"] == "origin_reset", stage.line()
        outcomes = []

        def watch(connection):
            connection.sendall(b"go")
            outcomes.append(is_reset(connection))

        _, port = stage.connect(Origin(watch).port)
        visitor = stage.visit(port)
        assert read_exactly(visitor, 2) == b"go"
        reset(visitor)
        until("the origin's end", 5, lambda: outcomes)
        assert outcomes == [True], "the visitor's reset became an end"
        assert stage.line(2)["error"] == "visitor_reset", stage.line()
        _, port = stage.connect(free_port())
        with stage.visit(port) as visitor:
            assert is_reset(visitor)
        assert stage.line(3)["error"] == "origin_unreachable", stage.line()
        assert stage.metric("culvert_connection_errors_total", "origin_unreachable") == 1
        until("all are over", 5, lambda: stage.metric("culvert_active_connections") == 0)


def slow_readers(binaries):
    """Who reads slowly at either end slows the writer at the other, and memory stays bounded."""
    with Stage(binaries) as stage:
        size = 256 << 20
        block = os.urandom(1 << 20)
        sent = [0]

        def pour(connection):
            for _ in range(size >> 20):
                connection.sendall(block)
                sent[0] += len(block)
            connection.close()

        taken = []

        def sip(connection):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            time.sleep(1.5)
            taken.append(connection)

        _, down = stage.connect(Origin(pour).port)
        visitor = stage.visit(down)
        visitor.recv(1)
        before = stage.resident_mib()
        time.sleep(1.5)
        assert sent[0] < 64 << 20, f"{sent[0] >> 20} MiB left the origin although nobody reads"
        assert stage.resident_mib() - before < 40, "the edge keeps what nobody reads"
        digest = hashlib.sha256()
        # Others are not slowed down.
        _, quick = stage.connect(Origin(echo).port)
        with stage.visit(quick) as other:
            begun = time.monotonic()
            other.sendall(b"ping")
            assert read_exactly(other, 4) == b"ping" and time.monotonic() - begun < 1
        rest = 1
        while part := visitor.recv(1 << 18):
            rest += len(part)
            digest.update(part)
        assert rest == size, f"{rest} of {size} bytes"
        _, up = stage.connect(Origin(sip).port)
        visitor = stage.visit(up)
        visitor.settimeout(1)
        written = 0
        try:
            while written < size:
                written += visitor.send(block)
        except TimeoutError:
            pass
        assert written < 64 << 20, f"{written >> 20} MiB left the visitor although nobody reads"
        assert stage.resident_mib() - before < 60


def policies(binaries):
    """Addresses, visitors at once and bytes a second are held to the policy; each refusal has its line."""
    with Stage(binaries) as stage:
        origin = Origin(echo)
        _, port = stage.connect(origin.port, "--ip-deny", "127.0.0.0/8")
        with stage.visit(port) as visitor:
            assert is_reset(visitor)
        assert stage.line()["error"] == "access_denied"
        _, port = stage.connect(origin.port, "--max-visitors", "2")
        visitors = [stage.visit(port) for _ in range(2)]
        for visitor in visitors:
            visitor.sendall(b"x")
            assert read_exactly(visitor, 1) == b"x"
        with stage.visit(port) as third:
            assert is_reset(third)
        assert stage.line(2)["error"] == "too_many_visitors"
        visitors.pop().close()
        until("a place is free", 5, lambda: len(stage.lines()) == 3)

        def is_served():
            try:
                with stage.visit(port) as third:
                    third.sendall(b"x")
                    return read_exactly(third, 1) == b"x"
            except ConnectionResetError:
                return False

        # The line may come a moment before the place is given back.
        until("the next one is served", 5, is_served)
        _, port = stage.connect(origin.port, "--bytes-per-second", str(1 << 20))
        with stage.visit(port) as visitor:
            begun = time.monotonic()
            threading.Thread(target=visitor.sendall, args=(bytes(2 << 20),)).start()
            read_exactly(visitor, 2 << 20)
            took = time.monotonic() - begun
        assert 1.2 < took < 6, f"2 MiB at 1 MiB/s took {took:.1f} s"


def proxy_headers(binaries):
    """The local server is told who the visitor is, in both versions of the PROXY protocol."""
    with Stage(binaries) as stage:
        seen = []
        origin = Origin(lambda connection: (seen.append(read_all(connection)), connection.close()))
        for version in ("v1", "v2"):
            _, port = stage.connect(origin.port, "--proxy-protocol", version)
            with stage.visit(port) as visitor:
                own = visitor.getsockname()[1]
                visitor.sendall(b"payload")
                visitor.shutdown(socket.SHUT_WR)
                read_all(visitor)
            until("the origin heard it", 5, lambda: len(seen) == (1 if version == "v1" else 2))
            if version == "v1":
                expected = f"PROXY TCP4 127.0.0.1 127.0.0.1 {own} {port}\r\n".encode()
            else:
                expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01" + struct.pack("!HH", own, port)
            assert seen[-1] == expected + b"payload", seen[-1]


def ports(binaries):
    """A port is its tunnel's: what is taken, outside the range or not to be had is refused clearly."""
    with Stage(binaries) as stage:
        wish = stage.first + 3
        body = {"kind": "tcp", "name": "mine", "port": wish}
        status, tunnel = stage.call("POST", "create", body)
        assert (status, tunnel["url"], tunnel["kind"]) == (201, f"tcp://127.0.0.1:{wish}", "tcp"), tunnel
        status, problem = stage.call("POST", "create", {"kind": "tcp", "port": wish})
        assert (status, problem["code"], problem["field"]) == (409, "port_taken", "port"), problem
        status, problem = stage.call("POST", "create", {"kind": "tcp", "port": stage.first - 1})
        assert (status, problem["code"], problem["field"]) == (400, "invalid_body", "port"), problem
        assert str(stage.first) in problem["detail"], problem
        status, problem = stage.call("POST", "create", {"name": "mine"})
        assert (status, problem["code"]) == (409, "kind_differs"), problem
        status, problem = stage.call("POST", "create", {"port": wish})
        assert (status, problem["field"]) == (400, "port"), problem
        status, problem = stage.call("POST", "create", {"kind": "tcp", "policy": {"path_mode": "keep"}})
        assert (status, problem["field"]) == (400, "policy.path_mode"), problem
        # Another program has a port: a wish for it is refused, and without a wish another one is given.
        with socket.socket() as other:
            other.bind(("127.0.0.1", stage.first + 4))
            other.listen()
            status, problem = stage.call("POST", "create", {"kind": "tcp", "port": stage.first + 4})
            assert (status, problem["code"]) == (409, "port_taken"), problem
            given = {stage.call("POST", "create", {"kind": "tcp"})[1].get("url") for _ in range(stage.ports - 2)}
            assert len(given) == stage.ports - 2 and f"tcp://127.0.0.1:{stage.first + 4}" not in given, given
            status, problem = stage.call("POST", "create", {"kind": "tcp"})
            assert (status, problem["code"]) == (409, "no_port_free"), problem
        # The same name again has the same port; a deleted tunnel's port does not listen, and is free.
        assert stage.call("POST", "create", {"kind": "tcp", "name": "mine"})[1]["url"].endswith(f":{wish}")
        assert stage.call("DELETE", "mine")[0] == 204
        try:
            stage.visit(wish).close()
            raise AssertionError("the port of a deleted tunnel listens")
        except ConnectionRefusedError:
            pass
        assert stage.call("POST", "create", {"kind": "tcp", "port": wish})[0] == 201
    with Stage(binaries, has_ports=False) as stage:
        status, problem = stage.call("POST", "create", {"kind": "tcp"})
        assert (status, problem["code"]) == (409, "kind_not_served") and "tcp.ports" in problem["detail"], problem


def coming_back(binaries):
    """A connection waits for a connector that reconnects; the port survives a restart of the edge."""
    with Stage(binaries, "--tunnel-reconnect-hold", "10s") as stage:
        origin = Origin(echo)
        connector, port = stage.connect(origin.port, "--name", "steady")
        connector.terminate()
        connector.wait()
        with stage.visit(port) as visitor:
            visitor.sendall(b"early")
            time.sleep(0.3)
            connector, again = stage.connect(origin.port, "--name", "steady")
            assert again == port
            assert read_exactly(visitor, 5) == b"early"
        stage.edge.kill()
        stage.edge.wait()
        stage.edge = stage.start_edge()

        def served():
            with stage.visit(port) as visitor:
                visitor.sendall(b"x")
                return visitor.recv(1) == b"x"

        until("the port answers again", 20, served)
    with Stage(binaries, "--tunnel-reconnect-hold", "300ms") as stage:
        status, tunnel = stage.call("POST", "create", {"kind": "tcp"})
        with stage.visit(int(tunnel["url"].rsplit(":", 1)[1])) as visitor:
            begun = time.monotonic()
            assert is_reset(visitor) and time.monotonic() - begun > 0.25
        assert stage.line()["error"] == "tunnel_offline"


def deletion(binaries):
    """A deleted tunnel's connections end at once."""
    with Stage(binaries) as stage:
        _, port = stage.connect(Origin(echo).port, "--name", "doomed")
        with stage.visit(port) as visitor:
            visitor.sendall(b"x")
            assert read_exactly(visitor, 1) == b"x"
            begun = time.monotonic()
            assert stage.call("DELETE", "doomed")[0] == 204
            assert is_reset(visitor) and time.monotonic() - begun < 1
        assert stage.line()["error"] == "connector_lost", stage.line()


def drain(binaries):
    """An edge that stops takes no more connections, lets those that are open end, and cuts them after the grace."""
    with Stage(binaries, "--shutdown-grace", "3s") as stage:
        _, port = stage.connect(Origin(echo).port)
        visitor, stubborn = stage.visit(port), stage.visit(port)
        for each in (visitor, stubborn):
            each.sendall(b"x")
            assert read_exactly(each, 1) == b"x"
        begun = time.monotonic()
        stage.edge.terminate()
        def refused():
            try:
                stage.visit(port).close()
                return False
            except ConnectionRefusedError:
                return True
        until("no more are taken", 2, refused)
        visitor.sendall(b"still here")
        assert read_exactly(visitor, 10) == b"still here"
        visitor.shutdown(socket.SHUT_WR)
        assert read_all(visitor) == b"bye"
        stage.edge.wait(10)
        assert 2.5 < time.monotonic() - begun < 6, "the grace"
        try:
            assert stubborn.recv(1) == b""
        except ConnectionResetError:
            pass


def echo_for_many(port):
    """An origin that echoes, in a process of its own: its descriptors are not the visitors'."""
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listener, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                    continue
                try:
                    part = key.fileobj.recv(1 << 12)
                    key.fileobj.sendall(part)
                except OSError:
                    part = b""
                if not part:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


def crowds(binaries, idle=10_000 if LONG else 1500, flood=10_000 if LONG else 1500):
    """Thousands of idle connections and a flood to one port harm nobody else, and memory stays bounded."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65_536, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    settings = ["--tcp-max-connections-per-address", "--tcp-max-connections"]
    with Stage(binaries, *(part for name in settings for part in (name, str(idle + 1000))), "--tcp-idle-timeout", "10m") as stage:
        origin = free_port()
        process = multiprocessing.get_context("fork").Process(target=echo_for_many, args=(origin,), daemon=True)
        process.start()
        stage.stack.callback(process.kill)
        # A connection of a connector carries a thousand streams, and a connector has eight of them at most.
        for _ in range(2 if LONG else 1):
            _, port = stage.connect(
                origin, "--name", "crowd", "--max-visitors", str(idle + 10), "--connections", "8" if LONG else "4"
            )
        _, other = stage.connect(origin, "--max-visitors", "100")
        _, quiet = stage.connect(origin)
        before = stage.resident_mib()
        crowd = []
        for _ in range(idle):
            visitor = stage.visit(port)
            crowd.append(visitor)
        until("all are there", 60, lambda: stage.metric("culvert_active_connections") >= idle)
        per_connection = (stage.resident_mib() - before) * 1024 / idle
        assert per_connection < 64, f"{per_connection:.0f} KiB a connection"
        for visitor in crowd[:: idle // 100]:
            visitor.sendall(b"x")
            assert read_exactly(visitor, 1) == b"x"
        slowest = 0
        for round_ in range(flood // 100):
            for _ in range(100):
                # Those beyond max_visitors are reset, some before the system has told that they are connected.
                with socket.socket() as visitor, contextlib.suppress(ConnectionResetError):
                    visitor.settimeout(5)
                    visitor.connect(("127.0.0.1", other))
            begun = time.monotonic()
            with stage.visit(quiet) as visitor:
                visitor.sendall(b"ping")
                assert read_exactly(visitor, 4) == b"ping"
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 2, f"another tunnel's visitor waited {slowest:.1f} s"
        for visitor in crowd:
            visitor.close()
        until("all are gone", 60, lambda: stage.metric("culvert_active_connections") == 0)
        # A line reaches the file a moment after what it tells.
        until("a line for each", 10, lambda: stage.metric("culvert_connections_total") == len(stage.lines()))
        return {"idle": idle, "kib_a_connection": round(per_connection, 1), "slowest_other_seconds": round(slowest, 2)}


def idle_end(binaries):
    """A connection on which nothing passes is ended where the edge is set so."""
    with Stage(binaries, "--tcp-idle-timeout", "1s") as stage:
        _, port = stage.connect(Origin(echo).port)
        with stage.visit(port) as visitor:
            begun = time.monotonic()
            for _ in range(6):
                visitor.sendall(b"x")
                assert read_exactly(visitor, 1) == b"x"
                time.sleep(0.3)
            assert is_reset(visitor)
            assert 2 < time.monotonic() - begun < 6
        assert stage.line()["error"] == "idle_timeout"


CASES = [
    half_close, resets, slow_readers, policies, proxy_headers, ports, coming_back, deletion, drain, idle_end, crowds
]
