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


def free_port():
    """A port that was free a moment ago, and that nobody else who asks has been given."""
    folder = pathlib.Path(tempfile.gettempdir()) / f"culvert-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    while True:
        port = random.choice(RANGE)
        if port in claims:
            continue
        claim = open(folder / str(port), "a")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        claims[port] = claim
        return port
