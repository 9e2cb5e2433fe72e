#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The clients that people have, each through the tunnel in path mode and in host mode.

    clients PORT EDGE_ADDRESS EDGE_PORT ID WILDCARD_DOMAIN

Serves PORT as the origin. Prints `{"done": [client and mode, …], "failures": […]}`."""

import asyncio
import json
import random
import re
import signal
import sys
import tempfile

import aiohttp
import requests
import websockets
from aiohttp import web

import browser
import origin
from place import Place

BODY = random.Random(7).randbytes(3_000_001)


def check(found, expected, what):
    if found != expected:
        raise RuntimeError(f"{what}: {str(found)[:200]!r} instead of {str(expected)[:200]!r}")


async def command(*arguments, given=None):
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.PIPE if given is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await asyncio.wait_for(process.communicate(given), 120)
    if process.returncode != 0:
        raise RuntimeError(f"{arguments[0]} ended with {process.returncode}: {error.decode()[-500:]}")
    return out


def curl(place, path, *options, given=None):
    resolve = ["--resolve", f"{place.host}:{place.port}:{place.address}"] if place.host else []
    return command("curl", "-sS", "--fail", *resolve, *options, place.named(path), given=given)


async def curl_http10(place):
    check(await curl(place, "/new", "--http1.0"), b"new", "the body")
    with tempfile.NamedTemporaryFile() as file:
        file.write(BODY)
        file.flush()
        check(await curl(place, "/echo", "--http1.0", "-T", file.name), BODY, "an upload with a length")


async def curl_upload_of_unknown_length(place):
    check(await curl(place, "/echo", "-T", "-", given=BODY), BODY, "the body")
    check(await curl(place, "/echo", "-X", "POST", "-T", "-", "-H", "Expect:", given=b""), b"", "an empty body")


async def curl_redirect_and_cookie(place):
    check(await curl(place, "/old", "-L"), b"new", "what the redirect leads to")
    with tempfile.NamedTemporaryFile() as jar:
        await curl(place, "/", "-c", jar.name)
        check(await curl(place, "/cookie", "-b", jar.name), b"42", "the cookie")


def requests_session(place):
    with requests.Session() as session:
        session.headers.update(place.headers)
        check(session.get(place.url("/new"), timeout=30).text, "new", "GET")
        check(session.post(place.url("/echo"), data=BODY, timeout=30).content, BODY, "POST")
        parts = (BODY[index : index + 70_000] for index in range(0, len(BODY), 70_000))
        check(session.put(place.url("/echo"), data=parts, timeout=30).content, BODY, "PUT in chunks")
        check(session.head(place.url("/new"), timeout=30).headers["Content-Length"], "3", "HEAD")
        moved = session.get(place.url("/old"), timeout=30, allow_redirects=False)
        check(moved.status_code, 302, "the status of a redirect")
        check(moved.headers["Location"], f"{place.prefix}/new", "where it leads")
        with session.get(place.url("/events"), timeout=30, stream=True) as events:
            lines = events.iter_lines()
            check([next(lines) for _ in range(3)], [b"data: 0", b"", b"data: 1"], "events")


async def requests_library(place):
    await asyncio.to_thread(requests_session, place)


async def websockets_library(place):
    headers = {"host": place.address, "port": place.port}
    async with websockets.connect(
        place.named("/hmr", "ws"), subprotocols=["vite-hmr"], max_size=None, **headers
    ) as socket:
        await socket.send("hello")
        check(await socket.recv(), "echo of hello", "a text")
        await socket.send(BODY)
        check(await socket.recv(), BODY, "three megabytes")
        await asyncio.wait_for(await socket.ping(), 10)
    check(socket.close_code, 1000, "the close code")


async def aiohttp_library(place):
    async with aiohttp.ClientSession(headers=place.headers) as session:
        async with session.get(place.url("/new")) as response:
            check(await response.text(), "new", "GET")

        async def parts():
            for index in range(0, len(BODY), 70_000):
                yield BODY[index : index + 70_000]

        async with session.post(place.url("/echo"), data=parts()) as response:
            check(await response.read(), BODY, "a streamed POST")
        async with session.ws_connect(place.url("/hmr")) as socket:
            await socket.send_bytes(BODY[:100_000])
            check((await socket.receive()).data, BODY[:100_000], "a WebSocket message")
        answers = await asyncio.gather(*(fetch(session, place.url("/new")) for _ in range(200)))
        check(set(answers), {"new"}, "200 at once")


async def fetch(session, url):
    async with session.get(url) as response:
        return await response.text()


async def load_by_wrk(place):
    host = [item for name, value in place.headers.items() for item in ("-H", f"{name}: {value}")]
    out = (await command("wrk", "-t", "1", "-c", "20", "-d", "2s", *host, place.url("/new"))).decode()
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(out)
    if int(re.search(r"(\d+) requests in", out)[1]) < 20:
        raise RuntimeError(f"hardly a request: {out}")


async def load_by_hey(place):
    host = ["-host", place.authority] if place.host else []
    out = (await command("hey", "-n", "400", "-c", "20", *host, place.url("/new"))).decode()
    check(re.findall(r"\[(\d+)\]\s+(\d+) responses", out), [("200", "400")], "the statuses")
    if "Error distribution" in out:
        raise RuntimeError(out)


async def chromium(place):
    check(
        await browser.result_of_page(place),
        {
            "colour": "rgb(1, 2, 3)",
            "socket": "echo of ping by vite-hmr",
            "events": "0 1 2",
            "moved": "true new",
            "cookie": "42",
            "posted": "grün",
        },
        "what the page found",
    )


CLIENTS = [
    curl_http10, curl_upload_of_unknown_length, curl_redirect_and_cookie, requests_library, websockets_library,
    aiohttp_library, load_by_wrk, load_by_hey, chromium,
]  # fmt: skip


async def main():
    port, address, edge_port, identifier, domain = sys.argv[1:]
    runner = web.AppRunner(origin.application(), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(port)).start()
    places = [
        Place(address, int(edge_port), None, f"/{identifier}"),
        Place(address, int(edge_port), f"{identifier}.{domain}", ""),
    ]
    done, failures = [], []
    for place in places:
        for client in CLIENTS:
            name = f"{client.__name__} in {place.mode}"
            try:
                await client(place)
                done.append(name)
            except Exception as error:
                failures.append(f"{name}: {type(error).__name__}: {error}")
    print(json.dumps({"done": done, "failures": failures}), flush=True)
    await runner.cleanup()


# Whoever started us may have blocked signals, and the clients would inherit that.
signal.pthread_sigmask(signal.SIG_SETMASK, [])
asyncio.run(main())
