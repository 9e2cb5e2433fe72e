# SPDX-License-Identifier: Apache-2.0
"""How long requests take while webhooks are kept by the same edge."""
import csv
import os
import statistics
import subprocess
import urllib.request

from stage import Connector, Edge, failures, wait_until

# A second, and over how many connections: what measures and what it measures share the processors.
RATE, CONNECTIONS = 200, 4


def hey(url, seconds, *arguments):
    """Starts `hey`, which asks so often for so long, and prints what each request took."""
    return subprocess.Popen(
        ["hey", "-z", f"{seconds}s", "-c", str(CONNECTIONS), "-q", str(RATE // CONNECTIONS), "-o", "csv", *arguments, url],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def times(process, status):
    """What the requests of a `hey` took, in milliseconds, all of which have to be answered with a status."""
    rows = list(csv.DictReader(process.communicate()[0].splitlines()))
    others = {row["status-code"] for row in rows} - {str(status)}
    if others or not rows:
        failures.append(f"{len(rows)} answers, also {sorted(others)}")
    return sorted(float(row["response-time"]) * 1e3 for row in rows)


def p99(sorted_times):
    return sorted_times[len(sorted_times) * 99 // 100] if sorted_times else 0.0


def beside(edge_program, culvert, folder, seconds, rounds, percent):
    """GETs through the tunnel, beside as many webhooks of 10 KiB and beside as many GETs more, in turn.

    Fails when the median of the rounds' ratios is above so many percent, unless that is 0."""
    edge = Edge(edge_program, folder)
    edge.call("POST", "create", {"name": "hooks"})
    edge.call("PUT", "hooks/inbox", {"when": "always", "keep": {"messages": 100000, "bytes": 1 << 30}})
    served = edge.folder / "served"
    served.mkdir()
    (served / "page").write_bytes(b"x" * 128)
    webhook = edge.folder / "webhook"
    webhook.write_bytes(os.urandom(10_240))
    connector = Connector(culvert, edge, "web", served)
    place = f"http://127.0.0.1:{edge.port}"
    page = f"{place}/web/page"

    def is_served():
        try:
            return urllib.request.urlopen(page, timeout=5).status == 200
        except OSError:
            return False

    wait_until("the page is served", is_served)
    found = []
    for number in range(rounds):
        taken = {}
        for what in ("gets", "webhooks") if number % 2 == 0 else ("webhooks", "gets"):
            measured = hey(page, seconds)
            if what == "gets":
                other, status = hey(page, seconds), 200
            else:
                other, status = hey(f"{place}/hooks/a", seconds, "-m", "POST", "-D", str(webhook)), 202
            taken[what] = p99(times(measured, 200))
            taken[f"{what}_themselves"] = p99(times(other, status))
        found.append(taken)
    connector.stop()
    edge.stop()
    edge.check()
    ratio = statistics.median(one["webhooks"] / max(one["gets"], 0.01) for one in found)
    if percent and ratio > percent / 100:
        failures.append(f"p99 beside webhooks is {ratio:.2f} of what it is beside GETs")
    return {"p99_ms": found, "ratio": round(ratio, 2)}
