# SPDX-License-Identifier: Apache-2.0
"""Methods, targets, fields and the edge's own additions to a request's head."""

from case import OK, Case, answer, get
from harness import HEAD, Until
from judges import Holds, Lines, Problem

SIMPLE = [HEAD, OK]


def exact(name, request, **options):
    return Case(name, [request], SIMPLE, **options)


METHODS = [
    exact(f"method {method}", get(method=method.encode()))
    for method in ["GET", "OPTIONS", "DELETE", "PATCH", "PROPFIND", "M-SEARCH", "get", "!#$%&'*+-.^_`|~09", "X" * 40]
] + [
    exact(f"{method} without a body", get(method=method.encode(), fields=b"Content-Length: 0\r\n"))
    for method in ["POST", "PUT", "TRACE"]
]

TARGETS = [
    exact(f"target {name}", get(target))
    for name, target in {
        "/": b"/",
        "with %2F": b"/a%2Fb%2f",
        "with %00 and %zz": b"/%00%zz%",
        "//": b"//",
        "//host/path": b"//host.example/a",
        "/a//b///": b"/a//b///",
        "with dots": b"/./a/../b/..",
        "with encoded dots": b"/%2e%2E/%2e/a",
        "with ;": b"/a;b=c;d/e;",
        "with an empty query": b"/a?",
        "?a?b": b"/?a?b",
        "with a query of slashes": b"/a?/b//c/../d",
        "with & and = and +": b"/?a=1&&b==+&c=%20",
        "with a colon": b"/a:b/http://c/",
        "with an @": b"/@scope/pkg@1.0",
        "with unusual ASCII": b"/\"<>\\^`{|}",
        "with bytes above 0x7F": b"/\xc3\xa9/\xff\x80?\xe9",
        "with a dot segment that looks like the tunnel": b"/../api/tunnels/list",
        "of 8 KiB": b"/" + b"a/b%2F" * 1365,
        "with a query of 8 KiB": b"/?" + b"a=%20&" * 1365,
        "that repeats a likely prefix": b"/t/t/",
    }.items()
]

FIELDS = [
    exact(f"fields: {name}", get(fields=fields))
    for name, fields in {
        "order and repetition": b"A: 1\r\nB: 2\r\nA: 3\r\nb: 4\r\nA: 1\r\n",
        "odd case": b"x-LOWER-uPPer: a\r\nCONTENT-type: text/plain\r\naCCept: */*\r\nCOOKIE: a=b\r\n",
        "empty values": b"X-Empty: \r\nX-Also: \r\n",
        "bytes above 0x7F": b"X-Bytes: \x80\xa0\xe9\xff\r\nX-Text: \xc3\xa9\xe2\x82\xac\r\n",
        "tabs and runs of spaces inside": b"X-Space: a\tb  c   d\r\n",
        "names of all token characters": b"!#$%&'*+-.^_`|~09aZ: 1\r\n",
        "one of 16 KiB": b"X-Long: " + b"v" * 16384 + b"\r\n",
        "100 of them": b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(100)),
        "two cookies": b"Cookie: a=1; b=2\r\nCookie: c=\"3\"\r\n",
        "credentials": b"Authorization: Bearer a.b.c\r\n",
        "conditions and ranges": b"If-None-Match: W/\"a\", \"b\"\r\nRange: bytes=0-0,-1\r\nIf-Range: \"a\"\r\n",
        "Via and Max-Forwards": b"Via: 1.0 fred, 1.1 p.example\r\nMax-Forwards: 0\r\n",
        "names with underscores": b"Content_Length: 5\r\nTransfer_Encoding: chunked\r\nMy_Field: a\r\n",
        "tracing": b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n",
        "those of browsers": b"Sec-Fetch-Site: none\r\nsec-ch-ua: \"A\";v=\"1\"\r\nDNT: 1\r\nPriority: u=0, i\r\n",
        "Trailer without a body": b"Trailer: X-Sum\r\n",
        "colons and quotes in values": b"X-A: a:b::c\r\nX-B: \"q\\\"uoted, text\"\r\nX-C: ,,\r\n",
    }.items()
] + [
    Case(
        "fields: white space around a value is not kept",
        [get(fields=b"X-A:a\r\nX-B: \t b \t\r\n")],
        SIMPLE,
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nX-A: a\r\nX-B: b\r\n\r\n",
    ),
    Case(
        "fields: Host stays where it was",
        [b"GET {base}/ HTTP/1.1\r\nA: 1\r\nhOST: {host}\r\nB: 2\r\n\r\n"],
        SIMPLE,
        request=b"GET / HTTP/1.1\r\nA: 1\r\nhOST: {origin}\r\nB: 2\r\n\r\n",
    ),
]


