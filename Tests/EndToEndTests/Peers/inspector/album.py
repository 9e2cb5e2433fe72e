# SPDX-License-Identifier: Apache-2.0
"""What the page tells a screen reader, as it was kept."""

import difflib
import os
import re
import time


class Album:
    """The accessible trees of some moments, in one file with a heading before each."""

    def __init__(self, path, update):
        self._path, self._update = path, update
        self._taken = []
        self._kept = {}
        if not update and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                parts = re.split(r"(?m)^=== (.*)\n", file.read())[1:]
            self._kept = dict(zip(parts[0::2], parts[1::2]))

    def take(self, title, locator):
        """The kept tree has to come, not to be there at once: the page draws a little after it was told."""
        kept = self._kept.get(title, "").rstrip("\n") + "\n"
        end = time.monotonic() + (1 if self._update else 10)
        while (shown := locator.aria_snapshot().rstrip("\n") + "\n") != kept and time.monotonic() < end:
            time.sleep(0.1)
        self._taken.append((title, shown))
        if shown != kept and not self._update:
            diff = "\n".join(difflib.unified_diff(kept.splitlines(), shown.splitlines(), "kept", "shown", lineterm=""))
            raise AssertionError(f"“{title}” differs; --update keeps what is shown:\n{diff}")

    def close(self):
        if self._update:
            with open(self._path, "w", encoding="utf-8") as file:
                file.write("\n".join(f"=== {title}\n{text}" for title, text in self._taken))
        else:
            gone = set(self._kept) - {title for title, _ in self._taken}
            assert not gone, f"kept and not taken: {gone}"
