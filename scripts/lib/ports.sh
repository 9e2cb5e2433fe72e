# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Ports on loopback that nobody listens on.

# free_port PREFERRED prints the preferred port when it is free, else one that the system picks.
free_port() {
    python3 - "$1" <<'PYTHON'
import socket
import sys

for port in (int(sys.argv[1]), 0):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(listener.getsockname()[1])
        break
PYTHON
}
