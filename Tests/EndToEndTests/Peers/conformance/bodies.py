# SPDX-License-Identifier: Apache-2.0
"""Bodies and trailers in both directions, and responses that have none."""

from case import OK, Case, answer, chunked, get, post, reading
from harness import HEAD, Close, Ended, Pause, StillOpen, Take, Until
from judges import Ends

BYTES = bytes(range(256))
# More than any buffer on the way.
LARGE = BYTES * 8192
LAST = b"0\r\n\r\n"
HEAD_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def sends(name, request, body, **options):
    """A request whose body reaches the origin as it is."""
    return Case(name, [request], reading(body) + [OK], **options)


LENGTHS = [
    sends(f"request body: {name}", post(body), body)
    for name, body in {
        "empty": b"",
        "one byte": b"x",
        "all bytes": BYTES,
        "of lines that look like a head": b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "of 2 MiB": LARGE,
    }.items()
] + [
    sends("request body: a GET has one", post(b"hello", method=b"GET"), b"hello"),
    sends("request body: a DELETE has one", post(b"hello", method=b"DELETE"), b"hello"),
    sends("request body: any method has one", post(b"hello", method=b"QUERY"), b"hello"),
    sends(
        "request body: leading zeros in its length",
        post(b"hello").replace(b"Content-Length: 5", b"content-LENGTH: 0005"), b"hello",
    ),
    Case(
        "request body: byte by byte",
        [get(fields=b"Content-Length: 5\r\n", method=b"POST")]
        + [step for byte in b"hello" for step in (bytes([byte]), Pause(0.02))],
        reading(b"hello") + [OK],
    ),
    Case(
        "request body: the head in pieces",
        [b"POS", Pause(), b"T {base}/a", Pause(), b"b HTTP/1.", Pause(), b"1\r", Pause(), b"\nHost: {host}\r\n",
              b"Content-Length: 2\r\n\r", Pause(), b"\nh", Pause(), b"i"],
        reading(b"hi") + [OK],
    ),
    Case(
        "request body: reaches the origin before it is complete",
        [get(fields=b"Content-Length: 10\r\n", method=b"POST") + b"hello", Until(b"ok"), b"world"],
        [HEAD, Take(5), OK, Take(5)],
    ),
]

CHUNKS = [
    sends(f"chunked request: {name}", chunked(body), body)
    for name, body in {
        "empty": LAST,
        "one byte": b"1\r\nx\r\n" + LAST,
        "three chunks": b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n" + LAST,
        "upper and lower case sizes": b"A\r\n0123456789\r\na\r\n0123456789\r\n" + LAST,
        "leading zeros": b"0005\r\nhello\r\n" + LAST,
        "an extension": b"5;name=value\r\nhello\r\n" + LAST,
        "quoted extensions": b'5;a="b;\\"c";d;e=f\r\nhello\r\n' + LAST,
        "space in an extension": b"5;a = b\r\nhello\r\n" + LAST,
        "an extension of the last chunk": b"5\r\nhello\r\n0;last=1\r\n\r\n",
        "several zeros as the last chunk": b"5\r\nhello\r\n000\r\n\r\n",
        "a chunk of CR LFs": b"4\r\n\r\n\r\n\r\n" + LAST,
        "all bytes": b"100\r\n" + BYTES + b"\r\n" + LAST,
        "2 MiB in one chunk": b"200000\r\n" + LARGE + b"\r\n" + LAST,
        "1000 chunks": b"3\r\nabc\r\n" * 1000 + LAST,
        "a trailer": b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        "trailers in order and odd case": b"5\r\nhello\r\n0\r\nb: 1\r\nA: \xe9\r\nB: 2\r\n\r\n",
        "a trailer without content": b"0\r\nX-Sum: 1\r\n\r\n",
    }.items()
] + [
    Case(
        "chunked request: its field keeps its place",
        [b"POST {base}/ HTTP/1.1\r\nA: 1\r\ntransfer-ENCODING: chunked\r\nHost: {host}\r\nB: 2\r\n\r\n" + LAST],
        reading(LAST) + [OK],
    ),
    Case(
        "chunked request: Trailer is announced",
        [chunked(b"1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n", b"Trailer: X-Sum\r\n")],
        [Until(b"X-Sum: 1\r\n\r\n"), OK],
    ),
    Case(
        "chunked request: trailers that speak for the head are dropped",
        [chunked(b"1\r\nx\r\n0\r\nHost: a\r\nX-Sum: 1\r\nConnection: close\r\nX-Forwarded-For: 1.2.3.4\r\n"
                 b"Authorization: Basic YTpi\r\nExpect: 100-continue\r\n\r\n")],
        [Until(b"X-Sum: 1\r\n"), Take(2), OK],
        request=b"POST / HTTP/1.1\r\nHost: {origin}\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n",
        edge_only=True,
    ),
    Case(
        "chunked request: a chunk reaches the origin before the next",
        [chunked(b"5\r\nhello\r\n"), Until(b"ok"), b"1\r\nx\r\n" + LAST],
        [HEAD, Take(10), OK, Take(6 + len(LAST))],
    ),
    Case(
        "chunked request: half a chunk reaches the origin",
        [chunked(b"a\r\nhello"), Until(b"ok"), b"world\r\n" + LAST],
        [HEAD, Take(8), OK, Take(7 + len(LAST))],
    ),
]

