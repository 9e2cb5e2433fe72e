# SPDX-License-Identifier: Apache-2.0
"""Private access: `culvert access` at the visitor's side, with listeners, standard streams and access tokens."""
import contextlib
import hashlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from programs import LONG, SSH, listens, shell, tool
from raw import echo
from stage import KEY, Origin, Path, Stage, free_port, is_reset, read_all, read_exactly, until


class Visitor:
    """Someone with `culvert access`."""

    def __init__(self, stage, token=None, edge=None):
        self.stage = stage
        self.environment = {**os.environ, "HOME": str(stage.folder)}
        self.environment.pop("CULVERT_API_KEY", None)
        self.environment["CULVERT_ACCESS_TOKEN" if token else "CULVERT_API_KEY"] = token or KEY
        self.edge = edge or stage.url

    def command(self, name, *arguments):
        return [str(self.stage.binaries / "culvert"), "access", name, "--edge", self.edge, *arguments]

    def listen(self, name, *arguments):
        """Starts a listener; its port."""
        output = self.stage.folder / f"access-{time.monotonic_ns()}"
        with open(output, "wb") as out, open(f"{output}.err", "wb") as errors:
            process = self.stage.run(
                self.command(name, "--listen", "127.0.0.1:0", *arguments), stdout=out, stderr=errors, env=self.environment
            )
        until("the listener", 10, lambda: output.read_text().strip() or process.poll() is not None)
        if process.poll() is not None:
            raise RuntimeError(pathlib.Path(f"{output}.err").read_text())
        process.log = pathlib.Path(f"{output}.err")
        return process, int(output.read_text().strip().rsplit(":", 1)[1])

    def pipe(self, name, data, within=30):
        """What `culvert access` makes of standard input: exit code, output, errors."""
        done = subprocess.run(self.command(name), input=data, capture_output=True, timeout=within, env=self.environment)
        return done.returncode, done.stdout, done.stderr.decode()


def serve(stage, target, *arguments, kind="tcp", edge=None):
    """Starts a connector of a private tunnel; its URL."""
    output = stage.folder / f"private-{time.monotonic_ns()}"
    with open(output, "wb") as out, open(f"{output}.err", "wb") as errors:
        process = stage.run(
            [stage.binaries / "culvert", kind, str(target), "--edge", edge or stage.url, "--private", *arguments],
            stdout=out, stderr=errors, env={**os.environ, "CULVERT_API_KEY": KEY, "HOME": str(stage.folder)},
        )
    until("the tunnel's URL", 20, lambda: output.read_text().strip() or process.poll() is not None)
    if process.poll() is not None:
        raise RuntimeError(pathlib.Path(f"{output}.err").read_text())
    return process, output.read_text().strip()


def token(stage, name, **members):
    status, answer = stage.call("POST", f"{name}/access", members)
    assert status == 201, answer
    return answer["token"]


def streams(binaries):
    """Bytes of any size pass through a listener and through standard streams, with half-closes; a port is not needed."""
    with Stage(binaries, has_ports=False) as stage:
        _, url = serve(stage, Origin(echo).port, "--name", "box")
        assert url == f"culvert+{stage.url}/box", url
        visitor = Visitor(stage)
        _, port = visitor.listen("box")
        for size in (0, 1, 8 << 20):
            data = os.urandom(size)
            with stage.visit(port) as connection:
                sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
                sender.start()
                assert read_all(connection) == data + b"bye", f"{size} bytes"
                sender.join()
            code, output, errors = visitor.pipe("box", data)
            assert (code, output) == (0, data + b"bye"), (size, code, len(output), errors)
        line = stage.line(6)
        assert line["kind"] == "tcp" and "port" not in line and line["sent"] == str((8 << 20) + 3), line
        # Files are no pipes, and the URL that was printed is a name, too.
        source, copy = stage.folder / "source", stage.folder / "copy"
        source.write_bytes(os.urandom(1 << 20))
        with open(source, "rb") as given, open(copy, "wb") as out:
            subprocess.run(
                [stage.binaries / "culvert", "access", url], stdin=given, stdout=out, env=visitor.environment, check=True, timeout=30
            )
        assert copy.read_bytes() == source.read_bytes() + b"bye"


