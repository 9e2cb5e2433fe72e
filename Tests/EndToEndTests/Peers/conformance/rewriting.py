# SPDX-License-Identifier: Apache-2.0
"""References and cookies in responses: changed where they would lead astray, else left byte for byte."""

from case import Case, answer, get
from harness import HEAD


def field(name, given, got, tunnel="path", edge_only=True):
    """A response field as the origin sends it and as the visitor must see it."""
    return Case(
        f"{tunnel}: {name}",
        [get()],
        [HEAD, answer(fields=b"A: 1\r\n" + given + b"\r\nB: 2\r\n")],
        request=b"GET {base}/ HTTP/1.1\r\nHost: {origin}\r\n\r\n" if tunnel == "keep" else None,
        response=answer(fields=b"A: 1\r\n" + (got + b"\r\n" if got else b"") + b"B: 2\r\n"),
        tunnel=tunnel,
        edge_only=edge_only,
    )


def same(name, given, tunnel="path"):
    return field(name, given, given, tunnel, edge_only=False)


CHANGED = [
    field(f"{name}: {given.decode('latin1')}", name.encode() + b": " + given, name.encode() + b": " + got)
    for name, pairs in {
        "Location": [
            (b"http://127.0.0.1/a", b"http://{host}{base}/a"),
            (b"/", b"{base}/"),
            (b"/a%2Fb?c=/d#/e", b"{base}/a%2Fb?c=/d#/e"),
            (b"/caf\xe9", b"{base}/caf\xe9"),
            (b"http://{origin}/a?b#c", b"http://{host}{base}/a?b#c"),
            (b"HTTP://LOCALHOST:{port}/A", b"http://{host}{base}/A"),
            (b"http://127.0.0.1:{port}/a", b"http://{host}{base}/a"),
            (b"http://[::1]:{port}", b"http://{host}{base}/"),
            (b"{base}x/a", b"{base}{base}x/a"),
            (b"/\\other.example", b"{base}/\\other.example"),
            (b"http://{origin}", b"http://{host}{base}/"),
            (b"http://{origin}?a", b"http://{host}{base}/?a"),
            (b"//{origin}/a", b"//{host}{base}/a"),
            (b"http://{host}/a", b"http://{host}{base}/a"),
            (b"https://{host}/a", b"https://{host}{base}/a"),
            (b"//{host}/a", b"//{host}{base}/a"),
        ],
        "Content-Location": [(b"/a", b"{base}/a"), (b"http://{origin}/a", b"http://{host}{base}/a")],
        "Refresh": [
            (b"5; url=/a", b"5; url={base}/a"),
            (b"0;URL='/a'", b"0;URL='{base}/a'"),
            (b'3 ; Url = "/a?b=c"', b'3 ; Url = "{base}/a?b=c"'),
            (b"1, url=http://{origin}/a", b"1, url=http://{host}{base}/a"),
            (b"5; /a", b"5; {base}/a"),
        ],
        "Link": [
            (b"</a>; rel=preload", b"<{base}/a>; rel=preload"),
            (b"</a>;rel=x ,  <b>, <http://{origin}/c>; t=\"</d>\"",
             b"<{base}/a>;rel=x ,  <b>, <http://{host}{base}/c>; t=\"</d>\""),
        ],
        "Set-Cookie": [
            (b"a=b; Path=/", b"a=b; Path={base}/"),
            (b"a=b;path=/x;  Secure;HttpOnly", b"a=b;path={base}/x;  Secure;HttpOnly"),
            (b"a=b; Domain=localhost; SameSite=Lax", b"a=b; SameSite=Lax"),
            (b"a=\xe9=; Max-Age=1; PATH = /x", b"a=\xe9=; Max-Age=1; PATH = {base}/x"),
            (b"__Secure-a=b; Secure; Path=/", b"__Secure-a=b; Secure; Path={base}/"),
            (b"a=b; expires=Wed, 21 Oct 2026 07:28:00 GMT; pATH=/;",
             b"a=b; expires=Wed, 21 Oct 2026 07:28:00 GMT; pATH={base}/;"),
            (b"=b; Path=/; Path=/x", b"=b; Path={base}/; Path={base}/x"),
        ],
    }.items()
    for given, got in pairs
]

