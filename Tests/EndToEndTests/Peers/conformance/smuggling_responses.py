# SPDX-License-Identifier: Apache-2.0
"""Responses that two readers could understand differently: the visitor gets an error of the edge, or a response that
can't be taken for complete, and what follows is never read as the answer to the next request.
"""

from case import OK, Case, get
from harness import HEAD, Ended, Pause, Until
from judges import Problem, Truncated

# What would be the answer to the visitor's next request, if it could be smuggled in.
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


def refused(name, response):
    """The visitor gets 502, and its next request an answer of its own from a new connection."""

    return Case(
        f"502: {name}",
        [get(), HEAD, Until(b"}\n"), get(b"/2"), Until(b"\r\n\r\nok")],
        [[HEAD, response + EVIL, Ended(2)], [HEAD, OK]],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\n\r\nGET /2 HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        judge=Problem(502, b"origin_invalid_response", absent=b"evil"),
        edge_only=True,
    )


def head(fields, line=b"HTTP/1.1 200 OK"):
    return line + b"\r\n" + fields + b"\r\n"


LENGTH = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

FRAMING = [
    refused(name, head(fields) + b"hello")
    for name, fields in {
        "two Content-Lengths": LENGTH + b"Content-Length: 6\r\n",
        "Content-Length: 5, 6": b"Content-Length: 5, 6\r\n",
        "Content-Length: 5,": b"Content-Length: 5,\r\n",
        "Content-Length: +5": b"Content-Length: +5\r\n",
        "Content-Length: -1": b"Content-Length: -1\r\n",
        "Content-Length: 0x5": b"Content-Length: 0x5\r\n",
        "an empty Content-Length": b"Content-Length: \r\n",
        "a Content-Length beyond 64 bits": b"Content-Length: 18446744073709551621\r\n",
        "Transfer-Encoding: identity": b"Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked": b"Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked with a letter that is none": b"Transfer-Encoding: chun\xe2\x84\xaaed\r\n",
        "an empty member in Transfer-Encoding": b"Transfer-Encoding: ,chunked\r\n",
    }.items()
] + [
    refused("Transfer-Encoding in HTTP/1.0", head(CHUNKED, b"HTTP/1.0 200 OK") + b"0\r\n\r\n"),
]

LINES = [
    refused(name, response)
    for name, response in {
        "bare CR in a value": head(b"A: 1\rSet-Cookie: a=b\r\n"),
        "bare CR in the reason": head(b"", b"HTTP/1.1 200 O\rK"),
        "NUL in a line without a colon": head(b"A\x00\r\n"),
        "bare CR in a line without a colon": head(b"A\rB\r\n"),
        "NUL in a value": head(b"A: \x00\r\n"),
        "a folded field": head(b"A: 1\r\n 2\r\n"),
        "a name that is no token": head(b"A(B): 5\r\n"),
        "an empty name": head(b": 1\r\n"),
        "a status of two digits": head(b"", b"HTTP/1.1 20 OK"),
        "a status of four digits": head(b"", b"HTTP/1.1 2000 OK"),
        "a status below 100": head(b"", b"HTTP/1.1 099 No"),
        "a status that is no number": head(b"", b"HTTP/1.1 2x0 OK"),
        "no status": head(b"", b"HTTP/1.1 "),
        "a version that is none": head(b"", b"HTTQ/1.1 200 OK"),
        "HTTP/2.0": head(b"", b"HTTP/2.0 200 OK"),
        "an empty line first": b"\r\n" + head(b"Content-Length: 0\r\n"),
        "something else": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "something else that waits for an answer": b"220 smtp.example ESMTP",
        "HTTP/0.9": b"<html>hello",
        "TLS without an end of line": b"\x15\x03\x01\x00\x02\x02\x46",
        "TLS": b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
        "a head of 300 KB": head(b"A: " + b"a" * 300_000 + b"\r\n"),
        "20 000 fields": head(b"A: 1\r\n" * 20_000),
        "a 101 that nobody asked for": head(
            b"Upgrade: any\r\nConnection: Upgrade\r\n", b"HTTP/1.1 101 Switching Protocols"
        ),
    }.items()
]

HEAD_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def cut(name, body):
    """The response has begun: the connection ends without the last chunk."""
    return Case(
        f"cut: {name}",
        [get(), Ended(2)],
        [HEAD, HEAD_CHUNKED + body + EVIL, Ended(2)],
        judge=Truncated(HEAD_CHUNKED),
        edge_only=True,
    )


