# SPDX-License-Identifier: Apache-2.0
"""How many instructions edge and connector spend on a small request, a line of JSON each.

usage: instructions.py PROGRAMS

Callgrind counts them, so that they depend on neither the hour nor what else the machine does. The programs have to be
without debug information, of which Valgrind does not read every form."""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import loads
import rows


class CountedBench(rows.Bench):
    """The tunnel alone, with one of its programs under Callgrind."""

    def __init__(self, programs: pathlib.Path, counted: str, folder: pathlib.Path) -> None:
        super().__init__(programs, folder)
        self.counted = counted

    def start(self, name: str, *command: str, **environment: str):  # noqa: ANN201
        if name == self.counted:
            counts = f"--callgrind-out-file={self.folder}/counts"
            command = ("valgrind", "--tool=callgrind", "--instr-atstart=no", counts, *command)
        process = super().start(name, *command, **environment)
        if name == self.counted:
            self.wait_for_start(process)
        return process

    def wait_for_start(self, process: subprocess.Popen[bytes]) -> None:
        """Waits until the program under Callgrind answers commands: it takes some twenty times as long to start."""
        end = time.monotonic() + 120
        while time.monotonic() < end and process.poll() is None:
            if self.control(process.pid, "-s") == 0:
                return
            time.sleep(0.2)
        raise RuntimeError(f"{self.counted} does not run under Callgrind")

    def start_rows(self) -> None:
        self.start_tunnel()

    def control(self, pid: int, *options: str) -> int:
        return subprocess.run(["callgrind_control", *options, str(pid)], capture_output=True).returncode

    def per_request(self, connections: int) -> float:
        """Instructions a small request."""
        loads.small(self, "culvert", connections, 2)
        pid = self.processes[self.counted].pid
        self.control(pid, "-z")
        self.control(pid, "-i", "on")
        requests = loads.small(self, "culvert", connections, 8)["requests"]
        self.control(pid, "-i", "off")
        self.control(pid, "-d")
        counted = 0
        # A dump for each thread or for all, whose totals say what it holds.
        for dump in self.folder.glob("counts.*"):
            for line in dump.read_text().splitlines():
                if line.startswith(("totals:", "summary:")):
                    counted = max(counted, int(line.split()[1]))
            dump.unlink()
        if counted == 0:
            raise RuntimeError(f"Callgrind has counted nothing of {self.counted}")
        return counted / requests


def main() -> None:
    programs = pathlib.Path(sys.argv[1]).resolve()
    counts: dict[int, dict[str, float]] = {1: {}, 64: {}}
    for counted in ("edge", "connector"):
        with tempfile.TemporaryDirectory() as folder, CountedBench(programs, counted, pathlib.Path(folder)) as bench:
            for connections, found in counts.items():
                found[f"{counted}_instructions"] = round(bench.per_request(connections))
    for connections, found in counts.items():
        name = f"small request, {connections} connection{'s' if connections > 1 else ''}"
        print(json.dumps({"benchmark": name} | found), flush=True)


main()
