# SPDX-License-Identifier: Apache-2.0
"""Scenes: what pages of others can do to the inspector, in a real browser. Nothing, is the answer."""

import http.server
import threading

from playwright.sync_api import expect

PAGE = b"""<!doctype html><title>another page</title><p>ready</p>"""


class Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


def guarded(stage, window):
    """Another site, another port of localhost, a rebound name, a form, a script: refused, and nothing is sent again."""
    stage.show_samples()
    window.open()
    window.expected += ["Failed to load resource", "CORS policy", "Cross-Origin", "frame-ancestors", "Refused to", "net::ERR", "blocked"]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    try:
        for site in (f"http://localhost:{port}/", f"http://other.example:{port}/"):
            _try_everything(stage, window, site)
        page = window.page
        rebound = page.goto(f"http://other.example:{stage.port}/api/tunnels")
        assert (rebound.status, rebound.json()["code"]) == (403, "forbidden_host"), rebound.text()
        for name in ("localhost", "127.0.0.1", "app.localhost"):
            answer = page.goto(f"http://{name}:{stage.port}/")
            assert answer.status == 200, (name, answer.status)
        policy = answer.headers["content-security-policy"]
        for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
            assert part in policy, policy
        assert "unsafe" not in policy, policy
    finally:
        server.shutdown()
        server.server_close()
    assert stage.origin.records == [], stage.origin.records


def _try_everything(stage, window, site):
    page = window.page
    page.goto(site)
    address = f"http://127.0.0.1:{stage.port}/"
    seen = []
    page.on("response", lambda answer: seen.append((answer.request.resource_type, answer.status)) if answer.url.startswith(address) else None)
    newest = stage.api("requests/http?fields=summary&limit=1")["requests"][0]["id"]
    results = page.evaluate(
        """async ([address, id]) => {
          const results = [];
          const attempt = async (path, settings) => {
            try {
              const answer = await fetch(address + path, settings);
              results.push(`${path} ${answer.type} ${answer.type === 'opaque' ? '' : await answer.text()}`);
            } catch { results.push(null); }
          };
          await attempt('api/requests/http', {});
          await attempt('api/requests/http', {credentials: 'include'});
          await attempt('api/requests/http', {method: 'POST', body: JSON.stringify({id}), headers: {'Content-Type': 'application/json'}});
          await attempt('api/requests/http', {method: 'DELETE'});
          for (const mode of ['GET', 'POST']) {
            await fetch(address + 'api/requests/http', {mode: 'no-cors', method: mode, ...(mode === 'POST' && {body: JSON.stringify({id})})}).catch(() => {});
          }
          const load = (tag, settings) => new Promise(done => {
            const one = Object.assign(document.createElement(tag), settings, {onload: () => done('loaded'), onerror: () => done('refused')});
            document.body.append(one);
            setTimeout(() => done('silent'), 3000);
          });
          results.push(await load('script', {src: address + 'api/requests/http'}) === 'loaded' ? 'a script was loaded' : null);
          results.push(await load('img', {src: address + 'icon.svg'}) === 'loaded' ? 'an image was loaded' : null);
          await load('iframe', {src: address});
          return results.filter(Boolean);
        }""",
        [address, newest],
    )
    assert not results, (site, results)
    assert seen and all(status in (401, 403, 415) for kind, status in seen if kind != "document"), (site, seen)
    framed = [frame for frame in page.frames if frame.url.startswith(address)]
    assert all("Culvert" not in frame.content() for frame in framed), f"{site} can frame the page"
    # A form needs no permission to be sent; it has a type that the program does not take.
    page.evaluate(
        """([address, id]) => {
          const form = Object.assign(document.createElement('form'), {action: address + 'api/requests/http', method: 'post', enctype: 'text/plain'});
          form.append(Object.assign(document.createElement('input'), {name: `{"id":"${id}","x":"`, value: '"}'}));
          document.body.append(form);
          form.submit();
        }""",
        [address, newest],
    )
    page.wait_for_url(address + "**")
    expect(page.locator("body")).to_contain_text("403")
    assert len(stage.api("requests/http?fields=summary&limit=100")["requests"]) == len(stage.samples)
