# SPDX-License-Identifier: Apache-2.0
"""A NiceGUI app of two pages.

    nicegui_pages.py PORT [BASE]"""

import sys

from nicegui import ui


@ui.page("/")
def index():
    label = ui.label("count 0")
    ui.button("More", on_click=lambda: label.set_text("count up"))
    ui.link("other", "/other")


@ui.page("/other")
def other():
    ui.label("other page")


ui.run(host="localhost", port=int(sys.argv[1]), show=False, reload=False, storage_secret="of no importance")