def private(binaries):
    """A private tunnel has no public address: neither a port nor a path, and the access passes as any HTTP does."""
    with Stage(binaries) as stage:
        folder = pathlib.Path(tempfile.mkdtemp(dir=stage.folder))
        (folder / "page").write_text("hello")
        port = free_port()
        stage.run(["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)],
                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listens(port)
        serve(stage, port, "--name", "site", kind="http")
        serve(stage, port, "--name", "wire")
        for name in ("site", "wire"):
            try:
                urllib.request.urlopen(f"{stage.url}/{name}/page")
                raise AssertionError(f"{name} is public")
            except urllib.error.HTTPError as error:
                assert error.code == 404, error
            _, local = Visitor(stage, token(stage, name)).listen(name)
            with urllib.request.urlopen(f"http://127.0.0.1:{local}/page") as answer:
                assert answer.read() == b"hello"
        kinds = [line["kind"] for line in (stage.line(2), *stage.lines())]
        assert set(kinds) == {"http", "tcp"}, kinds
        for number in range(stage.first, stage.first + stage.ports):
            with contextlib.suppress(ConnectionRefusedError):
                stage.visit(number).close()
                raise AssertionError(f"port {number} listens")
        status, problem = stage.call("POST", "create", {"kind": "tcp", "public": False, "port": stage.first})
        assert (status, problem["field"]) == (400, "port"), problem
        status, problem = stage.call("POST", "create", {"name": "site"})
        assert (status, problem["code"]) == (409, "kind_differs"), problem


def tokens(binaries):
    """A token of another tunnel, one that has ended and one that is no token are refused; a revocation ends what runs."""
    with Stage(binaries, has_ports=False) as stage:
        serve(stage, Origin(echo).port, "--name", "box")
        serve(stage, Origin(echo).port, "--name", "other")
        code, _, errors = Visitor(stage, token(stage, "other")).pipe("box", b"")
        assert code == 77 and "other" in errors, (code, errors)
        # What the program would not send, the edge refuses.
        for given, name in ((token(stage, "other"), "box"), ("not.a.token", "box"), (token(stage, "box")[:-4] + "AAAA", "box")):
            assert upgrade(stage, "access", name, given) == 401
        # Neither is one kind of token the other.
        tunnel = stage.call("POST", "create", {"kind": "tcp", "public": False, "name": "box"})[1]["token"]
        assert upgrade(stage, "access", "box", tunnel) == 401
        assert upgrade(stage, "connect", "box", token(stage, "box")) == 401
        assert upgrade(stage, "access", "box", token(stage, "box")) == 101

        def audit():
            lines = [json.loads(line) for line in stage.log.read_text().splitlines() if '"/api/tunnel/access/box"' in line]
            return [(line["tunnel"], line["status"], "token" in line) for line in lines if line["message"] == "audit"]

        # The audit log has each of them, a moment later, and says which tunnel was meant.
        until("five lines of the audit", 10, lambda: len(audit()) >= 5)
        assert audit() == [("box", "401", False)] * 4 + [("box", "101", True)], audit()
        short = token(stage, "box", lifetime_seconds=1)
        process, port = Visitor(stage, short).listen("box")
        with stage.visit(port) as connection:
            connection.sendall(b"x")
            assert read_exactly(connection, 1) == b"x"
            assert is_reset(connection), "the token's end"
        code, _, errors = Visitor(stage, short).pipe("box", b"")
        assert code == 77, (code, errors)
        kept = token(stage, "other")
        process, port = Visitor(stage, token(stage, "box")).listen("box")
        _, unharmed = Visitor(stage, kept).listen("other")
        with stage.visit(port) as connection, stage.visit(unharmed) as other:
            for each in (connection, other):
                each.sendall(b"x")
                assert read_exactly(each, 1) == b"x"
            begun = time.monotonic()
            assert stage.call("DELETE", "box/access")[0] == 204
            assert is_reset(connection)
            took = time.monotonic() - begun
            assert took < 1, f"revoked after {took:.2f} s"
            other.sendall(b"y")
            assert read_exactly(other, 1) == b"y"
        with stage.visit(port) as connection:
            assert connection.recv(1) == b"" or True
        until("it is refused", 5, lambda: "access token" in process.log.read_text() or "refused" in process.log.read_text())
        fresh = token(stage, "box")
        assert upgrade(stage, "access", "box", fresh) == 101
        return {"revocation_seconds": round(took, 3)}


def upgrade(stage, purpose, name, credential):
    """The status of a WebSocket upgrade."""
    with stage.visit(stage.listen) as connection:
        connection.sendall(
            f"GET /api/tunnel/{purpose}/{name} HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Sec-WebSocket-Protocol: culvert.mux.v1\r\nAuthorization: Bearer {credential}\r\n\r\n".encode()
        )
        return int(connection.recv(64).split()[1])


def troubles(binaries):
    """What is wrong at the other side is said in a sentence; the listener survives a restart of the edge."""
    with Stage(binaries, "--tunnel-reconnect-hold", "300ms", has_ports=False) as stage:
        serve(stage, free_port(), "--name", "nowhere")
        code, _, errors = Visitor(stage).pipe("nowhere", b"x")
        assert code == 69 and "nothing listens" in errors, (code, errors)
        stage.call("POST", "create", {"kind": "tcp", "public": False, "name": "lonely"})
        code, _, errors = Visitor(stage).pipe("lonely", b"x")
        assert code == 69 and "no connector" in errors, (code, errors)
        code, _, errors = Visitor(stage).pipe("nobody", b"x")
        assert code == 66, (code, errors)
        serve(stage, Origin(echo).port, "--name", "closed", "--ip-deny", "127.0.0.0/8")
        code, _, errors = Visitor(stage).pipe("closed", b"x")
        assert code == 69 and "address" in errors, (code, errors)
        serve(stage, Origin(echo).port, "--name", "box")
        _, port = Visitor(stage).listen("box")
        with stage.visit(port) as connection:
            connection.sendall(b"x")
            assert read_exactly(connection, 1) == b"x"
            stage.edge.kill()
            stage.edge.wait()
            assert is_reset(connection)
        stage.edge = stage.start_edge()

        def served():
            with stage.visit(port) as connection:
                connection.sendall(b"x")
                return connection.recv(1) == b"x"

        until("the listener leads there again", 20, served)


def openssh(binaries):
    """ssh with `culvert access` as its ProxyCommand, scp, and a database's listener for many at once."""
    with Stage(binaries, has_ports=False) as stage:
        server = SSH(stage)
        serve(stage, server.port, "--name", "my-ssh")
        visitor = Visitor(stage, token(stage, "my-ssh"))
        proxy = ["-o", "ProxyCommand=" + " ".join(visitor.command("my-ssh"))]
        ssh = [tool("ssh"), *server.options, *proxy, server.place]
        assert shell(*ssh, "echo through the tunnel", env=visitor.environment) == "through the tunnel\n"
        failed = subprocess.run([*ssh, "exit 7"], capture_output=True, env=visitor.environment)
        assert failed.returncode == 7, failed
        source, copy = stage.folder / "source", stage.folder / "copy"
        size = 1 << 30 if LONG else 16 << 20
        with open(source, "wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        for pair in ((source, f"{server.place}:{copy}"), (f"{server.place}:{source}", copy)):
            copy.unlink(missing_ok=True)
            shell(tool("scp"), *server.options, *proxy, *pair, within=900, env=visitor.environment)
            shell("cmp", source, copy)
        _, port = visitor.listen("my-ssh")
        remote = " ".join([tool("ssh"), *server.options, "-p", str(port)])
        shell(tool("rsync"), "-a", "-e", remote, f"{stage.folder}/ssh/", f"{server.place}:{stage.folder}/mirror/")
        shell("diff", "-r", "--exclude=*.log", stage.folder / "ssh", stage.folder / "mirror")


def crowd(binaries):
    """Many connections over one session, each with its own bytes, and slow ones that hold up nobody."""
    with Stage(binaries, has_ports=False) as stage:
        serve(stage, Origin(echo).port, "--name", "box")
        _, port = Visitor(stage).listen("box")
        slow = [stage.visit(port) for _ in range(4)]
        for connection in slow:
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection.send(bytes(1 << 16))
        failures = []

        def converse(number):
            data = hashlib.sha256(str(number).encode()).digest() * 4096
            try:
                with stage.visit(port) as connection:
                    threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR))).start()
                    if read_all(connection) != data + b"bye":
                        failures.append(number)
            except Exception as error:
                failures.append(f"{number}: {error}")

        threads = [threading.Thread(target=converse, args=(number,)) for number in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == [], failures
        for connection in slow:
            connection.close()


def traefik(binaries):
    """ssh through a real Traefik, which passes the WebSocket and no port."""
    program = pathlib.Path(sys.executable).parent / "traefik"
    with Stage(binaries, has_ports=False) as stage:
        server = SSH(stage)
        serve(stage, server.port, "--name", "my-ssh")
        port = free_port()
        dynamic = stage.folder / "dynamic.yml"
        dynamic.write_text(json.dumps({"http": {
            "routers": {"edge": {"rule": "PathPrefix(`/`)", "service": "edge", "entryPoints": ["web"]}},
            "services": {"edge": {"loadBalancer": {"servers": [{"url": stage.url}]}}},
        }}))
        stage.run([
            str(program), f"--entryPoints.web.address=127.0.0.1:{port}", f"--providers.file.filename={dynamic}",
            "--log.level=ERROR",
        ])

        def answers():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/openapi.json") as answer:
                return answer.status == 200

        until("Traefik answers", 20, answers)
        visitor = Visitor(stage, token(stage, "my-ssh"), edge=f"http://127.0.0.1:{port}")
        proxy = ["-o", "ProxyCommand=" + " ".join(visitor.command("my-ssh"))]
        ssh = [tool("ssh"), *server.options, *proxy, server.place]
        assert shell(*ssh, "echo through Traefik", env=visitor.environment) == "through Traefik\n"
        data = os.urandom(8 << 20)
        done = subprocess.run([*ssh, "cat"], input=data, capture_output=True, env=visitor.environment, timeout=60)
        assert done.stdout == data, (len(done.stdout), done.stderr)


def cuts(binaries):
    """A session of ssh outlives cuts of the connector's network, through a port and through private access."""
    with Stage(binaries) as stage:
        server = SSH(stage)
        way = Path(stage.listen)
        edge = f"http://127.0.0.1:{way.port}"
        connector, port = stage.connect(server.port, edge=edge)
        serve(stage, server.port, "--name", "my-ssh", edge=edge)
        visitor = Visitor(stage, token(stage, "my-ssh"))
        through_port = [tool("ssh"), *server.options, "-p", str(port), server.place]
        through_access = [
            tool("ssh"), *server.options, "-o", "ProxyCommand=" + " ".join(visitor.command("my-ssh")), server.place,
        ]
        for name, ssh in (("port", through_port), ("access", through_access)):
            data = os.urandom(6 << 20)
            with subprocess.Popen([*ssh, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=visitor.environment) as session:
                answer = bytearray()
                reader = threading.Thread(target=lambda: answer.extend(session.stdout.read()))
                reader.start()
                for part in range(3):
                    session.stdin.write(data[part << 21:(part + 1) << 21])
                    session.stdin.flush()
                    if part < 2:
                        before = way.carried
                        way.cut(0.5)
                        until("bytes pass again", 20, lambda: way.carried > before)
                session.stdin.close()
                reader.join(60)
                assert session.wait(10) == 0, (name, session.returncode)
            assert bytes(answer) == data, (name, len(answer))
        resumed = [line for line in connector.log.read_text().splitlines() if '"event":"resumed"' in line]
        assert len(resumed) >= 2, connector.log.read_text()[-2000:]


CASES = [streams, private, tokens, troubles, openssh, traefik, crowd, cuts]
