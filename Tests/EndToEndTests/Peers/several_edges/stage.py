# SPDX-License-Identifier: Apache-2.0
"""Three edges with their Redis, nginx or Traefik in front of them, connectors, and an origin."""
import asyncio
import hashlib
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import aiohttp
from aiohttp import web

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from free_ports import free_port, free_ports  # noqa: E402,F401

KEY = "key-of-the-edges-0123456789abcdef"
# Taken out of what programs inherit: an edge refuses variables that it does not know.
IS_FULL_SIZE = os.environ.pop("CULVERT_LONG", None) == "1"
failures = []


def bound(alone, beside):
    """What a figure is held against: at full size what is promised, since a trial has the machine for itself then.

    Otherwise other trials run beside it, on a machine that may be slow: the second bound still tells what is right from
    what is not.
    """
    return alone if IS_FULL_SIZE else beside


async def until(what, is_true, limit=30.0, pause=0.02):
    """Waits until something is so; how long that took."""
    begin = time.monotonic()
    while True:
        answer = is_true()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return time.monotonic() - begin
        if time.monotonic() - begin > limit:
            failures.append(f"not in {limit} s: {what}")
            return limit
        await asyncio.sleep(pause)


async def is_well(url):
    """Whether a URL is answered with 200."""
    try:
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as answer:
                return answer.status == 200
    except OSError:
        return False


def resident(pid, name="VmRSS"):
    """What a process has resident now, or with `VmHWM` had at most, in MiB."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


class Redis:
    """A server that keeps each change in a file, so that a restart forgets nothing, unless it is told to."""

    def __init__(self, folder, *arguments, port=None):
        self.folder, self.arguments = pathlib.Path(folder), arguments
        self.folder.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.process = None

    def start(self):
        log = open(self.folder / "redis.log", "ab")
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
             "--appendonly", "yes", "--save", "", *self.arguments], stdout=log, stderr=log)
        for _ in range(200):
            if self.ask("PING").strip() == "PONG":
                return
            time.sleep(0.02)
        raise SystemExit("redis-server does not begin")

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True,
                              check=False).stdout

    def calls(self):
        """How many commands it has had so far."""
        lines = self.ask("INFO", "commandstats").splitlines()
        counts = {}
        for line in lines:
            if line.startswith("cmdstat_"):
                name, _, rest = line[len("cmdstat_"):].partition(":")
                counts[name] = int(rest.split(",")[0].partition("=")[2])
        return counts

    def seconds(self):
        """The processor time so far of its one thread that answers commands."""
        found = re.findall(r"^used_cpu_(?:sys|user)_main_thread:([0-9.]+)", self.ask("INFO", "cpu"), re.MULTILINE)
        return sum(map(float, found))

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self.process.wait()

    def forget(self):
        """Removes what it kept, while it is away."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path.suffix != ".log":
                path.unlink()


class Edge:
    def __init__(self, program, folder, redis_url, entrance, *arguments):
        self.program, self.folder = program, folder
        self.port, self.admin, self.links = free_port(), free_port(), free_port()
        # Where other edges reach it.
        self.reached = self.links
        self.arguments = [
            "--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self.admin}",
            "--cluster-listen", f"127.0.0.1:{self.links}", "--cluster-redis-url", redis_url,
            "--public-url", f"http://127.0.0.1:{entrance}", "--log-level", "info", *arguments]
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def start(self):
        log = open(self.folder / f"edge-{self.port}.log", "ab")
        self.process = subprocess.Popen(
            [self.program, "--dev", *self.arguments], stdout=log, stderr=log,
            env=dict(os.environ, CULVERT_AUTH_SIGNING_KEY="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                     CULVERT_AUTH_API_KEY=KEY))
        await until("an edge begins", self.is_ready)

    async def knows_registry(self):
        """Whether the edge has reached its registry, if it has one: it is ready before that, and makes no tunnels."""
        return "--cluster-redis-url" not in self.arguments or await self.metric("culvert_registry_up") == 1

    async def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit((self.folder / f"edge-{self.port}.log").read_text()[-4000:])
        return await is_well(f"http://127.0.0.1:{self.admin}/readyz")

    def signal(self, number):
        self.process.send_signal(number)

    async def gone(self):
        """Waits for the end of the process; how it ended."""
        return await asyncio.to_thread(self.process.wait)

    async def kill(self):
        self.signal(signal.SIGKILL)
        await self.gone()

    async def call(self, method, path, body=None, key=KEY):
        """A call of the API: its status, and what it says."""
        async with aiohttp.ClientSession() as session:
            async with session.request(method, f"{self.url}/api/tunnels/{path}", json=body,
                                       headers={"Authorization": f"Bearer {key}"}) as answer:
                text = await answer.read()
                return answer.status, json.loads(text) if text else None

    async def metric(self, name):
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{self.admin}/metrics") as answer:
                lines = (await answer.text()).splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + " ", name.removesuffix("}") + "," if name.endswith("}") else name + "{")))

    async def sessions(self):
        return await self.metric("culvert_active_sessions")

    def resident(self, name="VmRSS"):
        """What it has resident now, or with `VmHWM` had at most, in MiB."""
        return resident(self.process.pid, name)

    def seconds(self):
        """The processor time that it took so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Nginx:
    """What visitors and connectors come to, and which takes turns among the edges that it is told of.

    It never tries a second edge for a request: whatever an edge fails shows.
    """

    def __init__(self, folder):
        self.folder = folder / "nginx"
        self.folder.mkdir()
        self.port, self.process = free_port(), None

    def configure(self, edges):
        servers = " ".join(f"server 127.0.0.1:{edge.port} max_fails=0;" for edge in edges)
        root = self.folder
        (root / "nginx.conf").write_text(f"""
