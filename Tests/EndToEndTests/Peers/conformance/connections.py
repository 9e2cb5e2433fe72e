# SPDX-License-Identifier: Apache-2.0
"""What happens to connections: kept, pipelined, used again, ended and broken off, on both sides."""

from case import OK, Case, answer, chunked, get, post
from harness import HEAD, AtOrigin, Close, Ended, Pause, Reset, Shut, StillOpen, Take, Until
from judges import Anything, Holds, Problem, Truncated

CLOSE = b"Connection: close\r\n"
OK_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
# Authenticates the connection, not the request (RFC 4559 §6).
NTLM = b"Authorization: NTLM "
CHALLENGE = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM%b\r\nContent-Length: 2\r\n\r\nno"

KEPT = [
    Case(
        "kept: five requests, one connection on each side",
        [step for i in range(5) for step in (get(b"/%d" % i), Until(b"ok"))] + [StillOpen()],
        [step for _ in range(5) for step in (HEAD, OK)],
    ),
    Case(
        "kept: the visitor asks to close",
        [get(fields=CLOSE), Ended(how="end")],
        [HEAD, OK],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=OK_CLOSE,
    ),
    Case(
        "kept: the origin asks to close, the visitor need not know",
        [get(), Until(b"ok"), get(b"/2"), Until(b"ok"), StillOpen()],
        [[HEAD, OK_CLOSE, Ended()], [HEAD, OK]],
        response=OK + OK,
    ),
    Case(
        "kept: an origin that closes without announcing it",
        [get(), Until(b"ok"), Pause(0.05), get(b"/2"), Until(b"ok"), StillOpen()],
        [[HEAD, OK, Close], [HEAD, OK]],
    ),
    Case(
        "kept: an origin that closes as the next request comes",
        [get(), Until(b"ok"), get(b"/2"), Until(b"ok")],
        [[HEAD, OK, HEAD, Close], [HEAD, OK]],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n" + b"GET /2 HTTP/1.1\r\nHost: {origin}\r\n\r\n" * 2,
    ),
    Case(
        "kept: an origin that sends more than was asked for is not used again",
        [get(), Until(b"ok"), Pause(0.05), get(b"/2"), Until(b"ok")],
        [[HEAD, OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", Ended()], [HEAD, OK]],
        response=OK + OK,
    ),
    Case(
        "kept: a request with a body does not go where it might fail",
        [get(), Until(b"ok"), post(b"hello"), Until(b"ok")],
        [[HEAD, OK], [HEAD, Take(5), OK]],
        edge_only=True,
    ),
    Case(
        "bound: who logs in by NTLM keeps the connection, for every method",
        [get(), Until(b"no"), post(b"hello", NTLM + b"first\r\n"), Until(b"no"), get(fields=NTLM + b"third\r\n"),
         Until(b"ok"), post(b"hello"), Until(b"ok"), get(b"/2"), Until(b"ok")],
        [HEAD, CHALLENGE % b"", HEAD, Take(5), CHALLENGE % b" second", HEAD, OK, HEAD, Take(5), OK, HEAD, OK],
        edge_only=True,
    ),
    Case(
        "bound: an origin connection of which Negotiate was said serves nobody else",
        [get(), Until(b"no"), Close],
        [[HEAD, CHALLENGE.replace(b"NTLM", b"Negotiate") % b"", Ended()]],
        judge=Anything(),
        edge_only=True,
    ),
    Case(
        "kept: after a chunked response",
        [get(), Until(b"0\r\n\r\n"), get(b"/2"), Until(b"ok")],
        [HEAD, CHUNKS + b"0\r\n\r\n", HEAD, OK],
    ),
    Case(
        "kept: after a request with a body",
        [post(b"hello"), Until(b"ok"), get(b"/2"), Until(b"ok")],
        [HEAD, Take(5), OK, HEAD, OK],
    ),
    Case(
        "kept: after a chunked request with trailers",
        [chunked(b"1\r\nx\r\n0\r\nA: 1\r\n\r\n"), Until(b"ok"), get(b"/2"), Until(b"ok")],
        [HEAD, Until(b"A: 1\r\n\r\n"), OK, HEAD, OK],
    ),
    Case(
        "reuse by policy: never",
        [get(), Until(b"ok"), get(b"/2"), Until(b"ok")],
        [[HEAD, OK, Ended()], [HEAD, OK, Ended()]],
        tunnel="fresh",
        edge_only=True,
    ),
    Case(
        "an empty line before a request",
        [b"\r\n" + get(), Until(b"ok"), b"\r\n\r\n" + get(b"/2")],
        [HEAD, OK, HEAD, OK],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\nGET /2 HTTP/1.1\r\nHost: {origin}\r\n\r\n",
    ),
]

PIPELINED = [
    Case(
        "pipelined: answered in order",
        [get(b"/1") + get(b"/2") + get(b"/3")],
        [HEAD, Pause(0.1), answer(b"1"), HEAD, answer(b"2"), HEAD, answer(b"3")],
    ),
    Case(
        "pipelined: behind a body",
        [post(b"hello") + get(b"/2")],
        [HEAD, Take(5), OK, HEAD, OK],
    ),
    Case(
        "pipelined: behind chunks",
        [chunked(b"1\r\nx\r\n0\r\n\r\n") + get(b"/2")],
        [HEAD, Until(b"0\r\n\r\n"), OK, HEAD, OK],
    ),
    Case(
        "pipelined: HEAD before GET",
        [get(method=b"HEAD") + get(b"/2")],
        [HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", HEAD, OK],
    ),
    Case(
        "pipelined: fifty",
        [b"".join(get(b"/%d" % i) for i in range(50))],
        [step for i in range(50) for step in (HEAD, answer(b"%d" % i))],
    ),
    Case(
        "pipelined: nothing behind Connection: close",
        [get(b"/1", CLOSE) + get(b"/2"), Ended()],
        [HEAD, OK, StillOpen()],
        request=b"GET /1 HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=OK_CLOSE,
    ),
    Case(
        "pipelined: cut in the middle of the second head",
        [get(b"/1") + b"GET {base}", Pause(), b"/2 HTTP/1.1\r\nHost: {host}\r\n\r\n"],
        [HEAD, OK, HEAD, OK],
    ),
]


BROKEN = [
    Case(
        "abort: the visitor resets while it waits",
        [get(), AtOrigin(b"\r\n\r\n"), Reset],
        [HEAD, Ended(1.2)],
        judge=Anything(),
    ),
    Case(
        "abort: the visitor closes while it waits",
        [get(), AtOrigin(b"\r\n\r\n"), Close],
        [HEAD, Ended(1.2)],
        judge=Anything(),
    ),
    Case(
        "abort: the visitor resets during the response",
        [get(), Until(b"hello"), Reset],
        [HEAD, LONG + b"hello", Ended(1.2)],
        judge=Anything(),
    ),
    Case(
        "abort: the visitor closes during the response",
        [get(), Until(b"hello"), Close],
        [HEAD, LONG + b"hello", Ended(1.5)],
        judge=Anything(),
    ),
    Case(
        "abort: the visitor resets during its request",
        [get(method=b"POST", fields=b"Content-Length: 1000\r\n") + b"hello", AtOrigin(b"hello"), Reset],
        [HEAD, Take(5), Ended(1.2, "reset")],
        judge=Anything(),
    ),
    Case(
        "abort: the visitor ends in the middle of its request",
        [get(method=b"POST", fields=b"Content-Length: 1000\r\n") + b"hello", AtOrigin(b"hello"), Shut],
        [HEAD, Take(5), Ended(1.2, "reset")],
        judge=Anything(),
    ),
    Case(
        "abort: the visitor ends in the middle of its chunks",
        [chunked(b"5\r\nhello\r\n"), AtOrigin(b"hello\r\n"), Shut],
        [HEAD, Take(10), Ended(1.2, "reset")],
        judge=Anything(),
    ),
    Case(
        "a visitor that ends its direction after the request gets its answer",
        [get(fields=CLOSE), Shut, Ended()],
        [HEAD, Pause(0.2), OK],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=OK_CLOSE,
    ),
    Case(
        "break: the origin closes within the length",
        [get()],
        [[HEAD, LONG + b"hello", Pause(0.1), Close]],
        judge=Truncated(LONG + b"hello"),
    ),
    Case(
        "break: the origin resets within the length",
        [get()],
        [[HEAD, LONG + b"hello", Pause(0.1), Reset]],
        judge=Truncated(LONG + b"hello"),
    ),
    Case(
        "break: the origin closes within its chunks",
        [get()],
        [[HEAD, CHUNKS, Pause(0.1), Close]],
        judge=Truncated(CHUNKS),
    ),
    Case(
        "break: the origin closes before the last chunk's end",
        [get()],
        [[HEAD, CHUNKS + b"0\r\nA: 1\r\n", Pause(0.1), Close]],
        judge=Truncated(CHUNKS),
    ),
    Case(
        "break: the origin resets a close-delimited response",
        [get()],
        [[HEAD, b"HTTP/1.1 200 OK\r\n\r\nhello", Pause(0.1), Reset]],
        judge=Truncated(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ),
    Case(
        "break: an HTTP/1.0 visitor can tell a broken response",
        [b"GET {base}/ HTTP/1.0\r\nHost: {host}\r\n\r\n"],
        [[HEAD, CHUNKS, Pause(0.1), Reset]],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        judge=Truncated(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", "reset"),
    ),
    Case(
        "break: the origin closes before a response",
        [post(b"hello")],
        [[HEAD, Take(5), Close]],
        judge=Problem(502, b"origin_closed"),
        edge_only=True,
    ),
    Case(
        "break: the origin resets before a response",
        [post(b"hello")],
        [[HEAD, Take(5), Reset]],
        judge=Problem(502, b"origin_closed"),
        edge_only=True,
    ),
    Case(
        "break: the origin closes in the head of a response",
        [get()],
        [[HEAD, b"HTTP/1.1 200 OK\r\nContent-Le", Pause(), Close]],
        judge=Problem(502, b"origin_closed"),
        edge_only=True,
    ),
    Case(
        "break: the origin closes after an interim response",
        [get()],
        [[HEAD, b"HTTP/1.1 103 Early Hints\r\n\r\n", Pause(), Close]],
        judge=Holds(b"HTTP/1.1 502 Bad Gateway"),
        edge_only=True,
    ),
    Case(
        "break: the visitor's connection is kept after an error of the edge",
        [get(), Until(b"}\n"), get(b"/2"), Until(b"ok")],
        [[HEAD, Close], [HEAD, OK]],
        judge=Anything(),
        edge_only=True,
    ),
]

CASES = KEPT + PIPELINED + BROKEN
