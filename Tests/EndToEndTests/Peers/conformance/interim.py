# SPDX-License-Identifier: Apache-2.0
"""Interim responses, Expect, responses that come early, and both directions at once."""

from case import OK, Case, answer, chunked, get
from harness import HEAD, Close, Ended, Pause, StillOpen, Take, Until

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: <style.css>; rel=preload\r\nX: \xe9\r\n\r\n"
EXPECT = b"Expect: 100-continue\r\n"

INTERIM = [
    Case(f"interim: {name}", [get()], [HEAD, given + OK])
    for name, given in {
        "100 unasked": CONTINUE,
        "102": b"HTTP/1.1 102 Processing\r\n\r\n",
        "103 with fields": HINTS,
        "104": b"HTTP/1.1 104 Odd\r\nA: 1\r\n\r\n",
        "199": b"HTTP/1.1 199 Odd\r\n\r\n",
        "several": CONTINUE + HINTS + HINTS + b"HTTP/1.1 102 Processing\r\n\r\n",
    }.items()
] + [
    Case(
        "interim: 103 reaches the visitor before the response",
        [get(), HEAD, Pause(0.1)],
        [HEAD, HINTS, Pause(0.3), OK],
    ),
    Case(
        "interim: 103 to a HEAD",
        [get(method=b"HEAD"), Until(b"Length: 2\r\n"), get(b"/2"), Until(b"ok")],
        [HEAD, HINTS + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", HEAD, OK],
    ),
    Case("interim: 103 before a 304", [get()], [HEAD, HINTS + b"HTTP/1.1 304 Not Modified\r\n\r\n"]),
    Case(
        "interim: lengths that an interim response must not have",
        [get()],
        [HEAD, b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n" + OK],
        response=b"HTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\n" + OK,
    ),
    Case(
        "interim: hop-by-hop fields are dropped",
        [get()],
        [HEAD, b"HTTP/1.1 103 Early Hints\r\nConnection: X-Hop\r\nX-Hop: 1\r\nA: 1\r\n\r\n" + OK],
        response=b"HTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\n" + OK,
    ),
]

WITH_LENGTH = get(method=b"POST", fields=EXPECT + b"Content-Length: 5\r\n")

EXPECTATIONS = [
    Case(
        "Expect: the origin says 100",
        [WITH_LENGTH, Until(CONTINUE), b"hello"],
        [HEAD, CONTINUE, Take(5), OK],
    ),
    Case(
        "Expect: the origin says 100, the body is in chunks",
        [get(method=b"PUT", fields=EXPECT + b"Transfer-Encoding: chunked\r\n"), Until(CONTINUE), b"1\r\nx\r\n0\r\n\r\n"],
        [HEAD, CONTINUE, Until(b"0\r\n\r\n"), OK],
    ),
    Case(
        "Expect: nobody but the origin says 100",
        [WITH_LENGTH, Pause(0.3), b"hello"],
        [HEAD, StillOpen(0.2), Take(5), OK],
    ),
    Case(
        "Expect: the origin says 417",
        [WITH_LENGTH, HEAD, Ended()],
        [HEAD, b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"],
        response=b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ),
    Case(
        "Expect: the origin answers at once",
        [WITH_LENGTH, HEAD, Ended()],
        [HEAD, answer(b"no", b"A: 1\r\n", b"413 Content Too Large")],
        response=b"HTTP/1.1 413 Content Too Large\r\nA: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
    ),
    Case(
        "Expect: the visitor does not wait",
        [WITH_LENGTH + b"hello"],
        [HEAD, CONTINUE, Take(5), OK],
    ),
    Case(
        "Expect: 100, then 103, then the response before the body",
        [WITH_LENGTH, Until(CONTINUE), Until(b"ok"), b"hello"],
        [HEAD, CONTINUE + HINTS + OK, Take(5)],
    ),
    Case(
        "Expect: without a body",
        [get(fields=EXPECT)],
        [HEAD, OK],
    ),
    Case(
        "Expect: an expectation nobody knows is the origin's to judge",
        [get(fields=b"Expect: 200-ok\r\n")],
        [HEAD, b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"],
    ),
]

EARLY = [
    Case(
        "early: the response is complete before the request, which goes on",
        [get(method=b"POST", fields=b"Content-Length: 10\r\n") + b"hello", Until(b"ok"), b"world", get(b"/2"),
         Until(b"ok")],
        [HEAD, Take(5), OK, Take(5), HEAD, OK],
    ),
    Case(
        "early: the origin closes with its response",
        [get(method=b"POST", fields=b"Content-Length: 1000000\r\n") + b"hello", Until(b"no"), Ended()],
        [[HEAD, Take(5), b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", Close]],
    ),
    Case(
        "early: a response to a chunked request that never ends",
        [chunked(b"5\r\nhello\r\n"), Until(b"no"), Ended()],
        [[HEAD, Take(10), b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", Ended()]],
    ),
    Case(
        "full duplex: each chunk is answered before the next",
        [chunked(b""), HEAD]
        + [step for i in range(10) for step in (b"1\r\n%d\r\n" % i, Until(b"1\r\n%d\r\n" % i))]
        + [b"0\r\n\r\n", Until(b"0\r\n\r\n")],
        [HEAD, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
        + [step for i in range(10) for step in (Until(b"1\r\n%d\r\n" % i), b"1\r\n%d\r\n" % i)]
        + [Until(b"0\r\n\r\n"), b"0\r\n\r\n"],
    ),
    Case(
        "full duplex: the response ends after the request",
        [get(method=b"POST", fields=b"Content-Length: 4\r\n"), Until(b"a"), b"12", Until(b"b"), b"34"],
        [HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na", Take(2), b"b", Take(2), b"c"],
    ),
    Case(
        "full duplex: an interim response during the upload",
        [get(method=b"POST", fields=b"Content-Length: 4\r\n") + b"12", Until(b"102 Processing\r\n\r\n"), b"34"],
        [HEAD, Take(2), b"HTTP/1.1 102 Processing\r\n\r\n", Take(2), OK],
    ),
    Case(
        "an event stream: each event reaches the visitor before the next",
        [get(fields=b"Accept: text/event-stream\r\n"), HEAD]
        + [Until(b"data: %d\n\n" % i) for i in range(5)],
        [HEAD, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"]
        + [step for i in range(5) for step in (b"9\r\ndata: %d\n\n\r\n" % i, Pause(0.03))]
        + [b"0\r\n\r\n"],
    ),
]

CASES = INTERIM + EXPECTATIONS + EARLY