daemon off;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    map $http_upgrade $connection_field {{ default upgrade; '' ''; }}
    upstream edges {{ {servers} keepalive 32; }}
    server {{
        listen 127.0.0.1:{self.port} backlog=1024 reuseport;
        location / {{
            proxy_pass http://edges;
            proxy_next_upstream off;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_read_timeout 600s;
            proxy_send_timeout 600s;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_field;
        }}
    }}
}}
""")

    async def start(self, edges):
        self.configure(edges)
        log = open(self.folder / "nginx.log", "ab")
        self.process = subprocess.Popen(
            ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"),
             "-e", str(self.folder / "error.log")], stdout=log, stderr=log)
        await until("nginx begins", self.listens)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def use(self, edges):
        """Takes turns among these edges from now on; what is under way goes on."""
        self.configure(edges)
        self.process.send_signal(signal.SIGHUP)


class Traefik:
    """The same by the proxy that the chart is made for."""

    def __init__(self, folder):
        self.folder = folder / "traefik"
        self.folder.mkdir()
        self.port, self.process = free_port(), None

    def configure(self, edges):
        servers = [{"url": f"http://127.0.0.1:{edge.port}"} for edge in edges]
        dynamic = {"http": {
            "routers": {"all": {"rule": "PathPrefix(`/`)", "service": "edges", "entryPoints": ["web"]}},
            "services": {"edges": {"loadBalancer": {"servers": servers}}}}}
        # It watches the folder, and must not read half a file.
        next_ = self.folder / "next"
        next_.write_text(json.dumps(dynamic))
        next_.rename(self.folder / "dynamic.yaml")

    async def start(self, edges):
        self.configure(edges)
        log = open(self.folder / "traefik.log", "ab")
        self.process = subprocess.Popen(
            [os.path.join(os.path.dirname(sys.executable), "traefik"), f"--entryPoints.web.address=127.0.0.1:{self.port}",
             "--entryPoints.web.transport.respondingTimeouts.readTimeout=0",
             f"--providers.file.filename={self.folder}/dynamic.yaml", "--providers.file.watch=true",
             "--providers.providersThrottleDuration=100ms", "--log.level=ERROR"], stdout=log, stderr=log)

        await until("Traefik begins", lambda: is_well(f"http://127.0.0.1:{self.port}/api/openapi.json"))

    def use(self, edges):
        """Takes turns among these edges from now on; what is under way goes on."""
        self.configure(edges)


class Connector:
    """A connector of one tunnel, by the token of an edge, over nginx or straight to an edge."""

    def __init__(self, program, folder, token, port, connections=1, edge=None):
        log = open(folder / "connectors.log", "ab")
        self.process = subprocess.Popen(
            [program, "connect", "--to", str(port), "--connections", str(connections), "--inspect", "off",
             "--log-format", "json"] + (["--edge", edge] if edge else []),
            env=dict(os.environ, CULVERT_TOKEN=token, HOME=str(folder)), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Origin:
    """Answers `/number` with what it was asked, uploads with their digest, conversations with an echo, and tells events."""

    def __init__(self):
        self.port, self.asked = free_port(), 0

    async def start(self):
        application = web.Application(client_max_size=1 << 30)
        application.router.add_get("/echo", self.echo)
        application.router.add_get("/big/{bytes}", self.big)
        application.router.add_get("/events", self.events)
        application.router.add_route("*", "/{rest:.*}", self.answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, backlog=1024).start()

    async def answer(self, request):
        self.asked += 1
        body = await request.read()
        return web.Response(text=request.path + " " + hashlib.sha256(body).hexdigest())

    async def big(self, request):
        left = int(request.match_info["bytes"])
        response = web.StreamResponse(headers={"Content-Length": str(left)})
        await response.prepare(request)
        chunk = b"x" * 262_144
        while left > 0:
            await response.write(chunk[:left])
            left -= len(chunk)
        return response

    async def events(self, request):
        """An event each 100 ms, with its number, for as long as somebody listens."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in itertools.count():
            try:
                await response.write(f"data: {number}\n\n".encode())
            except ConnectionError:
                return response
            await asyncio.sleep(0.1)

    async def echo(self, request):
        socket_ = web.WebSocketResponse()
        await socket_.prepare(request)
        async for message in socket_:
            if message.type == aiohttp.WSMsgType.TEXT:
                await socket_.send_str(message.data)
        return socket_


