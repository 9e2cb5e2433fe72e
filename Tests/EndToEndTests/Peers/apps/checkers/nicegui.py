# SPDX-License-Identifier: Apache-2.0
import stage
from visit import check

BASE = None


def command(port, base, home):
    return stage.program("nicegui_pages") + [str(port)]


def visit(app):
    page = app.page
    with app.essential("page"):
        app.open(wait_until="domcontentloaded")
    with app.essential("label"):
        page.wait_for_selector("text=count 0")
    with app.step("button"):
        page.wait_for_function("window.socket?.connected ?? window.did_handshake ?? true")
        page.click("button:has-text('More')")
        page.wait_for_selector("text=count up")
    with app.step("link to another page"):
        page.click("text=other")
        page.wait_for_selector("text=other page")
        check(app.stays())
