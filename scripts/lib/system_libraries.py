# SPDX-License-Identifier: Apache-2.0
"""The libraries of Debian whose code is part of a release's programs, since they are linked statically."""

import pathlib
import subprocess

# The library, and the package that it was built from. zlib is linked dynamically.
LINKED = {"hiredis": "libhiredis-dev", "sqlite": "libsqlite3-dev"}


def version(package):
    """The version of an installed package."""
    command = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def licence(package):
    """What a package says of its copyright and licence."""
    return pathlib.Path(f"/usr/share/doc/{package}/copyright").read_text(encoding="utf-8").strip()
