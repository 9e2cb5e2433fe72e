# SPDX-License-Identifier: Apache-2.0
"""What differs from run to run, made equal; everything keeps its width, so that columns stay columns."""

import re

TIME = r"\d[\d.]* (?:ms|s|min)"

def _connection(found):
    """The number of a session, which the edge counts up."""
    return "Connection 7" + " " * (len(found.group()) - len("Connection 7"))


def _title(found):
    """The first line of the panel, whose version leaves more or less room."""
    rest = (found.group(1) or "").strip()
    return "culvert 1.2.3" + (rest.rjust(len(found.group()) - len("culvert 1.2.3")) if rest else "")


RULES = [
    (re.compile(rf"(p\d\d) {TIME}"), r"\1 N ms"),
    (re.compile(r"(?m)^( {12}|Session +\S+ )(next attempt in \d+ s|trying again)$"), r"\1next attempt soon"),
    # The times of requests end at the right border.
    (re.compile(rf"(?m) {TIME}$"), lambda found: "N ms".rjust(len(found.group()))),
    # Others move what follows them.
    (re.compile(rf"(?m)\b{TIME}(?= ·| -|\)| round trip|,)"), "N ms"),
    (re.compile(r"retry_in=[\d.]+\S*"), "retry_in=N"),
    (re.compile(r'"retry_in":[\d.]+'), '"retry_in":N'),
    (re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(\.\d{3})?"), r"2026-01-02\g<1>03:04:05\2"),
    (re.compile(r"(?m)^\d\d:\d\d:\d\d"), "03:04:05"),
    (re.compile(r"(?<=03:04:05)\.\d{3}"), ".678"),
    (re.compile(r'(_ms"?[=:])[\d.]+'), r"\1N"),
    (re.compile(r"(?m)^Connection \d+( +)"), _connection),
    (re.compile(r"culvert/\d[\w.+-]*"), "culvert/1.2.3"),
    # The inspector takes the first port that is free.
    (re.compile(r"(?m)^(Inspect +http://127\.0\.0\.1:)404\d"), r"\g<1>4040"),
    # Names that the edge makes up.
    (re.compile(r"(?<=/)[a-z2-7]{16}(?=/|\.localhost)"), "abcdefghijklmnop"),
]


def normalise(text, clues):
    """Makes a screen comparable.

    `clues` are pairs of a text of this run and what stands in its place."""
    for found, replacement in clues:
        text = text.replace(found, replacement)
    text = re.sub(r"(?m)^culvert \d+\.\S+( +Ctrl-C.*)?$", _title, text)
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text
