# SPDX-License-Identifier: Apache-2.0
"""Scenes: finding exchanges in the list, and looking at what they hold."""

import samples
from playwright.sync_api import expect


def long_list(stage, window):
    """10 000 rows are a few elements; who has scrolled keeps the place when new ones come."""
    stage.fill(stage.many)
    window.open()
    page, rows = window.page, window.rows()
    grid = page.locator("#list")
    rows.first.wait_for(timeout=60_000)
    # The latest are there at once, and the others follow.
    total = window.wait_for_rows(stage.many)
    assert rows.count() < 60, rows.count()
    grid.focus()
    page.keyboard.press("End")
    expect(rows.locator("nth=-1")).to_contain_text("/")
    expect(page.locator(f"[aria-rowindex='{total + 1}']")).to_be_visible()
    page.keyboard.press("Home")
    page.keyboard.press("Escape")
    page.evaluate("() => document.getElementById('list').scrollTop = 5600")
    row = page.locator(f"[aria-rowindex='{5600 // 28 + 4}']").element_handle()
    text, before = row.inner_text(), row.evaluate("row => row.getBoundingClientRect().y")
    stage.visit("/new-one")
    expect(page.locator("#newer")).to_have_text("↑ 1 new")
    place = row.evaluate(
        """row => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
          () => done([row.innerText, row.getAttribute('aria-rowindex'), row.getBoundingClientRect().y]))))"""
    )
    assert place == [text, str(5600 // 28 + 5), before], (place, text, before)
    page.locator("#newer").click()
    expect(window.rows("/new-one")).to_be_visible()
    expect(page.locator("#newer")).to_be_hidden()
    stage.clear()


def filters(stage, window):
    """Words narrow the list at once; the filter is in the address and outlives a reload."""
    stage.show_samples()
    window.open()
    page, count = window.page, window.page.locator("#count")
    total = len(stage.samples)
    expect(count).to_have_text(f"{total} requests")
    for text, found in [("status:5xx", 1), ("method:POST", 6), ("method:post status:201", 1), ("is:error", 2), ("-is:error", total - 2),
                        ("path:/orders", 2), ("path:/*.png", 1), ("is:websocket", 1), ("is:sse", 1), ("type:json status:200", 4),
                        ("size:>1MiB", 1), ("logo", 2), ('"orders?page=2"', 1), ("body:evt_1", 1), ("nothing-like-it", 0)]:  # fmt: skip
        window.filter(text)
        expect(count, text).to_have_text(f"{found} of {total}")
    expect(page.locator("#empty").get_by_text("None of")).to_be_visible()
    window.filter("path:/orders")
    page.reload()
    expect(page.locator("#filter")).to_have_value("path:/orders")
    expect(count).to_have_text(f"2 of {total}")
    stage.visit("/orders-too")
    expect(count).to_have_text(f"3 of {total + 1}")
    stage.visit("/other")
    expect(count).to_have_text(f"3 of {total + 2}")
    window.filter("")
    expect(count).to_have_text(f"{total + 2} requests")


def keyboard(stage, window):
    """Everything by keys: filter, move, open, tabs, back, mark, compare, keys."""
    stage.show_samples()
    page = window.open().page
    expect(page.locator("#count")).to_have_text(f"{len(stage.samples)} requests")
    page.keyboard.press("/")
    expect(page.locator("#filter")).to_be_focused()
    page.keyboard.type("path:/orders")
    page.keyboard.press("Enter")
    expect(page.locator("#list")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#list [aria-selected=true]")
    expect(chosen).to_contain_text("/orders?page=1")
    assert page.locator("#list").get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("m")
    expect(page.locator("#notice")).to_contain_text("Marked")
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_focused()
    page.get_by_role("tab", name="Request").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Response")).to_be_focused()
    expect(page.locator("#panel")).to_contain_text("200 OK")
    page.keyboard.press("Escape")
    expect(page.locator("#list")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#detail h2")).to_contain_text("page=2")
    page.keyboard.press("d")
    expect(page.locator("#detail h2")).to_have_text("Compared")
    page.keyboard.press("Escape")
    expect(page.locator("#detail h2")).to_contain_text("page=2")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.locator("#list").focus()
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_text("Pause")
    page.evaluate("() => localStorage.clear()")


def secrets(stage, window):
    """A gzip JSON is decoded with all its digits; secrets are covered until they are asked for."""
    stage.show_samples()
    panel = window.open().choose("/orders?page=1", "Request")
    for name in ("Authorization", "Cookie", "X-Api-Key"):
        expect(panel.get_by_role("row", name=name)).to_contain_text("••••")
    expect(panel.get_by_role("row", name="Authorization")).to_contain_text("Bearer ")
    expect(panel.get_by_role("row", name="Cookie")).to_contain_text("session=")
    shown = window.page.locator("body").inner_text()
    window.button("Raw").click()
    expect(panel.locator("pre")).to_contain_text("GET /orders?page=1")
    shown += window.page.locator("body").inner_text()
    window.page.get_by_role("tab", name="Response").click()
    expect(panel.get_by_text("12345678901234567890")).to_be_visible()
    expect(panel).to_contain_text('"id": 2')
    expect(panel.locator(".body > .note")).to_contain_text("gzip, 2.4 KiB decoded")
    shown += window.page.locator("body").inner_text()
    assert not [secret for secret in samples.SECRETS if secret in shown], shown
    panel.get_by_role("button", name="Covered").first.click()
    expect(panel.locator(".revealed")).to_have_text(samples.SECRETS[1])
    window.button("Show secrets").click()
    window.page.get_by_role("tab", name="Request").click()
    for secret in (samples.SECRETS[0], samples.SECRETS[1], samples.SECRETS[3], samples.SECRETS[4]):
        expect(panel).to_contain_text(secret)


def bodies(stage, window):
    """Forms, parts, pictures, bytes, broken and cut bodies, interim responses and trailers."""
    stage.show_samples()
    page = window.open().page
    panel = window.choose("/login", "Request")
    expect(panel.get_by_role("table", name="Members of the form").get_by_role("row")).to_have_count(4)
    expect(panel).to_contain_text("b c")
    expect(panel).not_to_contain_text(samples.SECRETS[2])
    panel = window.choose("/upload", "Request")
    expect(panel.locator(".part")).to_have_count(4)
    expect(panel.get_by_role("region", name="title")).to_contain_text("A holiday")
    with page.expect_download() as download:
        panel.locator(".part").nth(2).get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "p.png", download.value.suggested_filename
    _loaded(panel.locator(".part img"), 48)
    _loaded(window.choose("/logo.png", "Response").locator("figure img"), 160)
    _loaded(window.choose("/logo.svg", "Response").locator("figure img"), 60)
    panel = window.choose("/broken.json", "Response")
    expect(panel.locator(".warning")).to_contain_text("line 3, column 8")
    expect(panel.locator("mark")).to_have_text("o")
    panel = window.choose("/own-coding", "Response")
    expect(panel.locator("pre")).to_contain_text("01 02 03 63 6f 64 65 64")
    expect(panel).to_contain_text("can’t undo the coding own")
    panel = window.choose("/data.bin", "Response")
    expect(panel.locator("pre")).to_contain_text("00000010  10 11 12 13")
    panel.get_by_role("button", name="Show more").click()
    expect(panel.locator("pre")).to_contain_text("000063f0")
    panel = window.choose("/large.txt", "Response")
    expect(panel.locator(".warning")).to_contain_text("of 3.0 MiB was kept")
    panel = window.choose("/early", "Response")
    expect(panel).to_contain_text("HTTP/1.1 103 Early Hints")
    expect(panel.get_by_role("table", name="Trailers of the response")).to_contain_text("X-Checksum")
    page.get_by_role("tab", name="Timing").click()
    expect(panel.get_by_role("table", name="Phases").get_by_role("row")).to_have_count(3)
    panel = window.choose("/away")
    expect(page.locator("#detail .warning")).to_contain_text("before")


def _loaded(image, width):
    expect(image).to_have_js_property("complete", True)
    expect(image).to_have_js_property("naturalWidth", width)


def streams(stage, window):
    """WebSocket messages and server-sent events are lists that grow while they are watched."""
    stage.show_samples()
    page = window.open().page
    panel = window.choose("/chat", "Messages")
    rows = panel.locator(".messages .space .row:not([hidden])")
    expect(rows).to_have_count(len(samples.MESSAGES))
    expect(rows.first).to_contain_text('{"type": "hello"')
    rows.first.click()
    expect(panel.locator(".entry")).to_contain_text("12345678901234567890")
    panel.locator(".messages").focus()
    page.keyboard.press("ArrowDown")
    expect(panel.locator(".entry")).to_contain_text("from the server")
    stage.say("one more")
    expect(rows).to_have_count(len(samples.MESSAGES) + 1)
    expect(rows.last).to_contain_text("one more")
    expect(panel.locator(".entry")).to_contain_text("from the server")
    panel = window.choose("/ticks", "Response")
    events = panel.locator(".events .space .row:not([hidden])")
    expect(events).to_have_count(8)
    expect(events.nth(1)).to_contain_text("tick")
    expect(events.nth(5)).to_contain_text("still here")
    expect(events.nth(1)).to_contain_text("+")
    events.nth(6).click()
    expect(panel.locator(".entry pre")).to_have_text("two\nlines")


def hostile(stage, window):
    """Whatever is captured is text: in lists, fields, names of parts, messages, events, pictures and previews."""
    stage.show_samples()
    page = window.open().page
    for row in stage.samples:
        path = row["target"].split("?")[0]
        (window.rows().last if path == "/" else window.rows(path).first).click()
        page.locator("#detail h2").filter(has_text=path).wait_for()
        for tab in page.get_by_role("tab").all():
            tab.click()
            for view in page.locator(".body .switch button").all():
                view.click()
            for entry in page.locator(".entries .space .row:not([hidden])").all():
                entry.click()
    for side in ("Request", "Response"):
        panel = window.choose("/hostile", side)
        expect(panel.get_by_role("row", name="X-Hostile")).to_contain_text("<script>")
        expect(panel.locator("pre")).to_contain_text("<img src=x")
        assert panel.locator("img, script, iframe").count() == 0
    window.rows().last.click()
    page.get_by_role("tab", name="Response").click()
    expect(page.locator("pre")).to_contain_text("<h1>Shop</h1>")
