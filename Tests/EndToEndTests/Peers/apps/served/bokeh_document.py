# SPDX-License-Identifier: Apache-2.0
"""A Bokeh document whose button counts on the server."""

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, Div

shown, button, clicks = Div(text="count 0"), Button(label="More"), []


def more():
    clicks.append(1)
    shown.text = f"count {len(clicks)}"


button.on_click(more)
curdoc().add_root(column(button, shown))
