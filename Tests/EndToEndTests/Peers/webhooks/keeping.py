# SPDX-License-Identifier: Apache-2.0
"""How much is kept, how fast, and what goes."""
import http.client
import os
import pathlib
import random
import socket
import sqlite3
import threading
import time

from stage import App, Connector, Edge, failures, post, wait_until


def rate(edge_program, culvert, folder, seconds, per_second, count):
    """How many webhooks of 10 KiB are kept a second, or how long each takes at a rate."""
    edge = Edge(edge_program, folder)
    edge.call("POST", "create", {"name": "hooks"})
    edge.call("PUT", "hooks/inbox", {"when": "always", "keep": {"messages": 100000, "bytes": 1 << 30}})
    times, lock = [], threading.Lock()
    end = time.time() + seconds
    body = os.urandom(10_240)
    head = (f"POST /hooks/a HTTP/1.1\r\nHost: edge.example\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()

    def send():
        connection = socket.create_connection(("127.0.0.1", edge.port))
        mine, due = [], time.perf_counter()
        while time.time() < end:
            if per_second:
                due += count / per_second
                time.sleep(max(0, due - time.perf_counter()))
            start = time.perf_counter()
            connection.sendall(head + body)
            answer = connection.recv(4096)
            mine.append(time.perf_counter() - start)
            if not answer.startswith(b"HTTP/1.1 202"):
                failures.append(answer[:200].decode("latin-1"))
                break
        with lock:
            times.extend(mine)

    threads = [threading.Thread(target=send) for _ in range(count)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    times.sort()
    ticks = sum(map(int, pathlib.Path(f"/proc/{edge.process.pid}/stat").read_text().rsplit(")")[1].split()[11:13]))
    edge.stop()
    edge.check()
    return {"kept": len(times), "a_second": round(len(times) / seconds), "p50_ms": round(times[len(times) // 2] * 1e3, 2),
            "p99_ms": round(times[len(times) * 99 // 100] * 1e3, 2), "slowest_ms": round(times[-1] * 1e3, 2),
            "edge_cpu_us": round(ticks * 10_000 / len(times))}


def full(edge_program, culvert, folder):
    """A full file refuses with the code; the edge goes on, and takes again once messages were delivered."""
    edge = Edge(edge_program, folder, "--inbox-max-size", "2MiB")
    edge.call("POST", "create", {"name": "hooks"})
    edge.call("PUT", "hooks/inbox", {"delivery": {"per_second": 1000}, "keep": {"delivered_hours": 0}})
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=30)
    kept, slowest = 0, 0
    for number in range(400):
        start = time.perf_counter()
        connection.request("POST", f"/hooks/{number}", body=os.urandom(10_240))
        answer = connection.getresponse()
        answer.read()
        slowest = max(slowest, time.perf_counter() - start)
        if answer.status == 202:
            kept += 1
        elif answer.status != 503 or answer.getheader("Culvert-Error") != "inbox_full":
            failures.append(f"{answer.status} {answer.getheader('Culvert-Error')}")
    if not 50 < kept < 400:
        failures.append(f"{kept} were kept")
    size = (edge.folder / "inbox/inbox.sqlite").stat().st_size
    app = App()
    connector = Connector(culvert, edge, "hooks", app.port)
    wait_until("all is delivered", lambda: len(app.got) >= kept)
    connector.stop()
    wait_until("the file shrinks",
               lambda: (edge.folder / "inbox/inbox.sqlite").stat().st_size < size / 4, 30)
    status, _ = post(connection, "/hooks/again", {}, b"x" * 10_240)
    if status != 202:
        failures.append(f"again: {status}")
    edge.stop()
    edge.check()
    return {"kept": kept, "slowest_ms": round(slowest * 1e3, 1), "file": size}


def retention(edge_program, culvert, folder, mebibytes, kibibytes, milliseconds):
    """So much that was delivered long ago, in messages of a size, goes while 200 webhooks a second come."""
    edge = Edge(edge_program, folder, "--inbox-max-size", "4GiB")
    edge.call("POST", "create", {"name": "hooks"})
    edge.call("PUT", "hooks/inbox", {"when": "always", "keep": {"messages": 100000, "bytes": 1 << 30}})
    edge.stop()
    path = edge.folder / "inbox/inbox.sqlite"
    body, now = os.urandom(kibibytes << 10), time.time()
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA synchronous = OFF")
        for number in range((mebibytes << 10) // kibibytes):
            # Every seventh stays, in the midst of the others.
            age = 0 if number % 7 == 0 else 100 * 86_400
            file.execute("INSERT INTO message (id, inbox, state, received, due, attempts, size, body_size, head) "
                         "VALUES (?, 1, 1, ?, 0, 1, ?, ?, ?)",
                         (f"msg_{number:020}", now - age, len(body) + 600, len(body), os.urandom(600)))
            file.execute("INSERT INTO body VALUES (last_insert_rowid(), ?)", (body,))
        file.execute("UPDATE inbox SET messages = (SELECT count(*) FROM message), bytes = (SELECT sum(size) FROM message)")
        file.commit()
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()
    # Nothing of it is in memory, as after days.
    with open(path, "rb") as cold:
        os.fsync(cold)
        os.posix_fadvise(cold.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before, log, done = path.stat().st_size, 0, threading.Event()
    edge.start()
    began = time.time()
    times, beside, disk = [], [], []

    def send(port, head, status, into):
        """A request every twentieth of a second, as long as there is something that goes."""
        connection, due = socket.create_connection(("127.0.0.1", port)), time.perf_counter() + random.random() / 20
        while not done.is_set():
            due += 1 / 20
            time.sleep(max(0, due - time.perf_counter()))
            start = time.perf_counter()
            connection.sendall(head)
            answer = connection.recv(4096)
            into.append((time.perf_counter() - start, time.time() - began))
            if not answer.startswith(b"HTTP/1.1 " + status):
                failures.append(answer[:300].decode("latin-1"))
                return

    def flush():
        """What the disk takes for a few pages of another file: whoever is in its way waits as long."""
        with open(edge.folder / "beside", "wb") as file:
            while not done.is_set():
                start = time.perf_counter()
                file.seek(0)
                file.write(hook)
                file.flush()
                os.fdatasync(file)
                disk.append((time.perf_counter() - start, time.time() - began))
                time.sleep(0.01)

    hook = (b"POST /hooks/a HTTP/1.1\r\nHost: edge.example\r\nContent-Length: 10240\r\n\r\n" + os.urandom(10_240))
    threads = [threading.Thread(target=send, args=(edge.port, hook, b"202", times)) for _ in range(10)]
    threads += [threading.Thread(target=send, args=(edge.admin, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"200", beside))]
    threads += [threading.Thread(target=flush)]
    [thread.start() for thread in threads]
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def left():
        return reader.execute("SELECT EXISTS (SELECT * FROM message WHERE received < ?)", (now - 86_400,)).fetchone()[0] \
            or reader.execute("PRAGMA freelist_count").fetchone()[0]

    while time.time() < began + 300:
        log = max(log, os.stat(f"{path}-wal").st_size)
        if not left():
            break
        time.sleep(0.2)
    took = time.time() - began
    done.set()
    [thread.join() for thread in threads]
    reader.close()
    kept = len(times) * 10_240
    memory = [line for line in pathlib.Path(f"/proc/{edge.process.pid}/status").read_text().splitlines() if "VmHWM" in line]
    edge.stop()
    edge.check()
    after = path.stat().st_size
    if after > before / 7 * 1.2 + kept * 1.6 + (4 << 20):
        failures.append(f"{before} bytes have become {after}, {kept} bytes were kept meanwhile")
    ours = sorted(((took - _elsewhere(took, at, disk, beside), took, at) for took, at in sorted(times, reverse=True)[:100]), reverse=True)[:5]
    slow, disk = sorted(times, reverse=True)[:5], sorted(disk, reverse=True)[:5]
    times, beside = sorted(took for took, _ in times), sorted(took for took, _ in beside)
    if milliseconds and ours[0][0] > milliseconds / 1e3:
        failures.append(f"webhooks were held up by more than the disk and the machine: {ours}")
    # A large transaction shows here on any machine: the log becomes as large as what it deletes.
    if log > 24 << 20:
        failures.append(f"the log took {log} bytes")
    return {"before": before, "after": after, "log": log, "took_s": round(took, 1), "kept": len(times),
            "p50_ms": round(times[len(times) // 2] * 1e3, 2), "p99_ms": round(times[len(times) * 99 // 100] * 1e3, 2),
            "slowest_ms": [(round(took * 1e3, 1), round(at, 1)) for took, at in slow],
            "ours_ms": [(round(own * 1e3, 1), round(took * 1e3, 1), round(at, 1)) for own, took, at in ours],
            "disk_ms": [(round(took * 1e3, 1), round(at, 1)) for took, at in disk],
            "beside_ms": round(beside[-1] * 1e3, 1), "peak": memory[0].split()[1]}


def _elsewhere(took, at, disk, beside):
    """How much of a webhook that took so long, until then, is what the disk took at the same time, and the machine at any.

    It waits for two commits at most, its own and the one that is under way, each of which is one flush of the disk. Where the
    machine is busy, it stops a thread here and another one there: a request that touches no file shows for how long.
    """
    flush = max((span for span, end in disk if end >= at - took and end - span <= at), default=0)
    return 2 * flush + max(span for span, _ in beside)
