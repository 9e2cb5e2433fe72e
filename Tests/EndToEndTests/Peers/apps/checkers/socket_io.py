# SPDX-License-Identifier: Apache-2.0
import stage

BASE = None


def command(port, base, home):
    return stage.program("socket_io") + [str(port)]


def hear_echo(page):
    page.wait_for_function("document.getElementById('heard').textContent === 'echo hi'")


def become_a_websocket(page):
    page.wait_for_function("socket.io.engine.transport.name === 'websocket'")


def visit(app):
    page = app.page
    with app.essential("page"):
        app.open()
    with app.step("io() connects and echoes"):
        hear_echo(page)
    with app.step("upgrade to a WebSocket"):
        become_a_websocket(page)
    with app.step("with a relative path"):
        app.open("relative")
        hear_echo(page)
        become_a_websocket(page)
