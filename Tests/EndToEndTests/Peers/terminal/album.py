# SPDX-License-Identifier: Apache-2.0
"""The kept screens of a scene, and how those of a run compare with them."""

import copy
import difflib
import os
import re

from normal import normalise
from session import Failure

# How long a screen may take to become the kept one after what was waited for has come.
DELAY = 10


class Album:
    """The screens of one scene: a file with a heading before each."""

    def __init__(self, folder, name, clues, update):
        self._path = os.path.join(folder, f"{name}.txt")
        self._clues = clues
        self._update = update
        self._taken = []
        self.windows = []
        self._kept = []
        if not update and os.path.exists(self._path):
            with open(self._path, encoding="utf-8") as file:
                self._kept = re.split(r"(?m)^=== (.*)\n", file.read())[1:]

    @property
    def count(self):
        return len(self._taken)

    def take(self, session, title):
        """Takes the screen of a moment, which has to be as it was kept.

        A panel is drawn a few times a second: the kept screen has to come, not to be there at once."""
        number = len(self._taken)
        if self._update:
            session.calm_down()
        else:
            kept = dict(zip(self._kept[0::2], self._kept[1::2])).get(title)
            if kept is None or self._kept[0::2][number : number + 1] != [title]:
                raise Failure(f"no screen “{title}” is kept as number {number + 1}; --update keeps it")
            try:
                session.wait("the kept screen", lambda text: self._normal(text) == kept.rstrip("\n") + "\n", DELAY)
            except Failure as failure:
                lines = [text.splitlines() for text in (kept.rstrip("\n"), self._normal(session.window.text()))]
                diff = "\n".join(difflib.unified_diff(*lines, "kept", "shown", lineterm="", n=50))
                raise Failure(f"“{title}” differs:\n{diff}") from failure
        self._taken.append((title, self._normal(session.window.text())))
        window = session.window
        self.windows.append((title, window.columns, copy.deepcopy(window.buffer), window.lines))

    def close(self):
        """Keeps the screens, or checks that none is kept that was not taken."""
        if self._update:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with open(self._path, "w", encoding="utf-8") as file:
                file.write("\n".join(f"=== {title}\n{text}" for title, text in self._taken))
        elif len(self._kept) != 2 * len(self._taken):
            raise Failure(f"{len(self._kept) // 2} screens are kept, {len(self._taken)} were taken")

    def _normal(self, text):
        return normalise(text, self._clues)
