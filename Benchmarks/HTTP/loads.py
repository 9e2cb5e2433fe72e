# SPDX-License-Identifier: Apache-2.0
"""The loads, each against one row, and what each costs."""
import asyncio
import contextlib
import pathlib
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator

import machine
import rows

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@contextlib.contextmanager
def cost(bench: rows.Bench, row: str, result: dict[str, float]) -> Iterator[None]:
    """Adds what the row's processes used of the processors, in seconds, in all and each."""
    before = [machine.processor_seconds(pid) for pid in bench.pids(row)]
    yield
    each = [machine.processor_seconds(pid) - start for pid, start in zip(bench.pids(row), before, strict=True)]
    result["processor_s"] = sum(each)
    for index, seconds in enumerate(each):
        result[f"processor_s_{index}"] = seconds


def wrk(url: str, connections: int, seconds: int, *options: str) -> dict[str, float]:
    """Requests a second and how long they took, in milliseconds. Any failed request ends the run."""
    run = subprocess.run(
        ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency", *options, url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    text = run.stdout
    if found := re.search(r"Non-2xx or 3xx responses: (\d+)", text):
        raise RuntimeError(f"{found[1]} requests to {url} failed")
    # A connection that wrk closes at the end counts as a read error at times; others are failures.
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    result = {"errors": float(sum(int(count) for count in errors.groups())) if errors else 0.0}
    requests = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)", text)
    if requests is None:
        raise RuntimeError(text)
    result["requests"] = float(requests[1])
    result["per_second"] = float(requests[1]) / (float(requests[2]) * UNITS[requests[3]] / 1e3)
    for percent in ("50", "99"):
        found = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s|m)", text)
        result[f"p{percent}_ms"] = float(found[1]) * UNITS[found[2]] if found else float("nan")
    return result


def small(bench: rows.Bench, row: str, connections: int, seconds: int, *options: str) -> dict[str, float]:
    result: dict[str, float] = {}
    with cost(bench, row, result):
        result |= wrk(bench.urls[row] + "/small", connections, seconds, *options)
    result["processor_us"] = result["processor_s"] * 1e6 / result["requests"]
    return result


