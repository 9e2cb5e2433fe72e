#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many WebSocket conversations at once, with the `websockets` library.

    websocket_conversations.py URL COUNT

Opens COUNT conversations with the echo at URL, holds them all open, then sends messages of every size that changes
the framing, and 1 MiB, in each. Prints `{"conversations": …, "messages": …, "failures": […]}`.
"""

import asyncio
import json
import os
import sys

import websockets

SIZES = (0, 1, 125, 126, 4096, 65535, 65536, 1 << 20)
SECONDS = 120


async def converse(url, number, everyone_is_here):
    async with websockets.connect(url, max_size=None, open_timeout=SECONDS, ping_timeout=SECONDS) as conversation:
        await everyone_is_here.wait()
        for size in SIZES:
            # The beginning tells whose message it is: an answer to somebody else shows.
            message = (number.to_bytes(4, "big") + os.urandom(size))[:size]
            await conversation.send(message)
            if await conversation.recv() != message:
                raise RuntimeError(f"a message of {size} bytes came back changed")
        text = f"conversation {number}: à bientôt ☂"
        await conversation.send(text)
        if await conversation.recv() != text:
            raise RuntimeError("a text message came back changed")
        await asyncio.wait_for(await conversation.ping(), SECONDS)
    if conversation.close_code != 1000:
        raise RuntimeError(f"closed with {conversation.close_code}")
    return len(SIZES) + 1


async def main():
    url, count = sys.argv[1], int(sys.argv[2])
    everyone_is_here = asyncio.Barrier(count)

    async def attempt(number):
        try:
            return await asyncio.wait_for(converse(url, number, everyone_is_here), SECONDS)
        except Exception as error:
            await everyone_is_here.abort()  # Those who wait for this one need not.
            return f"conversation {number}: {type(error).__name__}: {error}"

    results = await asyncio.gather(*map(attempt, range(count)))
    failures = [result for result in results if isinstance(result, str)]
    messages = sum(result for result in results if isinstance(result, int))
    print(json.dumps({"conversations": count - len(failures), "messages": messages, "failures": failures[:5]}))


if __name__ == "__main__":
    asyncio.run(main())