def dropped(name, fields, left=b"", **options):
    """Fields of which only `left` reaches the origin."""
    return Case(f"dropped: {name}", [get(fields=fields)], SIMPLE, request=get(fields=left)
                .replace(b"{base}", b"").replace(b"{host}", b"{origin}"), **options)


HOP_BY_HOP = [
    dropped("Connection: keep-alive", b"Connection: keep-alive\r\nA: 1\r\n", b"A: 1\r\n"),
    dropped("what Connection names", b"X-Hop: 1\r\nConnection: x-HOP , X-Other\r\nX-Other: 2\r\nA: 1\r\n", b"A: 1\r\n"),
    dropped(
        "what two Connection fields name",
        b"Connection: a\r\nA: 1\r\nB: 2\r\nConnection: ,b,\r\nC: 3\r\n",
        b"C: 3\r\n",
    ),
    dropped("Keep-Alive", b"Keep-Alive: timeout=5\r\nA: 1\r\n", b"A: 1\r\n"),
    dropped("Proxy-Connection", b"Proxy-Connection: keep-alive\r\nA: 1\r\n", b"A: 1\r\n"),
    dropped("Proxy-Authorization", b"Proxy-Authorization: Basic YTpi\r\nA: 1\r\n", b"A: 1\r\n"),
    dropped("TE that Connection does not name", b"TE: gzip\r\nA: 1\r\n", b"A: 1\r\n"),
    dropped("Upgrade that Connection does not name", b"Upgrade: websocket\r\nA: 1\r\n", b"A: 1\r\n"),
    dropped(
        "not what a message means, even if Connection names it",
        b"Connection: Host, Cookie, Authorization, Content-Type, Expect\r\nCookie: a=b\r\nAuthorization: x\r\n"
        b"Content-Type: text/plain\r\n",
        b"Cookie: a=b\r\nAuthorization: x\r\nContent-Type: text/plain\r\n",
    ),
    Case(
        "TE: trailers is asked for anew",
        [get(fields=b"TE: trailers, deflate;q=0.5\r\nConnection: TE\r\nA: 1\r\n")],
        SIMPLE,
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nTE: trailers\r\nConnection: TE\r\nA: 1\r\n\r\n",
    ),
]

FORGED = (
    b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Prefix: /evil\r\n"
    b"X-Forwarded-Port: 1\r\nX-Forwarded-Server: evil\r\nX-Forwarded-Ssl: on\r\nX-Forwarded-Anything: 1\r\n"
    b"Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Request-Id: evil\r\nCF-Connecting-IP: 6.6.6.6\r\n"
    b"True-Client-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nx_real_ip: 6.6.6.6\r\nX-Forwarded_Proto: x\r\n"
)


def look_for(*lines, absent=()):
    """Whether the origin got these lines, each once and as a whole, and none of the absent texts."""
    return Lines(list(lines), list(absent))


FORWARDING = [
    Case(
        "forwarding: the edge says how the request came",
        [get()],
        SIMPLE,
        look=look_for(
            b"X-Forwarded-For: 127.0.0.1", b"X-Forwarded-Proto: http", b"X-Forwarded-Host: {host}",
            b"X-Forwarded-Prefix: {base}", b"X-Real-IP: 127.0.0.1",
            b'Forwarded: for=127.0.0.1;host="{host}";proto=http',
        ),
        edge_only=True,
    ),
    Case(
        "forwarding: no prefix with a host of its own",
        [get()],
        SIMPLE,
        tunnel="path@host",
        look=look_for(b"X-Forwarded-Host: {host}", absent=[b"X-Forwarded-Prefix"]),
        edge_only=True,
    ),
    Case(
        "forwarding: no prefix that the origin sees itself",
        [get()],
        SIMPLE,
        request=b"GET {base}/ HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        tunnel="keep",
        look=look_for(absent=[b"X-Forwarded-Prefix"]),
        edge_only=True,
    ),
    dropped(
        "what strangers say of how the request came", FORGED + b"A: 1\r\n", b"A: 1\r\n", edge_only=True,
        look=look_for(b"X-Forwarded-For: 127.0.0.1", absent=[b"6.6.6.6", b"evil", b"gopher"]),
    ),
    dropped(
        "Connection does not take our fields out", b"Connection: X-Forwarded-For, X-Request-Id\r\n", edge_only=True,
        look=look_for(b"X-Forwarded-For: 127.0.0.1"),
    ),
    dropped(
        "forwarding: a trusted proxy's chain is kept and its address added",
        b"X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: pub.example\r\n"
        b"X-Request-Id: abc\r\nA: 1\r\n",
        b"A: 1\r\n",
        tunnel="path@proxy",
        look=look_for(
            b"X-Forwarded-For: 6.6.6.6, 203.0.113.9, 127.0.0.2", b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: pub.example", b"X-Real-IP: 203.0.113.9", b"X-Request-Id: abc",
            b'Forwarded: for=203.0.113.9;host="pub.example";proto=https',
        ),
        edge_only=True,
    ),
    dropped(
        "forwarding: two fields are one chain",
        b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 2001:db8::1\r\n",
        tunnel="path@proxy",
        look=look_for(
            b"X-Forwarded-For: 6.6.6.6, 2001:db8::1, 127.0.0.2", b"X-Real-IP: 2001:db8::1",
            b'Forwarded: for="[2001:db8::1]";host="{host}";proto=http',
        ),
        edge_only=True,
    ),
    dropped(
        "forwarding: a host that is none is not believed",
        b'X-Forwarded-Host: a";for=6.6.6.6;x="\r\nX-Forwarded-For: 203.0.113.9\r\n',
        tunnel="path@proxy",
        look=look_for(b"X-Forwarded-Host: {host}", b'Forwarded: for=203.0.113.9;host="{host}";proto=http'),
        edge_only=True,
    ),
    Case(
        "forwarding: a trusted proxy's own fields pass",
        [get(fields=b"X-Forwarded-Ssl: on\r\nX-Forwarded-Server: p\r\nCF-Connecting-IP: 203.0.113.9\r\n")],
        SIMPLE,
        tunnel="path@proxy",
        look=look_for(b"X-Forwarded-For: 127.0.0.2"),
        edge_only=True,
    ),
]

