# SPDX-License-Identifier: Apache-2.0
"""Ports on loopback that nobody listens on, for programs that can't be handed a listener."""
import fcntl
import os
import pathlib
import random
import socket
import tempfile

# Below those that the system gives to outgoing connections: one of them could take a port before its program does.
RANGE = range(12_000, 32_000)
# Each is claimed until this process ends, by a lock that stays with its open file; `FreePort` of the tests does the same.
claims = {}


def claimed(port):
    """Claims a port, unless it is somebody's already; whether it is ours now."""
    if port in claims:
        return False
    folder = pathlib.Path(tempfile.gettempdir()) / f"culvert-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    claim = open(folder / str(port), "a")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        claim.close()
        return False
    claims[port] = claim
    return True


def free_ports(count):
    """The first of so many ports in a row that were free a moment ago, and that nobody else who asks has been given."""
    while True:
        ports = range(first := random.choice(RANGE), first + count)
        if ports[-1] not in RANGE:
            continue
        mine = []
        for port in ports:
            if not claimed(port):
                break
            mine.append(port)
        else:
            return first
        for port in mine:
            claims.pop(port).close()


def free_port():
    """A port that was free a moment ago, and that nobody else who asks has been given."""
    return free_ports(1)