CHUNKS = [
    cut("a size that overflows 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    cut("a size with a sign", b"+5\r\nhello\r\n0\r\n\r\n"),
    cut("a size with white space before it", b" 5\r\nhello\r\n0\r\n\r\n"),
    cut("a size with white space in it", b"5 5\r\nhello\r\n0\r\n\r\n"),
    cut("a size with white space of 20 bytes", b"5" + b" " * 20 + b"\r\nhello\r\n0\r\n\r\n"),
    cut("junk for a size", b"zz\r\nhello\r\n0\r\n\r\n"),
    cut("a size line that ends with LF", b"5\nhello\r\n0\r\n\r\n"),
    cut("an extension with LF", b"5;a\nhello\r\n0\r\n\r\n"),
    cut("an extension of 5 KiB", b"5;" + b"a" * 5120 + b"\r\nhello\r\n0\r\n\r\n"),
    cut("a chunk longer than its size", b"5\r\nhello!\r\n0\r\n\r\n"),
    cut("a chunk that ends with LF", b"5\r\nhello\n0\r\n\r\n"),
    cut("a last chunk with LF", b"5\r\nhello\r\n0\n\n"),
    cut("Content-Length in the trailers", b"0\r\nContent-Length: 5\r\n\r\n"),
    cut("a folded trailer", b"0\r\nA: 1\r\n 2\r\n\r\n"),
]


def followed(name, response, seen=None, method=b"GET"):
    """A complete response with something behind it, which answers nothing: the connection is not used again."""
    return Case(
        f"left behind: {name}",
        [get(method=method), HEAD, Pause(0.05), get(b"/2"), Until(b"\r\n\r\nok")],
        [[HEAD, response + EVIL, Ended(2)], [HEAD, OK]],
        response=(seen or response) + OK,
        edge_only=True,
    )


LEFT = [
    followed("a second response", OK),
    followed("a response behind chunks", HEAD_CHUNKED + b"0\r\n\r\n"),
    followed("a body behind HEAD", head(b"Content-Length: 44\r\n"), method=b"HEAD"),
    followed("a body behind 204", head(b"", b"HTTP/1.1 204 No Content")),
    followed("a body behind 304", head(b"Content-Length: 44\r\n", b"HTTP/1.1 304 Not Modified")),
    followed(
        "a length behind 204",
        head(b"Content-Length: 44\r\n", b"HTTP/1.1 204 No Content"),
        head(b"", b"HTTP/1.1 204 No Content"),
    ),
]



def tolerated(name, response, seen, clean=True):
    """Odd, with one meaning: it is passed on as it should have been, and behind two framings no more is asked."""
    scripts = [[HEAD, response, HEAD, OK]] if clean else [[HEAD, response, Ended(2)], [HEAD, OK]]
    return Case(
        f"tolerated: {name}",
        [get(), HEAD, Pause(0.05), get(b"/2"), Until(b"\r\n\r\nok")],
        scripts,
        response=seen + OK,
        edge_only=True,
    )


FIVE = head(LENGTH) + b"hello"
CHUNKS_OF_FIVE = b"5\r\nhello\r\n0\r\n\r\n"
TOLERATED = [
    tolerated("two equal Content-Lengths", head(LENGTH + LENGTH) + b"hello", FIVE),
    tolerated("Content-Length: 5, 5", head(b"Content-Length: 5, 5\r\n") + b"hello", FIVE),
    tolerated("two Transfer-Encodings", head(CHUNKED + CHUNKED) + CHUNKS_OF_FIVE, HEAD_CHUNKED + CHUNKS_OF_FIVE),
    tolerated(
        "Content-Length and Transfer-Encoding",
        head(LENGTH + CHUNKED) + CHUNKS_OF_FIVE,
        HEAD_CHUNKED + CHUNKS_OF_FIVE,
        clean=False,
    ),
    tolerated(
        "Transfer-Encoding and Content-Length: 0",
        head(CHUNKED + b"Content-Length: 0\r\n") + CHUNKS_OF_FIVE,
        HEAD_CHUNKED + CHUNKS_OF_FIVE,
        clean=False,
    ),
    tolerated("lines that end with LF", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", FIVE),
    tolerated("a line that ends with LF", head(b"A: 1\n" + LENGTH) + b"hello", head(b"A: 1\r\n" + LENGTH) + b"hello"),
    tolerated("white space before the colon", head(b"Content-Length : 5\r\n") + b"hello", FIVE),
    tolerated("a line without a colon", head(b"X-A\r\n" + LENGTH) + b"hello", FIVE),
    tolerated(
        "a size with white space",
        HEAD_CHUNKED + b"5  \r\nhello\r\n0 \r\n\r\n",
        HEAD_CHUNKED + b"005\r\nhello\r\n00\r\n\r\n",
    ),
    tolerated(
        "white space before an extension",
        HEAD_CHUNKED + b"5 ;a=b\r\nhello\r\n0\r\n\r\n",
        HEAD_CHUNKED + b"05;a=b\r\nhello\r\n0\r\n\r\n",
    ),
]

CASES = FRAMING + LINES + CHUNKS + LEFT + TOLERATED