class Stage:
    """Everything of a case, which ends with it."""

    def __init__(self, edge, culvert, folder, count=3, arguments=(), redis_url=None, redis=None, keys=1,
                 has_codes=False, ports=None, api_calls=1000, front=Nginx):
        self.culvert, self.folder = culvert, pathlib.Path(folder).resolve()
        self.redis = redis or Redis(self.folder / "redis")
        self.front = front(self.folder)
        self.origin = Origin()
        url = redis_url or f"redis://127.0.0.1:{self.redis.port}"
        self.keys, arguments = [KEY], list(arguments)
        if keys > 1:
            arguments += ["--auth-api-keys-file", str(self.keys_file(edge, keys, has_codes))]
        arguments += ["--limits-api-calls-per-second", str(api_calls)]
        self.edges = [Edge(edge, self.folder, url, self.front.port, *arguments) for _ in range(count)]
        for one in self.edges if ports else []:
            one.passthrough = ports()
            one.arguments += ["--tls-passthrough-listen", f"127.0.0.1:{one.passthrough}"]
        self.connectors = []

    def keys_file(self, edge, count, has_codes):
        """Makes keys of different owners, and the file that edges read them from."""
        path = self.folder / "api-keys.json"
        self.keys = []
        for number in range(count):
            printed = subprocess.run(
                [edge, "credentials", "new", "--name", f"owner-{number}", "--api-keys-file", str(path),
                 "--signing-keys-file", str(self.folder / "signing-keys.json"), *([] if has_codes else ["--no-otp"])],
                capture_output=True, text=True, check=True).stdout
            self.keys.append(next(word for word in printed.split() if word.startswith("cvk_")))
        return path

    async def restart_everything(self):
        """Restarts all edges, and Redis in between, so that nobody remembers but what is on disk."""
        for one in self.edges:
            one.signal(15)
        for one in self.edges:
            await one.gone()
        self.redis.signal(15)
        self.redis.process.wait()
        self.redis.start()
        for one in self.edges:
            await one.start()
        await self.know_registry()

    async def know_registry(self):
        for one in self.edges:
            await until("an edge has reached its registry", one.knows_registry)

    async def __aenter__(self):
        if self.redis.process is None:
            self.redis.start()
        await self.origin.start()
        await asyncio.gather(*(edge.start() for edge in self.edges))
        await self.know_registry()
        await self.front.start(self.edges)
        return self

    async def __aexit__(self, *_):
        everything = [self.front, *self.connectors, *self.edges, self.redis]
        for one in everything:
            if one.process and one.process.poll() is None:
                one.process.send_signal(signal.SIGCONT)
                one.process.terminate()
        deadline = time.monotonic() + 5
        for one in everything:
            if one.process:
                try:
                    one.process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    one.process.kill()

    async def tunnel(self, name, connections=1, edge=None, policy=None, at=0):
        """Makes a tunnel, and a connector of it once all edges may know."""
        body = {"name": name, "local_port": self.origin.port}
        if policy:
            body["policy"] = policy
        status, answer = await self.edges[at].call("POST", "create", body)
        if status != 201:
            raise SystemExit(f"create: {status} {answer}")
        connector = Connector(self.culvert, self.folder, answer["token"], self.origin.port, connections, edge)
        self.connectors.append(connector)
        await until(f"the sessions of {name} are known", lambda: len(self.places(name)) >= connections)
        return connector

    def places(self, name):
        """At which edges of the directory the tunnel's sessions are."""
        lines = self.redis.ask("HGETALL", f"cv:t:{name}").splitlines()
        return [pod for field, pod in zip(lines[::2], lines[1::2]) if field.startswith("s:")]

    async def all_places(self, names):
        """At which edges the sessions of many tunnels are: one call, during which visitors and the origin go on."""
        script = (
            "local found = {} for _, name in ipairs(ARGV) do local all = redis.call('HGETALL', 'cv:t:' .. name) "
            "for i = 1, #all, 2 do if all[i]:sub(1, 2) == 's:' then found[#found + 1] = all[i + 1] end end end return found")
        return (await asyncio.to_thread(self.redis.ask, "EVAL", script, "0", *names)).split()

    async def pods(self):
        """The name of each edge in the directory."""
        found = {}
        lines = self.redis.ask("HGETALL", "cv:podinfo").splitlines()
        for pod, info in zip(lines[::2], lines[1::2]):
            address = json.loads(info).get("a", "")
            for edge in self.edges:
                if address.endswith(f":{edge.reached}"):
                    found.setdefault(edge, []).append(pod)
        return found
