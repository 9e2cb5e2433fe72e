# SPDX-License-Identifier: Apache-2.0
"""Scenes: sending again, changing, comparing, and a program that goes away."""

import re

import samples
from playwright.sync_api import expect


def send_again(stage, window):
    """A replay is a new line, linked to its original, and is chosen when it comes."""
    stage.show_samples()
    page = window.open().page
    window.choose("/hooks/stripe")
    expect(page.locator("#detail .warning")).to_contain_text("most libraries refuse a signature after 5 minutes")
    page.keyboard.press("r")
    expect(page.locator("#list [aria-selected=true]")).to_contain_text("↻")
    expect(page.locator("#detail")).to_contain_text("Sent again from")
    seen = stage.received()
    assert seen["method"] == "POST" and seen["body"] == b'{"id": "evt_1", "type": "charge.failed"}', seen
    assert any(name == "Culvert-Replay" for name, _ in seen["fields"]), seen
    page.locator("#detail .link").first.click()
    expect(page.locator("#detail")).to_contain_text("Sent again: ")
    window.choose("/chat")
    again = page.locator("#detail [data-name=again]")
    assert again.get_attribute("aria-disabled") == "true"
    page.keyboard.press("r")
    expect(page.locator("#notice")).to_have_text(again.get_attribute("title"))


def change(stage, window):
    """Method, target, fields and body can be changed; what differs is said before it is sent."""
    stage.show_samples()
    page = window.open().page
    window.choose("/hooks/stripe")
    page.locator("#detail h2").focus()
    page.keyboard.press("e")
    editor = page.get_by_role("dialog", name="Change and send again")
    changes = editor.get_by_role("list", name="What is different")
    expect(changes.get_by_role("listitem")).to_have_count(1)
    editor.get_by_label("Method").fill("PUT")
    editor.get_by_label("Path and query").fill("/hooks/other?x=%2F")
    fields = editor.get_by_label("Fields, one a line")
    text = fields.input_value()
    assert "Culvert-Replay: " in text, text
    fields.fill(re.sub("Stripe-Signature: .*", "X-Twice: a\nX-Twice: b", text))
    editor.get_by_label("Body").fill('{"id": "evt_2"}')
    for said in ("method PUT instead of POST", "target /hooks/other?x=%2F", "without Stripe-Signature", "with X-Twice",
                 "body of 15 bytes", "Content-Length made anew"):  # fmt: skip
        expect(changes).to_contain_text(said)
    editor.get_by_role("button", name="Send").click()
    expect(editor).to_have_count(0)
    expect(page.locator("#list [aria-selected=true]")).to_contain_text("/hooks/other")
    seen = stage.received()
    assert (seen["method"], seen["target"], seen["body"]) == ("PUT", "/hooks/other?x=%2F", b'{"id": "evt_2"}'), seen
    assert [value for name, value in seen["fields"] if name == "X-Twice"] == ["a", "b"], seen
    assert not [name for name, _ in seen["fields"] if name == "Stripe-Signature"], seen

    # Lines that end with CR LF still do: a text area alone would turn them into LF.
    window.choose("/crlf")
    page.keyboard.press("e")
    editor.get_by_label("Body").fill("one\nthree\n")
    editor.get_by_label("Body").press("Control+Enter")
    expect(editor).to_have_count(0)
    assert stage.received()["body"] == b"one\r\nthree\r\n", stage.received()

    # A coded body is edited decoded, and sent without its coding.
    window.choose("/coded")
    page.keyboard.press("e")
    expect(editor.get_by_label("Body")).to_have_value("what was coded")
    editor.get_by_label("Body").fill("what is plain")
    expect(changes).to_contain_text("without Content-Encoding: gzip")
    editor.get_by_role("button", name="Send").click()
    expect(editor).to_have_count(0)
    seen = stage.received()
    assert seen["body"] == b"what is plain", seen
    assert "content-encoding" not in [name.lower() for name, _ in seen["fields"]], seen

    # A line that is no field, and a target with a space.
    page.keyboard.press("e")
    editor.get_by_label("Fields, one a line").fill("no field")
    expect(editor.get_by_role("alert")).to_contain_text("Line 1")
    editor.get_by_label("Fields, one a line").fill("A: b")
    editor.get_by_label("Path and query").fill("/a b")
    expect(editor.get_by_role("alert")).to_contain_text("begins with /")
    page.keyboard.press("Escape")
    expect(editor).to_have_count(0)


