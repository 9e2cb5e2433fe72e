# SPDX-License-Identifier: Apache-2.0
import stage

BASE = "keep"


def command(port, base, home):
    document = str(stage.HERE / "served/bokeh_document.py")
    return [stage.tool("bokeh"), "serve", document, "--port", str(port)] + (["--prefix", base] if base else [])


def visit(app, document="bokeh_document"):
    page = app.page
    with app.essential("page"):
        app.open(document, wait_until="domcontentloaded")
    with app.essential("document, by the WebSocket"):
        page.wait_for_selector("text=count 0")
    with app.step("button"):
        page.click("button:has-text('More')")
        page.wait_for_selector("text=count 1")
