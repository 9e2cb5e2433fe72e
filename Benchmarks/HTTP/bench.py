# SPDX-License-Identifier: Apache-2.0
"""The tunnel beside HAProxy and nginx: what a request and a gigabyte cost, in one run.

usage: bench.py PROGRAMS [--rounds 3] [--seconds 4] [--only NAME,...] [--json FILE] [--history FILE]"""
import argparse
import json
import math
import pathlib
import statistics
import sys
import tempfile
import time

import loads
import machine
import rows

ALL = list(rows.HOPS)
PROXIES = ALL[1:]
# The tunnel with one event loop, and with as many as it takes by itself.
TUNNELS = ["culvert", "culvert as shipped"]


def plan(seconds: int) -> dict[str, tuple[list[str], object]]:
    """Each load by name: the rows it is held against, and how it is run."""
    return {
        "small, 1 connection": (ALL, lambda bench, row: loads.small(bench, row, 1, seconds)),
        "small, 64 connections": (ALL, lambda bench, row: loads.small(bench, row, 64, seconds)),
        "small, 256 connections": (ALL, lambda bench, row: loads.small(bench, row, 256, seconds)),
        "small, 1024 connections": (ALL, lambda bench, row: loads.small(bench, row, 1024, seconds)),
        "connection: close, 64 connections": (
            PROXIES,
            lambda bench, row: loads.small(bench, row, 64, seconds, "-H", "Connection: close"),
        ),
        "1 GiB down": (PROXIES, loads.download),
        "1 GiB up": (PROXIES, loads.upload),
        "500 conversations": (PROXIES, lambda bench, row: loads.conversations(bench, row, 500, seconds)),
        "small beside two downloads": (PROXIES, lambda bench, row: loads.beside(bench, row, seconds)),
    }


def median(results: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(result[key] for result in results) for key in results[0]}


def shown(key: str, value: float) -> str:
    return f"{key} {value:.0f}" if abs(value) >= 1000 else f"{key} {value:.3g}"


