# SPDX-License-Identifier: Apache-2.0
"""Scenes of the commands that serve a tunnel: http, connect, start."""

import signal


def wait_until_online(shell):
    # The round trip is measured last.
    shell.wait("a round trip", lambda screen: "online" in screen and "round trip" in screen)


def http(stage, album):
    """From the first picture over visitors of all kinds to Ctrl-C."""
    with stage.user() as shell:
        shell.start(f"culvert http {stage.origin.port} --name my-app")
        wait_until_online(shell)
        album.take(shell, "online, and nobody has come")
        for method, path in [
            ("GET", "/"), ("GET", "/style.css?v=7"), ("POST", "/201/items"), ("HEAD", "/"), ("GET", "/301/old"),
            ("GET", "/404/favicon.ico"), ("OPTIONS", "/204/items"), ("DELETE", "/503/items/7"),
            ("GET", "/" + "a-long-way/" * 12), ("GET", "/gr%C3%BC%C3%9Fe"),
        ]:  # fmt: skip
            stage.edge.visit("/my-app" + path, method)
        shell.wait("the last request", lambda screen: "gr%C3" in screen)
        album.take(shell, "after ten requests")
        for _ in range(20):
            stage.edge.visit("/my-app/again")
        shell.wait("all requests", lambda screen: "Requests    30" in screen)
        album.take(shell, "more requests than the window has room for")
        shell.interrupt()
        shell.finish()
        album.take(shell, "ended by Ctrl-C")


def front_page(stage, album):
    """What the picture on the front page shows: scripts/front-picture draws it from the kept screen."""
    with stage.user() as shell:
        shell.start(f"culvert http {stage.origin.port} --name my-app")
        wait_until_online(shell)
        for method, path in [
            ("GET", "/"), ("GET", "/style.css"), ("GET", "/app.js"), ("GET", "/favicon.ico"), ("GET", "/products"),
            ("GET", "/products/7"), ("POST", "/cart"), ("POST", "/hooks/payment"),
        ]:  # fmt: skip
            stage.edge.visit("/my-app" + path, method)
        shell.wait("the last request", lambda screen: "/hooks/payment" in screen and " open" not in screen)
        album.take(shell, "after eight requests")
        shell.interrupt()
        shell.finish()


def http_narrow(stage, album):
    """A window of 44 by 20, and a name that the edge makes up."""
    with stage.user(44, 20) as shell:
        shell.start(f"culvert http {stage.origin.port}")
        wait_until_online(shell)
        album.take(shell, "online")
        path = "/" + stage.edge.call("GET", "list")["tunnels"][0]["tunnel_id"]
        stage.edge.visit(path + "/")
        stage.edge.visit(path + "/404/assets/pictures/of-the-sea.jpeg")
        shell.wait("both requests", lambda screen: "404" in screen)
        album.take(shell, "after two requests")
        shell.interrupt()
        shell.finish()
        album.take(shell, "ended by Ctrl-C")


def http_resized(stage, album):
    """The window becomes narrower and lower, then wider than it was."""
    with stage.user() as shell:
        shell.start(f"culvert http {stage.origin.port} --name my-app")
        wait_until_online(shell)
        for number in range(6):
            stage.edge.visit(f"/my-app/page/{number}/of-a-book-that-has-a-rather-long-title")
        shell.wait("all requests", lambda screen: "page/5" in screen and " open" not in screen)
        album.take(shell, "80 columns")
        shell.resize(50, 14)
        album.take(shell, "50 columns and 14 rows")
        shell.resize(110, 30)
        album.take(shell, "110 columns and 30 rows")
        shell.interrupt()
        shell.finish()


def http_suspended(stage, album):
    """Ctrl-Z, and back by `fg`."""
    with stage.user() as shell:
        shell.start(f"culvert http {stage.origin.port} --name my-app")
        wait_until_online(shell)
        shell.suspend()
        album.take(shell, "stopped")
        shell.type("fg\n")
        shell.wait("the panel", lambda screen: screen.count("round trip") == 2)
        stage.edge.visit("/my-app/")
        shell.wait("the request", lambda screen: "200" in screen and " open" not in screen)
        album.take(shell, "gone on")
        shell.interrupt()
        shell.finish()


def http_without_local_server(stage, album):
    """Nothing listens on the local port; later something does."""
    stage.origin.stop()
    with stage.user() as shell:
        shell.start(f"culvert http {stage.origin.port} --name my-app")
        wait_until_online(shell)
        stage.edge.visit("/my-app/")
        shell.wait("the reason", lambda screen: "nothing listens" in screen)
        album.take(shell, "a visitor, and no local server")
        stage.origin.start()
        stage.edge.visit("/my-app/")
        shell.wait("an answer", lambda screen: "nothing listens" not in screen)
        album.take(shell, "the local server is there")
        shell.interrupt()
        shell.finish()


