# SPDX-License-Identifier: Apache-2.0
"""Requests that two readers could understand differently: none may reach the origin as another request or as two.

Behind each comes a request that nobody may answer: it would be the smuggled one.
"""

from case import OK, Case
from harness import HEAD, AtOrigin, Ended, Take, Until
from judges import Problem

NEXT = b"GET {base}/smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n"


def head(fields=b"", line=b"POST {base}/ HTTP/1.1", host=b"Host: {host}\r\n"):
    return line + b"\r\n" + host + fields + b"\r\n"


def refused(name, request, status=400, code=b"bad_request", tunnel="path"):
    """The edge answers and closes; nothing reaches the origin."""
    return Case(
        f"{status}: {name}",
        [request + NEXT, Ended(2)],
        [],
        request=b"",
        judge=Problem(status, code, ends=True, once=True),
        tunnel=tunnel,
        edge_only=True,
    )


LENGTH = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

# Both, in all pairings of order, spelling and validity.
BOTH = [
    refused(f"Content-Length and Transfer-Encoding, {name}", head(fields) + b"0\r\n\r\n")
    for name, fields in {
        "length first": LENGTH + CHUNKED,
        "coding first": CHUNKED + LENGTH,
        "length 0": b"Content-Length: 0\r\n" + CHUNKED,
        "a bad length": b"Content-Length: x\r\n" + CHUNKED,
        "coding identity": LENGTH + b"Transfer-Encoding: identity\r\n",
        "coding in another case": LENGTH + b"tRANSFER-eNCODING: CHUNKED\r\n",
        "coding named by Connection": LENGTH + CHUNKED + b"Connection: Transfer-Encoding\r\n",
        "length named by Connection": LENGTH + CHUNKED + b"Connection: Content-Length\r\n",
        "an empty coding": LENGTH + b"Transfer-Encoding: \r\n",
    }.items()
]

CODINGS = [
    refused(
        f"Transfer-Encoding: {value.decode('latin1')!r}",
        head(b"Transfer-Encoding: " + value + b"\r\n") + b"0\r\n\r\n",
    )
    for value in [
        b"xchunked", b"chunked, identity", b"identity, chunked", b"gzip, chunked", b"chunked, chunked", b"chunked;a=b",
        b"\"chunked\"", b",chunked", b"chunked,", b"identity", b"", b"chun\xe2\x84\xaaed", b"chunked\x0b",
    ]
] + [
    refused("two Transfer-Encodings", head(CHUNKED + CHUNKED) + b"0\r\n\r\n"),
    refused("two Transfer-Encodings, one unknown", head(CHUNKED + b"Transfer-Encoding: x\r\n") + b"0\r\n\r\n"),
    refused("Transfer-Encoding in HTTP/1.0", head(CHUNKED, b"POST {base}/ HTTP/1.0") + b"0\r\n\r\n"),
]

LENGTHS = [
    refused(f"Content-Length: {value.decode('latin1')!r}", head(b"Content-Length: " + value + b"\r\n") + b"hello")
    for value in [
        b"+5", b"-5", b"5, 5", b"5,5", b"5 5", b"0x5", b"5.0", b"5e0", b"", b"'5'", b"5;a", b"9" * 19,
        b"18446744073709551621", b"\xd9\xa5", b"5_0", b"5\xa0",
    ]
] + [
    refused("two equal Content-Lengths", head(LENGTH + LENGTH) + b"hello"),
    refused("two different Content-Lengths", head(LENGTH + b"Content-Length: 6\r\n") + b"hello"),
]

