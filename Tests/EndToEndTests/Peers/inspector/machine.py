# SPDX-License-Identifier: Apache-2.0
"""Scenes without a browser: programs, users and networks that come to the inspector, and pages that are many or stop."""

import contextlib
import glob
import json
import os
import re
import socket
import subprocess
import threading
import time

import samples
from pyngrok import conf, ngrok, process
from real import ask, eventually, free_port

JSON = ["-H", "Content-Type: application/json"]
# The rows of the table "Who may look" in docs/inspector.md: arguments of curl, path, status and code.
GUARD = [
    (["-H", "Host: other.example"], "api/tunnels", 403, "forbidden_host"),
    (["-H", "Host: other.example:4040"], "api/tunnels", 403, "forbidden_host"),
    (["-H", "Host: localhost.other.example"], "api/tunnels", 403, "forbidden_host"),
    (["-H", "Host: 192.0.2.7"], "", 403, "forbidden_host"),
    *[([f"-H{name}: x"], "api/tunnels", 403, "forwarded")
      for name in ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Culvert-Request-Id")],
    (["-H", "Sec-Fetch-Site: cross-site"], "api/tunnels", 403, "forbidden_origin"),
    (["-H", "Sec-Fetch-Site: same-site"], "app.js", 403, "forbidden_origin"),
    (["-H", "Origin: http://localhost:3000"], "api/tunnels", 403, "forbidden_origin"),
    (["-H", "Origin: null"], "api/tunnels", 403, "forbidden_origin"),
    (["-X", "DELETE"], "api/requests/http", 415, "unsupported_media_type"),
    (["-d", "id=x"], "api/requests/http", 415, "unsupported_media_type"),
    (["-d", "{}", "-H", "Content-Type: text/plain"], "api/requests/http", 415, "unsupported_media_type"),
    (["-d", "{}", *JSON], "api/requests/http", 400, "malformed_body"),
    ([], "api/requests/http/0123456789abcdef", 404, "not_found"),
    *[(["-H", f"Host: {name}"], "api/tunnels", 200, None)
      for name in ("localhost", "localhost:9000", "app.localhost", "127.0.0.1:1", "127.1.2.3", "[::1]", "[::1]:4040")],
    (["-H", "Sec-Fetch-Site: same-origin"], "api/tunnels", 200, None),
    (["-H", "Sec-Fetch-Site: cross-site", "-H", "Sec-Fetch-Mode: navigate", "-H", "Sec-Fetch-Dest: document"], "", 200, None),
]  # fmt: skip


def curl(url, *arguments, before=()):
    """Asks by curl; gives the status and what came."""
    command = [*before, "curl", "-s", "--max-time", "30", "-w", "\n%{http_code}", *arguments, url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    body, _, status = text.rpartition("\n")
    return int(status), body


def code(body):
    try:
        return json.loads(body).get("code")
    except ValueError:
        return None


def guard_table(stage, _):
    """Each rule of the guard has its row, by curl; with a token whoever does not show it is refused."""
    stage.show_samples()
    for arguments, path, status, wanted in GUARD:
        found, body = curl(stage.url + path, *arguments)
        assert found == status and (wanted is None or code(body) == wanted), (arguments, path, found, body[:300])
    assert len(stage.api("requests/http?fields=summary&limit=100")["requests"]) == len(stage.samples)
    assert stage.origin.records == [], stage.origin.records
    with stage.connector("http", str(stage.origin.port), "--name", "with-token", "--edge", stage.edge, "--inspect-token",
                         inspect=(address := f"127.0.0.1:{free_port()}"), environment={"XDG_RUNTIME_DIR": stage.folder}) as other:  # fmt: skip
        file = os.path.join(stage.folder, "culvert", f"inspector-{other.process.pid}.json")
        eventually("file of the inspector", lambda: os.path.exists(file) or None)
        with open(file, encoding="utf-8") as known:
            token = json.load(known)["token"]
        url = f"http://{address}/"
        jar = os.path.join(stage.folder, "cookies")
        bearer = ["-H", f"Authorization: Bearer {token}"]
        for arguments, path, status in [
            ([], "api/tunnels", 401), (["-H", "Authorization: Bearer x"], "api/tunnels", 401), ([], "?token=x", 401),
            (bearer, "api/tunnels", 200), (["-c", jar, "-L"], f"?token={token}", 200), (["-b", jar], "api/tunnels", 200),
            ([*bearer, "-H", "Host: other.example"], "api/tunnels", 403),
        ]:  # fmt: skip
            found, body = curl(url + path, *arguments)
            assert found == status, (arguments, path, found, body[:300])
        with open(jar, encoding="utf-8") as cookies:
            assert f"culvert_inspector_{address.split(':')[1]}" in cookies.read()


def other_user(stage, _):
    """Another user of the machine is refused, over IPv4; the user of the program and root are not."""
    as_nobody = [*([] if os.geteuid() == 0 else ["sudo", "-n"]), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for path in ("", "api/tunnels", "api/events"):
        status, body = curl(stage.url + path, before=as_nobody)
        assert (status, code(body)) == (403, "other_user"), (path, status, body)
    assert curl(stage.url + "api/tunnels")[0] == 200


def tunnel_to_inspector(stage, _):
    """A tunnel that leads to the inspector shows nothing, and the port of a target is not listened on."""
    with stage.connector("http", str(stage.port), "--name", "inside", "--edge", stage.edge, inspect="off"):
        url = f"{stage.edge}/inside/"
        eventually("tunnel to the inspector", lambda: curl(url)[0] == 403 or None)
        for path in ("", "api/tunnels", "api/requests/http"):
            status, body = curl(url + path)
            assert (status, code(body)) == (403, "forwarded"), (path, status, body[:300])
        status, body = curl(url + "api/requests/http", "-X", "DELETE", *JSON)
        assert (status, code(body)) == (403, "forwarded"), (status, body[:300])
    taken = free_port()
    with stage.connector("http", str(taken), "--name", "own-port", "--edge", stage.edge, inspect=f"127.0.0.1:{taken}"):
        eventually("a warning", lambda: re.search(rf"There is no inspector: 127.0.0.1:{taken}", stage.log()))


def taken_ports(stage, _):
    """A taken port is passed over for the next one; one that was asked for is a warning, and the tunnel is served."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def hold():
        try:
            holder.bind(("127.0.0.1", 4040))
            holder.listen()
            return True
        except OSError:
            return None

    # Another test may have it for a moment, and let it go before the program looks.
    with contextlib.suppress(AssertionError):
        eventually("port 4040", hold)
    with stage.connector("http", str(stage.origin.port), "--name", "next-port", "--edge", stage.edge, inspect="on",
                         environment={"XDG_RUNTIME_DIR": stage.folder}) as other:  # fmt: skip
        file = os.path.join(stage.folder, "culvert", f"inspector-{other.process.pid}.json")
        eventually("file of the inspector", lambda: os.path.exists(file) or None)
        with open(file, encoding="utf-8") as known:
            url = json.load(known)["url"]
        assert re.fullmatch(r"http://127\.0\.0\.1:404[1-9]", url), url
        assert ask(url + "/", "tunnels")["tunnels"][0]["name"] == "next-port"
    holder.close()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with stage.connector("http", str(stage.origin.port), "--name", "no-port", "--edge", stage.edge, inspect=address):
            eventually("tunnel", lambda: stage.send(samples.request("GET", "/x"), "no-port") == 200 or None)
            assert f"There is no inspector: {address} can't be listened on: another program listens there," in stage.log(), stage.log()
    assert glob.glob(os.path.join(stage.folder, "culvert", "inspector-*.json")), "no file was written"


def ngrok_library(stage, _):
    """What is written for ngrok goes on: a client library from PyPI, a line of curl and jq, a script that replays."""
    stage.show_samples()
    # The library takes our program for the ngrok that it has started.
    config = conf.PyngrokConfig(ngrok_path=stage.program, config_version="2")
    running = process.NgrokProcess(stage.connector_process, config)
    running.api_url = stage.url.rstrip("/")
    process._current_processes[stage.program] = running
    try:
        (tunnel,) = ngrok.get_tunnels(config)
        assert tunnel.public_url.startswith("http") and "my-app" in tunnel.public_url, tunnel
        assert (tunnel.name, tunnel.config["addr"]) == ("my-app", f"http://localhost:{stage.origin.port}"), tunnel.data
        tunnel.refresh_metrics()
        assert tunnel.metrics["http"]["count"] >= len(stage.samples), tunnel.metrics
        kept = ngrok.api_request(f"{running.api_url}/api/requests/http", params={"tunnel_name": "my-app", "limit": 100})["requests"]
        (hook,) = [one for one in kept if one["request"]["uri"] == "/hooks/stripe"]
        assert hook["request"]["headers"]["Stripe-Signature"] == ["t=1700000000,v1=5257a869e7ec"], hook
        assert hook["response"]["status_code"] == 500, hook
        one = ngrok.api_request(f"{running.api_url}{hook['uri']}")
        assert one["id"] == hook["id"] and one["request"]["method"] == "POST", one
        assert not ngrok.api_request(f"{running.api_url}/api/requests/http", "POST", {"id": hook["id"], "tunnel_name": "my-app"})
        assert stage.received()["target"] == "/hooks/stripe"
        public = f"curl -s {stage.url}api/tunnels | jq -r '.tunnels[0].public_url'"
        assert subprocess.run(["sh", "-c", public], check=True, capture_output=True, text=True).stdout.strip() == tunnel.public_url
    finally:
        process._current_processes.clear()


def edge_answers(stage, _):
    """What the edge answers itself is no line, and is counted beside the tunnel."""
    stage.prepare()
    assert stage.send(samples.request("GET", "/away")) == 502

    def counted():
        (tunnel,) = stage.api("tunnels")["tunnels"]
        return tunnel if (tunnel.get("edge_answers") or 0) > 0 else None

    assert eventually("count of the edge", counted)["state"] == "online"
    (line,) = stage.api("requests/http?fields=summary&limit=100")["requests"]
    assert line["path"] == "/away" and line["error"] == "The local server closed the connection before there was a response.", line


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) << 10


def follow(stage):
    """A page that follows the inspector; it has a small buffer, and reads nothing by itself."""
    page = socket.socket()
    page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    page.settimeout(30)
    page.connect(("127.0.0.1", stage.port))
    page.sendall(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{stage.port}\r\n\r\n".encode())
    return page


def durations(stage, number):
    """How long requests through the tunnel take, in seconds, from the shortest to the longest."""
    times = []
    for _ in range(number):
        begin = time.monotonic()
        stage.visit("/while-pages-follow")
        times.append(time.monotonic() - begin)
    return sorted(times)


def many_pages(stage, _):
    """Fifty pages that read nothing delay no request and cost no memory; one too many is refused, and places come back."""
    stage.prepare()
    quiet = durations(stage, 60)
    before = resident(stage.connector_pid)
    pages = [follow(stage) for _ in range(50)]
    for page in pages:
        assert page.recv(12) == b"HTTP/1.1 200"
    # More than the buffers of a connection take whose reader has room for 4 KiB.
    long = {"method": "GET", "url": "http://a/" + "x" * 2_000, "headers": []}
    entries = [{"time": 1, "request": long, "response": {"status": 200, "headers": []}} for _ in range(120)]
    for _ in range(2):
        stage.post("requests/har", {"log": {"version": "1.2", "entries": entries}})
        time.sleep(0.3)
    busy = durations(stage, 60)
    stage.figures["requests beside fifty pages that read nothing, median ms"] = round(1000 * busy[30], 1)
    stage.figures["the same without pages, median ms"] = round(1000 * quiet[30], 1)
    grown = resident(stage.connector_pid) - before
    stage.figures["what fifty pages that read nothing add, MiB"] = round(grown / (1 << 20), 1)
    assert busy[30] <= 0.25 and busy[-1] <= 5, (quiet, busy)
    # Of what a page has not taken, a batch of lines is held, and not all.
    assert grown <= 16 << 20, grown
    # One that reads on is told, and can be sure of what it has.
    text = b""
    while b"event: requests" not in text:
        text += pages[0].recv(65_536)
        assert text, "the stream has ended"
    more = [follow(stage) for _ in range(14)]
    for page in more:
        assert page.recv(12) == b"HTTP/1.1 200"
    last = follow(stage)
    assert last.recv(12) == b"HTTP/1.1 429"
    for page in [*pages, *more, last]:
        page.close()

    def is_free():
        with follow(stage) as page:
            return page.recv(12) == b"HTTP/1.1 200" or None

    eventually("a free place", is_free)
    assert stage.visit("/after") is None and threading.active_count() < 200
    stage.prepare()
