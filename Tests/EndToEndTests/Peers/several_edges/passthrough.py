# SPDX-License-Identifier: Apache-2.0
"""Tunnels of TLS among several edges."""
import asyncio
import ssl

from stage import Connector, Stage, failures, free_port, until


def client_hello(name):
    """How a client of TLS begins that asks for a name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


async def echo(reader, writer):
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def tls(edge, culvert, folder):
    """A tunnel of TLS is reached at each edge, whichever its connector is at; one that there isn't at none."""
    arguments = ["--public-wildcard-domain", "tunnels.test"]
    async with Stage(edge, culvert, folder, arguments=arguments, ports=free_port) as stage:
        origin = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = origin.sockets[0].getsockname()[1]
        status, answer = await stage.edges[0].call("POST", "create", {"name": "box", "kind": "tls"})
        if status != 201:
            raise SystemExit(f"create: {status} {answer}")
        stage.connectors.append(Connector(stage.culvert, stage.folder, answer["token"], port))
        await until("the session is known", lambda: stage.places("box"))

        async def ask(one, name, more):
            """What comes back from an edge for a client hello and what follows it."""
            sent = client_hello(f"{name}.tunnels.test")
            reader, writer = await asyncio.open_connection("127.0.0.1", one.passthrough)
            try:
                writer.write(sent)
                first = await asyncio.wait_for(reader.readexactly(len(sent)), 10)
                writer.write(more)
                rest = await asyncio.wait_for(reader.readexactly(len(more)), 30)
                writer.write_eof()
                return first == sent and rest == more and await asyncio.wait_for(reader.read(), 10) == b""
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                return False
            finally:
                writer.close()

        served = [await ask(one, "box", b"x" * size) for one in stage.edges for size in (1, 1 << 20)]
        if served != [True] * 6:
            failures.append(f"served: {served}")
        # The same ones at once, some of them at edges that have to ask first.
        many = await asyncio.gather(*(ask(one, "box", b"y" * 1_000) for one in stage.edges * 10))
        if not all(many):
            failures.append(f"{many.count(False)} of {len(many)} at once are lost")
        strangers = [await ask(one, "nobody", b"x") for one in stage.edges]
        if any(strangers):
            failures.append(f"a tunnel that there isn't is served: {strangers}")
        links = sum([await one.metric("culvert_link_streams_total") for one in stage.edges])
        if links < 20:
            failures.append(f"only {links} streams between edges")
        origin.close()
        return {"served": served, "streams": links}
