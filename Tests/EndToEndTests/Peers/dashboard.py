#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The edge's dashboard in a real browser.

    dashboard.py FOLDER [--only SCENE]... [--pictures FOLDER]

Starts `culvert-edge` and `culvert` of FOLDER, signs in, and plays scenes. Prints
`{"scenes": [name], "failures": {name: text}, "figures": {}}`.
"""

import argparse
import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent / "inspector"))
from browser import NARROW, REPORT, WIDE, chromium, context  # noqa: E402
from free_ports import free_port  # noqa: E402
from playwright.sync_api import expect  # noqa: E402

ANN, BOB, ROOT = "cvk_ann-of-the-dashboard", "cvk_bob-of-the-dashboard", "cvk_root-of-the-dashboard"
SECRET = base64.b32encode(b"12345678901234567890").decode()


def one_time_code():
    """RFC 6238."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.new(base64.b32decode(SECRET), counter, hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start:start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


class Listener(http.server.BaseHTTPRequestHandler):
    """A page, and an app, at another port of the same host: it keeps the cookies that browsers send it."""

    cookies = []

    def _answer(self):
        if self.headers.get("Cookie"):
            Listener.cookies.append(self.headers["Cookie"])
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"<!doctype html><title>another page</title><p>ready</p>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, *_):
        pass


