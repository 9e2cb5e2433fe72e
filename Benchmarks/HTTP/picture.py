# SPDX-License-Identifier: Apache-2.0
"""Draws the history of the benchmark: processor time of the tunnel against two nginx hops, run by run.

usage: picture.py HISTORY SVG"""
import html
import json
import pathlib
import sys
import time

LINES = [
    ("small, 64 connections", "processor_us", "#2563eb"),
    ("small, 256 connections", "processor_us", "#0891b2"),
    ("connection: close, 64 connections", "processor_us", "#7c3aed"),
    ("1 GiB down", "processor_s_per_gb", "#16a34a"),
    ("1 GiB up", "processor_s_per_gb", "#ca8a04"),
]
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 360, 56, 30, 230, 40


def draw(records: list[dict]) -> str:
    ratios = {
        name: [record["medians"][name]["culvert"][key] / record["medians"][name]["two nginx"][key] for record in records]
        for name, key, _ in LINES
    }
    top = max(1.6, 1.1 * max(max(values) for values in ratios.values()))

    def across(index: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (index / max(1, len(records) - 1))

    def up(ratio: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * ratio / top

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        '<text x="56" y="18" font-weight="bold">Processor time of the tunnel to that of two nginx hops (1 = equal)</text>',
    ]
    step = 0.5
    for tick in range(int(top / step) + 1):
        y = up(tick * step)
        colour = "#111827" if tick * step == 1 else "#d1d5db"
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick * step:.1f}</text>')
    ends = sorted((up(ratios[name][-1]), name, colour) for name, _, colour in LINES)
    below = 0.0
    for name, _, colour in LINES:
        points = " ".join(f"{across(index):.1f},{up(ratio):.1f}" for index, ratio in enumerate(ratios[name]))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(index):.1f}" cy="{up(ratio):.1f}" r="3" fill="{colour}"/>'
            for index, ratio in enumerate(ratios[name])
        ]
    for y, name, colour in ends:
        below = max(y + 4, below + 15)
        label = f"{name}: {ratios[name][-1]:.2f}"
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{below:.1f}" fill="{colour}">{html.escape(label)}</text>')
    for index in {0, len(records) - 1}:
        day = time.strftime("%Y-%m-%d", time.gmtime(records[index]["time"]))
        parts.append(f'<text x="{across(index):.1f}" y="{HEIGHT - 14}" text-anchor="middle">{day}</text>')
    return "\n".join(parts) + "\n</svg>\n"


def main() -> None:
    history, picture = map(pathlib.Path, sys.argv[1:3])
    records = [json.loads(line) for line in history.read_text().splitlines() if line]
    if not records:
        sys.exit(f"{history} has no run yet")
    picture.write_text(draw(records))


main()
