# SPDX-License-Identifier: Apache-2.0
"""A person at a terminal: a shell on a pseudo-terminal, and what its window shows."""

import errno
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time

from window import Window

PROMPT = "$ "
# A machine that builds something else meanwhile takes its time.
PATIENCE = 30
# So long nothing may change before a picture is taken to be kept.
CALM = 0.6


class Failure(Exception):
    """What was waited for did not come, or what came is wrong."""


class Session:
    """An interactive shell in a window.

    The shell is dash, which never touches the modes of the terminal: what a command leaves behind stays visible."""

    def __init__(self, folder, environment, columns=80, rows=24):
        self.window = Window(columns, rows)
        self.clues = []
        self.master, slave = os.openpty()
        self._set_size(columns, rows)
        self.shell = subprocess.Popen(
            ["dash", "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=folder, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={"PS1": PROMPT, "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "UTC", **environment},
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(self.master, False)
        self.wait_for_prompt()
        self.modes = termios.tcgetattr(self.master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The command in the foreground first: the shell may be waiting for it.
        for group in {self.foreground, self.shell.pid}:
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                pass
        self.shell.wait()
        os.close(self.master)

    # What a person does.

    def type(self, text):
        """Types a text, as it is."""
        os.write(self.master, text.encode())

    def start(self, command):
        """Types a command and the return key, and waits until it has the terminal."""
        self.wait_for_prompt()
        self.type(command)
        # A shell that is told of a command before it has shown it would show it once more.
        self.wait("the command on the screen", lambda screen: squeezed(screen).endswith(squeezed(command)[-20:]))
        self.type("\n")

    def run(self, command, within=PATIENCE):
        """Runs a command to its end, and looks at what it leaves behind."""
        self.start(command)
        self.finish(within)

    def finish(self, within=PATIENCE):
        """Waits for the end of a command, checks that the terminal is as before, and asks for the exit code."""
        self.wait_for_prompt(within)
        self.check_terminal()
        code = "echo exit code $?"
        self.type(code + "\n")
        self.wait("the exit code", lambda screen: screen.rstrip("\n").splitlines()[-2].startswith("exit code "))
        self.wait_for_prompt()

    def interrupt(self):
        """Presses Ctrl-C."""
        self.type("\x03")

    def suspend(self):
        """Presses Ctrl-Z; the shell has the terminal meanwhile, and as it was."""
        self.type("\x1a")
        self.wait_for_prompt()
        self.check_terminal()

    def signal(self, number):
        """Sends a signal to the command that runs."""
        os.killpg(self.foreground, number)

    def resize(self, columns, rows):
        """Changes the size of the window; the terminal tells the program in the foreground."""
        self._read(0)
        self.window.refit(columns, rows)
        self._set_size(columns, rows)

    # What a person sees.

    @property
    def foreground(self):
        """The process group that has the terminal."""
        return os.tcgetpgrp(self.master)

    def wait(self, what, condition, within=PATIENCE):
        """Reads what the terminal gets until the window satisfies a condition."""
        deadline = time.monotonic() + within
        while not condition(self.window.text()):
            if time.monotonic() > deadline:
                raise Failure(f"waited {within} s in vain for {what}; the window shows:\n{self.window.text()}")
            self._read(0.05)

    def wait_for_prompt(self, within=PATIENCE):
        """Waits until the shell has the terminal again and has said so."""
        self.wait("the prompt", lambda _: self._is_at_prompt(), within)

    def calm_down(self):
        """Waits until the window changes no more, or goes on changing for long."""
        end = time.monotonic() + 3 * CALM
        last = time.monotonic()
        while time.monotonic() < min(end, last + CALM):
            if self._read(0.05):
                last = time.monotonic()

    def check_terminal(self):
        """Fails unless the terminal is as it was before the command."""
        cursor = self.window.cursor
        if cursor.hidden:
            raise Failure("the command left the cursor hidden")
        if cursor.attrs != self.window.default_char:
            raise Failure(f"the command left colours behind: {cursor.attrs}")
        modes = termios.tcgetattr(self.master)
        if modes != self.modes:
            raise Failure(f"the command left the terminal in other modes: {modes} instead of {self.modes}")

    def _is_at_prompt(self):
        line = self.window.display[self.window.cursor.y].rstrip()
        return self.foreground == self.shell.pid and line == PROMPT.rstrip() and self.window.cursor.x == len(PROMPT)

    def _read(self, timeout):
        """Shows what the terminal has got; says whether there was anything."""
        ready, _, _ = select.select([self.master], [], [], timeout)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            # The last program at the terminal is gone.
            if error.errno != errno.EIO:
                raise
            raise Failure(f"the shell has ended; the window shows:\n{self.window.text()}") from error
        self.window.show(data)
        return True

    def _set_size(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def squeezed(text):
    """A text without the spaces and the ends of lines, which a window adds and takes away."""
    return "".join(text.split())
