# SPDX-License-Identifier: Apache-2.0
import shutil

import stage

BASE = "keep"


def command(port, base, home):
    # The editor writes into the file that it opens.
    notebook = shutil.copy(stage.HERE / "served/marimo_notebook.py", home)
    return [
        stage.tool("marimo"), "-q", "edit", str(notebook), "--headless", "--no-token", "--skip-update-check",
        "--port", str(port),
    ] + (["--base-url", base] if base else [])  # fmt: skip


def visit(app):
    page = app.page
    with app.essential("page"):
        app.open(wait_until="domcontentloaded")
    with app.essential("editor"):
        page.wait_for_selector(".cm-content", timeout=20_000)
    with app.step("cells run, by the WebSocket"):
        page.wait_for_timeout(3000)
        page.keyboard.press("Control+Shift+r")
        page.wait_for_selector("text=square is 25", timeout=20_000)
