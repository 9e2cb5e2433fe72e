# SPDX-License-Identifier: Apache-2.0
"""How often edge and connector ask for memory for a request and for a megabyte, a line of JSON each.

usage: allocations.py PROGRAMS COUNTER

COUNTER is the library that counts (Benchmarks/Sources/AllocationCounter), built to be loaded before all others."""
import json
import mmap
import pathlib
import sys
import tempfile

import loads
import rows


class CountedBench(rows.Bench):
    """Programs that count their allocations."""

    def __init__(self, programs: pathlib.Path, counter: pathlib.Path, folder: pathlib.Path) -> None:
        super().__init__(programs, folder)
        self.counter = counter
        self.counts: dict[str, mmap.mmap] = {}

    def start(self, name: str, *command: str, **environment: str):  # noqa: ANN201
        if name in ("edge", "connector", "inspected"):
            path = self.folder / f"{name}.count"
            path.write_bytes(bytes(8))
            with path.open("r+b") as file:
                self.counts[name] = mmap.mmap(file.fileno(), 8)
            environment |= {"LD_PRELOAD": str(self.counter), "ALLOCATION_COUNT_FILE": str(path)}
        return super().start(name, *command, **environment)

    def start_rows(self) -> None:
        self.start_tunnel()
        # A connector beside it that keeps what passes.
        edge = f"http://127.0.0.1:{self.edge_port}"
        self.start(
            "inspected", str(self.programs / "culvert"), "http", str(self.origin_port), "--edge", edge, "--name", "inspected",
            "--connections", "1", "--log-level", "warning", "--max-requests-per-visitor", "100000", "--inspect", "on",
            CULVERT_API_KEY=self.key,
        )  # fmt: skip
        self.urls["inspected"] = f"{edge}/inspected"

    def pids(self, row: str) -> list[int]:
        names = ["edge", "inspected"] if row == "inspected" else rows.HOPS[row]
        return [self.processes[name].pid for name in names]

    def count(self, name: str) -> int:
        return int.from_bytes(self.counts[name][:8], sys.byteorder)


def main() -> None:
    programs, counter = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder, CountedBench(programs, counter, pathlib.Path(folder)) as bench:

        def report(name: str, unit: str, load) -> None:  # noqa: ANN001
            load()
            before = {program: bench.count(program) for program in bench.counts}
            units = load()
            each = {f"{program}_{unit}": (bench.count(program) - before[program]) / units for program in before}
            print(json.dumps({"benchmark": name} | {key: round(value, 3) for key, value in each.items()}), flush=True)

        def requests(connections: int, *options: str, row: str = "culvert") -> float:
            return loads.small(bench, row, connections, 2, *options)["requests"]

        def gigabyte(load) -> float:  # noqa: ANN001
            load(bench, "culvert")
            return (1 << 30) / 1e6

        report("small request, 64 connections", "allocations", lambda: requests(64))
        report("small request with Connection: close", "allocations", lambda: requests(64, "-H", "Connection: close"))
        report("small request, inspected", "allocations", lambda: requests(64, row="inspected"))
        report("1 GiB down", "allocations_per_megabyte", lambda: gigabyte(loads.download))
        report("1 GiB up", "allocations_per_megabyte", lambda: gigabyte(loads.upload))


main()
