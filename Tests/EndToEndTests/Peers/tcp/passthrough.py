# SPDX-License-Identifier: Apache-2.0
"""Tunnels of TLS: the server name leads to the tunnel, and the edge decrypts nothing."""
import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time

from programs import shell, tool
from stage import KEY, Stage, free_port, is_reset, read_exactly, until

DOMAIN = "tunnels.test"


class SecureOrigin:
    """A TLS server with a certificate of its own that says which name it was asked for and what ALPN agreed on."""

    def __init__(self, folder):
        self.certificate = folder / "origin.pem"
        shell(
            tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", folder / "origin.key", "-out", self.certificate, "-days", "2", "-subj", "/CN=origin",
            "-addext", f"subjectAltName=DNS:*.{DOMAIN}",
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, folder / "origin.key")
        context.set_alpn_protocols(["h2", "http/1.1"])
        names = {}
        context.sni_callback = lambda connection, name, _: names.__setitem__(id(connection), name)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]

        def serve(plain):
            with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                connection.sendall(f"{names.get(id(connection), '')} {connection.selected_alpn_protocol()}\n".encode())
                while part := connection.recv(1 << 16):
                    connection.sendall(part)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(self.listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()


class Passthrough(Stage):
    """A stage whose edge has a port for tunnels of TLS."""

    def __init__(self, binaries, *settings, has_ports=False):
        self.tls_port = free_port()
        super().__init__(
            binaries, "--public-wildcard-domain", DOMAIN, "--tls-passthrough-listen", f"127.0.0.1:{self.tls_port}",
            *settings, has_ports=has_ports,
        )

    def serve(self, target, name, *arguments):
        output = self.folder / f"tls-{name}"
        with open(output, "wb") as out, open(f"{output}.err", "wb") as errors:
            process = self.run(
                [self.binaries / "culvert", "tls", str(target), "--name", name, "--edge", self.url, *arguments],
                stdout=out, stderr=errors, env={**os.environ, "CULVERT_API_KEY": KEY, "HOME": str(self.folder)},
            )
        until("the tunnel's URL", 20, lambda: output.read_text().strip() or process.poll() is not None)
        url = output.read_text().strip()
        assert url == f"tls://{name}.{DOMAIN}:{self.tls_port}", (url, open(f"{output}.err").read())
        return process

    @contextlib.contextmanager
    def shake(self, name, origin, alpn=("h2",)):
        context = ssl.create_default_context(cafile=str(origin.certificate))
        context.set_alpn_protocols(list(alpn))
        with self.visit(self.tls_port) as plain, context.wrap_socket(plain, server_hostname=name) as connection:
            yield connection


def names(binaries, count=200):
    """openssl, curl and 200 names at once get the origin's own certificate, with ALPN."""
    with Passthrough(binaries) as stage:
        origin = SecureOrigin(stage.folder)
        file = stage.folder / "tunnels.yaml"
        file.write_text("edge: " + stage.url + "\ntunnels:\n" + "".join(
            f"  - {{name: site-{number}, kind: tls, target: '127.0.0.1:{origin.port}'}}\n" for number in range(count)
        ))
        stage.stack.callback(lambda: None)
        stage.run(
            [stage.binaries / "culvert", "start", "--config", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "CULVERT_API_KEY": KEY, "HOME": str(stage.folder)},
        )
        until("all tunnels are there", 60, lambda: stage.metric("culvert_active_sessions") >= 2 * count)
        output = shell(
            tool("openssl"), "s_client", "-connect", f"127.0.0.1:{stage.tls_port}", "-servername", f"site-1.{DOMAIN}",
            "-alpn", "h2", "-CAfile", origin.certificate, "-verify_return_error", input=b"",
        )
        assert "subject=CN = origin" in output or "subject=CN=origin" in output, output
        assert "ALPN protocol: h2" in output, output
        failures = []

        def converse(number):
            try:
                name = f"site-{number}.{DOMAIN}"
                with stage.shake(name, origin) as connection:
                    line = b""
                    while not line.endswith(b"\n"):
                        line += connection.recv(100)
                    assert line == f"{name} h2\n".encode(), line
                    # Read and written in turn: Python's TLS connections may not be used by two threads at once.
                    for _ in range(10):
                        data = os.urandom(10_000)
                        connection.sendall(data)
                        assert read_exactly(connection, len(data)) == data
            except Exception as error:
                failures.append(f"{number}: {error!r}")

        threads = [threading.Thread(target=converse, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == [], failures[:5]
        # Of a connection that was closed by its visitor the edge learns a moment later.
        until("all are counted", 10, lambda: stage.metric("culvert_connections_total", "tls") == count + 1)


def strangers(binaries):
    """A name of no tunnel, no name, what is no TLS, and a ClientHello that is endless or slow: each is ended, with a line."""
    with Passthrough(binaries, "--http-head-timeout", "1s") as stage:
        origin = SecureOrigin(stage.folder)
        stage.serve(origin.port, "site")

        def fails(name):
            try:
                with stage.shake(name, origin):
                    return False
            except (ssl.SSLError, OSError):
                return True

        assert fails(f"nobody.{DOMAIN}")
        assert stage.line()["error"] == "tunnel_not_found"
        assert fails("site.example")
        assert stage.line(2)["error"] == "tunnel_not_found"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with stage.visit(stage.tls_port) as plain:
            with contextlib.suppress(OSError):
                context.wrap_socket(plain)
        assert stage.line(3)["error"] == "no_server_name", stage.line()
        with stage.visit(stage.tls_port) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: site.tunnels.test\r\n\r\n")
            assert is_reset(plain)
        assert stage.line(4)["error"] == "no_server_name"
        # 64 KiB of a handshake record that announces more than a record may have, and bytes without end.
        with stage.visit(stage.tls_port) as plain:
            with contextlib.suppress(OSError):
                plain.sendall(b"\x16\x03\x01\xff\xff\x01\x00\xff\xfb" + bytes(64 << 10))
            assert is_reset(plain)
        before = stage.resident_mib()
        begun = time.monotonic()
        with stage.visit(stage.tls_port) as plain:
            broke = False
            try:
                for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100):
                    plain.send(bytes([byte]))
                    time.sleep(0.3)
            except OSError:
                # The reset is told once.
                broke = True
            assert broke or is_reset(plain)
        assert time.monotonic() - begun < 5, "one byte at a time"
        assert stage.line(6)["error"] == "no_server_name"
        assert stage.resident_mib() - before < 20
        with stage.shake(f"site.{DOMAIN}", origin) as connection:
            assert connection.recv(100).startswith(b"site.")
        status, problem = stage.call("POST", "create", {"kind": "tls", "policy": {"host": "preserve"}})
        assert (status, problem["field"]) == (400, "policy.host"), problem
    with Stage(binaries) as stage:
        status, problem = stage.call("POST", "create", {"kind": "tls"})
        assert (status, problem["code"]) == (409, "kind_not_served") and "tls-passthrough" in problem["detail"], problem


CASES = [names, strangers]
