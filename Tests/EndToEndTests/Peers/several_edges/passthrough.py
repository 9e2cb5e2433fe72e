# SPDX-License-Identifier: Apache-2.0
"""Tunnels of TLS and of TCP among several edges."""
import asyncio
import ssl

from stage import Connector, Stage, failures, free_port, free_ports, until


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


async def echoes(host, port, size=1_000):
    """Whether what is sent to a port comes back."""
    writer = None
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"x" * size)
        answer = await asyncio.wait_for(reader.readexactly(size), 10)
        writer.write_eof()
        return answer == b"x" * size and await asyncio.wait_for(reader.read(), 10) == b""
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
        return False
    finally:
        if writer:
            writer.close()


async def ports(edge, culvert, folder):
    """A port is one tunnel's at all edges, and leads to it at each; deletion, restarts and an empty Redis are no exception."""
    first = free_ports(20)
    async with Stage(edge, culvert, folder, arguments=["--tcp-ports", f"{first}-{first + 19}"]) as stage:
        # On one machine each edge has the ports on an address of its own.
        hosts = [f"127.0.0.{number + 2}" for number in range(3)]
        for one, host in zip(stage.edges, hosts):
            one.arguments += ["--tcp-listen", host]
        await stage.restart_everything()
        origin = await asyncio.start_server(echo, "127.0.0.1", 0)
        target = origin.sockets[0].getsockname()[1]

        async def make(one, name, **members):
            return await one.call("POST", "create", {"name": name, "kind": "tcp", **members})

        def connect(token, one):
            connector = Connector(stage.culvert, stage.folder, token, target, edge=one.url)
            stage.connectors.append(connector)
            return connector

        # Twelve tunnels that ask three edges at once for any port, and three that ask for the same one.
        made = await asyncio.gather(*(make(stage.edges[number % 3], f"box-{number}") for number in range(12)))
        given = [int(answer["url"].rsplit(":", 1)[1]) for status, answer in made if status == 201]
        if len(given) != 12 or len(set(given)) != 12:
            failures.append(f"ports that were given: {[status for status, _ in made]} {sorted(given)}")
        chosen = next(port for port in range(first, first + 20) if port not in given)
        race = await asyncio.gather(*(make(one, f"race-{place}", port=chosen) for place, one in enumerate(stage.edges)))
        if sorted(status for status, _ in race) != [201, 409, 409]:
            failures.append(f"a race for a port: {race}")
        # The same name at another edge has the same port.
        again = await make(stage.edges[1], "box-0")
        if int(again[1]["url"].rsplit(":", 1)[1]) != given[0]:
            failures.append(f"taken up again with another port: {again[1]['url']}")

        one, port = connect(again[1]["token"], stage.edges[2]), given[0]

        async def everywhere(wanted):
            return [await echoes(host, port) for host in hosts] == [wanted] * 3

        result = {"reached_after": round(await until("the port leads there at each edge", lambda: everywhere(True)), 2)}
        large = [await echoes(host, port, 1 << 20) for host in hosts]
        many = await asyncio.gather(*(echoes(host, port) for host in hosts * 10))
        if not all(large) or not all(many):
            failures.append(f"large: {large}; at once: {many.count(False)} of {len(many)} are lost")
        # The connector moves to another edge.
        one.stop()
        connect(again[1]["token"], stage.edges[0])
        result["moved_after"] = round(await until("it leads there after a move", lambda: everywhere(True)), 2)
        # Nothing is remembered but by tokens.
        stage.redis.kill()
        stage.redis.forget()
        stage.redis.start()
        result["emptied"] = round(await until("it leads there after Redis was emptied", lambda: everywhere(True)), 2)
        await until("the port is known again", lambda: stage.redis.ask("HGET", "cv:ports", str(port)).strip() == "box-0")
        status, answer = await make(stage.edges[1], "thief", port=port)
        if status != 409:
            failures.append(f"a port that is somebody's: {status} {answer}")
        await stage.restart_everything()
        result["restarted"] = round(await until("it leads there after a restart", lambda: everywhere(True)), 2)
        status, _ = await stage.edges[1].call("DELETE", "box-0")
        result["deleted"] = round(await until("it leads nowhere", lambda: everywhere(False)), 2)
        status, answer = await make(stage.edges[2], "heir", port=port)
        if status != 201:
            failures.append(f"a port that was given free: {status} {answer}")
        connect(answer["token"], stage.edges[1])
        result["inherited"] = round(await until("it leads to the next one", lambda: everywhere(True)), 2)
        origin.close()
        return result
