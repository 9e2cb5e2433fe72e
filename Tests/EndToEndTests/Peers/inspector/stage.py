# SPDX-License-Identifier: Apache-2.0
"""What scenes need of the program behind the page. Here it is the fake one."""

import os
import time

import samples
from browser import Window, context
from exchange import START
from fake import FakeProgram, fill
from fakeinbox import FakeInbox


class FakeStage:
    """The page before a server that only speaks the API."""

    # The page's clock stands a little after the samples, so that every age is the same in each run.
    now = START + 60_000
    many = 10_000
    is_long = bool(os.environ.get("CULVERT_LONG"))
    is_released = False

    def __init__(self, browser, folder, album):
        self.browser, self.album = browser, album
        self.program = FakeProgram(folder)
        self.samples = [request for request, _ in samples.samples()]
        self.figures = {}

    def close(self):
        self.program.close()

    def window(self, made):
        return Window(made, self.program.url)

    def context(self):
        return context(self.browser, now=self.now)

    def prepare(self):
        self.program.exchanges.clear()
        self.program.posted.clear()
        self.program.inbox = FakeInbox()
        self.program.number = 0

    def show_samples(self):
        self.prepare()
        for request, response in samples.samples():
            self.program.add(request, response)

    def visit(self, target):
        self.program.add(samples.request("GET", target), samples.response("200 OK", [("Content-Type", "text/plain")], b"hello"))

    def fill(self, number):
        fill(self.program, number)

    def clear(self):
        self.program.clear()

    def say(self, text):
        """One more message on the open WebSocket."""
        chat = next(one for one in self.program.exchanges.values() if one.kind == "websocket")
        chat.frames.append((len(chat.frames), ("server", "text", text)))
        self.program.tell("requests", [chat.summary()])

    def received(self):
        """The last request that was sent again, as the local server saw it."""
        return self.program.posted[-1]

    def processor_seconds(self):
        """Nothing: there is no connector."""
        return 0

    def trickle(self, seconds, each_second):
        # The program tells of them twice a second.
        for _ in range(seconds * 2):
            made = [
                self.program.add(samples.request("GET", f"/trickle/{number}"), samples.response("200 OK", [], b"hello"), tells=False)
                for number in range(each_second // 2)
            ]
            self.program.tell("requests", [one.summary() for one in made])
            time.sleep(0.5)

    def go_away(self):
        self.program.is_away = True

    def come_back(self, reuse="never"):
        self.program.is_away = False
