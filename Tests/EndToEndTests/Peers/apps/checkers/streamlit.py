# SPDX-License-Identifier: Apache-2.0
import pathlib

import stage
from visit import check

BASE = "keep"


def command(port, base, home):
    return [
        stage.tool("streamlit"), "run", str(stage.HERE / "served/streamlit_page.py"), "--server.port", str(port),
        "--server.headless", "true", "--browser.gatherUsageStats", "false",
    ] + ([f"--server.baseUrlPath={base}"] if base else [])  # fmt: skip


def visit(app):
    page = app.page
    with app.essential("page"):
        app.open()
    with app.essential("script's output, by the WebSocket"):
        page.wait_for_selector("text=square is 25", timeout=20_000)
    with app.step("slider"):
        page.get_by_role("slider").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_selector("text=square is 36")
    with app.step("upload"):
        file = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 1234}
        page.set_input_files("input[type=file]", file)
        page.wait_for_selector("text=got 1234 bytes")
    with app.step("download"):
        with page.expect_download() as download:
            page.click("text=download it")
        check(pathlib.Path(download.value.path()).read_text(), "hello")
