# SPDX-License-Identifier: Apache-2.0
"""A Dash app with a callback and a link.

    dash_layout.py PORT [BASE]"""

import sys

from dash import Dash, Input, Output, dcc, html

base = {"url_base_pathname": sys.argv[2] + "/"} if len(sys.argv) > 2 else {}
app = Dash(__name__, **base)
app.layout = html.Div(
    [
        dcc.Location(id="location"), html.Button("More", id="button", n_clicks=0), html.P(id="count"),
        dcc.Link("below", href=app.get_relative_path("/below")), html.P(id="where"),
    ]
)  # fmt: skip


@app.callback(Output("count", "children"), Input("button", "n_clicks"))
def count(clicks):
    return f"count {clicks}"


@app.callback(Output("where", "children"), Input("location", "pathname"))
def where(path):
    return f"at {path.strip('/').rpartition('/')[2] if path else path}"


app.run(host="localhost", port=int(sys.argv[1]), debug=False)
