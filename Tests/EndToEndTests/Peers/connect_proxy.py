# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy as companies have them, for CONNECT alone. It says what it is asked for.

    connect_proxy.py PORT [user:password]

Every name is this machine, except that names that begin with "forbidden" are refused with 403 and those that begin
with "gone" with 502: what is behind the proxy is none of the client's business.
"""
import asyncio
import base64
import sys

port = int(sys.argv[1])
wanted = "Basic " + base64.b64encode(sys.argv[2].encode()).decode() if len(sys.argv) > 2 else None


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def refuse(writer, status, field=""):
    writer.write(f"HTTP/1.1 {status} No\r\n{field}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    writer.close()


async def serve(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = head.split("\r\n")
    method, authority, _ = lines[0].split(" ")
    fields = dict(line.split(": ", 1) for line in lines[1:] if line)
    fields = {name.lower(): value for name, value in fields.items()}
    host, _, target_port = authority.rpartition(":")
    if wanted and fields.get("proxy-authorization") != wanted:
        print("407", method, authority, flush=True)
        return await refuse(writer, 407, 'Proxy-Authenticate: Basic realm="proxy"\r\n')
    print(method, authority, flush=True)
    if method != "CONNECT" or host.startswith("forbidden"):
        return await refuse(writer, 403)
    if host.startswith("gone"):
        return await refuse(writer, 502)
    upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", int(target_port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await asyncio.gather(pump(reader, upstream_writer), pump(upstream_reader, writer))


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("proxy listens", flush=True)
    await server.serve_forever()


asyncio.run(main())
