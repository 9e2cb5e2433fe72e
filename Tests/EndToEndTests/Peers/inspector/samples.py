# SPDX-License-Identifier: Apache-2.0
"""What visitors ask and a local server answers: exchanges that show every view of the inspector's page."""

import gzip
import json
import struct
import zlib

HOSTILE = "<img src=x onerror=\"window.hacked='%s'\"><script>window.hacked='%s'</script>"
SECRETS = ["Bearer-8f2b61c0", "session-5e17aa90", "hunter2-and-more", "token-0c4419de", "key-77aa01"]
BOUNDARY = "----a-boundary"


def hostile(place):
    return HOSTILE % (place, place)


def png(width, height):
    """A picture of two colours."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + b"".join(b"\x0b\x5c\xad" if (x // 8 + y // 8) % 2 else b"\xdb\xe9\xff" for x in range(width)) for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def orders(page):
    items = [{"n": number, "name": f"thing {number}", "price": number * 1.5, "sold": number % 3 == 0} for number in range(1, 40)]
    items[4]["name"] = f"thing 5, page {page}"
    text = json.dumps({"id": 0, "page": page, "items": items})
    # Digits that no double holds, and a name that occurs twice: both have to be shown as they are.
    return text.replace('"id": 0', '"id": 12345678901234567890, "id": 2').encode()


def multipart():
    parts = [
        (b'Content-Disposition: form-data; name="title"', b"A holiday"),
        (b'Content-Disposition: form-data; name="list"; filename="list.csv"\r\nContent-Type: text/csv', b"a,b\n1,2\n"),
        (b'Content-Disposition: form-data; name="picture"; filename="../../p.png"\r\nContent-Type: image/png', png(48, 32)),
        (f'Content-Disposition: form-data; name="{hostile("part").replace(chr(34), "%22")}"'.encode(), hostile("part body").encode()),
    ]
    body = b"".join(b"--" + BOUNDARY.encode() + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts)
    return body + b"--" + BOUNDARY.encode() + b"--\r\n"


EVENTS = [b"event: tick\nid: %d\ndata: {\"n\": %d}\n\n" % (n, n) for n in range(1, 6)] + [
    b": still here\n\n",
    b"data: two\ndata: lines\n\n",
    b"event: last\ndata: " + hostile("event").encode() + b"\n\n",
]
# (who, opcode, content)
MESSAGES = [
    ("visitor", "text", '{"type": "hello", "number": 12345678901234567890}'),
    ("server", "text", "welcome"),
    ("visitor", "binary", bytes(range(32))),
    ("server", "text", hostile("message")),
    ("visitor", "text", "bye"),
]


def request(method, target, fields=(), body=b""):
    return {"method": method, "target": target, "fields": list(fields), "body": body}


def response(status, fields=(), body=b"", **more):
    return {"status": status, "fields": list(fields), "body": body, **more}


def samples():
    """Pairs of a request and its response; `kind`, `error` and others say what is odd about it."""
    html = f"<!doctype html><title>Shop</title><h1>Shop</h1><p onclick='{hostile('html')}'>Come in.</p>{hostile('html')}".encode()
    return [
        (request("GET", "/", [("Accept", "text/html")]), response("200 OK", [("Content-Type", "text/html; charset=utf-8")], html)),
        (
            request("GET", f"/orders?page=1&access_token={SECRETS[3]}",
                    [("Accept", "application/json"), ("Authorization", f"Bearer {SECRETS[0]}"), ("Cookie", f"session={SECRETS[1]}; theme=dark"),
                     ("X-Api-Key", SECRETS[4])]),
            response("200 OK", [("Content-Type", "application/json"), ("Content-Encoding", "gzip"),
                                ("Set-Cookie", f"session={SECRETS[1]}; Path=/; HttpOnly"), ("Set-Cookie", "theme=dark; Path=/")],
                     gzip.compress(orders(1), mtime=0)),
        ),
        (
            request("GET", "/orders?page=2", [("Accept", "application/json"), ("X-Trace", "b")]),
            response("200 OK", [("Content-Type", "application/json")], orders(2)),
        ),
        (
            request("POST", "/upload", [("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")], multipart()),
            response("201 Created", [("Location", "/uploads/7")]),
        ),
        (request("GET", "/logo.png"), response("200 OK", [("Content-Type", "image/png")], png(160, 96))),
        (
            request("GET", "/logo.svg"),
            response("200 OK", [("Content-Type", "image/svg+xml")],
                     b'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40" onload="window.hacked=\'svg\'">'
                     b'<script>window.hacked="svg"</script><rect width="60" height="40" fill="teal"/></svg>'),
        ),
        (
            request("POST", "/login", [("Content-Type", "application/x-www-form-urlencoded")],
                    f"user=ann&password={SECRETS[2]}&tag=a&tag=b+c".encode()),
            response("303 See Other", [("Location", "/")]),
        ),
        (
            request("POST", "/hooks/stripe", [("Content-Type", "application/json"), ("Stripe-Signature", "t=1700000000,v1=5257a869e7ec")],
                    b'{"id": "evt_1", "type": "charge.failed"}'),
            response("500 Internal Server Error", [("Content-Type", "application/json")], b'{"error": "no such charge"}'),
        ),
        (request("POST", "/crlf", [("Content-Type", "text/plain")], b"one\r\ntwo\r\n"), response("204 No Content")),
        (
            request("POST", "/coded", [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")],
                    gzip.compress(b"what was coded", mtime=0)),
            response("204 No Content"),
        ),
        (request("GET", "/broken.json"), response("200 OK", [("Content-Type", "application/json")], b'{\n  "a": 1,\n  "b": oops,\n  "c": 2\n}')),
        (request("GET", "/own-coding"), response("200 OK", [("Content-Type", "text/plain"), ("Content-Encoding", "own")], b"\x01\x02\x03coded")),
        (request("GET", "/data.bin"), response("200 OK", [("Content-Type", "application/octet-stream")], bytes(range(256)) * 100)),
        (
            request("GET", "/early"),
            response("200 OK", [("Content-Type", "text/plain")], b"Hello, early bird.\r\n",
                     interim=("103 Early Hints", [("Link", "</app.css>; rel=preload")]), trailers=[("X-Checksum", "7f")]),
        ),
        (request("GET", "/large.txt"), response("200 OK", [("Content-Type", "text/plain")], b"0123456789abcde\n" * 4096, size=3 << 20)),
        (
            request("POST", "/hostile", [("Content-Type", "application/json"), ("X-Hostile", hostile("field"))],
                    json.dumps({hostile("name"): hostile("value")}).encode()),
            response("200 OK", [("Content-Type", "text/plain"), ("X-Hostile", hostile("field"))], hostile("text").encode()),
        ),
        (request("GET", "/" + hostile("path").replace(" ", "%20")), response("404 Not Found", [("Content-Type", "text/plain")], b"no")),
        (request("GET", "/away"), response("502", error="The local server closed the connection before it answered.")),
        (request("GET", "/ticks"), response("200 OK", [("Content-Type", "text/event-stream")], b"".join(EVENTS), kind="events")),
        (request("GET", "/chat", [("Upgrade", "websocket"), ("Connection", "Upgrade")]),
         response("101 Switching Protocols", [("Upgrade", "websocket"), ("Connection", "Upgrade")], kind="websocket")),
    ]  # fmt: skip
