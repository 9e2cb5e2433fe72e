# SPDX-License-Identifier: Apache-2.0
"""Screens with their colours, for eyes."""

import html

from window import Window

# Those of a common terminal (Tango), on white and on black.
COLOURS = {"red": "#c00", "green": "#4e9a06", "brown": "#c4a000", "blue": "#3465a4", "magenta": "#75507b",
           "cyan": "#06989a", Window.FAINT: "#888"}  # fmt: skip


def write(path, scenes):
    """Writes a page with every screen of every scene."""
    parts = ["<!doctype html><meta charset=utf-8><style>body{font:13px/1.2 'DejaVu Sans Mono',monospace}"
             "pre{display:inline-block;vertical-align:top;margin:4px;padding:6px;border:1px solid #999;font:inherit}"
             ".dark{background:#111;color:#ddd}</style>"]  # fmt: skip
    for name, windows in scenes.items():
        for title, columns, buffer, lines in windows:
            text = "\n".join(_line(buffer[y], columns) for y in range(lines)).rstrip()
            parts.append(f"<h3>{html.escape(name)}: {html.escape(title)}</h3><pre>{text}</pre><pre class=dark>{text}</pre>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))


def _line(cells, columns):
    return "".join(_cell(cells[x]) for x in range(columns))


def _cell(cell):
    text = html.escape(cell.data)
    style = f"color:{COLOURS[cell.fg]};" if cell.fg in COLOURS else ""
    if cell.bold:
        style += "font-weight:bold;"
    return f'<span style="{style}">{text}</span>' if style else text
