# SPDX-License-Identifier: Apache-2.0
import sqlite3

import stage
from visit import check

BASE = "strip"


def command(port, base, home):
    with sqlite3.connect(home / "rows.db") as rows:
        rows.execute("create table items(a, b)")
        rows.executemany("insert into items values(?, ?)", [(number, f"row{number}") for number in range(250)])
    return [stage.tool("datasette"), "rows.db", "--port", str(port)] + (
        ["--setting", "base_url", f"{base}/"] if base else []
    )


def visit(app):
    page = app.page
    with app.essential("page"):
        app.open()
    with app.step("CSS"):
        check(app.has_style(50))
    with app.essential("table by a link"):
        page.click("a:text-is('items') >> nth=0")
        page.wait_for_selector("text=row1 >> nth=0")
    with app.step("next page"):
        page.click("text=Next page")
        page.wait_for_selector("text=row150")
