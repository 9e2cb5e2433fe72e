#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads /metrics at a URL with Prometheus' own parsers, that of its text format and the strict one of OpenMetrics, and
checks what `promtool` would.

    metrics_parse.py URL

Prints `{"families": …, "samples": …, "problems": […]}`.
"""

import json
import re
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

problems = []
text = urllib.request.urlopen(sys.argv[1]).read().decode()
families = list(text_string_to_metric_families(text))
# OpenMetrics declares a counter without its _total; its parser refuses families whose names clash.
try:
    list(open_metrics(re.sub(r"^(# (?:TYPE|HELP) \S+?)_total ", r"\1 ", text, flags=re.M) + "# EOF\n"))
except ValueError as error:
    problems.append(f"OpenMetrics: {error}")
seen = set()
for family in families:
    if not family.documentation:
        problems.append(f"{family.name} has no help")
    if family.type not in ("counter", "gauge", "histogram"):
        problems.append(f"{family.name} is {family.type}")
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        if key in seen:
            problems.append(f"{key} appears twice")
        seen.add(key)
        if family.type == "counter" and not sample.name.endswith("_total"):
            problems.append(f"{sample.name} is a counter without _total")
        if "environment" not in sample.labels:
            problems.append(f"{sample.name} has no environment")
        if sample.value < 0:
            problems.append(f"{sample.name} is negative")
    # One that nothing was measured for has no samples yet.
    if family.type == "histogram" and family.samples:
        buckets = [s for s in family.samples if s.name.endswith("_bucket")]
        values = [s.value for s in sorted(buckets, key=lambda s: float(s.labels["le"]))]
        count = next(s.value for s in family.samples if s.name.endswith("_count"))
        if values != sorted(values) or values[-1] != count:
            problems.append(f"{family.name} does not add up")
print(json.dumps({"families": len(families), "samples": len(seen), "problems": problems}))
