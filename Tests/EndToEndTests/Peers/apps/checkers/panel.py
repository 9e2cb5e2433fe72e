# SPDX-License-Identifier: Apache-2.0
import stage
from checkers import bokeh

BASE = "keep"


def command(port, base, home):
    document = str(stage.HERE / "served/panel_document.py")
    return [stage.tool("panel"), "serve", document, "--port", str(port)] + (["--prefix", base] if base else [])


def visit(app):
    bokeh.visit(app, "panel_document")
