# SPDX-License-Identifier: Apache-2.0
import stage

BASE = "strip"


def command(port, base, home):
    return stage.program("gradio_blocks", "gradio") + [str(port)] + ([base] if base else [])


def visit(app):
    page = app.page
    holds = "value => [...document.querySelectorAll('textarea, input')].some(field => field.value === value)"
    with app.essential("page"):
        app.open(wait_until="domcontentloaded")
    with app.essential("interface"):
        page.wait_for_selector("button:has-text('Run')", timeout=20_000)
    with app.step("a generator's events"):
        page.get_by_label("name", exact=True).fill("ann")
        page.click("button:has-text('Run')")
        page.wait_for_function(holds, arg="part 3 for ann")
    with app.step("upload"):
        file = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 1234}
        page.set_input_files("input[type=file]", file)
        page.wait_for_function(holds, arg="1234")
