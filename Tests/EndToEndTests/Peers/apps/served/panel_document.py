# SPDX-License-Identifier: Apache-2.0
"""A Panel document whose button counts on the server."""

import panel

panel.extension()
button, shown = panel.widgets.Button(name="More"), panel.pane.Markdown("count 0")
button.on_click(lambda event: setattr(shown, "object", f"count {button.clicks}"))
panel.Column(button, shown).servable()
