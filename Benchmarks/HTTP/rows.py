# SPDX-License-Identifier: Apache-2.0
"""What is compared: the origin itself, two proxies in a row in front of it, of three kinds, and the tunnel."""
import contextlib
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import time
import urllib.request

# Connections to the next hop are kept, as everything else here keeps them; by itself nginx does not.
KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'
UNBUFFERED = KEPT + " proxy_buffering off; proxy_request_buffering off;"
UPGRADE = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
    " proxy_read_timeout 600s; proxy_buffering off;"
)
# The processes of each row between visitor and origin, the visitor's side first.
HOPS = {
    "direct": [],
    "two nginx": ["nginx 2", "nginx 1"],
    "two nginx as shipped": ["nginx as shipped 2", "nginx as shipped 1"],
    "two haproxy": ["haproxy 2", "haproxy 1"],
    "culvert": ["edge", "connector"],
    "culvert as shipped": ["edge as shipped", "connector as shipped"],
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(url: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Bench:
    """The programs under test, started in a folder of their own and gone with it."""

    def __init__(self, programs: pathlib.Path, folder: pathlib.Path) -> None:
        self.programs = programs
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.key = "dev-" + secrets.token_hex(16)
        self.urls: dict[str, str] = {}
        self.edge_port = free_port()
        self.admin_port = free_port()

    def __enter__(self) -> "Bench":
        try:
            self.start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start_all(self) -> None:
        # nginx serves as somebody else.
        self.folder.chmod(0o755)
        www = self.folder / "www"
        www.mkdir()
        (www / "small").write_bytes(b"x" * 200)
        (www / "index.html").write_bytes(b"<!doctype html><title>bench</title>")
        with (www / "gigabyte").open("wb") as file:
            file.truncate(1 << 30)
        self.peers_port, self.origin_port = free_port(), free_port()
        here = pathlib.Path(__file__).parent
        self.start("peers", "python3", str(here / "peers.py"), str(self.peers_port))
        peers = f"proxy_pass http://127.0.0.1:{self.peers_port}; client_max_body_size 0;"
        self.nginx(
            "origin", self.origin_port,
            f"root {www}; location /sink {{ {peers} {UNBUFFERED} }} location /echo {{ {peers} {UPGRADE} }}",
        )  # fmt: skip
        self.urls["direct"] = f"http://127.0.0.1:{self.origin_port}"
        self.start_rows()
        for url in self.urls.values():
            wait_for(url + "/small")

    def start_rows(self) -> None:
        """Everything that is held against the origin alone."""
        for row, start in (
            ("two nginx", lambda name, *ports: self.nginx(name, *self.hop(UNBUFFERED, *ports))),
            ("two nginx as shipped", lambda name, *ports: self.nginx(name, *self.hop(KEPT, *ports))),
            ("two haproxy", self.haproxy),
        ):
            upstream = self.origin_port
            for name in reversed(HOPS[row]):
                port = free_port()
                start(name, port, upstream)
                upstream = port
            self.urls[row] = f"http://127.0.0.1:{upstream}"
        self.start_tunnel()
        self.start_tunnel_as_shipped()

    def hop(self, headers: str, port: int, upstream: int) -> tuple[int, str, int]:
        """The port, the locations and the next port of an nginx that passes everything on."""
        locations = (
            f"location / {{ proxy_pass http://up; client_max_body_size 0; {headers} }}"
            f" location /echo {{ proxy_pass http://up; {UPGRADE} }}"
        )
        return port, locations, upstream

    def haproxy(self, name: str, port: int, upstream: int) -> None:
        """HAProxy as Debian ships it, but for one thread and nothing logged."""
        file = self.folder / f"{name}.cfg"
        file.write_text(
            "global\n nbthread 1\n"
            "defaults\n mode http\n timeout connect 5s\n timeout client 600s\n timeout server 600s\n timeout tunnel 600s\n"
            f"frontend visitors\n bind 127.0.0.1:{port} backlog 4096\n default_backend up\n"
            f"backend up\n server up 127.0.0.1:{upstream}\n"
        )
        self.start(name, "haproxy", "-q", "-db", "-f", str(file))

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()

    def start(self, name: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.out").open("wb") as out, (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("CULVERT_")} | environment,
            )
        self.processes[name] = process
        return process

    def nginx(self, name: str, port: int, locations: str, upstream: int | None = None) -> None:
        file = self.folder / f"{name}.conf"
        group = f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 1024; }}" if upstream else ""
        file.write_text(
            f"daemon off; worker_processes 1; pid {self.folder}/{name.replace(' ', '-')}.pid; error_log stderr error;"
            "worker_rlimit_nofile 65536; events { worker_connections 32768; }"
            "http { access_log off; sendfile on; keepalive_requests 100000000; keepalive_timeout 600s;"
            f"client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;"
            f"fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;"
            f"{group} server {{ listen 127.0.0.1:{port} backlog=4096; {locations} }} }}"
        )
        self.start(name, "nginx", "-e", "stderr", "-c", str(file))

    def start_tunnel(self) -> None:
        """Edge and connector with one event loop and one connection, as the other programs have one worker or thread."""
        self.start_edge("edge", self.edge_port, self.admin_port, CULVERT_EVENT_LOOPS="1")
        self.start_connector("connector", self.edge_port, "--connections", "1")
        self.urls["culvert"] = f"http://127.0.0.1:{self.edge_port}/bench"

    def start_tunnel_as_shipped(self) -> None:
        """Edge and connector with as many event loops and connections as they take by themselves."""
        port, admin_port = free_port(), free_port()
        self.start_edge("edge as shipped", port, admin_port)
        self.start_connector("connector as shipped", port)
        self.urls["culvert as shipped"] = f"http://127.0.0.1:{port}/bench"

    def start_edge(self, name: str, port: int, admin_port: int, **environment: str) -> None:
        self.start(
            name, str(self.programs / "culvert-edge"), "--dev",
            "--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{admin_port}",
            CULVERT_AUTH_API_KEY=self.key, CULVERT_LOG_LEVEL="warning",
            CULVERT_LIMITS_CREATIONS_PER_HOUR="100000", CULVERT_LIMITS_TUNNELS_PER_KEY="100000",
            CULVERT_LIMITS_API_CALLS_PER_SECOND="100000", CULVERT_LIMITS_CONNECTS_PER_SECOND="100000",
            CULVERT_HTTP_MAX_CONNECTIONS="20000", CULVERT_HTTP_MAX_CONNECTIONS_PER_ADDRESS="20000",
            **environment,
        )  # fmt: skip
        wait_for(f"http://127.0.0.1:{admin_port}/healthz")

    def start_connector(self, name: str, port: int, *options: str) -> None:
        self.start(
            name, str(self.programs / "culvert"), "http", str(self.origin_port),
            "--edge", f"http://127.0.0.1:{port}", "--name", "bench", "--log-level", "warning",
            # All visitors of a benchmark have one address.
            "--max-requests-per-visitor", "100000", *options,
            CULVERT_API_KEY=self.key,
        )  # fmt: skip

    def restart_tunnel(self) -> None:
        """Edge and connector anew: what they cost is not hidden in memory that they have had before."""
        for name in ("connector", "edge"):
            process = self.processes.pop(name)
            process.terminate()
            process.wait(40)
        self.start_tunnel()
        wait_for(self.urls["culvert"] + "/small")
        # Until what the start needed has been given back.
        time.sleep(4)

    def pids(self, row: str) -> list[int]:
        """The processes between visitor and origin in a row."""
        return [self.processes[name].pid for name in HOPS[row]]

    def connectors_to(self, name: str, count: int):  # noqa: ANN201
        """A tunnel of its own with as many streams as connectors can have: 8 connections each, of 1 024 streams."""
        return self.running({
            f"{name} {index}": (
                "http", str(self.peers_port), "--name", name, "--connections", "8",
                "--max-requests-per-visitor", "100000",
            )
            for index in range(count)
        })  # fmt: skip

    def connectors_of(self, tunnels: list[str], count: int):  # noqa: ANN201
        """So many processes, each of which serves its part of many tunnels."""
        commands = {}
        for index in range(count):
            config = self.folder / f"tunnels-{index}.yaml"
            entries = "".join(f"  - name: {name}\n    target: {self.origin_port}\n" for name in tunnels[index::count])
            config.write_text(f"connections: 1\ntunnels:\n{entries}")
            commands[f"many {index}"] = ("start", "--config", str(config))
        return self.running(commands)

    @contextlib.contextmanager
    def running(self, commands: dict[str, tuple[str, ...]]):  # noqa: ANN201
        """Further connectors, by name, and their process ids."""
        started = {
            name: self.start(
                name, str(self.programs / "culvert"), *command,
                "--edge", f"http://127.0.0.1:{self.edge_port}", "--log-level", "warning", CULVERT_API_KEY=self.key,
            )
            for name, command in commands.items()
        }  # fmt: skip
        try:
            yield [process.pid for process in started.values()]
        finally:
            for name, process in started.items():
                process.terminate()
                # What hangs is an error of its own, but not to hide the one that ended the load.
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    process.kill()
                del self.processes[name]
