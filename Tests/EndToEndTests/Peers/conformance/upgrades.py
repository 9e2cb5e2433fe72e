# SPDX-License-Identifier: Apache-2.0
"""Other protocols on the same connection (RFC 9110 §7.8, RFC 6455, RFC 9931)."""

from case import OK, Case, get, post
from harness import HEAD, Close, Ended, Pause, Reset, Shut, StillOpen, Take, Until
from judges import Anything, Problem

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: %b\r\nConnection: Upgrade\r\n\r\n"
ANY = SWITCH % b"any"
BYTES = bytes(range(256)) * 4


def asks(protocol=b"any", fields=b""):
    return get(fields=b"Upgrade: " + protocol + b"\r\nConnection: Upgrade\r\n" + fields)


def talk(name, protocol, **options):
    return Case(
        f"upgrade: {name}",
        [asks(protocol), HEAD, b"ping", Until(b"pong"), Close],
        [HEAD, SWITCH % protocol, Take(4), b"pong", Ended()],
        **options,
    )


SWITCHED = [
    talk("websocket", b"websocket"),
    talk("any token", b"x-my-protocol"),
    talk("a token with a version", b"IRC/6.9"),
    talk("a choice of protocols", b"a/1, b/2"),
    Case(
        "upgrade: fields of a WebSocket handshake",
        [asks(b"websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
              b"Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\nOrigin: http://a\r\n")],
        [HEAD, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: upgrade\r\n"
         b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: b\r\n\r\n"],
    ),
    Case(
        "upgrade: Connection names more, in its own spelling",
        [get(fields=b"CONNECTION: keep-alive, uPGRADE\r\nUPGRADE: any\r\n"), HEAD],
        [HEAD, ANY],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nCONNECTION: Upgrade\r\nUPGRADE: any\r\n\r\n",
    ),
    Case("upgrade: all bytes", [asks(), HEAD, BYTES, Take(len(BYTES))], [HEAD, ANY, Take(len(BYTES)), BYTES]),
    Case(
        "upgrade: 2 MiB each way at once",
        [asks(), HEAD, BYTES * 2048, Take(len(BYTES) * 2048)],
        [HEAD, ANY, BYTES * 2048, Take(len(BYTES) * 2048)],
    ),
    Case("upgrade: bytes glued to the visitor's head", [asks() + b"early"], [HEAD, ANY, Take(5), b"ok"]),
    Case("upgrade: bytes glued to the origin's head", [asks(), HEAD, Take(5), b"ok"], [HEAD, ANY + b"early", Take(2)]),
    Case("upgrade: bytes glued to both heads", [asks() + b"early"], [HEAD, ANY + b"early", Take(5)]),
    Case(
        "upgrade: glued bytes wait for the 101",
        [asks() + b"early", Pause(0.3)],
        [HEAD, Pause(0.1), ANY, Take(5)],
    ),
    Case(
        "upgrade: glued bytes that look like a request are none",
        [asks() + get(b"/2")],
        [HEAD, ANY, HEAD],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nUpgrade: any\r\nConnection: Upgrade\r\n\r\n"
        b"GET {base}/2 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    ),
    Case(
        "upgrade: an interim response before it",
        [asks()],
        [HEAD, b"HTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\n" + ANY + b"x"],
    ),
    Case(
        "upgrade: after a request with a body",
        [post(b"hello", b"Upgrade: any\r\nConnection: Upgrade\r\n") + b"early"],
        [HEAD, Take(5), ANY, Take(5)],
    ),
    Case(
        "upgrade: on a connection that has served before",
        [get(), Until(b"ok"), asks(), HEAD, b"ping", Until(b"pong")],
        [[HEAD, OK], [HEAD, ANY, Take(4), b"pong"]],
        edge_only=True,
    ),
    Case(
        "upgrade: with a host of its own",
        [asks(), HEAD, b"ping", Until(b"pong")],
        [HEAD, ANY, Take(4), b"pong"],
        tunnel="path@host",
    ),
]

ENDS = [
    Case(
        "half-close: the visitor ends, the origin goes on",
        [asks(), HEAD, b"last", Shut, Until(b"after"), Ended(how="end")],
        [[HEAD, ANY, Take(4), Ended(how="end"), Pause(0.7), b"after", Close]],
    ),
    Case(
        "half-close: the origin ends, the visitor goes on",
        [asks(), HEAD, Take(4), Ended(how="end"), Pause(0.7), b"after", Close],
        [[HEAD, ANY + b"last", Shut, Until(b"after"), Ended(how="end")]],
    ),
    Case(
        "half-close: both at once",
        [asks(), HEAD, b"last", Shut, Ended()],
        [[HEAD, ANY, b"last", Shut, Take(4), Ended()]],
    ),
    Case(
        "half-close: the visitor ends before the 101",
        [asks() + b"early", Shut, Until(b"bye"), Ended(how="end")],
        [[HEAD, Pause(0.1), ANY, Take(5), Ended(how="end"), b"bye", Close]],
    ),
    Case(
        "half-close: 2 MiB after the visitor's end",
        [asks(), HEAD, Shut, Take(len(BYTES) * 2048), Ended(how="end")],
        [[HEAD, ANY, Ended(how="end"), BYTES * 2048, Close]],
    ),
    Case(
        "abort: the visitor resets an upgraded connection",
        [asks(), HEAD, b"ping", Pause(0.1), Reset],
        [HEAD, ANY, Take(4), Ended(how="reset")],
        judge=Anything(),
    ),
    Case(
        "abort: the origin resets an upgraded connection",
        [asks(), HEAD, Take(4), Ended(how="reset")],
        [[HEAD, ANY + b"ping", Pause(0.1), Reset]],
    ),
]


def refused(name, status, fields=b"", response=None, glued=b""):
    head = b"HTTP/1.1 " + status + b"\r\n" + fields + b"Content-Length: 2\r\n"
    return Case(
        f"refused upgrade: {name}",
        [asks() + glued, HEAD, Ended()],
        [HEAD, head + b"\r\nno", StillOpen()],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nUpgrade: any\r\nConnection: Upgrade\r\n\r\n",
        response=response or head + b"Connection: close\r\n\r\nno",
    )


REFUSED = [
    refused("400", b"400 Bad Request"),
    refused("200, which ignores it", b"200 OK"),
    refused("403 with glued bytes, which are dropped", b"403 Forbidden", glued=b"\x81\x05hello"),
    refused("a glued request is dropped, too", b"403 Forbidden", glued=get(b"/smuggled")),
    refused(
        "426 says what it would take",
        b"426 Upgrade Required",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
        b"Content-Length: 2\r\n\r\nno",
    ),
    Case(
        "refused upgrade: of the tunnel without its slash, which is the tunnel's; a glued request is dropped",
        [b"GET {base} HTTP/1.1\r\nHost: {host}\r\nUpgrade: any\r\nConnection: Upgrade\r\n\r\n" + get(b"/smuggled"),
         HEAD, Ended()],
        [HEAD, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", StillOpen()],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nUpgrade: any\r\nConnection: Upgrade\r\n\r\n",
        response=b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
        edge_only=True,
    ),
    Case(
        "426 to a visitor that asked for none",
        [get(), Until(b"no"), get(b"/2"), Until(b"ok")],
        [HEAD, b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         b"Content-Length: 2\r\n\r\nno", HEAD, OK],
    ),
    Case(
        "only websocket, by policy: it passes",
        [asks(b"WebSocket"), HEAD, b"ping", Until(b"pong")],
        [HEAD, SWITCH % b"WebSocket", Take(4), b"pong"],
        tunnel="websocket",
    ),
    Case(
        "only websocket, by policy: another protocol is not asked for",
        [asks(b"any", b"A: 1\r\n") + b"glued", HEAD, Ended()],
        [HEAD, OK, StillOpen()],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nA: 1\r\n\r\n",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        tunnel="websocket",
        edge_only=True,
    ),
    Case(
        "only websocket, by policy: not in a list with others",
        [asks(b"websocket, any"), HEAD, Ended()],
        [HEAD, OK, StillOpen()],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        tunnel="websocket",
        edge_only=True,
    ),
    Case(
        "another version of HTTP is not asked for, and the connection goes on",
        [get(fields=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\nA: 1\r\n"),
         Until(b"ok"), get(b"/2"), Until(b"ok")],
        [HEAD, OK, HEAD, OK],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nA: 1\r\n\r\nGET /2 HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        edge_only=True,
    ),
    Case(
        "another version of HTTP is not asked for with settings that Connection does not name",
        [get(fields=b"Connection: Upgrade\r\nUpgrade: H2C\r\nHTTP2-Settings: AAMA\r\n")],
        [HEAD, OK],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        edge_only=True,
    ),
    Case(
        "another version of HTTP is not asked for in a list either, and what is glued is no request",
        [asks(b"websocket, h2c") + get(b"/smuggled"), HEAD, Ended()],
        [HEAD, OK, StillOpen()],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        edge_only=True,
    ),
    Case(
        "TLS inside of the connection is not asked for",
        [get(fields=b"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n")],
        [HEAD, OK],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        edge_only=True,
    ),
    Case(
        "a 101 to who asked for another version of HTTP is an error of the origin's",
        [get(fields=b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n")],
        [HEAD, SWITCH % b"h2c"],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        judge=Problem(502, b"origin_invalid_response"),
        edge_only=True,
    ),
    Case(
        "an HTTP/1.0 visitor can't upgrade",
        [b"GET {base}/ HTTP/1.0\r\nHost: {host}\r\nUpgrade: any\r\nConnection: Upgrade\r\n\r\n", Ended()],
        [HEAD, OK],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    ),
]

CASES = SWITCHED + ENDS + REFUSED
