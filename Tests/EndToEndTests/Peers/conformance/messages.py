# SPDX-License-Identifier: Apache-2.0
"""What may differ in messages that came through a proxy and still say the same."""

import re

START = re.compile(rb"(?:HTTP/1\.[01] (\d{3})[^\r\n]*|[!-~]+ [^\r\n]* HTTP/1\.[01])\r\n")
FIELD = re.compile(rb"([^:\r\n]+):[ \t]*([^\r\n]*?)[ \t]*\r\n")
CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]+)[^\r\n]*\r\n")
ESCAPE = re.compile(rb"%[0-9a-f]{2}")
# What Traefik and the edge add to requests, and Go's server to responses; and how the end of a body is told, which
# changes from hop to hop and is said apart.
ADDED = re.compile(
    rb"x-forwarded-.*|x-real-ip|forwarded|x-request-id|via|culvert-hops|user-agent|accept-encoding|date|content-length|transfer-encoding"
)
# What Go's server says of a short text that came without a type.
GUESSED = (b"content-type", b"text/plain; charset=utf-8")
END = b"<end>"


def as_it_is(message):
    """Every byte counts."""
    return message


def in_one_order(message):
    """Without what nginx adds, and the fields of each head in one order: it has an order of its own, which means nothing
    between fields of different names (RFC 9110 §5.3)."""
    message = re.sub(rb"(?:Server: nginx|Date: [^\r\n]*|Connection: keep-alive)\r\n", b"", message)

    def ordered(head):
        lines = head[2].splitlines(keepends=True)
        return head[1] + b"".join(sorted(lines, key=lambda line: line.split(b":")[0].lower()))

    start = rb"((?:HTTP/1|[!-~]+ [!-~]+ HTTP/1)[^\r\n]*\r\n)"
    return re.sub(start + rb"((?:[^\r\n]+\r\n)*)", ordered, message)


def by_meaning(received):
    """All messages with names in one spelling and order, and without versions, reasons, chunks and what proxies add.

    What Go's library takes apart and puts together anew is equal afterwards, if it still says the same. The beginning
    of a message is never longer than all of it.
    """
    out, position = [], 0
    while start := START.match(received, position):
        position = start.end()
        fields = []
        while field := FIELD.match(received, position):
            fields.append((field[1].lower(), field[2]))
            position = field.end()
        status = start[1]
        out.append((status or ESCAPE.sub(lambda escape: escape[0].upper(), start[0].rsplit(b" ", 1)[0])) + b"\n")
        if not received.startswith(b"\r\n", position):
            break
        body, length, trailers, position = take_body(received, position + 2, dict(fields), status)
        out += lines(filter(None, map(meaning, fields)))
        out.append(b"length: %d\n\n" % length if length is not None else b"\n")
        out.append(body)
        if trailers is not None:
            out += lines((name.lower(), value) for name, value in trailers)
            out.append(END)
    return b"".join(out) + received[position:]


def is_whole(received):
    """Whether the last message is complete."""
    return by_meaning(bytes(received)).endswith(END)


def lines(fields):
    """Fields in the order of their names."""
    return [name + b": " + value + b"\n" for name, value in sorted(fields, key=lambda field: field[0])]


def meaning(field):
    """What a field says to the other end, or None. That a connection is closed can be seen without being told."""
    name, value = field
    if name == b"connection":
        value = b", ".join(sorted(set(re.split(rb"[ \t,]+", value.lower())) - {b"close", b"keep-alive", b""}))
    return None if not value and name == b"connection" or ADDED.fullmatch(name) or field == GUESSED else (name, value)


def take_body(received, position, fields, status):
    """The body, its length if it is known, trailers (None for a body that is cut), and where the next message begins."""
    if status and (status in (b"204", b"304") or status.startswith(b"1")):
        return b"", None, [], position
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        return take_chunks(received, position)
    if b"content-length" in fields:
        length = int(fields[b"content-length"])
        # After the head that answers a HEAD there is only the next message.
        if START.match(received, position):
            return b"", length, [], position
        body = received[position : position + length]
        return body, length, [] if len(body) == length else None, position + len(body)
    if status is None:
        return b"", 0, [], position
    following = received.find(b"HTTP/1.", position)
    end = len(received) if following < 0 else following
    return received[position:end], None, None, end


def take_chunks(received, position):
    """As `take_body`."""
    body = b""
    while size := CHUNK.match(received, position):
        count = int(size[1], 16)
        position = size.end()
        if count == 0:
            trailers = []
            while field := FIELD.match(received, position):
                trailers.append((field[1], field[2]))
                position = field.end()
            if received.startswith(b"\r\n", position):
                return body, len(body), trailers, position + 2
            break
        body += received[position : position + count]
        position = min(position + count + 2, len(received))
    return body, None, None, position
