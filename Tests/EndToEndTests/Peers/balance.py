#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A load balancer of TCP, for connectors of several edges.

    balance.py PORT TARGET...

Listens on PORT and gives connections to the targets, ports of this machine, in turn; one that refuses is passed over.
Prints `balancing` once it listens.
"""

import asyncio
import itertools
import sys


async def copy(reader, writer):
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def main():
    port, targets = int(sys.argv[1]), [int(target) for target in sys.argv[2:]]
    turn = itertools.count()

    async def serve(reader, writer):
        first = next(turn)
        for step in range(len(targets)):
            target = targets[(first + step) % len(targets)]
            try:
                there, back = await asyncio.open_connection("127.0.0.1", target)
            except OSError:
                continue
            await asyncio.gather(copy(reader, back), copy(there, writer))
            return
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("balancing", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
