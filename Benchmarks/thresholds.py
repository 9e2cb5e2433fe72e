# SPDX-License-Identifier: Apache-2.0
"""Holds the results of benchmarks, a line of JSON each on standard input, against their thresholds.

usage: thresholds.py THRESHOLDS [--allocations | --instructions]

Counts of allocations and instructions do not depend on the machine: one above its threshold fails, and so does a
benchmark that is named there and was not run. Times and sizes are aims, for a machine that has nothing else to do: they
are held where no kind of counts is named."""
import argparse
import json
import pathlib
import sys


def held(results: dict[str, dict[str, float]], bounds: dict[str, dict[str, list]]) -> list[tuple[bool, str]]:
    """Each bound: whether it holds, and a line that says so."""
    lines = []
    for name, figures in bounds.items():
        for figure, (comparison, bound) in figures.items():
            found = results.get(name, {}).get(figure)
            holds = found is not None and (found <= bound if comparison == "<=" else found >= bound)
            shown = "not measured" if found is None else f"{found:g}"
            lines.append((holds, f"{name}: {figure} {shown} ({comparison} {bound:g})"))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("thresholds", type=pathlib.Path)
    for kind in ("allocations", "instructions"):
        parser.add_argument(f"--{kind}", dest="kinds", action="store_const", const=[kind])
    options = parser.parse_args()
    thresholds = json.loads(options.thresholds.read_text())
    results: dict[str, dict[str, float]] = {}
    for line in sys.stdin:
        print(line, end="", flush=True)
        if line.startswith("{"):
            result = json.loads(line)
            results[result.pop("benchmark")] = result
    failed = False
    for kind in options.kinds or ["allocations", "aims"]:
        print(f"\n{kind.capitalize()}")
        for holds, line in held(results, thresholds.get(kind, {})):
            failed |= not holds
            print(f"  {'met' if holds else 'MISSED':7} {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