HOSTS = [
    exact("Host: the origin's, by default", get()),
    Case(
        "Host: the visitor's, by policy",
        [b"GET {base}/ HTTP/1.1\r\nHost: {host}\r\n\r\n"],
        SIMPLE,
        request=b"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n",
        tunnel="preserve",
    ),
    Case(
        "Host: the visitor's own one of the tunnel's",
        [get()],
        SIMPLE,
        request=b"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n",
        tunnel="preserve@host",
    ),
    exact("Host: a literal, by policy", get(), tunnel="literal", edge_only=True),
    exact("route by host", get(b"/a//b?c"), tunnel="path@host"),
    Case(
        "route by host in any case and with a port",
        [b"GET /a HTTP/1.1\r\nHost: {host}:8080\r\n\r\n"],
        SIMPLE,
        request=b"GET /a HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        tunnel="path@host",
    ),
    Case(
        "route by host with the root's dot",
        [b"GET /a HTTP/1.1\r\nHost: {host}.\r\n\r\n"],
        SIMPLE,
        request=b"GET /a HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        tunnel="path@host",
        edge_only=True,
    ),
    Case(
        "route by host: a path that looks like a prefix stays",
        [b"GET /api/tunnels/list HTTP/1.1\r\nHost: {host}\r\n\r\n"],
        SIMPLE,
        request=b"GET /api/tunnels/list HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        tunnel="path@host",
    ),
    Case(
        "route by host: OPTIONS *",
        [b"OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n"],
        SIMPLE,
        request=b"OPTIONS * HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        tunnel="path@host",
    ),
    Case(
        "keep: the prefix stays",
        [get(b"/a%2Fb?c")],
        SIMPLE,
        request=b"GET {base}/a%2Fb?c HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        tunnel="keep",
    ),
]


def redirect(name, target, location, fields=b""):
    return Case(
        f"308: {name}",
        [b"GET " + target + b" HTTP/1.1\r\nHost: {host}\r\n" + fields + b"\r\n"],
        [],
        request=b"",
        response=b"HTTP/1.1 308 Permanent Redirect\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n"
        + (b"Connection: close\r\n\r\n" if fields else b"\r\n"),
        edge_only=True,
    )


REDIRECTS = [
    Case(
        "a webhook to the tunnel without its slash is one to its root",
        [b"POST {base}?a=%2F HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\nhi"],
        SIMPLE,
        request=b"POST /?a=%2F HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 2\r\n\r\nhi",
        edge_only=True,
    ),
    redirect("the tunnel without its slash", b"{base}", b"{base}/"),
    redirect("with its query", b"{base}?a=%2F&b?c", b"{base}/?a=%2F&b?c"),
    redirect("with an empty query", b"{base}?", b"{base}/?"),
    redirect("with a query that is not UTF-8", b"{base}?\xe9\xff", b"{base}/?\xe9\xff"),
    redirect("and close", b"{base}", b"{base}/", b"Connection: close\r\n"),
]

