# SPDX-License-Identifier: Apache-2.0
"""The ways to the origin: tunnels of the edge with several policies, and proxies that we did not write."""

import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import messages
from harness import Place

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from free_ports import free_port  # noqa: E402

# What the edge has to be given as public.wildcard-domain.
DOMAIN = "tunnels.test"

# Cases that ask for something else than the edge has to do behind a Traefik that it trusts, with the chart's settings.
BEHIND_TRAEFIK_OTHERWISE = {
    # The chain holds Traefik's own address, too, and a trusted proxy's fields pass.
    "forwarding: the edge says how the request came",
    "dropped: what strangers say of how the request came",
    "dropped: Connection does not take our fields out",
    "dropped: forwarding: a trusted proxy's chain is kept and its address added",
    "dropped: forwarding: two fields are one chain",
    "forwarding: a trusted proxy's own fields pass",
    # Traefik drops trailers that are not announced, so that the origin waits for them in vain.
    "chunked request: trailers that speak for the head are dropped",
    # The chart's status map avoids 502.
    "break: the origin closes before a response",
    "break: the origin resets before a response",
    "break: the origin closes in the head of a response",
    "break: the origin closes after an interim response",
    # Traefik's rule for hosts of tunnels knows them without the root's dot.
    "route by host with the root's dot",
    # Traefik keeps the connection to the visitor.
    "HTTP/1.0 visitor: no coding, where there is no body either: HEAD",
    "HTTP/1.0 visitor: no coding, where there is no body either: 304",
    "HTTP/1.0 visitor: an answer of the edge ends the connection that it would keep",
    "refused upgrade: of the tunnel without its slash, which is the tunnel's; a glued request is dropped",
    # Traefik keeps a connection for a visitor from the challenge on; this visitor's login begins without one.
    "bound: who logs in by NTLM keeps the connection, for every method",
    "only websocket, by policy: another protocol is not asked for",
    "only websocket, by policy: not in a list with others",
    # Traefik grants the upgrade to HTTP/2 itself.
    "another version of HTTP is not asked for, and the connection goes on",
    "another version of HTTP is not asked for with settings that Connection does not name",
    "another version of HTTP is not asked for in a list either, and what is glued is no request",
    "a 101 to who asked for another version of HTTP is an error of the origin's",
    "TLS inside of the connection is not asked for",
    # The visitor's connection ends at Traefik, which has no rule for such a host either.
    "bound: an origin connection of which Negotiate was said serves nobody else",
    "route by host: a host below the tunnel's leads nowhere",
}

PR_SET_PDEATHSIG = 1


def _die_with_parent():
    # Whoever started us may have blocked signals, and children inherit that.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(arguments, **options):
    return subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=_die_with_parent, **options,
    )


class _Programs:
    def __init__(self):
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(url):
    parts = urllib.parse.urlsplit(url)
    return (parts.hostname, parts.port)


