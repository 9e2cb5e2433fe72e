#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A link with delay, loss and rate: two TAP ends in two network namespaces, one relay process.

For kernels without netem. Each direction is delayed, so the round trip is twice that. Needs root.
usage: emulated-link.py NS_A IP_A/24 NS_B IP_B/24 --delay-ms 25 --loss 0.0 --rate-mbit 100 --seconds 60"""
import argparse, ctypes, fcntl, heapq, os, random, select, struct, subprocess, time
p = argparse.ArgumentParser()
p.add_argument("nsa"); p.add_argument("ipa"); p.add_argument("nsb"); p.add_argument("ipb")
p.add_argument("--delay-ms", type=float, default=50); p.add_argument("--jitter-ms", type=float, default=0)
p.add_argument("--loss", type=float, default=0); p.add_argument("--rate-mbit", type=float, default=0)
p.add_argument("--seconds", type=float, default=30); p.add_argument("--seed", type=int, default=1)
a = p.parse_args(); rnd = random.Random(a.seed)
libc = ctypes.CDLL(None, use_errno=True)
def tap(ns, ip):
    subprocess.run(["ip", "netns", "add", ns], check=False, stderr=subprocess.DEVNULL)
    home = os.open("/proc/self/ns/net", os.O_RDONLY); t = os.open(f"/var/run/netns/{ns}", os.O_RDONLY)
    assert libc.setns(t, 0x40000000) == 0
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH", b"tap0", 0x0002 | 0x1000))  # TUNSETIFF, IFF_TAP|IFF_NO_PI
    libc.setns(home, 0x40000000)
    for c in (["link", "set", "lo", "up"], ["addr", "add", ip, "dev", "tap0"], ["link", "set", "tap0", "up"]):
        subprocess.run(["ip", "-n", ns] + c, check=True)
    return fd
A, B = tap(a.nsa, a.ipa), tap(a.nsb, a.ipb)
q, n, free = [], 0, {A: 0.0, B: 0.0}
end = time.monotonic() + a.seconds
print("up", flush=True)
while time.monotonic() < end:
    now = time.monotonic()
    to = max(0, min(q[0][0] - now, 0.2)) if q else 0.2
    for fd in select.select([A, B], [], [], to)[0]:
        for _ in range(64):
            try: pkt = os.read(fd, 65536)
            except BlockingIOError: break
            if a.loss and rnd.random() < a.loss: continue
            out = B if fd == A else A; t = time.monotonic()
            if a.rate_mbit:
                t = max(t, free[out]) + len(pkt) * 8 / (a.rate_mbit * 1e6); free[out] = t
            n += 1; heapq.heappush(q, (t + (a.delay_ms + rnd.random() * a.jitter_ms) / 1000, n, out, pkt))
    now = time.monotonic()
    while q and q[0][0] <= now:
        _, _, out, pkt = heapq.heappop(q)
        try: os.write(out, pkt)
        except BlockingIOError: pass
