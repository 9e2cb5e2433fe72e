# SPDX-License-Identifier: Apache-2.0
"""Durations, sizes and numbers that the chart refuses are those that the edge refuses: for scripts/lib/chart_checks.py."""

import pathlib
import re

import yaml

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
# The kinds of a value: how to tell it, and what its smallest unit is called.
KINDS = {"duration": (r"[0-9]+(ms|s|m|h|d)", "ms"), "size": (r"[0-9]+([KMG]iB)", ""), "number": (r"[0-9]+", "")}


def table(templates):
    """The bounds of each setting, as the chart has them."""
    text = pathlib.Path(templates, "_bounds.tpl").read_text()
    return yaml.safe_load(re.search(r'define "culvert-edge.bounds" -}}\n(.*?){{- end', text, re.DOTALL)[1])


def kind(value):
    """What sort of value it is; None for others."""
    found = [name for name, (pattern, _) in KINDS.items() if re.fullmatch(pattern, str(value))]
    return found[0] if found and not isinstance(value, bool) else None


def beyond(bound, step):
    """The value next to a bound, in the smallest unit; None where there is none."""
    number, unit = re.fullmatch(r"([0-9]+)([A-Za-z]*)", bound).groups()
    value = int(number) * UNITS.get(unit, 1) + step
    smallest = "ms" if kind(bound) == "duration" else ""
    return f"{value}{smallest}" if value >= 0 else None


def check_bounds(check, render, edge_refusals, values, templates):
    """Holds the chart's table against the edge, at the bounds and beyond them.

    `edge_refusals` gives the names of those settings that the edge refuses of some with their values.
    """
    bounds = table(templates)
    leaves = {f"{section}.{name}": value for section, names in values["config"].items() if isinstance(names, dict)
              for name, value in names.items()}  # fmt: skip
    wanted = {name for name, value in leaves.items() if kind(value)} | {"tcp.idle-timeout"}
    check(set(bounds) == wanted, f"_bounds.tpl and values.yaml differ in {sorted(set(bounds) ^ wanted)}")

    def refused(key, value):
        option = "--set-string" if kind(leaves[key]) != "number" else "--set"
        return render(option, f"config.{key}={value}").returncode != 0

    for end, step in ((0, -1), (1, 1)):
        ends = {key: pair[end] for key, pair in bounds.items() if pair[end] != ""}
        for key, value in ends.items():
            check(not refused(key, value), f"the chart refuses {key}={value}, a bound of its own")
        taken = edge_refusals(ends)
        check(not taken, f"the edge refuses {sorted(taken)} at the bounds of the chart")
        further = {key: beyond(value, step) for key, value in ends.items() if beyond(value, step)}
        for key, value in further.items():
            check(refused(key, value), f"the chart takes {key}={value}")
        left = set(further) - edge_refusals(further)
        check(not left, f"the edge takes {sorted(left)} beyond the bounds of the chart")
