#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""WebSocket conversations that go on while edges are replaced.

    steady_conversations.py URL COUNT FILE

Holds COUNT conversations with the echo at URL, each with a message every half second. A conversation whose connection
was closed between two bytes of the protocol (code 1006: nobody said goodbye) begins anew at once. Ends when
FILE is there, and prints `{"conversations": …, "messages": …, "resumed": …, "failures": […]}`.
"""

import asyncio
import collections
import json
import pathlib
import sys

import websockets

SECONDS = 15
totals = collections.Counter()
failures = []


async def converse(url, number, stop):
    """One conversation, over as many connections as it takes."""
    while not stop.is_set():
        try:
            async with websockets.connect(url, open_timeout=SECONDS, ping_interval=None) as conversation:
                totals["connected"] += 1
                while not stop.is_set():
                    message = f"{number}-{totals['messages']}"
                    await conversation.send(message)
                    if await asyncio.wait_for(conversation.recv(), SECONDS) != message:
                        failures.append(f"conversation {number}: another message came back")
                    totals["messages"] += 1
                    try:
                        await asyncio.wait_for(stop.wait(), 0.5)
                    except asyncio.TimeoutError:
                        pass
        except websockets.exceptions.ConnectionClosed as closed:
            # The edge carries bytes and takes no part: the end of its grace is the end of the connection.
            if closed.rcvd is not None:
                failures.append(f"conversation {number}: closed with {closed.rcvd.code}")
            totals["resumed"] += 1
        except Exception as error:
            failures.append(f"conversation {number}: {type(error).__name__}: {error}")
            await asyncio.sleep(0.2)


async def main():
    url, count = sys.argv[1], int(sys.argv[2])
    stop, file = asyncio.Event(), pathlib.Path(sys.argv[3])

    async def wait_for_end():
        while not file.exists():
            await asyncio.sleep(0.1)
        stop.set()

    await asyncio.gather(wait_for_end(), *(converse(url, number, stop) for number in range(count)))
    print(
        json.dumps(
            {
                "conversations": count,
                "messages": totals["messages"],
                "resumed": totals["resumed"],
                "failures": failures[:5],
            }
        )
    )


asyncio.run(main())
