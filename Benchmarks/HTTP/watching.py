# SPDX-License-Identifier: Apache-2.0
"""What it costs the connector that somebody looks: processor time of a small request, and of a gigabyte down.

usage: watching.py PROGRAMS [--before PROGRAMS] [--rounds N]

The connectors run beside each other and are loaded in turns, so that all of them meet the same machine: one that nobody
looks at, one with the inspector, and one with the status screen and the inspector. --before adds two of other programs,
one that nobody looks at, and one with its status screen alone. Every other round goes the other way round."""
import argparse
import json
import os
import pathlib
import pty
import statistics
import subprocess
import tempfile
import threading
import time

import loads
import machine
import rows


class Watched(rows.Bench):
    """Connectors of one edge that differ in who looks."""

    def __init__(self, programs: pathlib.Path, folder: pathlib.Path, before: pathlib.Path | None) -> None:
        super().__init__(programs, folder)
        self.before = before

    def start_rows(self) -> None:
        self.start_tunnel()
        self.rows = ["off", "inspector", "screen and inspector"]
        self.connector("off", self.programs, "--inspect", "off")
        self.connector("inspector", self.programs, "--inspect", "on")
        self.connector("screen and inspector", self.programs, "--inspect", "on", has_screen=True)
        if self.before is not None:
            self.rows += ["off before", "screen before"]
            self.connector("off before", self.before)
            self.connector("screen before", self.before, has_screen=True)

    def connector(self, row: str, programs: pathlib.Path, *options: str, has_screen: bool = False) -> None:
        name = row.replace(" ", "-")
        edge = f"http://127.0.0.1:{self.edge_port}"
        program = str(programs / "culvert")
        command = [
            program, "http", str(self.origin_port), "--edge", edge, "--name", name, "--connections", "1", "--log-level", "warning", *options,
        ]  # fmt: skip
        # Whoever is older has no such limit.
        limit = "--max-requests-per-visitor"
        if limit in subprocess.run([program, "http", "--help"], capture_output=True, text=True, check=True).stdout:
            command += [limit, "100000"]
        if has_screen:
            self.terminal(row, command)
        else:
            self.start(row, *command, CULVERT_API_KEY=self.key)
        self.urls[row] = f"{edge}/{name}"

    def terminal(self, row: str, command: list[str]) -> None:
        """Starts a program at a terminal that takes all it draws."""
        master, slave = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CULVERT_")}
        # The screen is drawn by who has the terminal in the foreground.
        self.processes[row] = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=slave, stdout=slave, stderr=slave,
            env=environment | {"CULVERT_API_KEY": self.key, "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(slave)

        def drain() -> None:
            try:
                while os.read(master, 65_536):
                    pass
            except OSError:
                pass

        threading.Thread(target=drain, daemon=True).start()

    def pids(self, row: str) -> list[int]:
        return [self.processes[row].pid]


def times(bench: Watched, rounds: int) -> None:
    small: dict[str, list[float]] = {row: [] for row in bench.rows}
    large: dict[str, list[float]] = {row: [] for row in bench.rows}
    for row in bench.rows:
        loads.small(bench, row, 64, 2)
    for turn in range(rounds):
        order = bench.rows if turn % 2 == 0 else bench.rows[::-1]
        for row in order:
            small[row].append(loads.small(bench, row, 64, 3)["processor_us"])
        for row in order:
            large[row].append(loads.download(bench, row)["processor_s"])
    for name, unit, figures in (("small request", "us", small), ("1 GiB down", "s", large)):
        for row in bench.rows:
            figure = {f"processor_{unit}": round(statistics.median(figures[row]), 3), "all": [round(f, 3) for f in figures[row]]}
            print(json.dumps({"benchmark": f"{name}, {row}"} | figure), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--before", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Watched(options.programs.resolve(), pathlib.Path(folder), options.before and options.before.resolve()) as bench,
    ):
        for row in bench.rows:
            rows.wait_for(bench.urls[row] + "/small")
        times(bench, options.rounds)


if __name__ == "__main__":
    main()
