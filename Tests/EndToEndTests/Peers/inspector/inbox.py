# SPDX-License-Identifier: Apache-2.0
"""Scenes: the webhooks that the edge keeps, beside the requests."""

import gzip
import json
import re
import subprocess
import urllib.error
import urllib.request

import samples
from browser import Window
from playwright.sync_api import expect
from real import API_KEY, eventually
from recorder import Recorder


def rows(page, text=None):
    found = page.locator("#messages .space > .row:not([hidden])")
    return found.filter(has_text=text) if text else found


def choose(page, text):
    rows(page, text).first.click()
    page.locator("#detail h2").filter(has_text=text).wait_for()
    return page.locator("#panel")


def inbox(stage, window):
    """What waits, was delivered or is dead is listed and shown as requests are; each can be delivered, changed, given up, deleted."""
    stage.show_samples()
    fake = stage.program.inbox
    fake.fill()
    page = window.open().page
    expect(window.button("Inbox 2", "#views")).to_be_visible()
    window.button("Inbox 2", "#views").click()
    expect(page.locator("#list")).to_be_hidden()
    expect(page.locator("#inbox")).to_contain_text("2 wait, 1 were delivered, 2 are dead; ")
    expect(rows(page)).to_have_count(5)
    shown = page.locator("body").inner_text()
    panel = choose(page, "/hooks/github")
    expect(panel.get_by_role("row", name="X-GitHub-Event")).to_contain_text("push")
    expect(panel.locator("pre")).to_contain_text("refs/heads/main")
    expect(page.locator("#detail .summary")).to_contain_text("Handed over when its turn comes.")
    shown += page.locator("body").inner_text()
    window.button("Raw").click()
    expect(panel.locator("pre")).to_contain_text("POST /hooks/github?token=")
    shown += page.locator("body").inner_text()
    assert samples.SECRETS[3] not in shown, shown
    window.button("Show secrets").click()
    expect(panel.locator("pre")).to_contain_text(samples.SECRETS[3])
    panel = choose(page, "/hooks/packed")
    expect(panel.locator(".body > .note")).to_contain_text("gzip, 16 B decoded")
    panel = choose(page, "/hooks/stripe")
    expect(page.locator("#detail .summary")).to_contain_text("Tried 2 times, the last answer was 500")
    expect(page.locator("#detail .summary")).to_contain_text("most libraries refuse a signature after 5 minutes")

    # By keys: delivered again, and changed.
    page.locator("#detail h2").focus()
    page.keyboard.press("r")
    expect(page.locator("#notice")).to_have_text("It is to be delivered")
    page.keyboard.press("e")
    editor = page.get_by_role("dialog", name="Change and deliver")
    expect(editor.get_by_label("Fields, one a line")).not_to_have_value(re.compile("Culvert-Replay"))
    editor.get_by_label("Body").fill('{"id": "evt_2"}')
    expect(editor.get_by_role("list")).to_contain_text("at the edge the message stays as it is")
    editor.get_by_role("button", name="Send").click()
    expect(page.locator("#list [aria-selected=true]")).to_contain_text("/hooks/stripe")
    names = {message["target"]: message["id"] for message, _ in fake.messages}
    stripe = names["/hooks/stripe"]
    assert fake.done == [("deliver", stripe, None), ("send", stripe, {"body": '{"id": "evt_2"}'})], fake.done
    assert "view=inbox" not in page.url, page.url

    # The message is in the address, and outlives a reload.
    fake.done.clear()
    window.button("Inbox 2", "#views").click()
    choose(page, "/hooks/github")
    page.reload()
    expect(page.locator("#detail h2")).to_contain_text("/hooks/github")
    window.button("Skip").click()
    expect(page.locator("#detail .summary")).to_contain_text("Somebody gave it up.")
    window.button("Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows(page)).to_have_count(4)
    expect(page.locator("#detail")).to_contain_text("Choose a message.")
    page.get_by_label("State").select_option("dead")
    expect(rows(page)).to_have_count(2)
    page.get_by_label("State").select_option("")
    window.button("Deliver the dead", "#inbox").click()
    page.get_by_role("dialog").get_by_role("button", name="Deliver").click()
    expect(page.locator("#notice")).to_have_text("2 messages to be delivered")
    github = names["/hooks/github?token=" + samples.SECRETS[3]]
    assert fake.done == [("skip", github, None), ("delete", github, None), ("deliver", None, None)], fake.done


def inbox_hostile(stage, window):
    """What strangers have sent to the inbox is text, wherever it is shown; the page is as readable as with requests."""
    stage.prepare()
    stage.program.inbox.fill()
    page = window.open("#view=inbox").page
    panel = choose(page, "<script>")
    # What shows the whole message takes the body's own views away.
    page.get_by_role("group", name="View of the message").get_by_role("button", name="Raw").click()
    expect(page.locator("#detail")).to_contain_text("The head as the sender wrote it")
    window.button("Readable").click()
    views = page.get_by_role("group", name="View of the request’s body").get_by_role("button")
    expect(views.first).to_be_visible()
    for view in views.all():
        view.click()
    expect(panel.get_by_role("row", name="X-Hostile")).to_contain_text("<script>")
    assert page.locator("#detail img, #detail script, #detail iframe, #inbox img").count() == 0
    expect(page.locator("#detail .summary")).to_contain_text("Its signature was wrong when it came.")
    window.button("Its requests").click()
    expect(page.locator("#filter")).to_have_value(re.compile("^header:culvert-inbox=msg_"))


def inbox_missing(stage, window):
    """Without an inbox, a key or an edge the page says what is missing and what to do; a long inbox comes page by page."""
    stage.prepare()
    fake = stage.program.inbox
    page = window.open("#view=inbox").page
    expect(page.locator("#inbox [role=alert]")).to_contain_text("culvert inbox set my-app --path")
    fake.missing = {"code": "key_missing", "detail": "The tunnel my-app is served by its token."}
    expect(page.locator("#inbox [role=alert]")).to_have_text("The tunnel my-app is served by its token.")
    window.expected += ["Failed to load resource"]
    fake.trouble = (502, "edge_unreachable", "No edge answers at https://edge.example.")
    expect(page.locator("#inbox [role=alert]")).to_have_text("No edge answers at https://edge.example.")
    fake.trouble = None
    fake.fill(copies=120)
    expect(page.locator("#inbox [role=alert]")).to_be_hidden()
    page.wait_for_function("() => document.getElementById('messages').getAttribute('aria-rowcount') === '101'")
    assert rows(page).count() < 60
    page.locator("#messages").focus()
    for expected in (201, 301, 401):
        page.keyboard.press("End")
        page.wait_for_function(f"() => Number(document.getElementById('messages').getAttribute('aria-rowcount')) >= {expected}")


def edge_call(stage, method, path, body=None):
    request = urllib.request.Request(
        f"{stage.edge}/api/tunnels/{path}", method=method, data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def real_inbox(stage, _):
    """What the edge has kept is shown by who serves the tunnel, goes to the app again and changed, and goes; without a key it is said."""
    server = Recorder()
    body = gzip.compress(b'{"id": 12345678901234567890}', mtime=0)
    hook = samples.request("POST", "/hooks/a", [("Content-Type", "application/json"), ("Content-Encoding", "gzip")], body)
    token = edge_call(stage, "POST", "create", {"name": "kept"})["token"]
    edge_call(stage, "PUT", "kept/inbox", {"paths": ["/hooks/*"]})
    assert stage.send(hook, "kept") == 202
    with stage.connector("http", str(server.port), "--name", "kept", "--edge", stage.edge) as other:
        first = eventually("delivery", lambda: server.received.pop() if server.received else None)
        name = re.search(rb"(?m)^Culvert-Inbox: (msg_\w+)\r$", first)[1].decode()
        made = stage.context()
        window = Window(made, other.url).open("#view=inbox")
        page = window.page
        panel = choose(page, "/hooks/a")
        expect(page.locator("#detail h2")).to_have_text("POST /hooks/a")
        expect(page.locator("#detail .facts")).to_contain_text("delivered")
        expect(panel.locator("pre")).to_contain_text("12345678901234567890")
        expect(panel.get_by_role("row", name="Culvert-Inbox")).to_contain_text(name)
        window.button("Deliver again").click()
        again = eventually("another delivery", lambda: server.received.pop() if server.received else None)
        assert again.endswith(body) and f"Culvert-Inbox: {name}\r\n".encode() in again, again
        window.button("Change and deliver…").click()
        editor = page.get_by_role("dialog", name="Change and deliver")
        editor.get_by_label("Body").fill('{"id": 2}')
        editor.get_by_role("button", name="Send").click()
        changed = eventually("changed request", lambda: server.received.pop() if server.received else None)
        assert changed.startswith(b"POST /hooks/a HTTP/1.1\r\n") and changed.endswith(b'\r\n\r\n{"id": 2}'), changed
        assert f"Culvert-Inbox: {name}\r\n".encode() in changed and b"gzip" not in changed, changed
        expect(page.locator("#list [aria-selected=true]")).to_contain_text("/hooks/a")
        page.locator("#views button").last.click()
        choose(page, "/hooks/a")
        window.button("Its requests").click()
        expect(page.locator("#filter")).to_have_value(f"header:culvert-inbox={name}")
        # The two by which it was delivered, the message itself and what it was changed to.
        expect(window.rows()).to_have_count(4)
        page.locator("#views button").last.click()
        choose(page, "/hooks/a")
        window.button("Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.locator("#inbox")).to_contain_text("0 wait, 0 were delivered")
        assert edge_call(stage, "GET", "kept/inbox/messages")["messages"] == []
        window.close()
        made.close()
        refused = urllib.request.Request(f"{other.url}api/tunnels/kept/inbox", headers={"Sec-Fetch-Site": "cross-site"})
        try:
            urllib.request.urlopen(refused)
            raise AssertionError("another site has asked for the inbox")
        except urllib.error.HTTPError as error:
            assert (error.code, json.load(error)["code"]) == (403, "forbidden_origin")
        listed = [stage.program, "requests", "list", "--inspector", other.url]
        assert "/hooks/a" in subprocess.run(listed, check=True, capture_output=True, text=True).stdout
    with stage.connector("connect", "--to", str(server.port), environment={"CULVERT_TOKEN": token, "CULVERT_API_KEY": ""}) as other:
        eventually("tunnel", lambda: other.api("tunnels")["tunnels"] or None)
        made = stage.context()
        window = Window(made, other.url).open("#view=inbox")
        expect(window.page.locator("#inbox [role=alert]")).to_contain_text("The tunnel kept is served by its token")
        window.close()
        made.close()
    server.close()
