# SPDX-License-Identifier: Apache-2.0
"""The window of a terminal, as far as `pyte` emulates one."""

import pyte
from wcwidth import wcswidth


class Window(pyte.Screen):
    """A screen that knows faint text, and breaks lines that a narrower window has no room for."""

    # What `pyte` does not know stands in its place in the attributes of a character.
    FAINT = "faint"

    def __init__(self, columns, rows):
        super().__init__(columns, rows)
        self._stream = pyte.ByteStream(self)

    def show(self, data):
        """Takes what a program wrote."""
        self._stream.feed(data)

    def text(self):
        """What is to be read, without the empty rest of each line and of the window."""
        return "\n".join(line.rstrip() for line in self.display).rstrip("\n") + "\n"

    def select_graphic_rendition(self, *attributes, **options):
        super().select_graphic_rendition(*(a for a in attributes if a != 2), **options)
        if 2 in attributes:
            self.cursor.attrs = self.cursor.attrs._replace(fg=self.FAINT)

    def refit(self, columns, rows):
        """Changes the size as terminals of today do: lines that are too long are broken, none is cut."""
        lines = []
        place = 0
        for y in range(self.lines):
            cells = [self.buffer[y][x] for x in range(self.columns)]
            while cells and cells[-1] == self.default_char:
                cells.pop()
            if y == self.cursor.y:
                place = len(lines)
            lines += [cells[i : i + columns] for i in range(0, max(1, len(cells)), columns)]
        # What has no room below the cursor is empty; what has none above scrolls away.
        first = max(0, place + 1 - rows)
        column = self.cursor.x
        self.resize(rows, columns)
        for y in range(rows):
            cells = lines[first + y] if first + y < len(lines) else []
            line = self.buffer[y]
            line.clear()
            for x, cell in enumerate(cells):
                line[x] = cell
        self.cursor.y = place - first
        self.cursor.x = min(column, columns - 1)
        self.dirty.update(range(rows))


def cells(text):
    """How many columns a text takes."""
    return wcswidth(text)
