# SPDX-License-Identifier: Apache-2.0
import stage

BASE = "keep"


def command(port, base, home):
    return stage.program("dash_layout", "dash") + [str(port)] + ([base] if base else [])


def visit(app):
    page = app.page
    with app.essential("page"):
        app.open()
    with app.essential("layout"):
        page.wait_for_selector("text=count 0")
    with app.step("callback"):
        page.click("#button")
        page.wait_for_selector("text=count 1")
    with app.step("link and reload"):
        page.click("text=below")
        page.wait_for_selector("text=at below")
        page.reload()
        page.wait_for_selector("text=at below")