SAME = [
    same(f"{name}: {given.decode('latin1')}", name.encode() + b": " + given)
    for name, values in {
        "Location": [
            b"a", b"./a", b"../a", b"?a", b"#a", b"", b"{base}/a", b"{base}?a", b"http://{host}{base}/a",
            b"http://other.example/a", b"//other.example/a", b"https://other.example:{port}/", b"mailto:a@b",
            b"http://user@{origin}/a", b"localhost:{port}/a", b"http://127.0.0.1:{port}1/a",
            b"///a", b"http:/a", b"http:a", b"\\\\a",
        ],
        "Content-Location": [b"a", b"http://other.example/a"],
        "Refresh": [b"5", b"5; url=a", b"5;  url=  http://other.example/a", b"0; url=\"a\""],
        "Link": [b"<a>; rel=preload", b"<//other.example/a>;rel=\"x,</y>\"", b"no link", b"<a"],
        "Set-Cookie": [
            b"a=b", b"a=b; Secure; HttpOnly", b"a=b; Path=x", b"a=b; Path", b"", b"a=\"/; path\"",
            b"__Host-a=b; Secure; Path=/", b"__hOST-a=b; Secure; Path=/; Domain=localhost", b"a=b; Path={base}/x",
            b"path=/; a=b", b"a=b; Path=", b"a=b; Path=\"/\"",
        ],
        "X-Location": [b"/a"],
        "Content-Type": [b"text/html; path=/"],
        "SourceMap": [b"/a.map"],
    }.items()
    for given in values
]

HOST_MODE = [
    same(f"{name}: {given.decode('latin1')}", name.encode() + b": " + given, "path@host")
    for name, values in {
        "Location": [b"/a", b"http://{host}/a", b"https://{host}/a", b"http://other.example/a", b"a"],
        "Content-Location": [b"/a"],
        "Refresh": [b"5;url= /a"],
        "Link": [b"</a>; rel=preload"],
        "Set-Cookie": [
            b"a=b;path=/;secure", b"a=b; Domain={host}", b"__Host-a=b; Secure; Path=/", b"a=b; Domain=other.example",
        ],
        "Strict-Transport-Security": [b"max-age=1"],
        "Clear-Site-Data": [b"\"*\""],
        "Alt-Svc": [b"clear"],
        "Service-Worker-Allowed": [b"/"],
    }.items()
    for given in values
] + [
    field("Location names the origin", b"Location: http://{origin}/a", b"Location: http://{host}/a", "path@host"),
    field("Location is the origin", b"Location: http://{origin}", b"Location: http://{host}", "path@host"),
    field("Set-Cookie: the origin's own domain", b"Set-Cookie: a=b; Domain=localhost", b"Set-Cookie: a=b", "path@host"),
    field("Set-Cookie: its address", b"Set-Cookie: a=b; Domain=127.0.0.1", b"Set-Cookie: a=b", "path@host"),
    field("Set-Cookie: a domain that all tunnels share",
          b"Set-Cookie: a=b; Domain=.tunnels.test; Path=/", b"Set-Cookie: a=b; Path=/", "path@host"),
    field("Set-Cookie: a domain above", b"Set-Cookie: a=b; domain=TEST", b"Set-Cookie: a=b", "path@host"),
]

DROPPED = [
    field(f"dropped: {name}", name.encode() + b": x", b"")
    for name in ["Service-Worker-Allowed", "Clear-Site-Data", "Alt-Svc", "Strict-Transport-Security"]
]

KEEP_MODE = [
    same("Location: {base}/a", b"Location: {base}/a", "keep"),
    same("Location: /a", b"Location: /a", "keep"),
    same("Set-Cookie", b"Set-Cookie: a=b;path=/x", "keep"),
    field(
        "Location names the origin",
        b"Location: http://{origin}{base}/a",
        b"Location: http://{host}{base}/a",
        "keep",
    ),
]

CASES = CHANGED + SAME + HOST_MODE + DROPPED + KEEP_MODE + [
    Case(
        "path: every repeated field by itself",
        [get()],
        [HEAD, answer(fields=b"Set-Cookie: a=1; Path=/\r\nX: /\r\nset-cookie: b=2\r\nLink: </a>\r\nlink: <b>\r\n")],
        response=answer(
            fields=b"Set-Cookie: a=1; Path={base}/\r\nX: /\r\nset-cookie: b=2\r\nLink: <{base}/a>\r\nlink: <b>\r\n"
        ),
        edge_only=True,
    ),
    Case(
        "path: an interim response's Link",
        [get()],
        [HEAD, b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + answer()],
        response=b"HTTP/1.1 103 Early Hints\r\nLink: <{base}/a>; rel=preload\r\n\r\n" + answer(),
        edge_only=True,
    ),
    Case(
        "path: nothing in a body",
        [get()],
        [HEAD, answer(b"<a href=\"/a\">Location: /a\r\n")],
    ),
]
