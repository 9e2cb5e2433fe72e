# SPDX-License-Identifier: Apache-2.0
"""The pictures of docs/inspector.md, taken of the samples."""

import os

from browser import WIDE, context

# File, size, scheme, the line that is chosen, and the tab.
PICTURES = [
    ("inspector.png", WIDE, "light", "/orders?page=1", "Response"),
    ("inspector-dark.png", WIDE, "dark", "/chat", "Messages"),
]


def take(stage, folder):
    stage.show_samples()
    for name, size, scheme, text, tab in PICTURES:
        window, made = _open(stage, size, scheme)
        window.choose(text, tab)
        if tab == "Messages":
            window.page.locator(".messages .space .row").first.click()
        _keep(window, made, folder, name)
    window, made = _open(stage, WIDE, "light")
    window.choose("/hooks/stripe")
    window.page.keyboard.press("e")
    window.page.get_by_role("dialog").get_by_label("Body").fill('{"id": "evt_2", "type": "charge.failed"}')
    _keep(window, made, folder, "inspector-change.png")
    window, made = _open(stage, WIDE, "light")
    window.choose("/orders?page=1")
    window.button("Compare").click()
    window.choose("/orders?page=2")
    window.page.keyboard.press("d")
    window.page.locator(".difference").wait_for()
    _keep(window, made, folder, "inspector-compare.png")
    stage.program.inbox.fill()
    window, made = _open(stage, WIDE, "light")
    window.page.locator("#views button").last.click()
    window.page.locator("#messages .row", has_text="/hooks/stripe").click()
    window.page.locator("#detail pre").wait_for()
    _keep(window, made, folder, "inspector-inbox.png")


def _open(stage, size, scheme):
    made = context(stage.browser, size, scheme, stage.now)
    return stage.window(made).open(), made


def _keep(window, made, folder, name):
    page = window.page
    page.locator("#notice").evaluate("notice => { notice.hidden = true; }")
    page.mouse.move(0, 0)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.screenshot(path=os.path.join(folder, name))
    window.close()
    made.close()