def download(bench: rows.Bench, row: str) -> dict[str, float]:
    result: dict[str, float] = {}
    start = time.monotonic()
    with cost(bench, row, result):
        size = subprocess.run(
            ["curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", bench.urls[row] + "/gigabyte"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return whole(result, int(size), time.monotonic() - start)


def upload(bench: rows.Bench, row: str) -> dict[str, float]:
    result: dict[str, float] = {}
    start = time.monotonic()
    with cost(bench, row, result):
        size = subprocess.run(
            ["curl", "-sS", "-H", "Expect:", "-X", "POST", "-T", str(bench.folder / "www/gigabyte"),
             bench.urls[row] + "/sink"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return whole(result, int(size), time.monotonic() - start)


def whole(result: dict[str, float], size: int, seconds: float) -> dict[str, float]:
    if size != 1 << 30:
        raise RuntimeError(f"{size} bytes arrived instead of a gigabyte")
    result["megabytes_per_second"] = size / 1e6 / seconds
    result["processor_s_per_gb"] = result["processor_s"] * 1e9 / size
    return result


def beside(bench: rows.Bench, row: str, seconds: int) -> dict[str, float]:
    """Small requests on 8 connections while two downloads run without end."""
    with tempfile.TemporaryDirectory() as folder:
        script = pathlib.Path(folder) / "loop.sh"
        script.write_text(f'while :; do curl -sS -o /dev/null "{bench.urls[row]}/gigabyte" || exit 1; done')
        downloads = [subprocess.Popen(["bash", str(script)], process_group=0) for _ in range(2)]
        try:
            time.sleep(0.5)
            result = wrk(bench.urls[row] + "/small", 8, seconds)
        finally:
            for process in downloads:
                subprocess.run(["kill", "--", f"-{process.pid}"], check=False)
                process.wait()
    return result


async def conversation(host: str, port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {path}/echo HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(head.decode())
    return reader, writer


def address(url: str) -> tuple[str, int, str]:
    found = re.fullmatch(r"http://([^:/]+):(\d+)(.*)", url)
    if found is None:
        raise ValueError(url)
    return found[1], int(found[2]), found[3]


def conversations(bench: rows.Bench, row: str, count: int, seconds: float) -> dict[str, float]:
    """Echo conversations of 64 bytes behind an upgrade, all at once, each waiting for its answer."""
    result: dict[str, float] = {}

    async def talk(end: list[float]) -> int:
        reader, writer = await conversation(*address(bench.urls[row]))
        await ready.wait()
        messages = 0
        while time.monotonic() < end[0]:
            writer.write(b"x" * 64)
            await reader.readexactly(64)
            messages += 1
        writer.close()
        return messages

    async def main() -> int:
        end = [0.0]
        tasks = [asyncio.create_task(talk(end)) for _ in range(count)]
        await asyncio.sleep(2)
        end[0] = time.monotonic() + seconds
        ready.set()
        return sum(await asyncio.gather(*tasks))

    ready = asyncio.Event()
    with cost(bench, row, result):
        messages = asyncio.run(main())
    result["messages_per_second"] = messages / seconds
    result["processor_us"] = result["processor_s"] * 1e6 / messages
    return result


def idle_conversations(bench: rows.Bench, count: int) -> dict[str, float]:
    """Resident memory that conversations cost which are open and say nothing, in bytes each, edge and connectors."""
    url = f"http://127.0.0.1:{bench.edge_port}/held"

    async def main(pids: list[int]) -> int:
        held = []
        for start in range(0, count, 100):
            held += await asyncio.gather(*(conversation(*address(url)) for _ in range(min(100, count - start))))
        await asyncio.sleep(5)
        used = sum(machine.resident_bytes(pid) for pid in pids)
        for _, writer in held:
            writer.close()
        return used

    with bench.connectors_to("held", 2) as connectors:
        rows.wait_for(f"{url}/small")
        # Until all connections stand and what the start needed has been given back.
        time.sleep(5)
        pids = [bench.processes["edge"].pid, *connectors]
        before = sum(machine.resident_bytes(pid) for pid in pids)
        return {"bytes_each": (asyncio.run(main(pids)) - before) / count}


def many_tunnels(bench: rows.Bench, count: int, connectors: int, seconds: int) -> dict[str, float]:
    """What tunnels cost that are online: memory each, processor time idle, requests spread over all of them."""
    names = [f"many-{index:04}" for index in range(count)]
    edge = bench.processes["edge"].pid
    before = machine.resident_bytes(edge)
    with bench.connectors_of(names, connectors) as serving:
        for name in names:
            rows.wait_for(f"http://127.0.0.1:{bench.edge_port}/{name}/small", 120)
        # Until what the start needed has been given back.
        time.sleep(5)
        result = {"edge_bytes_each": (machine.resident_bytes(edge) - before) / count}
        pids = [edge, *serving]
        start = [machine.processor_seconds(pid) for pid in pids]
        time.sleep(10)
        used = [machine.processor_seconds(pid) - since for pid, since in zip(pids, start, strict=True)]
        result["edge_idle_percent"] = used[0] * 10
        result["idle_percent"] = sum(used) * 10

        def requests(paths: str, connections: int) -> float:
            with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
                script.write(f"local n = 0; request = function() n = n + 1; return wrk.format('GET', {paths}) end")
                script.flush()
                since = [machine.processor_seconds(pid) for pid in pids]
                done = wrk(f"http://127.0.0.1:{bench.edge_port}", connections, max(1, seconds // 2), "-s", script.name)
                spent = sum(machine.processor_seconds(pid) - at for pid, at in zip(pids, since, strict=True))
                return spent * 1e6 / done["requests"]

        # The same work for wrk, which has to share the processors.
        one, all_of_them = (f"string.format('/many-%04d/small', n % {used})" for used in (1, count))
        # One at a time, and many at once, which share messages only where they are for one tunnel.
        for connections in (1, 64):
            costs: dict[str, list[float]] = {one: [], all_of_them: []}
            for _ in range(3):
                # Forth and back, so that a machine that becomes slower meanwhile is the same for both.
                for paths in (one, all_of_them, all_of_them, one):
                    costs[paths].append(requests(paths, connections))
            result[f"one_us_{connections}"] = statistics.median(costs[one])
            result[f"spread_us_{connections}"] = statistics.median(costs[all_of_them])
    return result
