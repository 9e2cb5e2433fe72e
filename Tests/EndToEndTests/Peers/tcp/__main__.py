# SPDX-License-Identifier: Apache-2.0
"""Holds tunnels of TCP to what they promise, and prints JSON: `done`, `failures` and `figures`.

    tcp BINARIES raw|ends|programs|access|passthrough [CASE...]
"""
import json
import sys
import traceback

import access
import ends
import passthrough
import programs
import raw

binaries, group, *names = sys.argv[1:]
cases = {
    "raw": raw.CASES, "ends": ends.CASES, "programs": programs.CASES, "access": access.CASES,
    "passthrough": passthrough.CASES,
}[group]
done, failures, figures = [], [], {}
for case in cases:
    if names and case.__name__ not in names:
        continue
    try:
        figure = case(binaries)
        if figure:
            figures[case.__name__] = figure
        done.append(case.__name__)
    except Exception as error:  # Every case runs, whatever became of the others.
        # An assertion without a text is known by its line.
        place = traceback.extract_tb(error.__traceback__)[-1]
        failures.append(f"{case.__name__}: {error}" if str(error) else f"{case.__name__}: {error!r} at {place.line}")
        traceback.print_exc()
print(json.dumps({"done": done, "failures": failures, "figures": figures}))
