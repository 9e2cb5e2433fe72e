# SPDX-License-Identifier: Apache-2.0
import stage
from visit import check

BASE = "strip"


def command(port, base, home):
    return stage.program("django_admin") + [str(port)] + ([base] if base else [])


def visit(app):
    page = app.page
    with app.essential("login page"):
        app.open("admin/")
    with app.step("static CSS"):
        check(app.has_style(1))
    with app.essential("login"):
        page.fill("[name=username]", "ann")
        page.fill("[name=password]", "pw")
        page.click("[type=submit]")
        page.wait_for_selector("text=Site administration")
    with app.step("a group is added"):
        page.click("text=Groups >> nth=0")
        # The page before has such links as well.
        page.wait_for_selector("text=Select group to change")
        page.click("a.addlink >> nth=-1")
        page.fill("[name=name]", f"group of {app.mode}")
        page.click("[name=_save]")
        page.wait_for_selector("text=was added successfully")
