#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference codec of the mux wire format, version 1: encode, strict decode, and the golden vectors.

Run it to print the vectors (markdown), with --json for a list that machines read, or with --batch to have it decode:
one message in hexadecimal a line on standard input, for each one line of JSON on standard output. It shares no code
with the Swift decoder, which is fuzzed against it (see Fuzz/README.md). Standard library only."""
import json, struct, sys

T = dict(DATA=0, OPEN=1, OPEN_ACK=2, REJECT=3, WINDOW_UPDATE=4, BLOCKED=5, RESET=6, STOP_SENDING=7,
         PING=8, PONG=9, GOAWAY=10, MAX_STREAMS=11, HELLO=12, ACK=14)
N = {v: k for k, v in T.items()}
MAGIC = 0x4D555831  # "MUX1"
U64MAX_OFF = (1 << 62) - 1

class E(Exception):
    def __init__(s, code, why): super().__init__(f"{code}: {why}"); s.code = code

def frame(t, flags, sid, payload=b""):
    assert len(payload) <= 65535
    return struct.pack(">BBHI", t, flags, len(payload), sid) + payload

def tlv(i, v): return struct.pack(">HH", i, len(v)) + v
def u32(v): return struct.pack(">I", v)
def u64(v): return struct.pack(">Q", v)
def addr4(a, p): return bytes([4]) + bytes(map(int, a.split("."))) + struct.pack(">H", p)

def data(sid, b, fin=False): return frame(T["DATA"], 1 if fin else 0, sid, b)
def open_(sid, kind, prio, window, deadline_ms, tlvs=b""):
    return frame(T["OPEN"], 0, sid, struct.pack(">BBHII", kind, prio, 0, window, deadline_ms) + tlvs)
def hello(role, minor=0, caps=0, tlvs=b""):
    return frame(T["HELLO"], 0, 0, struct.pack(">IBBHQ", MAGIC, minor, role, 0, caps) + tlvs)
def goaway(last, code, grace, reconnect, reason=b"", drain=False):
    return frame(T["GOAWAY"], 1 if drain else 0, 0, struct.pack(">IIII", last, code, grace, reconnect) + reason)

# ---- strict decoder -------------------------------------------------------------------------------------
SIZES = {  # type: (min, max) payload length; None = limited by MAX_MESSAGE only
    "DATA": (0, None), "OPEN": (12, 8192), "OPEN_ACK": (0, 256), "REJECT": (4, 260), "WINDOW_UPDATE": (8, 8),
    "BLOCKED": (8, 8), "RESET": (4, 260), "STOP_SENDING": (4, 4), "PING": (8, 8), "PONG": (8, 8),
    "GOAWAY": (16, 528), "MAX_STREAMS": (4, 4), "HELLO": (16, 4096), "ACK": (8, 8)}
SESSION = {"PING", "PONG", "GOAWAY", "MAX_STREAMS", "HELLO", "ACK"}
EITHER = {"WINDOW_UPDATE", "BLOCKED"}
FLAGS = {"DATA": 1, "GOAWAY": 1}

def tlvs(b):
    out, seen = [], set()
    while b:
        if len(b) < 4: raise E("PROTOCOL_ERROR", "truncated TLV header")
        i, n = struct.unpack(">HH", b[:4]); b = b[4:]
        if len(b) < n: raise E("PROTOCOL_ERROR", "truncated TLV value")
        if i in seen: raise E("PROTOCOL_ERROR", "duplicate TLV")
        if len(out) >= 64: raise E("PROTOCOL_ERROR", "too many TLVs")
        seen.add(i); out.append((i, b[:n])); b = b[n:]
    return out

def decode_message(m):
    """-> list of (name, flags, sid, payload); raises E. Frames never span messages."""
    if not m: raise E("PROTOCOL_ERROR", "empty message")
    out = []
    while m:
        if len(m) < 8: raise E("FRAME_SIZE_ERROR", "truncated header")
        t, fl, n, sid = struct.unpack(">BBHI", m[:8])
        if len(m) < 8 + n: raise E("FRAME_SIZE_ERROR", "frame spans message")
        p, m = m[8:8 + n], m[8 + n:]
        name = N.get(t)
        if name is None:
            if t < 0x80: raise E("UNSUPPORTED", f"critical frame type {t:#x}")
            out.append((f"EXT_{t:#04x}", fl, sid, p)); continue
        lo, hi = SIZES[name]
        if n < lo or (hi is not None and n > hi): raise E("FRAME_SIZE_ERROR", f"{name} length {n}")
        known = FLAGS.get(name, 0)
        if fl & 0xF0 & ~known: raise E("UNSUPPORTED", f"critical flag {fl:#x}")
        fl &= known
        if name in SESSION and sid: raise E("PROTOCOL_ERROR", f"{name} on stream {sid}")
        if name not in SESSION and name not in EITHER and not sid: raise E("PROTOCOL_ERROR", f"{name} on stream 0")
        if name == "DATA" and n == 0 and not fl & 1: raise E("PROTOCOL_ERROR", "empty DATA without FIN")
        if name in ("WINDOW_UPDATE", "BLOCKED") and struct.unpack(">Q", p)[0] > U64MAX_OFF:
            raise E("FLOW_CONTROL_ERROR", "offset above 2^62-1")
        if name == "OPEN":
            if struct.unpack(">H", p[2:4])[0] or p[1] & 0xF0: raise E("PROTOCOL_ERROR", "reserved bits in OPEN")
            tlvs(p[12:])
        if name == "OPEN_ACK": tlvs(p)
        if name == "HELLO":
            if struct.unpack(">I", p[:4])[0] != MAGIC or struct.unpack(">H", p[6:8])[0]:
                raise E("PROTOCOL_ERROR", "bad HELLO")
            hello_settings(tlvs(p[16:]))
        out.append((name, fl, sid, p))
    return out

# ---- what the entries mean (B.4.1, B.4.2) -----------------------------------------------------------------
NUMBERS = {1: (65536, 16384, 16777216), 2: (16777216, 262144, 1073741824), 3: (0, 0, 65535),
           4: (65536, 16384, 1048576), 5: (30000, 5000, 300000)}

def is_text(v, lo, hi):
    try: v.decode("utf-8")
    except UnicodeDecodeError: return False
    return lo <= len(v) <= hi

def is_endpoint(v): return len(v) == {4: 7, 6: 19}.get(v[0] if v else 0)

def hello_settings(entries):
    """-> the five numbers; raises E. In the order of the entries: the first fault decides."""
    out = {i: n[0] for i, n in NUMBERS.items()}
    for i, v in entries:
        ok = True
        if i in NUMBERS:
            ok = len(v) == 4 and NUMBERS[i][1] <= int.from_bytes(v, "big") <= NUMBERS[i][2]
            out[i] = int.from_bytes(v, "big")
        elif i == 0x20: ok = is_text(v, 0, 64)
        elif i == 0x21: ok = len(v) == 16
        elif i == 0x22: ok = len(v) == 18 and 1 <= v[17] <= 8 and v[16] < v[17]
        elif i == 0x25: ok = len(v) == 32
        elif i == 0x26: ok = len(v) == 4 and int.from_bytes(v, "big") <= 600000
        elif i == 0x27: ok = len(v) == 56
        elif i == 0x28: ok = len(v) == 8
        elif i == 0x23: ok = len(v) == 10 and all(c in b"abcdefghijklmnopqrstuvwxyz0123456789" for c in v)
        elif i == 0x24: ok = len(v) == 2
        elif i >= 0x8000: raise E("UNSUPPORTED", f"critical setting {i:#x}")
        if not ok: raise E("PROTOCOL_ERROR", f"bad setting {i:#x}")
    return [out[i] for i in sorted(out)]

METADATA = {1: lambda v: is_text(v, 1, 255), 2: is_endpoint, 3: is_endpoint, 4: lambda v: is_text(v, 0, 255),
            5: lambda v: len(v) == 16, 6: lambda v: len(v) == 55 and v.isascii(), 7: lambda v: is_text(v, 0, 32),
            8: lambda v: v in (b"\x01", b"\x02"), 9: lambda v: 1 <= len(v) <= 7680 and v.isascii()}

def open_target(entries):
    """-> TARGET, or None if the stream must be refused with UNSUPPORTED_METADATA."""
    if any(i >= 0x8000 or not METADATA.get(i, lambda v: True)(v) for i, v in entries): return None
    return dict(entries).get(1)

# How much of a payload is compared byte by byte; the rest are entries, or text that a decoder may change.
PREFIX = {"HELLO": 16, "OPEN": 12, "OPEN_ACK": 0, "REJECT": 4, "RESET": 4, "GOAWAY": 16}

def describe(m):
    """-> what decoding gives, as JSON."""
    try: frames = decode_message(m)
    except E as e: return {"error": e.code}
    out = []
    for name, fl, sid, p in frames:
        if name.startswith("EXT_"): out.append([name, sid, len(p)]); continue
        row = [name, fl, sid, p[:PREFIX.get(name, len(p))].hex()]
        if name == "HELLO": row += hello_settings(tlvs(p[16:]))
        if name == "OPEN":
            target = open_target(tlvs(p[12:]))
            row.append(None if target is None else target.hex())
        out.append(row)
    return out

def batch():
    for line in sys.stdin:
        print(json.dumps(describe(bytes.fromhex(line)), separators=(",", ":")), flush=True)

rid = bytes(range(0x10, 0x20))
def defaults(streams, window):
    return tlv(1, u32(window)) + tlv(2, u32(16777216)) + tlv(3, u32(streams)) + tlv(4, u32(65536)) + tlv(5, u32(30000))
GOOD = [
 ("HELLO connector→edge", hello(1, tlvs=tlv(1, u32(65536)) + tlv(2, u32(16777216)) + tlv(3, u32(1024)) + tlv(4, u32(65536)) + tlv(5, u32(30000)) + tlv(0x20, b"connector/0.1"))),
 ("HELLO edge→connector (minimal: all defaults)", hello(2)),
 ("HELLO edge→edge (capability peer, POD \"k3v9q2m7x4\", PODS 3)", hello(2, caps=0x20, tlvs=defaults(16384, 65536) + tlv(0x23, b"k3v9q2m7x4") + tlv(0x24, b"\x00\x03"))),
 ("OPEN http on stream 2, urgency 3, window 262144, deadline 10 s, TARGET \"web\", REMOTE_ADDR 203.0.113.7:51000, REQUEST_ID 10…1f",
  open_(2, 1, 3, 262144, 10000, tlv(1, b"web") + tlv(2, addr4("203.0.113.7", 51000)) + tlv(5, rid))),
 ("OPEN tcp on stream 4, smallest useful (TARGET \"db\")", open_(4, 2, 3, 65536, 0, tlv(1, b"db"))),
 ("OPEN_ACK stream 2 (no metadata)", frame(T["OPEN_ACK"], 0, 2)),
 ("REJECT stream 2 CONNECT_REFUSED (0x22) \"ECONNREFUSED 127.0.0.1:3000\"", frame(T["REJECT"], 0, 2, u32(0x22) + b"ECONNREFUSED 127.0.0.1:3000")),
 ("DATA stream 2 \"hello\"", data(2, b"hello")),
 ("DATA stream 2 \"bye\" FIN", data(2, b"bye", True)),
 ("DATA stream 2 empty FIN", data(2, b"", True)),
 ("WINDOW_UPDATE stream 2 max_offset 327680", frame(T["WINDOW_UPDATE"], 0, 2, u64(327680))),
 ("WINDOW_UPDATE connection max_offset 20971520", frame(T["WINDOW_UPDATE"], 0, 0, u64(20971520))),
 ("BLOCKED stream 2 at 262144", frame(T["BLOCKED"], 0, 2, u64(262144))),
 ("RESET stream 2 CANCELLED (0x20)", frame(T["RESET"], 0, 2, u32(0x20))),
 ("RESET stream 2 LOCAL_RESET (0x2e) \"peer reset\"", frame(T["RESET"], 0, 2, u32(0x2E) + b"peer reset")),
 ("STOP_SENDING stream 2 NO_ERROR", frame(T["STOP_SENDING"], 0, 2, u32(0))),
 ("PING 0102030405060708", frame(T["PING"], 0, 0, bytes(range(1, 9)))),
 ("PONG 0102030405060708", frame(T["PONG"], 0, 0, bytes(range(1, 9)))),
 ("GOAWAY drain (last 0xffffffff, SHUTDOWN 0x0c, grace 30 s, reconnect after 250 ms)", goaway(0xFFFFFFFF, 0x0C, 30000, 250, drain=True)),
 ("GOAWAY final (last 4, SHUTDOWN, grace 30 s)", goaway(4, 0x0C, 30000, 250)),
 ("GOAWAY fatal FLOW_CONTROL_ERROR \"stream 2: 300000 > 262144\"", goaway(0, 3, 0, 0, b"stream 2: 300000 > 262144")),
 ("MAX_STREAMS 1280", frame(T["MAX_STREAMS"], 0, 0, u32(1280))),
 ("Extension 0x9e on stream 0 (GREASE, ignored)", frame(0x9E, 0x0F, 0, b"\xaa\xbb\xcc")),
 ("Batch: OPEN(6)+DATA(6) in one message", open_(6, 1, 3, 262144, 10000, tlv(1, b"web")) + data(6, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True)),
 ("Batch: OPEN_ACK(6)+DATA(6,FIN)+WINDOW_UPDATE(2)", frame(T["OPEN_ACK"], 0, 6) + data(6, b"HTTP/1.1 204 No Content\r\n\r\n", True) + frame(T["WINDOW_UPDATE"], 0, 2, u64(393216))),
 ("HELLO edge→connector that offers to resume", hello(2, caps=0x10, tlvs=defaults(2048, 16384) + tlv(0x21, bytes(range(0xA0, 0xB0))) + tlv(0x25, bytes(range(32))) + tlv(0x26, u32(30000)))),
 ("HELLO connector→edge with RESUME (7 messages received)", hello(1, caps=0x10, tlvs=defaults(1024, 65536) + tlv(0x27, bytes(range(0xA0, 0xB0)) + bytes(range(32)) + u64(7)))),
 ("HELLO edge→connector with RESUMED (9 messages received)", hello(2, caps=0x10, tlvs=defaults(2048, 16384) + tlv(0x21, bytes(range(0xA0, 0xB0))) + tlv(0x25, bytes(range(32, 64))) + tlv(0x26, u32(30000)) + tlv(0x28, u64(9)))),
 ("ACK of 300 messages", frame(T["ACK"], 0, 0, u64(300))),
]
BAD = [
 ("empty message", b"", "PROTOCOL_ERROR"),
 ("7-byte header", bytes(7), "FRAME_SIZE_ERROR"),
 ("all-zero header (DATA on stream 0)", bytes(8), "PROTOCOL_ERROR"),
 ("payload shorter than length", frame(0, 0, 2, b"abcd")[:-1], "FRAME_SIZE_ERROR"),
 ("empty DATA without FIN", frame(0, 0, 2), "PROTOCOL_ERROR"),
 ("PING with 7 bytes", frame(8, 0, 0, bytes(7)), "FRAME_SIZE_ERROR"),
 ("PING on stream 2", frame(8, 0, 2, bytes(8)), "PROTOCOL_ERROR"),
 ("OPEN on stream 0", open_(0, 1, 3, 65536, 0, tlv(1, b"x")), "PROTOCOL_ERROR"),
 ("OPEN with reserved priority bit", open_(2, 1, 0x13, 65536, 0, tlv(1, b"x")), "PROTOCOL_ERROR"),
 ("OPEN with truncated TLV", open_(2, 1, 3, 65536, 0, b"\x00\x01\x00\x05ab"), "PROTOCOL_ERROR"),
 ("OPEN with duplicate TLV", open_(2, 1, 3, 65536, 0, tlv(1, b"x") + tlv(1, b"y")), "PROTOCOL_ERROR"),
 ("WINDOW_UPDATE offset 2^62", frame(4, 0, 2, u64(1 << 62)), "FLOW_CONTROL_ERROR"),
 ("unknown critical type 0x0d", frame(0x0D, 0, 0), "UNSUPPORTED"),
 ("DATA with critical flag 0x80", frame(0, 0x80, 2, b"x"), "UNSUPPORTED"),
 ("HELLO with wrong magic", frame(12, 0, 0, b"XXXX" + bytes(12)), "PROTOCOL_ERROR"),
 ("HELLO with a POD of 9 bytes", hello(2, tlvs=tlv(0x23, b"k3v9q2m7x")), "PROTOCOL_ERROR"),
 ("GOAWAY of 15 bytes", frame(10, 0, 0, bytes(15)), "FRAME_SIZE_ERROR"),
 ("ACK of 7 bytes", frame(14, 0, 0, bytes(7)), "FRAME_SIZE_ERROR"),
 ("ACK on stream 2", frame(14, 0, 2, bytes(8)), "PROTOCOL_ERROR"),
 ("HELLO with a RESUME_KEY of 31 bytes", hello(2, caps=0x10, tlvs=tlv(0x25, bytes(31))), "PROTOCOL_ERROR"),
 ("HELLO with a RESUME of 55 bytes", hello(1, caps=0x10, tlvs=tlv(0x27, bytes(55))), "PROTOCOL_ERROR"),
 ("HELLO with RESUME_MS 600001", hello(2, caps=0x10, tlvs=tlv(0x26, u32(600001))), "PROTOCOL_ERROR"),
]

def main():
    if "--batch" in sys.argv: return batch()
    for name, b in GOOD:
        d = decode_message(b); assert d, name
    for name, b, code in BAD:
        try: decode_message(b)
        except E as e: assert e.code == code, (name, e)
        else: raise AssertionError(name)
    if "--json" in sys.argv:
        print(json.dumps({"good": [{"name": n, "hex": b.hex(), "frames": [[x[0], x[1], x[2], x[3].hex()] for x in decode_message(b)]} for n, b in GOOD],
                          "bad": [{"name": n, "hex": b.hex(), "error": c} for n, b, c in BAD]}, indent=1, ensure_ascii=False)); return
    for n, b in GOOD:
        h = b.hex(); print(f"- {n} ({len(b)} B)\n  `" + " ".join(h[i:i + 8] for i in range(0, len(h), 8)) + "`")
    print()
    for n, b, c in BAD:
        h = b.hex(); print(f"| {n} | `" + (" ".join(h[i:i + 8] for i in range(0, len(h), 8)) or "(empty)") + f"` | {c} |")
if __name__ == "__main__": main()