RESPONSES = [
    Case(f"response body: {name}", [get()], [HEAD, answer(body)])
    for name, body in {
        "empty": b"",
        "one byte": b"x",
        "all bytes": BYTES,
        "of lines that look like a head": b"HTTP/1.1 500 No\r\n\r\n",
        "of 2 MiB": LARGE,
    }.items()
] + [
    Case(f"chunked response: {name}", [get()], [HEAD, HEAD_CHUNKED + body])
    for name, body in {
        "empty": LAST,
        "three chunks": b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n" + LAST,
        "leading zeros and upper case": b"000A\r\n0123456789\r\n" + LAST,
        "extensions": b'5;a="b;c"\r\nhello\r\n5;x\r\nworld\r\n' + LAST,
        "an extension of the last chunk": b"5\r\nhello\r\n0;last=1\r\n\r\n",
        "a trailer": b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        "trailers in order and odd case": b"0\r\nb: 1\r\nA: \xe9\r\nB: 2\r\n\r\n",
        "2 MiB in one chunk": b"200000\r\n" + LARGE + b"\r\n" + LAST,
        "1000 chunks": b"3\r\nabc\r\n" * 1000 + LAST,
    }.items()
] + [
    Case(
        "chunked response: its field keeps its place",
        [get()],
        [HEAD, b"HTTP/1.1 200 OK\r\nA: 1\r\ntransfer-ENCODING: chunked\r\nTrailer: X\r\nB: 2\r\n\r\n0\r\nX: 1\r\n\r\n"],
    ),
    Case(
        "chunked response: a chunk reaches the visitor before the next",
        [get(), Until(b"hello\r\n")],
        [HEAD, HEAD_CHUNKED + b"5\r\nhello\r\n", Pause(0.1), b"1\r\nx\r\n" + LAST],
    ),
    Case(
        "chunked response: the head reaches the visitor before the body",
        [get(), HEAD, StillOpen(0.1)],
        [HEAD, HEAD_CHUNKED, Pause(0.3), LAST],
    ),
    Case(
        "chunked response: cut anywhere",
        [get()],
        [HEAD] + [step for byte in HEAD_CHUNKED + b"5;a=b\r\nhello\r\n0\r\nA: 1\r\n\r\n"
                  for step in (bytes([byte]), Pause(0.002))],
    ),
    Case(
        "response with length: byte by byte",
        [get()],
        [HEAD] + [step for byte in OK for step in (bytes([byte]), Pause(0.002))],
    ),
    Case(
        "close-delimited response: gets chunks, so that its end can be told",
        [get()],
        [[HEAD, b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", b"hello", Close]],
        response=b"HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    Case(
        "close-delimited response: an empty one",
        [get()],
        [[HEAD, b"HTTP/1.1 200 OK\r\n\r\n", Close]],
        response=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    Case(
        "HTTP/1.0 origin: a response to the end of the connection",
        [get()],
        [[HEAD, b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello", Close]],
        response=b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\n\r\n",
    ),
    Case(
        "HTTP/1.0 origin: a response with length",
        [get()],
        [[HEAD, b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", Close]],
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ),
    Case(
        "HTTP/1.0 origin: kept alive, used again",
        [get(), Until(b"hello"), get(b"/2")],
        [[HEAD, b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", HEAD, OK]],
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" + OK,
    ),
]


def bodiless(name, head, method=b"GET", response=None):
    """A response without a body, and another request on the same connection: nothing of it may be taken for one."""
    return Case(
        f"no body: {name}",
        [get(method=method), HEAD, get(b"/next"), Until(b"ok")],
        [HEAD, head, HEAD, OK],
        response=None if response is None else response + OK,
    )


BODILESS = [
    bodiless("HEAD with Content-Length", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HEAD"),
    bodiless("HEAD with Transfer-Encoding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HEAD"),
    bodiless("HEAD with neither", b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", b"HEAD"),
    bodiless("HEAD with an error", b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n", b"HEAD"),
    bodiless("204", b"HTTP/1.1 204 No Content\r\nA: 1\r\n\r\n"),
    bodiless("204 with Content-Length: 0", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
    bodiless("204 to a HEAD", b"HTTP/1.1 204 No Content\r\n\r\n", b"HEAD"),
    bodiless("304", b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nCache-Control: max-age=1\r\n\r\n"),
    bodiless("304 with Content-Length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"a\"\r\n\r\n"),
    bodiless("304 with Transfer-Encoding", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
    bodiless("205", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
    bodiless("205 in chunks", b"HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    bodiless("302", b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
    bodiless(
        "204 with a length: a length it must not have",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nA: 1\r\n\r\n",
        response=b"HTTP/1.1 204 No Content\r\nA: 1\r\n\r\n",
    ),
    bodiless(
        "204 with Transfer-Encoding: which it must not have",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n",
        response=b"HTTP/1.1 204 No Content\r\nA: 1\r\n\r\n",
    ),
]

OLD_VISITORS = [
    Case(
        f"HTTP/1.0 visitor: {name}",
        [request, *([Ended()] if ends else [StillOpen()])],
        [[HEAD, given, *([] if keeps else [Close])]],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=got,
    )
    for name, request, given, keeps, got, ends in [
        ("a length", b"GET {base}/ HTTP/1.0\r\nHost: {host}\r\n\r\n", OK, True,
         b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", True),
        ("keep-alive", b"GET {base}/ HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n", OK, True,
         b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", False),
        ("no Host", b"GET {base}/ HTTP/1.0\r\n\r\n", OK, True,
         b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", True),
        ("no chunks", b"GET {base}/ HTTP/1.0\r\nHost: {host}\r\n\r\n",
         HEAD_CHUNKED + b"5\r\nhello\r\n5;a=b\r\nworld\r\n0\r\nA: 1\r\n\r\n", True,
         b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhelloworld", True),
        ("no chunks, though it would keep the connection",
         b"GET {base}/ HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n",
         HEAD_CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", True,
         b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", True),
        ("close-delimited", b"GET {base}/ HTTP/1.0\r\nHost: {host}\r\n\r\n",
         b"HTTP/1.1 200 OK\r\n\r\nhello", False, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", True),
        ("no interim responses", b"GET {base}/ HTTP/1.0\r\nHost: {host}\r\n\r\n",
         b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + OK, True,
         b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", True),
    ]
] + [
    Case(
        f"HTTP/1.0 visitor: no coding, where there is no body either: {name}",
        [method + b" {base}/ HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n", Ended()],
        [HEAD, b"HTTP/1.1 " + status + b"\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n"],
        request=method + b" / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=b"HTTP/1.1 " + status + b"\r\nA: 1\r\nConnection: close\r\n\r\n",
        edge_only=True,
    )
    for name, method, status in [("HEAD", b"HEAD", b"200 OK"), ("304", b"GET", b"304 Not Modified")]
] + [
    Case(
        "HTTP/1.0 visitor: close is heard before keep-alive",
        [b"GET {base}/ HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive, close\r\n\r\n", Ended()],
        [HEAD, OK],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    ),
    Case(
        "HTTP/1.0 visitor: Expect is not known there",
        [b"POST {base}/ HTTP/1.0\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", Ended()],
        [HEAD, Take(2), OK],
        request=b"POST / HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 2\r\n\r\nhi",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    ),
    Case(
        "HTTP/1.0 visitor: an answer of the edge ends the connection that it would keep",
        [b"GET /no-such-tunnel/ HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n"],
        [],
        request=b"",
        judge=Ends(),
        edge_only=True,
    ),
    Case(
        "HTTP/1.0 visitor: a body",
        [b"POST {base}/ HTTP/1.0\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello"],
        reading(b"hello") + [OK],
        request=b"POST / HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 5\r\n\r\nhello",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    ),
    Case(
        "HTTP/1.0 visitor: two requests on a kept connection",
        [b"GET {base}/1 HTTP/1.0\r\nHost: {host}\r\nConnection: Keep-Alive\r\n\r\n", Until(b"ok"),
         b"GET {base}/2 HTTP/1.0\r\nHost: {host}\r\n\r\n", Ended()],
        [HEAD, OK, HEAD, OK],
        request=b"GET /1 HTTP/1.1\r\nHost: {origin}\r\n\r\nGET /2 HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    ),
]

CASES = LENGTHS + CHUNKS + RESPONSES + BODILESS + OLD_VISITORS