LINES = [
    refused("bare LF after the request line", b"GET {base}/ HTTP/1.1\nHost: {host}\r\n\r\n"),
    refused("bare LF after a field", head(b"A: 1\nB: 2\r\n")),
    refused("bare LFs as the end of the head", b"GET {base}/ HTTP/1.1\r\nHost: {host}\n\n"),
    refused("bare CR in a value", head(b"A: 1\rContent-Length: 5\r\n")),
    refused("bare CR in a name", head(b"A\rB: 1\r\n")),
    refused("CR CR LF", head(b"A: 1\r\r\n")),
    refused("bare CR in the request line", b"GET {base}/\rx HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    refused("NUL in a value", head(b"A: 1\x002\r\n")),
    refused("NUL in a name", head(b"A\x00: 1\r\n")),
    refused("NUL in the target", head(line=b"GET {base}/\x00 HTTP/1.1")),
    refused("a control character in a value", head(b"A: \x01\r\n")),
    refused("DEL in a value", head(b"A: \x7f\r\n")),
    refused("a field folded over two lines", head(b"A: 1\r\n 2\r\n")),
    refused("a coding folded over two lines", head(b"Transfer-Encoding:\r\n\tchunked\r\n") + b"0\r\n\r\n"),
    refused("white space before the first field", head(host=b" Host: {host}\r\n")),
    refused("white space before the colon", head(b"Content-Length : 5\r\n") + b"hello"),
    refused("a tab before the colon", head(b"Transfer-Encoding\t: chunked\r\n") + b"0\r\n\r\n"),
    refused("a name that is no token", head(b"Content Length: 5\r\n") + b"hello"),
    refused("a name with a byte above 0x7F", head(b"Content-Length\xa0: 5\r\n") + b"hello"),
    refused("an empty name", head(b": 5\r\n")),
    refused("a field without a colon", head(b"Content-Length\r\n")),
    refused("something else, such as TLS", b"\x16\x03\x01\x02\x00\x01"),
    refused("three empty lines before the request", b"\r\n\r\n\r\n" + head()),
]

REQUEST_LINES = [
    refused(f"request line: {name}", head(line=line))
    for name, line in {
        "two spaces before the target": b"GET  {base}/ HTTP/1.1",
        "two spaces before the version": b"GET {base}/  HTTP/1.1",
        "a space at the end": b"GET {base}/ HTTP/1.1 ",
        "a tab for a space": b"GET\t{base}/\tHTTP/1.1",
        "a space in the target": b"GET {base}/a b HTTP/1.1",
        "no version": b"GET {base}/",
        "an unknown version": b"GET {base}/ HTTX/1.1",
        "a lower-case version": b"GET {base}/ http/1.1",
        "a version of two digits": b"GET {base}/ HTTP/1.10",
        "no method": b" {base}/ HTTP/1.1",
        "a method that is no token": b"G@T {base}/ HTTP/1.1",
        "absolute form": b"GET http://{host}{base}/ HTTP/1.1",
        "absolute form of another host": b"GET http://evil.example/ HTTP/1.1",
        "asterisk form without a host of its own": b"OPTIONS * HTTP/1.1",
        "CONNECT": b"CONNECT {host} HTTP/1.1",
        "CONNECT with a path": b"CONNECT {base}/ HTTP/1.1",
        "no slash": b"GET a HTTP/1.1",
    }.items()
] + [
    refused("HTTP/2.0", head(line=b"GET {base}/ HTTP/2.0"), 505, b"version_not_supported"),
    refused("HTTP/0.9", head(line=b"GET {base}/ HTTP/0.9"), 505, b"version_not_supported"),
]

HOSTS = [
    refused(f"Host: {name}", head(host=host))
    for name, host in {
        "none": b"",
        "two": b"Host: {host}\r\nHost: {host}\r\n",
        "two different": b"Host: {host}\r\nHost: evil.example\r\n",
        "a list": b"Host: {host}, evil.example\r\n",
        "with a user": b"Host: evil@{host}\r\n",
        "with a path": b"Host: {host}/a\r\n",
        "with a space": b"Host: {host} evil\r\n",
        "with bytes above 0x7F": b"Host: \xe9.example\r\n",
        "with two ports": b"Host: {host}:80\r\n",
        "with a port that is no number": b"Host: localhost:a\r\n",
        "of a port alone": b"Host: :80\r\n",
        "an address without its end": b"Host: [::1\r\n",
        "an address without brackets": b"Host: ::1\r\n",
        "a name in brackets": b"Host: [evil.example]\r\n",
    }.items()
]

PATHS = [
    refused(
        f"path: {name}",
        head(LENGTH, b"POST " + target + b" HTTP/1.1") + b"hello",
        404,
        b"tunnel_not_found",
    )
    for name, target in {
        "//host": b"//evil.example/",
        "%2e%2e for the tunnel": b"/%2e%2e/",
        "the tunnel, encoded": b"/%61pi/tunnels/list",
        "a slash that is encoded": b"/x%2f..%2fapi/",
        "dots": b"/../",
        "a backslash": b"/\\evil/",
        "upper case": b"/NOT-A-TUNNEL/",
        "none": b"/",
    }.items()
]

SIZES = [
    refused("a head of 300 KB", head(b"A: " + b"a" * 300_000 + b"\r\n"), 431, b"header_too_large"),
    refused("a target of 300 KB", head(line=b"GET {base}/" + b"a" * 300_000 + b" HTTP/1.1"), 431, b"header_too_large"),
    refused("20 000 fields", head(b"".join(b"A%d: 1\r\n" % i for i in range(20_000))), 431, b"header_too_large"),
    refused("129 fields", head(b"A: 1\r\n" * 128), 431, b"header_too_large"),
    refused(
        "a head of a browser's that never ends",
        head(b"Accept: text/html\r\nCookie: " + b"a" * 100_000)[:-4], 431, b"header_too_large",
    ),
    refused("a head that never ends", head(b"A: " + b"a" * 100_000)[:-4], 431, b"header_too_large"),
]


def broken_body(name, body):
    """The head has reached the origin, which gets a reset: never what could be a complete request."""
    return Case(
        f"chunks: {name}",
        [head(CHUNKED), AtOrigin(b"\r\n\r\n"), body + NEXT, Ended(2)],
        [HEAD, Ended(2, "reset")],
        request=b"POST / HTTP/1.1\r\nHost: {origin}\r\n" + CHUNKED + b"\r\n",
        judge=Problem(400, b"bad_request", ends=True, once=True),
        edge_only=True,
    )


CHUNKS = [
    broken_body("a size that overflows 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    broken_body("a size of sixteen zeros and a digit", b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
    broken_body("a size with a sign", b"+5\r\nhello\r\n0\r\n\r\n"),
    broken_body("a negative size", b"-1\r\nhello\r\n0\r\n\r\n"),
    broken_body("a size with 0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    broken_body("a size with white space", b"5 \r\nhello\r\n0\r\n\r\n"),
    broken_body("a size behind white space", b" 5\r\nhello\r\n0\r\n\r\n"),
    broken_body("junk for a size", b"zz\r\nhello\r\n0\r\n\r\n"),
    broken_body("no size", b"\r\nhello\r\n0\r\n\r\n"),
    broken_body("a size line that ends with LF", b"5\nhello\r\n0\r\n\r\n"),
    broken_body("an extension with LF", b"5;a\nhello\r\n0\r\n\r\n"),
    broken_body("an extension with CR", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    broken_body("a quoted extension with CR LF", b"5;a=\"\r\nhello\"\r\n0\r\n\r\n"),
    broken_body("an extension of 5 KiB", b"5;" + b"a" * 5120 + b"\r\nhello\r\n0\r\n\r\n"),
    broken_body("a chunk longer than its size", b"5\r\nhello!\r\n0\r\n\r\n"),
    broken_body("a chunk shorter than its size", b"6\r\nhello\r\n0\r\n\r\n"),
    broken_body("a chunk that ends with LF", b"5\r\nhello\n0\r\n\r\n"),
    broken_body("a last chunk with LF", b"5\r\nhello\r\n0\n\n"),
    broken_body("junk behind the last chunk", b"0\r\nx\r\n\r\n"),
    broken_body("Content-Length in the trailers", b"0\r\nContent-Length: 5\r\n\r\n"),
    broken_body("Transfer-Encoding in the trailers", b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    broken_body("a folded trailer", b"0\r\nA: 1\r\n 2\r\n\r\n"),
    broken_body("trailers of 20 KiB", b"0\r\nA: " + b"a" * 20480 + b"\r\n\r\n"),
]


def unchanged(name, request, seen, body=b""):
    """What looks dangerous and is well-formed passes, as one request of the same meaning."""
    return Case(
        f"passes: {name}",
        [request, Until(b"ok")],
        [HEAD, Take(len(body)), OK],
        request=seen,
        response=OK,
    )


PASSING = [
    unchanged(
        "a request in a body",
        head(b"Content-Length: %d\r\n" % len(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"))
        + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    unchanged(
        "Transfer-Encoding in another case, written anew",
        head(b"Transfer-Encoding: ChUnKeD\r\n") + b"0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: {origin}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"0\r\n\r\n",
    ),
    unchanged(
        "fields that only look like lengths",
        head(b"Content_Length: 5\r\nX-Content-Length: 5\r\nContent-Lengt: 5\r\nTransfer-Encodin: chunked\r\n",
             b"GET {base}/ HTTP/1.1"),
        b"GET / HTTP/1.1\r\nHost: {origin}\r\nContent_Length: 5\r\nX-Content-Length: 5\r\nContent-Lengt: 5\r\n"
        b"Transfer-Encodin: chunked\r\n\r\n",
    ),
    unchanged(
        "an absolute URL behind the prefix",
        head(line=b"GET {base}/http://evil.example/ HTTP/1.1"),
        b"GET /http://evil.example/ HTTP/1.1\r\nHost: {origin}\r\n\r\n",
    ),
    unchanged(
        "%2e%2e and %0d%0a behind the prefix",
        head(line=b"GET {base}/%2e%2e/%0d%0aHost:%20a HTTP/1.1"),
        b"GET /%2e%2e/%0d%0aHost:%20a HTTP/1.1\r\nHost: {origin}\r\n\r\n",
    ),
    unchanged(
        "Connection that names Content-Length",
        head(LENGTH + b"Connection: Content-Length\r\n") + b"hello",
        b"POST / HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
    ),
    unchanged(
        "Connection that names Transfer-Encoding",
        head(CHUNKED + b"Connection: Transfer-Encoding\r\n") + b"0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: {origin}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"0\r\n\r\n",
    ),
    unchanged(
        "HTTP2-Settings with Upgrade: h2c, which Connection cuts out",
        head(b"Connection: HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
             b"GET {base}/ HTTP/1.1"),
        b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\n",
    ),
]

CASES = BOTH + CODINGS + LENGTHS + LINES + REQUEST_LINES + HOSTS + PATHS + SIZES + CHUNKS + PASSING
