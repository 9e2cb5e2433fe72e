# SPDX-License-Identifier: Apache-2.0
"""A tunnel with a password (RFC 9110 §11, RFC 7617): who is let in, and what the origin sees of it."""

import base64
import re

from case import OK, Case, chunked, get, post
from harness import HEAD, Close, Ended, Failure, Take, Until, Whole


def basic(credentials, scheme=b"Basic", name=b"Authorization"):
    return name + b": " + scheme + b" " + base64.b64encode(credentials) + b"\r\n"


RIGHT = basic(b"me:secret")
BARE = b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n"
WEBSOCKET = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def statuses(*expected):
    """The visitor gets answers of just these statuses, and each 401 asks for a name and a password."""

    def judge(end, _):
        got = lambda: [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", bytes(end.received))]
        try:
            end.wait("the answers", lambda: len(got()) >= len(expected) or end.ended)
            end.wait("nothing", lambda: len(got()) > len(expected), 0.1)
        except Failure:
            pass
        if got() != list(expected):
            raise Failure(f"expected {expected}, got {got()}: {bytes(end.received[:600])!r}")
        asked = len(re.findall(rb"(?i)\r\nWWW-Authenticate: Basic realm=", bytes(end.received)))
        if asked != expected.count(401):
            raise Failure(f"{asked} of {expected.count(401)} answers ask: {bytes(end.received[:600])!r}")

    return judge


def password(name, visitor, origin=(), request=b"", answers=(401,), **options):
    return Case(
        f"password: {name}", visitor, list(origin), request=request, tunnel="password", edge_only=True,
        judge=statuses(*answers), **options,
    )


def let_in(name, visitor, request=BARE, origin=(HEAD, OK)):
    return password(name, visitor, origin, request, (200,))


REFUSED = [
    password("none is shown", [get()]),
    password("a wrong one", [get(fields=basic(b"me:guess"))]),
    password("a wrong name", [get(fields=basic(b"you:secret"))]),
    password("one in other letters", [get(fields=basic(b"me:Secret"))]),
    password("one with more behind it", [get(fields=basic(b"me:secret "))]),
    password("the name alone", [get(fields=basic(b"me"))]),
    password("another scheme", [get(fields=b"Authorization: Bearer bWU6c2VjcmV0\r\n")]),
    password("no base64", [get(fields=b"Authorization: Basic me:secret\r\n")]),
    password("no credentials", [get(fields=b"Authorization: \r\n")]),
    password("the right one twice", [get(fields=RIGHT * 2)]),
    password("the right one beside another field", [get(fields=RIGHT + b"Authorization: Bearer x\r\n")]),
    password("meant for a proxy", [get(fields=basic(b"me:secret", name=b"Proxy-Authorization"))]),
    password("in the query", [get(b"/?Authorization=Basic%20bWU6c2VjcmV0")]),
    password("OPTIONS, as browsers ask before they show one", [get(method=b"OPTIONS")]),
    password("HEAD", [get(method=b"HEAD"), HEAD]),
]

LET_IN = [
    let_in("the right one is not the origin's", [get(fields=RIGHT)]),
    let_in("the scheme in other letters", [get(fields=basic(b"me:secret", scheme=b"bASIC"))]),
    let_in("the field in other letters", [get(fields=basic(b"me:secret", name=b"AUTHORIZATION"))]),
    let_in(
        "only Authorization is taken out",
        [get(fields=b"A: 1\r\n" + RIGHT + b"X-Authorization: Basic x\r\n")],
        b"GET / HTTP/1.1\r\nHost: {origin}\r\nA: 1\r\nX-Authorization: Basic x\r\n\r\n",
    ),
    let_in(
        "a body goes with it",
        [post(b"hello", RIGHT)],
        b"POST / HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 5\r\n\r\nhello",
        (HEAD, Take(5), OK),
    ),
    let_in(
        "HEAD with the right one",
        [get(method=b"HEAD", fields=RIGHT)],
        b"HEAD / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        (HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
    ),
    Case(
        "no password: Authorization is the origin's",
        [get(fields=basic(b"me:secret"))],
        [HEAD, OK],
        edge_only=True,
    ),
    Case(
        "password: the origin's own 401 passes",
        [get(fields=RIGHT)],
        [HEAD, b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=x\r\nContent-Length: 2\r\n\r\nno"],
        request=BARE,
        tunnel="password",
        edge_only=True,
    ),
]

CONNECTIONS = [
    password(
        "after a 401 the connection is kept for the right one",
        [get(), Whole, get(fields=RIGHT), Until(b"ok")],
        [HEAD, OK],
        BARE,
        (401, 200),
    ),
    password(
        "after a 401 to HEAD, which has no body, too",
        [get(method=b"HEAD"), HEAD, get(fields=RIGHT), Until(b"ok")],
        [HEAD, OK],
        BARE,
        (401, 200),
    ),
    password(
        "the right one counts for its request alone",
        [get(fields=RIGHT), Until(b"ok"), get(b"/2"), Whole],
        [HEAD, OK],
        BARE,
        (200, 401),
    ),
    password(
        "pipelined behind the right one, none is shown",
        [get(fields=RIGHT) + get(b"/2")],
        [HEAD, OK],
        BARE,
        (200, 401),
    ),
    password("a body that looks like a request is none", [post(b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n")], answers=(401,)),
    password(
        "a body in chunks that looks like a request is none",
        [chunked(b"5\r\nGET /\r\n0\r\n\r\n")],
        answers=(401,),
    ),
    password(
        "a body that waits for 100 is not asked for",
        [get(fields=b"Content-Length: 5\r\nExpect: 100-continue\r\n", method=b"POST")],
        answers=(401,),
    ),
    password("who asks to close is closed", [get(fields=b"Connection: close\r\n"), Ended(how="end")]),
]

UPGRADES = [
    password("a WebSocket without it", [get(fields=WEBSOCKET)]),
    password("a WebSocket with a wrong one", [get(fields=WEBSOCKET + basic(b"me:wrong"))]),
    Case(
        "password: a WebSocket with the right one",
        [get(fields=WEBSOCKET + RIGHT), HEAD, b"ping", Until(b"pong"), Close],
        [HEAD, SWITCH, Take(4), b"pong", Ended()],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nping",
        tunnel="password",
        edge_only=True,
    ),
]

CASES = REFUSED + LET_IN + CONNECTIONS + UPGRADES