class Tunnels(_Programs):
    """One tunnel a policy, made when a case asks for it.

    A name is a policy's, with `@host` behind it for the tunnel's own host and `@proxy` for a visitor that is a
    trusted proxy: the edge has to be given 127.0.0.2 as proxies.trusted.
    """

    POLICIES = {
        "path": {},
        "keep": {"path_mode": "keep"},
        "preserve": {"host": "preserve"},
        "literal": {"host": "app.example:81"},
        "websocket": {"upgrades": "websocket"},
        "fresh": {"origin_reuse": "never"},
        "password": {"basic_auth": [{"username": "me", "password": "secret"}]},
    }

    def __init__(self, edge, culvert, origin, allow=messages.as_it_is, visited=None, is_inspected=False):
        super().__init__()
        self.is_inspected = is_inspected
        self.inspectors = []
        self.edge = edge
        # Visitors may come to another edge than connectors do.
        self.address = _address(visited or edge)
        self.culvert = culvert
        self.origin = origin
        self.allow = allow
        self.ids = {}

    def place(self, name):
        policy, *ways = name.split("@")
        if policy not in self.ids:
            self.ids[policy] = self._open(self.POLICIES[policy])
        tunnel = self.ids[policy]
        port = self.origin.port
        is_host = "host" in ways
        host = f"{tunnel}.{DOMAIN}" if is_host else f"{self.address[0]}:{self.address[1]}"
        seen = {"preserve": host, "literal": "app.example:81"}.get(policy, f"localhost:{port}")
        return Place(
            address=self.address,
            base=b"" if is_host else f"/{tunnel}".encode(),
            host=host.encode(),
            origin=seen.encode(),
            port=str(port).encode(),
            source="127.0.0.2" if "proxy" in ways else "127.0.0.1",
            allow=self.allow,
            reframes=self.allow is messages.by_meaning,
        )

    def _open(self, policy):
        made = self._call("POST", "/api/tunnels/create", {"local_port": self.origin.port, "policy": policy})
        self.processes.append(_start(
            [self.culvert, "connect", "--to", str(self.origin.port), "--edge", self.edge, "--connections", "1"]
            + self._inspection(),
            env={**os.environ, "CULVERT_TOKEN": made["token"]},
        ))
        tunnel = made["tunnel_id"]
        for _ in range(200):
            if self._call("GET", f"/api/tunnels/{tunnel}/status")["state"] == "online":
                return tunnel
            time.sleep(0.05)
        raise SystemExit(f"the tunnel with {policy} did not come online")

    def _inspection(self):
        if not self.is_inspected:
            return ["--inspect", "off"]
        self.inspectors.append(f"127.0.0.1:{free_port()}")
        return ["--inspect", self.inspectors[-1]]

    def captured(self):
        """How many exchanges the inspectors have kept."""
        count = 0
        for address in self.inspectors:
            with urllib.request.urlopen(f"http://{address}/api/requests/http?limit=10000&fields=summary") as answer:
                count += len(json.load(answer)["requests"])
        return count

    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            self.edge + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {os.environ['CULVERT_API_KEY']}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            # Many tunnels are made and asked for here, as fast as the API lets anybody.
            if error.code == 429:
                time.sleep(float(error.headers["Retry-After"]))
                return self._call(method, path, body)
            raise SystemExit(f"{method} {path}: {error} {error.read()!r}") from None


class Nginx(_Programs):
    """nginx as its documentation suggests it for a proxy: HTTP/1.1 and kept connections to the origin, upgrades, no
    buffering, the usual forwarding fields."""

    CONFIGURATION = """
        daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
        events {{ worker_connections 512; }}
        http {{
            access_log off; server_tokens off; client_max_body_size 0; large_client_header_buffers 8 64k;
            client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
            upstream origin {{ server 127.0.0.1:{origin}; keepalive 8; keepalive_timeout 4s; }}
            map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
            proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;
            proxy_set_header Host {host};
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Real-IP $remote_addr;
            proxy_pass_header Server; proxy_pass_header Date;
            server {{
                listen 127.0.0.1:{port}; server_name localhost;
                location /t/ {{ proxy_pass http://origin/; proxy_redirect / /t/; proxy_cookie_path / /t/; }}
                location / {{ proxy_pass http://origin; }}
            }}
            server {{
                listen 127.0.0.1:{port}; server_name preserve.test;
                proxy_set_header Host $http_host; location / {{ proxy_pass http://origin; }}
            }}
        }}
    """

    def __init__(self, folder, origin):
        super().__init__()
        folder = pathlib.Path(folder)
        for name in ["body", "proxy", "fastcgi", "uwsgi", "scgi"]:
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.origin = origin
        seen = f"localhost:{origin.port}"
        configuration = folder / "nginx.conf"
        configuration.write_text(
            self.CONFIGURATION.format(folder=folder, origin=origin.port, port=self.port, host=seen)
        )
        self.seen = seen.encode()
        self.processes.append(_start(["nginx", "-p", folder, "-c", configuration]))
        for _ in range(100):
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise SystemExit("nginx did not start")

    def place(self, name):
        policy, *ways = name.split("@")
        is_host = "host" in ways
        host = b"preserve.test" if policy == "preserve" else b"localhost"
        return Place(
            address=("127.0.0.1", self.port),
            base=b"" if is_host or policy in ("keep", "preserve") else b"/t",
            host=host,
            origin=host if policy == "preserve" else self.seen,
            port=str(self.origin.port).encode(),
            allow=messages.in_one_order,
        )


class Traefik:
    """A Traefik that somebody has started in front of the bare origin. It passes `Host` on as it came."""

    def __init__(self, url, origin):
        self.address = _address(url)
        self.origin = origin

    def place(self, name):
        """The visitor's way through it."""
        host = f"name.{DOMAIN}" if name.endswith("@host") else f"{self.address[0]}:{self.address[1]}"
        return Place(
            address=self.address,
            base=b"",
            host=host.encode(),
            origin=host.encode(),
            port=str(self.origin.port).encode(),
            allow=messages.by_meaning,
            reframes=True,
        )
