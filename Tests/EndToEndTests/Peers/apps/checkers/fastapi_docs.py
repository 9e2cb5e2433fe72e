# SPDX-License-Identifier: Apache-2.0
import stage
from visit import check

BASE = "strip"


def command(port, base, home):
    return stage.program("fastapi_docs") + [str(port)] + ([base] if base else [])


def visit(app):
    page = app.page
    with app.step("JSON"):
        check(app.request("GET", "double?n=4").json(), {"twice": 8})
    with app.step("redirect to a path with a slash"):
        check(app.request("GET", "slash").json(), {"slash": True})
    with app.step("redirect by url_for"):
        check(app.request("GET", "go").json(), {"twice": 4})
    with app.essential("page of documentation"):
        app.open("docs")
    with app.essential("it lists the operations"):
        page.click("#operations-default-double_double_get")
    with app.step("it tries one"):
        page.click("text=Try it out")
        page.click("text=Execute")
        page.wait_for_selector(".live-responses-table >> text=twice")