def verdicts(found: dict[str, dict[str, dict[str, float]]], extra: dict[str, float]) -> list[tuple[str, float, str, float]]:
    """Each aim: what it is about, the figure, how it compares, and the bound."""
    aims: list[tuple[str, float, str, float]] = []

    def compare(name: str, key: str, label: str, comparison: str, bound: float, to: str = "two haproxy") -> None:
        for row in TUNNELS:
            figure = found[name][row][key] / found[name][to][key]
            aims.append((f"{row}, {name}: {label} to {to}", figure, comparison, bound))

    for count in (64, 256):
        name = f"small, {count} connections"
        if name in found:
            compare(name, "processor_us", "processor time", "<=", 1.15)
            compare(name, "per_second", "requests a second", ">=", 0.95)
            compare(name, "p99_ms", "p99", "<=", 1.2)
    if (name := "small, 1 connection") in found:
        compare(name, "processor_us", "processor time", "<=", 1.6)
        added = {row: result["p50_ms"] - found[name]["direct"]["p50_ms"] for row, result in found[name].items()}
        for row in TUNNELS:
            aims.append((f"{row}, {name}: added p50 to two haproxy", added[row] / added["two haproxy"], "<=", 1.4))
    for name in ("1 GiB down", "1 GiB up"):
        if name in found:
            compare(name, "processor_s_per_gb", "processor time", "<=", 1.3)
            compare(name, "processor_s_per_gb", "processor time", "<=", 0.8, to="two nginx as shipped")
    if (name := "connection: close, 64 connections") in found:
        compare(name, "processor_us", "processor time", "<=", 1.2)
    if (name := "small beside two downloads") in found:
        aims.append((f"{name}: p99, ms", found[name]["culvert"]["p99_ms"], "<=", 10))
    for key, label, bound in (
        ("idle_mib", "resident memory idle, MiB", 40),
        ("after_mib", "resident memory after the run, MiB", 80),
        ("conversation_kib", "idle conversation, KiB", 24),
        ("tunnel_kib", "idle tunnel at the edge, KiB", 48),
        ("edge_idle_percent", "1 000 tunnels idle, per cent of a core at the edge", 2),
        ("spread_1", "requests one at a time, spread over 1 000 tunnels, to requests to one", 1.15),
        ("spread_64", "requests 64 at once, spread over 1 000 tunnels, to requests to one", 1.15),
        ("spread_1_of_10", "the same one at a time, the tunnels being of ten connectors", 1.15),
        ("spread_64_of_10", "the same 64 at once, the tunnels being of ten connectors", 1.15),
    ):
        if key in extra:
            aims.append((label, extra[key], "<=", bound))
    return aims


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", default="", help="loads whose names contain one of these, by commas")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--history", type=pathlib.Path)
    options = parser.parse_args()
    wanted = [part for part in options.only.split(",") if part]
    chosen = {
        name: load for name, load in plan(options.seconds).items()
        if not wanted or any(part in name for part in wanted)
    }  # fmt: skip
    results: dict[str, dict[str, list[dict[str, float]]]] = {name: {} for name in chosen}
    extra: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, rows.Bench(options.programs.resolve(), pathlib.Path(folder)) as bench:
        time.sleep(3)
        memory = lambda: sum(machine.resident_bytes(pid) for pid in bench.pids("culvert")) / (1 << 20)  # noqa: E731
        extra["idle_mib"] = memory()
        for number in range(options.rounds):
            for name, (of, run) in chosen.items():
                # In turns, from another first row each round, so that no row is always the warm one.
                for row in of[number % len(of):] + of[: number % len(of)]:
                    result = run(bench, row)
                    results[name].setdefault(row, []).append(result)
                    line = "  ".join(shown(key, value) for key, value in result.items())
                    print(f"round {number + 1}  {name:34} {row:20} {line}", flush=True)
        extra["after_mib"] = memory()
        if not wanted or "idle conversations" in wanted:
            bench.restart_tunnel()
            extra["conversation_kib"] = loads.idle_conversations(bench, 10_000)["bytes_each"] / 1024
        if not wanted or "tunnels" in wanted:
            for connectors, suffix in ((10, "_of_10"), (1, "")):
                bench.restart_tunnel()
                many = loads.many_tunnels(bench, 1_000, connectors, options.seconds)
                for key in ("one_us_1", "spread_us_1", "one_us_64", "spread_us_64"):
                    extra[key + suffix] = many[key]
                for connections in (1, 64):
                    spread = many[f"spread_us_{connections}"] / many[f"one_us_{connections}"]
                    extra[f"spread_{connections}{suffix}"] = spread
            extra["tunnel_kib"] = many["edge_bytes_each"] / 1024
            extra["edge_idle_percent"] = many["edge_idle_percent"]
            extra["idle_percent"] = many["idle_percent"]
    found = {name: {row: median(list_) for row, list_ in by_row.items()} for name, by_row in results.items()}
    report(found, extra)
    record = {"time": int(time.time()), "machine": machine.description(), "medians": found, "extra": extra}
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    if options.history:
        with options.history.open("a") as file:
            file.write(json.dumps(record) + "\n")
    return 0 if all(met(*aim) for aim in verdicts(found, extra)) else 1


def met(_: str, figure: float, comparison: str, bound: float) -> bool:
    return not math.isnan(figure) and (figure <= bound if comparison == "<=" else figure >= bound)


def report(found: dict[str, dict[str, dict[str, float]]], extra: dict[str, float]) -> None:
    print("\nMedians")
    for name, by_row in found.items():
        print(name)
        for row, result in by_row.items():
            print(f"  {row:20} " + "  ".join(shown(key, value) for key, value in result.items()))
    print("others\n  " + "  ".join(shown(key, value) for key, value in extra.items()))
    print("\nAims")
    for label, figure, comparison, bound in verdicts(found, extra):
        mark = "met" if met(label, figure, comparison, bound) else "MISSED"
        print(f"  {mark:7} {label}: {figure:.3g} ({comparison} {bound:g})")


if __name__ == "__main__":
    sys.exit(main())
