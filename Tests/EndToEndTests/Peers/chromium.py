# SPDX-License-Identifier: Apache-2.0
"""The browser that tests start.

Debian's chromium-headless-shell is the same engine without the processes of a desktop and takes little more than half of
the processor's time. The long tests use the program that people use."""

import os

EXECUTABLE = "/usr/bin/chromium" if os.environ.get("CULVERT_LONG") == "1" else "/usr/bin/chromium-headless-shell"
