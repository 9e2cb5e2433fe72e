# SPDX-License-Identifier: Apache-2.0
import time

import stage
from visit import check

BASE = "keep"
OTHER = "# Other\n\n![picture](../picture.png)\n"


def command(port, base, home):
    (home / "docs/below").mkdir(parents=True)
    (home / "docs/index.md").write_text("# Home\n\n[other](below/other.md)\n")
    (home / "docs/below/other.md").write_text(OTHER)
    (home / "docs/picture.png").write_bytes(b"\x89PNG")
    site = f"site_url: http://localhost:{port}{base}/\n" if base else ""
    (home / "mkdocs.yml").write_text("site_name: Site\n" + site)
    return [stage.tool("mkdocs"), "serve", "-a", f"localhost:{port}", "--livereload"]


def visit(app):
    page, other = app.page, app.home / "docs/below/other.md"
    with app.essential("page"):
        app.open(wait_until="domcontentloaded")
    with app.step("CSS"):
        page.wait_for_load_state()
        check(app.has_style(50))
    with app.essential("link"):
        page.click("a:has-text('other') >> nth=-1")
        page.wait_for_selector("h1:has-text('Other')")
    with app.step("live reload"):
        page.wait_for_timeout(1500)
        other.write_text(f"# Changed {time.time()}\n")
        page.wait_for_selector("h1:has-text('Changed')", timeout=30_000)
    other.write_text(OTHER)
