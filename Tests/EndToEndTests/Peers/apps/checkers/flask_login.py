# SPDX-License-Identifier: Apache-2.0
import hashlib
import hmac

import stage
from visit import check

BASE = "strip"


def command(port, base, home):
    return stage.program("flask_login") + [str(port)] + ([base] if base else [])


def visit(app):
    page = app.page
    with app.essential("page"):
        app.open()
    with app.step("static CSS"):
        check(page.evaluate("getComputedStyle(document.getElementById('who')).color"), "rgb(1, 2, 3)")
    with app.essential("login, redirect and session"):
        page.fill("[name=user]", "ann")
        page.click("button")
        page.wait_for_selector("text=welcome")
        check(page.inner_text("#who"), "ann")
    with app.step("logout by a link"):
        page.click("#out")
        page.wait_for_selector("text=nobody")
        check(app.stays())
    with app.step("webhook with a signed body"):
        body = b'{"a": 1}\r\n '
        signature = "sha256=" + hmac.new(b"k", body, hashlib.sha256).hexdigest()
        check(app.request("POST", "hook", data=body, headers={"X-Hub-Signature-256": signature}).status_code, 200)