def many_times(stage, window):
    """A request sent many times shows each answer, and says whether they are equal."""
    stage.show_samples()
    page = window.open().page
    window.choose("/orders?page=2")
    page.keyboard.press("e")
    editor = page.get_by_role("dialog", name="Change and send again")
    editor.get_by_label("Times").fill("12")
    editor.get_by_label("At once").fill("4")
    editor.get_by_role("button", name="Send").click()
    answers = page.get_by_role("dialog", name="Answers")
    expect(answers.get_by_role("status")).to_have_text("All 12 answers are equal")
    expect(answers.locator("tbody tr")).to_have_count(12)
    answers.locator("tbody .link").nth(3).click()
    expect(answers).to_have_count(0)
    expect(page.locator("#list [aria-selected=true]")).to_contain_text("↻")


def compared(stage, window):
    """Two exchanges: only what differs, JSON by its lines."""
    stage.show_samples()
    page = window.open().page
    window.choose("/orders?page=1")
    window.button("Compare").click()
    # Before its details are there: they don't come over the comparison later.
    window.rows("/orders?page=2").first.click()
    page.keyboard.press("d")
    pane = page.locator("#detail")
    expect(pane.get_by_role("region", name="Request", exact=True)).to_contain_text("X-Trace")
    expect(pane.get_by_role("region", name="Request", exact=True)).to_contain_text("Authorization")
    lines = pane.locator("pre.difference")
    expect(lines.locator(".gone")).to_have_text(['-   "page": 1,\n', '-       "name": "thing 5, page 1",\n'])
    expect(lines.locator(".added")).to_have_text(['+   "page": 2,\n', '+       "name": "thing 5, page 2",\n'])
    expect(lines.locator(".skipped").first).to_contain_text("equal lines")
    assert samples.SECRETS[0] not in pane.inner_text()
    window.button("Back").click()
    expect(pane.locator("h2")).to_contain_text("page=2")


def copying(stage, window):
    """A line of curl on the clipboard, and an archive to save."""
    stage.show_samples()
    page = window.open().page
    window.choose("/logo.png")
    page.keyboard.press("c")
    expect(page.locator("#notice")).to_have_text("curl command copied")
    assert page.evaluate("() => navigator.clipboard.readText()").startswith("curl"), "no command"
    page.locator("#detail .menu summary").click()
    with page.expect_download() as download:
        window.button("Save as HAR").click()
    assert download.value.suggested_filename.endswith(".har")


def removing(stage, window):
    """One is removed, then all, after a question; then the page says how to begin."""
    stage.show_samples()
    page = window.open().page
    total = len(stage.samples)
    window.choose("/logo.png")
    page.locator("#detail .menu summary").click()
    window.button("Remove").click()
    expect(page.locator("#count")).to_have_text(f"{total - 1} requests")
    expect(page.locator("#detail")).to_contain_text("Choose a request")
    page.locator("#clear").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator("#count")).to_have_text(f"{total - 1} requests")
    page.locator("#clear").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove all").click()
    expect(page.get_by_role("heading", name="Nothing has passed yet")).to_be_visible()
    expect(page.locator("#empty code")).to_have_text(re.compile("^curl http"))


def pausing(stage, window):
    """A paused list stands still, and catches up afterwards."""
    stage.show_samples()
    page = window.open().page
    total = len(stage.samples)
    expect(page.locator("#count")).to_have_text(f"{total} requests")
    page.locator("#pause").click()
    stage.visit("/while-paused")
    # A second page sees it, so the first would have by now.
    other = page.context.new_page()
    other.goto(window.url)
    expect(other.locator("#list .row", has_text="/while-paused")).to_be_visible()
    other.close()
    expect(page.locator("#count")).to_have_text(f"{total} requests")
    page.locator("#pause").click()
    expect(window.rows("/while-paused")).to_be_visible()


def away(stage, window):
    """A program that goes away leaves what was captured, and a sentence; when it is back, so is the page."""
    stage.show_samples()
    page = window.open().page
    window.choose("/logo.png")
    # What a browser itself says of a connection that is gone.
    window.expected += ["Failed to load resource", "net::ERR", "ERR_"]
    stage.go_away()
    try:
        expect(page.locator("#offline")).to_contain_text("does not answer")
        assert window.rows().count() > 5
        page.keyboard.press("r")
        expect(page.locator("#notice")).to_contain_text("does not answer")
    finally:
        stage.come_back()
    expect(page.locator("#offline")).to_be_hidden(timeout=30_000)
    stage.visit("/back-again")
    expect(window.rows("/back-again")).to_be_visible()
