# SPDX-License-Identifier: Apache-2.0
"""Scenes: what is sent again, and what a printed line of curl sends, as the bytes that a local server gets."""

import base64
import hmac
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.request

import samples
from browser import Window
from haralyzer import HarParser
from real import eventually
from recorder import Recorder, certificate

# The fields of a request that are made anew when it is sent again.
MADE_ANEW = {b"connection", b"content-length", b"transfer-encoding", b"expect", b"culvert-replay"}
# Those that curl makes itself.
CURLS_OWN = {"connection", "content-length", "transfer-encoding", "expect"}
TIMES, AT_ONCE = 100, 10


def lines(request):
    """The lines of a head that a replay leaves as they are, and the body without its chunks."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    if re.search(rb"(?im)^transfer-encoding:", head):
        content = b""
        while size := int(body.partition(b"\r\n")[0], 16):
            body = body.partition(b"\r\n")[2]
            content, body = content + body[:size], body[size + 2 :]
        body = content
    return first, [line for line in fields if line.partition(b":")[0].lower() not in MADE_ANEW], body


def every_target(stage, _):
    """A replay has the captured bytes, over TCP, TLS and a Unix socket; a hundred of them go ten at a time."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "app.sock")
        files = certificate(folder)
        servers = [("tcp", Recorder(delay=0.02)), ("tls", Recorder(files=files, delay=0.02)), ("unix", Recorder(path=path, delay=0.02))]
        targets = [servers[0][1].port, f"https://localhost:{servers[1][1].port}", f"unix:{path}"]
        tunnels = "".join(
            f"  - name: to-{name}\n    target: {target}\n" + (f"    origin-ca-file: {files[0]}\n" if name == "tls" else "")
            for (name, _), target in zip(servers, targets)
        )
        config = os.path.join(folder, "tunnels.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"edge: {stage.edge}\ntunnels:\n{tunnels}")
        with stage.connector("start", "--config", config) as other:
            for name, server in servers:
                eventually(f"tunnel to-{name}", lambda: stage.send(samples.request("GET", "/warm-up"), f"to-{name}") == 200 or None)
                server.received.clear()
                _sent_again(stage, other, f"to-{name}", server)
        for _, server in servers:
            server.close()


def _sent_again(stage, other, tunnel, server):
    chunked = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")]
    for fields, sent, body in [
        ([("X-Twice", "a"), ("x-twice", "b "), ("Content-Type", "application/octet-stream")], bytes(range(256)), bytes(range(256))),
        (chunked, b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 7\r\n\r\n", b"hello world"),
    ]:
        server.received.clear()
        request = samples.request("POST", "/hooks?a=%2F&a=b", fields, sent)
        assert stage.send(request, tunnel, has_length=fields is not chunked) == 200
        newest = other.api("requests/http?fields=summary&limit=1&tunnel_name=" + tunnel)["requests"][0]
        other.post("requests/http", {"id": newest["id"]})
        eventually("replay", lambda: len(server.received) > 1 or None)
        first, second = server.received
        assert lines(first) == lines(second), (tunnel, first, second)
        assert lines(second)[2] == body, (tunnel, second)
        assert b"Culvert-Replay: " + newest["id"].encode() in second, second
    # The one that was sent again by itself may wait for its answer, and would count among those that follow.
    eventually("answer to the replay", lambda: server.open == 0 or None)
    server.received.clear()
    server.peak = 0
    begin = time.monotonic()
    ids = other.post("requests/http", {"id": newest["id"], "times": TIMES, "concurrency": AT_ONCE})["ids"]
    assert len(set(ids)) == TIMES, ids

    def all_over():
        found = other.api(f"requests/http?fields=summary&limit={TIMES}&filter=is:replay")["requests"]
        over = [one for one in found if one["id"] in ids and one["state"] != "open"]
        return over if len(over) == TIMES else None

    over = eventually("end of all replays", all_over)
    took = time.monotonic() - begin
    assert all(one["status"] == 200 and one["state"] == "complete" for one in over), over
    # A TLS connection that waits for the other side's farewell takes five seconds.
    assert took < 15, (tunnel, took)
    stage.figures[f"{TIMES} replays {tunnel}, {AT_ONCE} at a time, s"] = round(took, 1)
    assert len(server.received) == TIMES and len(set(server.received)) == 1, (tunnel, len(server.received))
    assert 2 <= server.peak <= AT_ONCE, (tunnel, server.peak)


def signed_anew(stage, _):
    """With the sender's secret a replay has a signature that its checker takes; a tunnel that is left out is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        server = Recorder()
        with open(os.path.join(folder, "secret"), "w", encoding="utf-8") as file:
            file.write("whsec_of_the_sender\n")
        config = os.path.join(folder, "tunnels.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                f"edge: {stage.edge}\ninspect:\n  body: 2KiB\n  signatures:\n    - {{scheme: stripe, secret-file: secret}}\n"
                f"tunnels:\n  - name: hooks\n    target: {server.port}\n  - name: left-out\n    target: {server.port}\n    inspect: off\n"
            )
        body = b'{"id": "evt_1"}'
        hook = samples.request("POST", "/hooks/stripe", [("Stripe-Signature", "t=1700000000,v1=00")], body)
        with stage.connector("start", "--config", config) as other:
            for tunnel in ("left-out", "hooks"):
                eventually(f"tunnel {tunnel}", lambda: stage.send(hook, tunnel) == 200 or None)
            kept = other.api(LIST)["requests"]
            assert {one["tunnel_name"] for one in kept} == {"hooks"}, kept
            assert other.api("status")["body_limit"] == 2_048
            assert other.api(f"requests/http/{kept[0]['id']}?fields=detail")["signature"]["is_renewed"] is True
            server.received.clear()
            for call, sent in (({}, body), ({"body": "changed"}, b"changed")):
                other.post("requests/http", {"id": kept[0]["id"], **call})
                eventually("replay", lambda: server.received or None)
                request = server.received.pop()
                moment, code = re.search(rb"(?m)^Stripe-Signature: t=(\d+),v1=([0-9a-f]+)\r$", request).groups()
                assert abs(time.time() - int(moment)) < 300, request
                assert hmac.new(b"whsec_of_the_sender", moment + b"." + sent, "sha256").hexdigest().encode() == code, request
        server.close()


def not_kept(stage, _):
    """A field that is not to be kept reaches the local server and nobody who looks; the command line signs anew as a file does."""
    secret = "hush-" + "x9" * 20
    server = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "secret")
        with open(path, "w", encoding="utf-8") as file:
            file.write("of_the_sender\n")
        hook = samples.request("POST", "/hook", [("AUTHORIZATION", f"Bearer {secret}"), ("X-Hub-Signature-256", "sha256=00")], b"{}")
        with stage.connector("http", str(server.port), "--name", "dropping", "--edge", stage.edge, "--inspect-drop", "Authorization",
                             "--inspect-signature", f"github:{path}") as other:  # fmt: skip
            eventually("tunnel", lambda: stage.send(hook, "dropping") == 200 or None)
            passed = eventually("request", lambda: server.received and server.received.pop())
            assert f"AUTHORIZATION: Bearer {secret}\r\n".encode() in passed, passed
            (line,) = other.api(LIST)["requests"]
            detail = other.api(f"requests/http/{line['id']}")
            assert detail["request"]["dropped_fields"] == ["AUTHORIZATION"], detail
            for place in (f"http/{line['id']}", f"http/{line['id']}/request/raw", "har?secrets=keep"):
                with urllib.request.urlopen(f"{other.url}api/requests/{place}") as answer:
                    assert secret.encode() not in answer.read(), place
            made = stage.context()
            page = Window(made, other.url).open()
            page.rows("/hook").first.click()
            page.page.locator("#detail").get_by_text("Not kept, as the settings say: AUTHORIZATION.").wait_for()
            page.close()
            made.close()
            server.received.clear()
            replay = [stage.program, "requests", "replay", line["id"], "--inspector", other.url]
            said = subprocess.run(replay, check=True, capture_output=True, text=True).stderr
            assert "sent without AUTHORIZATION, which was not kept" in said, said
            request = eventually("replay", lambda: server.received and server.received.pop())
            assert b"authorization" not in request.lower(), request
            code = hmac.new(b"of_the_sender", b"{}", "sha256").hexdigest()
            assert f"X-Hub-Signature-256: sha256={code}\r\n".encode() in request, request
            given = subprocess.run([*replay, "--header", "Authorization: Bearer new"], check=True, capture_output=True, text=True)
            assert "not kept" not in given.stderr, given.stderr
            assert b"Authorization: Bearer new\r\n" in eventually("replay", lambda: server.received and server.received.pop())
    server.close()


def curl_lines(stage, _):
    """The command that is printed for a request sends its bytes, whatever is in them."""
    stage.prepare()
    odd = samples.request("PUT", "/odd/%20%2F/../x?a='b'&c=$HOME&d=`id`", [("Content-Type", "text/plain"), ("X-Quote", "it's \"$x\" \\ !"),
                                                                           ("X-Empty", "")], b"it's\n\"$HOME\" `id` \\\r\n\xc3\xa9 %s \\n")  # fmt: skip
    form = samples.request("POST", "/bytes", [], bytes(range(256)) * 2)
    requests = [request for request, response in samples.samples() if "kind" not in response and "<" not in request["target"]]
    requests = [one for one in requests if one["target"] != "/away"] + [odd, form]
    stage.origin.records.clear()
    for request in requests:
        stage.send(request)
    passed = list(stage.origin.records)
    assert len(passed) == len(requests)
    found = eventually("requests", lambda: (kept := stage.api(LIST)["requests"]) and len(kept) == len(requests) and kept or None)
    for original, summary in zip(passed, reversed(found)):
        with urllib.request.urlopen(f"{stage.url}api/requests/http/{summary['id']}/curl?secrets=keep") as answer:
            command = answer.read().decode()
        stage.origin.records.clear()
        subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=30)
        (again,) = stage.origin.records
        for record in (original, again):
            record["fields"] = sorted((name.lower(), value) for name, value in record["fields"] if name.lower() not in CURLS_OWN)
        assert again == original, (command, original, again)


LIST = "requests/http?fields=summary&limit=100"


def archives(stage, _):
    """An archive is one for a library that reads them, has no secret, comes back, and sends the same bytes again."""
    secrets = [f"planted-{number}-secret" for number in range(24)]
    left = iter(secrets)
    query = "&".join(f"{name}={next(left)}" for name in (
        "access_token", "id_token", "refresh_token", "token", "api_key", "apikey", "key", "secret", "%63ode", "sig"))  # fmt: skip
    fields = [("Authorization", f"Bearer {next(left)}"), ("Cookie", f"a={next(left)}; b={next(left)}"), ("X-Api-Key", next(left)),
              ("X-Auth-Token", next(left)), ("X-CSRF-Token", next(left)), ("X-Vault-Token", next(left)), ("X-App-Secret", next(left)),
              ("Referer", f"http://a.example/?token={next(left)}"), ("Content-Type", "application/x-www-form-urlencoded")]  # fmt: skip
    form = f"user=ann&password={next(left)}&client_secret={next(left)}".encode()
    target = f"/planted?{query}"
    stage.origin.answers[target] = samples.response("302 Found", [
        ("Set-Cookie", f"s={next(left)}; Path=/"), ("Set-Cookie", f"t={next(left)}"), ("Location", f"/x?code={next(left)}")], b"moved")  # fmt: skip
    assert not list(left)
    stage.show_samples()
    stage.send(samples.request("POST", target, fields, form))
    total = len(stage.samples) + 1
    eventually("the last exchange", lambda: len(stage.api(LIST)["requests"]) == total or None)
    with urllib.request.urlopen(f"{stage.url}api/requests/har") as answer:
        text = answer.read().decode()
    archive = json.loads(text)
    everything = [text, *(_decoded(value) for value in _texts(archive))]
    leaked = [secret for secret in secrets + samples.SECRETS for one in everything if secret in one]
    assert not leaked, leaked
    entries = HarParser(archive).har_data["entries"]
    assert len(entries) == total, len(entries)
    for entry in entries:
        assert entry["request"]["httpVersion"].startswith("HTTP/1."), entry
        assert entry["time"] >= 0 and all(value >= -1 for value in entry["timings"].values() if isinstance(value, (int, float))), entry
    # With secrets it is whole, and what was imported is sent again as it was.
    with urllib.request.urlopen(f"{stage.url}api/requests/har?secrets=keep") as answer:
        whole = json.loads(answer.read())
    assert all(secret in json.dumps(whole) for secret in secrets)
    stage.clear()
    ids = stage.post("requests/har", whole)["ids"]
    assert len(ids) == total, ids
    stage.origin.records.clear()
    stage.post("requests/http", {"id": ids[-1], "tunnel_name": "my-app"})
    eventually("replay of an import", lambda: stage.origin.records or None)
    (again,) = stage.origin.records
    assert (again["method"], again["target"], again["body"]) == ("POST", target, form), again
    del stage.origin.answers[target]


def _texts(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _decoded(text):
    try:
        return base64.b64decode(text, validate=True).decode("latin-1")
    except ValueError:
        return ""
