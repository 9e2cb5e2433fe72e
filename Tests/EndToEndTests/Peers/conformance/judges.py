# SPDX-License-Identifier: Apache-2.0
"""What is asked of what an end got, where that is not a comparison: as data, so that other runners can ask the same."""

import dataclasses

from harness import Failure, without_date


@dataclasses.dataclass
class Problem:
    """The visitor got the edge's own answer."""

    status: int
    code: bytes
    # Whether the connection ends with it.
    ends: bool = False
    # Whether there is no other answer of the edge's.
    once: bool = False
    # What the visitor must not get at all.
    absent: bytes | None = None

    def __call__(self, end, _):
        end.wait("an answer", lambda: b"\r\n\r\n" in end.received or end.ended)
        head = bytes(end.received).split(b"\r\n\r\n")[0] + b"\r\n"
        if not head.startswith(b"HTTP/1.1 %d " % self.status) or b"\r\nCulvert-Error: " + self.code + b"\r\n" not in head:
            raise Failure(f"not {self.status} {self.code}: {bytes(end.received)!r}")
        if self.ends:
            end.wait("the end", lambda: end.ended, 1)
        if self.once and end.received.count(b"Culvert-Request-Id:") != 1:
            raise Failure(f"more than one answer: {bytes(end.received)!r}")
        if self.absent and self.absent in end.received:
            raise Failure(f"got {self.absent!r}: {bytes(end.received)!r}")


@dataclasses.dataclass
class Truncated:
    """The visitor got exactly `prefix`, and then the connection ended within a second: by a reset, if `how` says so."""

    prefix: bytes
    how: str | None = None

    def __call__(self, end, place):
        end.wait("the end", lambda: end.ended, 1)
        expected = place.fill(self.prefix)
        same = place.allow(without_date(bytes(end.received), expected)) == place.allow(expected)
        if not same or (self.how and end.ended != self.how):
            raise Failure(f"not cut after {self.prefix!r}: {bytes(end.received)!r} ({end.ended})")


@dataclasses.dataclass
class Holds:
    """The visitor gets this, among other things."""

    text: bytes

    def __call__(self, end, _):
        end.wait(self.text, lambda: self.text in end.received)


@dataclasses.dataclass
class Ends:
    """The connection ends within a second."""

    def __call__(self, end, _):
        end.wait("the end", lambda: end.ended, 1)


@dataclasses.dataclass
class Anything:
    """Whatever the visitor got: the steps say enough."""

    def __call__(self, end, _):
        pass


@dataclasses.dataclass
class Lines:
    """The origin got these lines, each once and as a whole, and none of the absent texts."""

    lines: list
    absent: list

    def __call__(self, received, place):
        for line in self.lines:
            if received.count(b"\r\n" + place.fill(line) + b"\r\n") != 1:
                raise Failure(f"the origin did not get {place.fill(line)!r} once: {received!r}")
        for text in self.absent:
            if text in received:
                raise Failure(f"the origin got {text!r}: {received!r}")