def http_edge_killed(stage, album):
    """The edge dies and comes back."""
    with stage.user() as shell:
        shell.start(f"culvert http {stage.origin.port} --name my-app")
        wait_until_online(shell)
        stage.edge.kill()
        shell.wait("the refusal", lambda screen: "next attempt" in screen and "refused" in screen)
        album.take(shell, "without the edge")
        stage.edge.start()
        wait_until_online(shell)
        album.take(shell, "with the edge again")
        stage.edge.visit("/my-app/")
        shell.wait("the request", lambda screen: "200" in screen)
        shell.interrupt()
        shell.finish()
        album.take(shell, "ended by Ctrl-C")


def http_edge_away(stage, album):
    """No edge is there; Ctrl-C ends the waiting."""
    with stage.user() as shell:
        shell.start(f"culvert http {stage.origin.port} --edge http://127.0.0.1:{stage.silent_port}")
        shell.wait("the waiting", lambda screen: "next attempt" in screen)
        album.take(shell, "waiting")
        shell.interrupt()
        shell.finish()
        album.take(shell, "ended by Ctrl-C")


def http_plain(stage, album):
    """A terminal without colours and without more than ASCII."""
    with stage.user(NO_COLOR="1", LC_ALL="C") as shell:
        shell.start(f"culvert http {stage.origin.port} --name my-app")
        wait_until_online(shell)
        stage.edge.visit("/my-app/" + "a-long-way/" * 12)
        shell.wait("the request", lambda screen: "200" in screen and " open" not in screen)
        album.take(shell, "ASCII")
        cells = [cell for line in shell.window.buffer.values() for cell in line.values()]
        assert all(cell.fg == cell.bg == "default" and not cell.bold for cell in cells), "there are colours"
        shell.interrupt()
        shell.finish()


def connect(stage, album):
    """A tunnel by its token, which is deleted while it is served."""
    stage.write("token.txt", stage.edge.call("POST", "create", {"name": "my-app"})["token"])
    with stage.shell() as shell:
        command = f"culvert connect --token-file token.txt --to {stage.origin.port}"
        shell.start(command)
        wait_until_online(shell)
        stage.edge.visit("/my-app/")
        shell.wait("the request", lambda screen: "200" in screen and " open" not in screen)
        album.take(shell, "online")
        shell.interrupt()
        shell.finish()
        album.take(shell, "ended by Ctrl-C")
    with stage.shell() as shell:
        shell.start(command)
        wait_until_online(shell)
        stage.edge.call("DELETE", "my-app")
        shell.finish()
        album.take(shell, "the tunnel was deleted")


def connect_piped(stage, album):
    """The lines of a command whose standard output goes to a file."""
    stage.write("token.txt", stage.edge.call("POST", "create", {"name": "my-app"})["token"])
    for title, options in [("lines", "--log-requests"), ("JSON lines", "--log-requests --log-format json")]:
        with stage.shell(220, 20) as shell:
            command = f"culvert connect --token-file token.txt --to {stage.origin.port} --connections 1"
            shell.start(f"{command} {options} > url.txt")
            shell.wait("the connection", lambda screen: "forwarding" in screen and "connected" in screen)
            stage.edge.visit("/my-app/")
            shell.wait("the request", lambda screen: "response_ms" in screen)
            shell.interrupt()
            shell.finish()
            shell.run("cat url.txt")
            album.take(shell, title)


def start(stage, album):
    """Two tunnels from a file, one of which has no local server."""
    stage.write(
        "tunnels.yaml",
        FILE.format(name="web-shop", port=stage.origin.port) + f"  - name: blog\n    target: {stage.silent_port}\n",
    )
    with stage.user() as shell:
        shell.start("culvert start --config tunnels.yaml")
        shell.wait("both round trips", lambda screen: screen.count("round trip") == 2)
        stage.edge.visit("/web-shop/")
        stage.edge.visit("/blog/entries")
        shell.wait("both requests", lambda screen: "nothing listens" in screen and "GET  web-shop" in screen)
        album.take(shell, "two tunnels")
        shell.interrupt()
        shell.finish()
        album.take(shell, "ended by Ctrl-C")


def start_reloaded(stage, album):
    """The file is edited while it is served: first with a mistake, then without."""
    stage.write("tunnels.yaml", FILE.format(name="blog", port=stage.origin.port))
    with stage.user() as shell:
        shell.start("culvert start --config tunnels.yaml")
        wait_until_online(shell)
        stage.write("tunnels.yaml", FILE.format(name="Blog", port=stage.origin.port))
        shell.signal(signal.SIGHUP)
        shell.wait("the problem", lambda screen: "Blog" in screen)
        album.take(shell, "a mistake")
        both = FILE.format(name="blog", port=stage.origin.port) + f"  - name: web-shop\n    target: {stage.origin.port}\n"
        stage.write("tunnels.yaml", both)
        shell.signal(signal.SIGHUP)
        shell.wait("both round trips", lambda screen: screen.count("round trip") == 2)
        album.take(shell, "another tunnel")
        shell.interrupt()
        shell.finish()


FILE = """\
tunnels:
  - name: {name}
    target: {port}
"""

SCENES = [
    http, front_page, http_narrow, http_resized, http_suspended, http_without_local_server, http_edge_killed, http_edge_away,
    http_plain, connect, connect_piped, start, start_reloaded,
]  # fmt: skip
