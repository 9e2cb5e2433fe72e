# SPDX-License-Identifier: Apache-2.0
import stage
from visit import check

BASE = None


def command(port, base, home):
    return stage.program("origin_socket") + [str(port)]


def visit(app):
    page = app.page
    with app.essential("page"):
        app.open()
    with app.essential("WebSocket with a subprotocol and deflate"):
        page.wait_for_selector("text=heard hi;")
        text = page.inner_text("body")
        check("protocol chat.v1;" in text and "permessage-deflate" in text)
    with app.step("close code"):
        page.evaluate("socket.send('bye')")
        page.wait_for_selector("text=closed 4001;")