RESPONSES = [
    Case(f"response: {name}", [get()], [HEAD, answer(fields=fields, status=status)])
    for name, status, fields in [
        ("order and repetition", b"200 OK", b"A: 1\r\nB: 2\r\nA: 3\r\nb: 4\r\n"),
        ("odd case", b"200 OK", b"x-LOWER: a\r\nCONTENT-type: text/plain\r\neTAG: \"x\"\r\n"),
        ("empty values", b"200 OK", b"X-Empty: \r\n"),
        ("bytes above 0x7F", b"200 OK", b"X-Bytes: \x80\xa0\xe9\xff\r\n"),
        ("a reason of its own", b"200 All is well, \xe9", b""),
        ("no reason", b"200 ", b""),
        ("status 299", b"299 Odd", b""),
        ("status 418", b"418 I'm a teapot", b""),
        ("status 500", b"500 Internal Server Error", b"X: 1\r\n"),
        ("status 502 of the origin's own", b"502 Bad Gateway", b"Content-Type: text/plain\r\n"),
        ("status 599", b"599 Odd", b""),
        ("status 999", b"999 Odd", b""),
        ("Date, Server and Via", b"200 OK", b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: x/1\r\nVia: 1.1 a\r\n"),
        ("ranges", b"206 Partial Content", b"Content-Range: bytes 0-1/9\r\nAccept-Ranges: bytes\r\n"),
        ("a challenge", b"401 Unauthorized", b"WWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: Bearer\r\n"),
        ("caching", b"200 OK", b"Cache-Control: max-age=1, no-store\r\nETag: W/\"a\"\r\nVary: *\r\nAge: 0\r\n"),
        ("encoded content", b"200 OK", b"Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"),
        ("a field of 16 KiB", b"200 OK", b"X-Long: " + b"v" * 16384 + b"\r\n"),
        ("100 fields", b"200 OK", b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(100))),
        ("security policies", b"200 OK", b"Content-Security-Policy: default-src 'self'\r\nX-Frame-Options: DENY\r\n"),
    ]
] + [
    Case(
        "response: hop-by-hop fields are dropped",
        [get()],
        [HEAD, answer(fields=b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nA: 1\r\n"
                      b"Proxy-Connection: x\r\nProxy-Authenticate: Basic\r\n")],
        response=answer(fields=b"A: 1\r\n"),
    ),
    Case(
        "response: nobody but the edge sets Culvert-Error",
        [get()],
        [HEAD, answer(fields=b"Culvert-Error: x\r\nA: 1\r\nculvert-request-id: y\r\n")],
        response=answer(fields=b"A: 1\r\n"),
        edge_only=True,
    ),
    Case(
        "response: the edge says when it came, if the origin does not",
        [get(), Until(b"ok")],
        [HEAD, OK],
        judge=Holds(b"\r\nDate: "),
        edge_only=True,
    ),
    Case(
        "request: one that has come through an edge five times goes in circles",
        [get(fields=b"Culvert-Hops: 5\r\n")],
        [],
        request=b"",
        judge=Problem(508, b"loop_detected"),
        edge_only=True,
    ),
    Case(
        "request: the edge says that it came through, behind those who did before",
        [get(fields=b"Via: 1.0 fred\r\nCulvert-Hops: 4\r\n")],
        [HEAD, OK],
        request=b"GET / HTTP/1.1\r\nHost: {origin}\r\nVia: 1.0 fred\r\n\r\n",
        look=Lines([b"Via: 1.1 culvert", b"Culvert-Hops: 5"], [b"Culvert-Hops: 4"]),
        edge_only=True,
    ),
    Case(
        "request: OPTIONS that may go no further",
        [get(method=b"OPTIONS", fields=b"Max-Forwards: 0\r\n"), get(b"/2"), Until(b"ok")],
        [HEAD, OK],
        request=b"GET /2 HTTP/1.1\r\nHost: {origin}\r\n\r\n",
        response=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + OK,
        edge_only=True,
    ),
    Case(
        "request: OPTIONS that may go one further",
        [get(method=b"OPTIONS", fields=b"Max-Forwards: 1\r\n")],
        [HEAD, OK],
        request=b"OPTIONS / HTTP/1.1\r\nHost: {origin}\r\nMax-Forwards: 0\r\n\r\n",
        edge_only=True,
    ),
    Case(
        "route by host: a host below the tunnel's leads nowhere",
        [b"GET /a HTTP/1.1\r\nHost: x.{host}\r\n\r\n"],
        [],
        request=b"",
        judge=Problem(404, b"tunnel_not_found"),
        tunnel="path@host",
        edge_only=True,
    ),
    Case(
        "response: a status line without the space before the reason",
        [get()],
        [HEAD, b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"],
        response=b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    ),
]

CASES = METHODS + TARGETS + FIELDS + HOP_BY_HOP + FORWARDING + HOSTS + REDIRECTS + RESPONSES
