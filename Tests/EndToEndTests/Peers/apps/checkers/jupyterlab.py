# SPDX-License-Identifier: Apache-2.0
import json

import stage

BASE = "keep"
CELL = {"cell_type": "code", "source": ["print(6 * 7, 'from the kernel')"], "metadata": {}, "outputs": [], "id": "a"}
NOTEBOOK = {
    "cells": [CELL | {"execution_count": None}],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def command(port, base, home):
    return [
        stage.tool("jupyterlab", "jupyter-lab"), "--no-browser", "--allow-root", "--IdentityProvider.token=secret",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={home}",
        "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ] + ([f"--ServerApp.base_url={base}/"] if base else [])  # fmt: skip


def visit(app):
    page = app.page
    file = app.home / "notebook.ipynb"
    file.write_text(json.dumps(NOTEBOOK))
    with app.essential("page"):
        app.open("lab/tree/notebook.ipynb?token=secret&reset", wait_until="domcontentloaded")
    with app.essential("notebook"):
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=30_000)
    with app.essential("a cell runs, by the kernel's WebSocket"):
        page.wait_for_timeout(2500)
        page.click(".jp-Cell .cm-content")
        page.keyboard.press("Shift+Enter")
        page.wait_for_selector("text=42 from the kernel", timeout=20_000)
    with app.step("save"):
        page.keyboard.press("Control+s")
        stage.wait_until(lambda: "42 from the kernel" in file.read_text(), "saving", seconds=10)
