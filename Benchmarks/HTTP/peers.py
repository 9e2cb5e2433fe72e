# SPDX-License-Identifier: Apache-2.0
"""The origin's parts that nginx can't play: a sink that reads uploads fully, and an echo behind an upgrade."""
import asyncio
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
            }
            if b"upgrade" in fields:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
                while data := await reader.read(65_536):
                    writer.write(data)
                    await writer.drain()
                break
            left = length = int(fields.get(b"content-length", b"0"))
            while left > 0:
                data = await reader.read(min(left, 1 << 20))
                if not data:
                    return
                left -= len(data)
            body = str(length).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), limit=1 << 20, backlog=4_096)
    async with server:
        await server.serve_forever()


asyncio.run(main())
