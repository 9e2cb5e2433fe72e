# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of processes: processor time and memory."""
import os
import platform
import subprocess
import time


def children(pid: int) -> list[int]:
    """The process and everything below it."""
    found = [pid]
    for parent in found:
        try:
            with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
        except OSError:
            pass
    return found


def processor_seconds(pid: int) -> float:
    """User and system time of a process and its children, in seconds.

    From the clock that Linux keeps of each process (clock_getcpuclockid(3)): it counts nanoseconds, where /proc counts
    hundredths of a second, and threads that have ended stay counted."""
    return sum(time.clock_gettime(~process << 3 | 2) for process in children(pid))


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its children."""
    total = 0
    for process in children(pid):
        with open(f"/proc/{process}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
    return total


def description() -> dict[str, str]:
    """What the figures were taken on."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "commit": commit,
        "load": f"{os.getloadavg()[0]:.2f}",
    }
