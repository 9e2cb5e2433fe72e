#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many WebSocket conversations that are held open and never stop for long.

    minute_conversations.py URL COUNT SECONDS

Opens COUNT conversations with the echo at URL and holds them for SECONDS, with a message of a random size up to 4 KiB
about once a second in each. None may be lost. Prints `{"conversations": …, "messages": …, "failures": […]}`.
"""

import asyncio
import json
import random
import sys

import websockets

PATIENCE = 60


async def converse(url, number, seconds, everyone_is_here):
    chance = random.Random(number)
    async with websockets.connect(url, open_timeout=PATIENCE, ping_interval=None) as conversation:
        await everyone_is_here.wait()
        end = asyncio.get_running_loop().time() + seconds
        messages = 0
        while asyncio.get_running_loop().time() < end:
            message = number.to_bytes(4, "big") + messages.to_bytes(4, "big") + chance.randbytes(chance.randrange(4_096))
            await conversation.send(message)
            if await asyncio.wait_for(conversation.recv(), PATIENCE) != message:
                raise RuntimeError("another message came back")
            messages += 1
            await asyncio.sleep(chance.uniform(0.5, 1.5))
    if conversation.close_code != 1000:
        raise RuntimeError(f"closed with {conversation.close_code}")
    return messages


async def main():
    url, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    everyone_is_here = asyncio.Barrier(count)
    gate = asyncio.Semaphore(100)

    class Gated:
        """Lets a hundred at a time knock, and all wait for the last."""

        async def wait(self):
            gate.release()
            await everyone_is_here.wait()

    async def attempt(number):
        await gate.acquire()
        try:
            return await converse(url, number, seconds, Gated())
        except Exception as error:
            gate.release()
            await everyone_is_here.abort()
            return f"conversation {number}: {type(error).__name__}: {error}"

    results = await asyncio.gather(*map(attempt, range(count)))
    failures = [result for result in results if isinstance(result, str)]
    messages = sum(result for result in results if isinstance(result, int))
    print(json.dumps({"conversations": count - len(failures), "messages": messages, "failures": failures[:5]}))


asyncio.run(main())
