# SPDX-License-Identifier: Apache-2.0
"""What the edge does not wait for. It has to be given short times and few connections: see ConformanceTests."""

import socket
import time

from case import OK, Case, chunked, get
from harness import HEAD, PATIENCE, Drip, Ended, Failure, Pause, Shut, StillOpen, Take, Until
from judges import Holds, Problem, Truncated

CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UPLOAD = get(method=b"POST", fields=b"Content-Length: 1000000\r\n")
# The origin waits for what the edge decides.
CUT = Ended(8, "reset")
# More than http.max-connections, see ConformanceTests.
MANY = 48


def refuses_more(_, place):
    """Whether connections beyond the limit are told why, and can read it."""
    ends = [place.connect() for _ in range(MANY)]
    try:
        refused = 0
        for end in ends:
            end.take(place.fill(b"GET /none/ HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            end.wait("an answer", lambda: b"}\n" in end.received or end.ended)
            if b"\r\nCulvert-Error: too_many_connections\r\n" in end.received:
                refused += 1
                end.wait("the end", lambda: end.ended)
                if not end.received.startswith(b"HTTP/1.1 503 ") or end.ended != "end":
                    raise Failure(f"not told why: {bytes(end.received)!r} ({end.ended})")
        if not 0 < refused < MANY:
            raise Failure(f"{refused} of {MANY} were refused")
    finally:
        for end in ends:
            end.close()


def reads_slowly(_, place):
    """Whether a visitor who reads 400 kB a second, and so less than the kernel would take for it, goes on getting them."""
    with socket.create_connection(place.address, PATIENCE) as visitor:
        visitor.sendall(place.fill(get()))
        for _ in range(60):
            wanted = 40_000
            while wanted > 0:
                try:
                    more = visitor.recv(wanted)
                except OSError as error:
                    raise Failure(f"cut off: {error}") from None
                if not more:
                    raise Failure("cut off")
                wanted -= len(more)
            time.sleep(0.1)


def slow(name, begin, piece):
    """A visitor of whom a byte comes now and then is answered and cut off."""
    return Case(
        f"limit: {name} of which a byte comes now and then",
        [begin, Drip(piece, 0.3)],
        [HEAD, CUT],
        judge=Problem(408, b"request_timeout", ends=True),
        compares_request=False,
        edge_only=True,
    )


SLOW_VISITORS = [
    Case(
        "limit: a head of which a byte comes now and then",
        [b"GET {base}/", Drip(b"a")],
        [],
        request=b"",
        judge=Problem(408, b"request_timeout", ends=True),
        edge_only=True,
    ),
    Case(
        "limit: a body of which nothing comes",
        [UPLOAD],
        [HEAD, CUT],
        judge=Problem(408, b"request_timeout", ends=True),
        edge_only=True,
    ),
    slow("a body", UPLOAD, b"x"),
    slow("a chunk", chunked(b"fffff\r\n"), b"x"),
    slow("a size line", chunked(b"5;a="), b"x"),
    slow("a trailer", chunked(b"0\r\nA: "), b"x"),
    Case(
        "limit: a body that comes slowly is waited for",
        [get(method=b"POST", fields=b"Content-Length: 6000\r\n")]
        + [step for _ in range(10) for step in (b"x" * 600, Pause(0.4))] + [Until(b"ok")],
        [HEAD, Take(6000), OK],
    ),
    Case(
        "no limit: a visitor that reads slowly",
        [],
        [HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", Drip(bytes(65536), 0, 30)],
        judge=reads_slowly,
        compares_request=False,
    ),
    Case("limit: connections", [], [], request=b"", judge=refuses_more, edge_only=True),
]

SLOW_ORIGINS = [
    Case(
        "limit: an origin that does not answer",
        [get(), Until(b"}\n"), get(b"/2"), Until(b"ok")],
        [[HEAD, CUT], [HEAD, OK]],
        judge=Problem(504, b"origin_timeout"),
        edge_only=True,
    ),
    Case(
        "limit: an origin that leaves the visitor without its 100",
        [get(method=b"POST", fields=b"Expect: 100-continue\r\nContent-Length: 5\r\n")],
        [HEAD, CUT],
        judge=Problem(504, b"origin_timeout", ends=True),
        edge_only=True,
    ),
    Case(
        "limit: an origin that goes on to say 102",
        [get()],
        [HEAD] + [step for _ in range(8) for step in (b"HTTP/1.1 102 Processing\r\n\r\n", Pause(0.1))] + [CUT],
        judge=Holds(b"HTTP/1.1 504 Gateway"),
        edge_only=True,
    ),
    Case(
        "no limit: an origin that says now and then that it is at work",
        [get()] + [Until(b"Early Hints\r\n\r\n")] * 5 + [Until(b"ok")],
        [HEAD] + [step for _ in range(5) for step in (Pause(1.2), b"HTTP/1.1 103 Early Hints\r\n\r\n")]
        + [Pause(1.2), OK],
    ),
    Case(
        "limit: an origin that says 102 and no more to a visitor that has ended",
        [get(), Shut, Ended(8)],
        [HEAD, b"HTTP/1.1 102 Processing\r\n\r\n", CUT],
        judge=Holds(b"HTTP/1.1 504 Gateway"),
        edge_only=True,
    ),
]

LONG_RESPONSES = [
    Case(
        "no limit: an early response goes on, though the upload brings nothing",
        [UPLOAD, HEAD] + [Until(b"1\r\n%d\r\n" % i) for i in range(10)],
        [HEAD, CHUNKS] + [step for i in range(10) for step in (b"1\r\n%d\r\n" % i, Pause(0.4))],
    ),
    Case(
        "limit: an early response and its upload that are both silent",
        [UPLOAD, HEAD, Ended(8)],
        [HEAD, CHUNKS, CUT],
        judge=Truncated(CHUNKS),
        edge_only=True,
    ),
    Case(
        "no limit: a silent response",
        [get(), HEAD, StillOpen(4), Until(b"1\r\nx\r\n")],
        [HEAD, CHUNKS, Pause(4.5), b"1\r\nx\r\n0\r\n\r\n"],
    ),
]

CASES = SLOW_VISITORS + SLOW_ORIGINS + LONG_RESPONSES