class Stage:
    def __init__(self, browser, programs):
        self.browser, self.programs = browser, programs
        self.folder = tempfile.TemporaryDirectory()
        place = pathlib.Path(self.folder.name)
        keys = [{"name": name, "role": role, "sha256": hashlib.sha256(key.encode()).hexdigest()}
                for name, role, key in (("ann", "user", ANN), ("bob", "user", BOB), ("root", "admin", ROOT))]
        keys[0]["totp_secret"] = SECRET
        (place / "keys.json").write_text(json.dumps({"keys": keys}))
        (place / "keys.json").chmod(0o600)
        self.port, self.admin, self.processes = free_port(), free_port(), []
        self.url = f"http://localhost:{self.admin}/api/dashboard/"
        self.start("culvert-edge", "--dev", "--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self.admin}",
                   "--auth-api-keys-file", str(place / "keys.json"), "--inbox-directory", str(place / "inbox"),
                   CULVERT_AUTH_SIGNING_KEY=base64.b64encode(bytes(range(32))).decode())
        self.eventually("edge", lambda: urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz").status == 200)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.other = self.server.server_address[1]

    def start(self, program, *arguments, **environment):
        log = open(os.path.join(self.folder.name, "log"), "ab")
        # The programs refuse a variable of theirs that they don't know.
        inherited = {name: value for name, value in os.environ.items() if name != "CULVERT_LONG"}
        home = dict(inherited, HOME=self.folder.name, XDG_RUNTIME_DIR=self.folder.name, **environment)
        process = subprocess.Popen([os.path.join(self.programs, program), *arguments], env=home, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
        self.processes.append(process)
        return process

    @staticmethod
    def eventually(what, is_true):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if is_true():
                    return
            time.sleep(0.05)
        raise AssertionError(f"no {what} within 30 s")

    def api(self, method, path, key, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def visit(self, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", data=body, method="POST" if body else "GET")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status

    @contextlib.contextmanager
    def window(self, size=None, scheme="light"):
        made = context(self.browser, size, scheme)
        page = made.new_page()
        page.set_default_timeout(15_000)
        page.add_init_script(REPORT)
        page.complaints, page.expected = [], ["401"]
        page.on("console", lambda one: page.complaints.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.complaints.append(f"error: {error}"))
        page.goto(self.url)
        try:
            yield page
            complaints = [one for one in page.complaints if not any(part in one for part in page.expected)]
            complaints += page.evaluate("() => window.violations ?? []")
            assert not complaints, "\n".join(complaints)
        finally:
            made.close()

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        self.server.shutdown()
        self.folder.cleanup()


def sign_in(page, key, code=None):
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    if code:
        page.get_by_label("One-time code").fill(code)
        page.get_by_role("button", name="Sign in").click()
    page.get_by_role("table", name="Tunnels").wait_for()


def row(page, text):
    return page.get_by_role("table", name="Tunnels").get_by_role("row").filter(has_text=text)


def signing_in(stage, pictures):
    """A wrong key, a code that is asked for, a reload, another tab, and the way out."""
    stage.api("POST", "tunnels/create", BOB, {"name": "bobs-app"})
    with stage.window() as page:
        page.get_by_label("API key").fill("cvk_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert").filter(has_text="not known here")).to_be_visible()
        page.reload()
        page.get_by_label("API key").fill(ANN)
        expect(page.get_by_label("One-time code")).to_be_hidden()
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_label("One-time code")).to_be_focused()
        if pictures:
            page.screenshot(path=os.path.join(pictures, "dashboard-sign-in.png"))
        page.get_by_label("One-time code").fill(one_time_code())
        page.keyboard.press("Enter")
        expect(page.get_by_text("0 tunnels, 0 online")).to_be_visible()
        expect(page.locator("#who")).to_have_text("ann")
        expect(page.get_by_role("button", name="Audit")).to_have_count(0)
        page.reload()
        expect(page.locator("#who")).to_have_text("ann")
        tab = page.context.new_page()
        tab.goto(stage.url)
        expect(tab.get_by_label("API key")).to_be_visible()
        tab.close()
        assert page.evaluate("() => document.cookie") == "", "a script can read the cookie"
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        page.reload()
        expect(page.get_by_label("API key")).to_be_visible()
        sign_in(page, ROOT)
        expect(row(page, "bobs-app")).to_be_visible()


def served_elsewhere(route):
    """The list as one of several edges gives it."""
    answer = route.fetch()
    page = answer.json()
    for tunnel in page["tunnels"]:
        tunnel["elsewhere"] = [{"pod": "abcdefghij", "sessions": 2}, {"pod": "klmnopqrst", "sessions": 1}]
    route.fulfill(response=answer, json=page)


def served_somewhere(route):
    """The list as an edge gives it whose registry is away, of a tunnel that others serve."""
    answer = route.fetch()
    page = answer.json()
    for tunnel in page["tunnels"]:
        tunnel["state"] = "online"
    route.fulfill(response=answer, json=page)


def tunnels(stage, pictures):
    """A tunnel is made, served, counted while somebody looks, given another token, and deleted."""
    with stage.window() as page:
        # That a tunnel has no inbox is told so.
        page.expected.append("404")
        sign_in(page, BOB)
        page.get_by_role("button", name="New tunnel").click()
        dialog = page.get_by_role("dialog", name="New tunnel")
        dialog.get_by_label("Name").fill("my-app")
        dialog.get_by_role("button", name="Create").click()
        token = page.get_by_role("dialog", name="Token of my-app").locator(".token").inner_text()
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        expect(row(page, "my-app")).to_contain_text("offline")
        process = stage.start("culvert", "connect", "--to", str(stage.other), "--inspect", "off", CULVERT_TOKEN=token)
        expect(row(page, "my-app")).to_contain_text("online")
        for _ in range(7):
            assert stage.visit("my-app/") == 200
        cells = row(page, "my-app").get_by_role("cell")
        expect(cells.nth(5)).to_have_text("7")
        expect(cells.nth(4)).to_contain_text("ms")
        row(page, "my-app").get_by_role("button").click()
        details = page.get_by_role("region", name="Tunnel my-app")
        expect(details.get_by_role("table", name="Connections of my-app")).to_contain_text("culvert")
        if pictures:
            stage.api("PUT", "tunnels/my-app/inbox", BOB, {})
            page.screenshot(path=os.path.join(pictures, "dashboard.png"))
        details.get_by_role("button", name="New token").click()
        page.get_by_role("dialog").get_by_role("button", name="Make a new token").click()
        assert page.get_by_role("dialog", name="Token of my-app").locator(".token").inner_text() != token
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        details.get_by_role("button", name="Give access").click()
        dialog = page.get_by_role("dialog", name="Give access")
        dialog.get_by_label("For").select_option("a week")
        dialog.get_by_role("button", name="Make a token").click()
        visiting = page.get_by_role("dialog", name="Access to my-app").locator(".token").inner_text()
        claims = json.loads(base64.urlsafe_b64decode(visiting.split(".")[1] + "=="))
        assert claims["sub"] == "my-app" and abs(claims["exp"] - time.time() - 604_800) < 120, claims
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        details.get_by_role("button", name="End access").click()
        page.get_by_role("dialog").get_by_role("button", name="End all").click()
        expect(page.locator("#notice")).to_have_text("Access to my-app has ended")
        process.terminate()
        process.wait()
        expect(row(page, "my-app")).to_contain_text("offline")
        expect(details).to_contain_text("Nothing is connected.")
        page.route("**/tunnels/list*", served_elsewhere)
        expect(details).to_contain_text("At other edges: 2 (abcdefghij), 1 (klmnopqrst).")
        expect(cells.nth(3)).to_have_text("3")
        page.unroute("**/tunnels/list*")
        expect(details).to_contain_text("Nothing is connected.")
        page.route("**/tunnels/list*", served_somewhere)
        expect(details).to_contain_text("Which connections other edges have can't be told now.")
        page.unroute("**/tunnels/list*")
        expect(details).to_contain_text("Nothing is connected.")
        details.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(row(page, "my-app")).to_be_visible()
        details.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(row(page, "my-app")).to_have_count(0)
        page.expected.append("409")
        page.get_by_role("button", name="New tunnel").click()
        dialog = page.get_by_role("dialog", name="New tunnel")
        dialog.get_by_label("Name").fill("api")
        dialog.get_by_role("button", name="Create").click()
        expect(dialog.get_by_role("alert")).to_contain_text("reserved")


def inbox(stage, pictures):
    """What waits is seen as it comes, skipped, delivered again and deleted."""
    stage.api("POST", "tunnels/create", BOB, {"name": "hooks"})
    stage.api("PUT", "tunnels/hooks/inbox", BOB, {"keep": {"messages": 3}})
    with stage.window() as page:
        sign_in(page, BOB)
        row(page, "hooks").get_by_role("button").click()
        details = page.get_by_role("region", name="Tunnel hooks")
        messages = details.get_by_role("table", name="Inbox of hooks").get_by_role("row")
        expect(details).to_contain_text("0 wait")
        for number in range(3):
            assert stage.visit(f"hooks/<b>{number}".replace("<", "%3C").replace(">", "%3E"), b"{}") == 202
        expect(messages).to_have_count(4)
        expect(details).to_contain_text("3 wait")
        expect(messages.nth(1)).to_contain_text("/%3Cb%3E2")
        if pictures:
            page.locator(".chosen-one").scroll_into_view_if_needed()
            page.screenshot(path=os.path.join(pictures, "dashboard-inbox.png"))
        messages.nth(3).get_by_role("button", name="Skip").click()
        expect(messages.nth(3)).to_contain_text("skipped")
        messages.nth(2).get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(messages).to_have_count(3)
        details.get_by_role("button", name="Deliver the dead").click()
        expect(messages.nth(2)).to_contain_text("waiting")
        token = stage.api("POST", "tunnels/hooks/token", BOB)["token"]
        process = stage.start("culvert", "connect", "--to", str(stage.other), "--inspect", "off", CULVERT_TOKEN=token)
        expect(details).to_contain_text("2 were delivered")
        details.get_by_label("State").select_option("waiting")
        expect(messages).to_have_count(1)
        details.get_by_label("State").select_option("delivered")
        expect(messages).to_have_count(3)
        messages.nth(1).get_by_role("button", name="Deliver again").click()
        expect(details).to_contain_text("0 wait")
        process.terminate()
        process.wait()


def audit(stage, pictures):
    """An admin sees who did what; a user can't, whatever the page is made to ask."""
    with stage.window() as page:
        sign_in(page, ROOT)
        page.get_by_role("button", name="Audit").click()
        table = page.get_by_role("table", name="Audit")
        expect(table.get_by_role("row").filter(has_text="bob").filter(has_text="POST /api/tunnels/create").first).to_be_visible()
        if pictures:
            page.screenshot(path=os.path.join(pictures, "dashboard-audit.png"))
    with stage.window() as page:
        sign_in(page, BOB)
        page.expected += ["403", "404"]
        ask = """async path => {
          const answer = await fetch('/api/' + path, {headers: {'Culvert-Session': sessionStorage.getItem('culvert-session')}});
          return [answer.status, (await answer.json()).code];
        }"""
        assert page.evaluate(ask, "dashboard/audit") == [403, "admins_only"]
        stage.api("POST", "tunnels/create", ROOT, {"name": "roots-app"})
        for path in ("status", "inbox", "inbox/messages"):
            assert page.evaluate(ask, f"tunnels/roots-app/{path}") == [404, "tunnel_not_found"], path
        expect(row(page, "roots-app")).to_have_count(0)


def foreign(stage, _):
    """Another site, another port of the same host, a rebound name, and who has taken the cookie there: refused."""
    Listener.cookies.clear()
    with stage.window() as page:
        sign_in(page, ROOT)
        halves = page.evaluate("() => sessionStorage.getItem('culvert-session')")
        page.expected += ["Failed to load resource", "CORS", "Cross-Origin", "frame-ancestors", "Refused to", "net::ERR", "blocked"]
        for site in (f"http://localhost:{stage.other}/", f"http://other.example:{stage.other}/"):
            tab = page.context.new_page()
            tab.goto(site)
            seen = []
            tab.on("response", lambda answer, seen=seen: seen.append(answer.status) if f":{stage.admin}/" in answer.url else None)
            read = tab.evaluate("""async ([base, token]) => {
              const read = [];
              const attempt = async (path, settings) => {
                try { read.push(await (await fetch(base + path, {credentials: 'include', ...settings})).text()); } catch { /* refused */ }
              };
              await attempt('tunnels/list', {});
              await attempt('tunnels/list', {headers: {'Culvert-Session': token}});
              await attempt('tunnels/create', {method: 'POST', body: '{}', headers: {'Content-Type': 'application/json'}});
              await attempt('dashboard/session', {method: 'DELETE'});
              await fetch(base + 'tunnels/create', {mode: 'no-cors', credentials: 'include', method: 'POST', body: '{}'}).catch(() => {});
              const frame = document.createElement('iframe');
              frame.src = base + 'dashboard/';
              document.body.append(frame);
              await new Promise(done => { frame.onload = done; setTimeout(done, 3000); });
              return read;
            }""", [f"http://localhost:{stage.admin}/api/", halves])
            assert read == [], read
            assert all(status in (401, 403, 404, 415) for status in seen), seen
            tab.close()
        # The browser gives the cookie to every port of the host: whoever listens there can't use it.
        assert Listener.cookies, "the browser sent no cookie to another port"
        stolen = Listener.cookies[0]
        for fields in ({}, {"Culvert-Session": "0" * 32}):
            for host in (f"localhost:{stage.admin}", f"localhost:{stage.other}"):
                request = urllib.request.Request(f"http://127.0.0.1:{stage.admin}/api/tunnels/list",
                                                 headers={"Cookie": stolen, "Host": host, **fields})
                try:
                    urllib.request.urlopen(request)
                    raise AssertionError(f"{host} {fields}: the cookie alone is enough")
                except urllib.error.HTTPError as error:
                    assert error.code == 401, error.code
        rebound = page.context.new_page().goto(f"http://other.example:{stage.admin}/api/dashboard/")
        assert (rebound.status, rebound.json()["code"]) == (403, "foreign_page")
        expect(row(page, "bobs-app")).to_be_visible()


def looks(stage, pictures):
    """Dark, narrow, by keys alone: nothing is cut, and focus is where it should be."""
    for size, scheme in ((NARROW, "light"), (WIDE, "dark")):
        with stage.window(size, scheme) as page:
            page.keyboard.type(BOB)
            page.keyboard.press("Enter")
            page.get_by_role("table", name="Tunnels").wait_for()
            row(page, "hooks").get_by_role("button").focus()
            page.keyboard.press("Enter")
            expect(page.get_by_role("heading", name="hooks")).to_be_focused()
            wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{wide} pixels too wide"
            if pictures:
                page.screenshot(path=os.path.join(pictures, f"dashboard-{scheme if size is WIDE else 'narrow'}.png"))


SCENES = {"signing-in": signing_in, "tunnels": tunnels, "inbox": inbox, "audit": audit, "foreign": foreign, "looks": looks}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--only", action="append")
    parser.add_argument("--pictures")
    options = parser.parse_args()
    played, failures = [], {}
    with chromium(["MAP *.example 127.0.0.1"]) as browser:
        stage = Stage(browser, options.folder)
        try:
            for name, scene in SCENES.items():
                if options.only and name not in options.only:
                    continue
                try:
                    scene(stage, options.pictures)
                except Exception:
                    failures[name] = traceback.format_exc()[-3_000:]
                played.append(name)
        finally:
            stage.close()
    print(json.dumps({"scenes": played, "failures": failures, "figures": {}}))


if __name__ == "__main__":
    main()
