# SPDX-License-Identifier: Apache-2.0
"""Programs that nobody here wrote, through a tunnel of TCP: each starts its own server on a free port.

With CULVERT_LONG=1 the sizes are those of a release: 1 GiB, 20 000 transactions.
"""
import getpass
import glob
import json
import os
import pathlib
import shutil
import subprocess
import time

from stage import Stage, free_port, is_reset, until

LONG = os.environ.get("CULVERT_LONG") == "1"


def tool(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    if not path:
        raise RuntimeError(f"{name} is missing: scripts/test installs it")
    return path


def shell(*arguments, within=300, **options):
    """What a program prints; it has to exit with 0."""
    done = subprocess.run([str(a) for a in arguments], capture_output=True, timeout=within, **options)
    if done.returncode:
        raise RuntimeError(f"{arguments[0]}: exit {done.returncode}\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return done.stdout.decode()


def listens(port):
    import socket

    def ask():
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True

    until(f"port {port} listens", 20, ask)


class SSH:
    """An sshd of one's own, and how its clients are called."""

    def __init__(self, stage, *settings):
        folder = stage.folder / "ssh"
        folder.mkdir(mode=0o700)
        for name in ("host", "user"):
            shell(tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
        shutil.copy(folder / "user.pub", folder / "authorized")
        self.port = free_port()
        self.log = folder / "sshd.log"
        (folder / "config").write_text("\n".join([
            f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", f"PidFile {folder}/pid",
            f"AuthorizedKeysFile {folder}/authorized", "StrictModes no", "UsePAM no", "PasswordAuthentication no",
            "Subsystem sftp internal-sftp", *settings, "",
        ]))
        pathlib.Path("/run/sshd").mkdir(parents=True, exist_ok=True)
        stage.run([tool("sshd"), "-D", "-E", str(self.log), "-f", str(folder / "config")])
        listens(self.port)
        self.options = [
            "-i", str(folder / "user"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-F", "none",
        ]
        self.place = f"{getpass.getuser()}@127.0.0.1"


def openssh(binaries):
    """ssh, scp, rsync and a forwarded port."""
    with Stage(binaries) as stage:
        server = SSH(stage)
        _, port = stage.connect(server.port)
        ssh = [tool("ssh"), *server.options, "-p", str(port), server.place]
        assert shell(*ssh, "echo through the tunnel") == "through the tunnel\n"
        assert shell(*ssh, "cat", input=b"in and out") == "in and out"
        failed = subprocess.run([*ssh, "exit 7"], capture_output=True)
        assert failed.returncode == 7, failed
        source, copy = stage.folder / "source", stage.folder / "copy"
        size = 1 << 30 if LONG else 32 << 20
        with open(source, "wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))
        begun = time.monotonic()
        shell(tool("scp"), *server.options, "-P", port, source, f"{server.place}:{copy}", within=600)
        seconds = time.monotonic() - begun
        shell("cmp", source, copy)
        copy.unlink()
        shell(tool("scp"), *server.options, "-P", port, f"{server.place}:{source}", copy, within=600)
        shell("cmp", source, copy)
        tree, mirror = stage.folder / "tree", stage.folder / "mirror"
        tree.mkdir()
        for number in range(200):
            (tree / f"file-{number}").write_bytes(os.urandom(number * 37))
        remote = " ".join([tool("ssh"), *server.options, "-p", str(port)])
        for _ in range(2):
            shell(tool("rsync"), "-a", "-e", remote, f"{tree}/", f"{server.place}:{mirror}/")
        shell("diff", "-r", tree, mirror)
        # A port that is forwarded leads to the edge's own API, as any server would do.
        local = free_port()
        stage.run([tool("ssh"), *server.options, "-p", str(port), "-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{stage.listen}", server.place])
        listens(local)
        assert json.loads(shell("curl", "-sS", f"http://127.0.0.1:{local}/api/openapi.json"))["openapi"].startswith("3.")
        return {"scp_bytes": size, "scp_seconds": round(seconds, 2)}


def postgresql(binaries):
    """psql and pgbench."""
    newest = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1:]
    if not newest:
        raise RuntimeError("postgresql is missing: scripts/test installs it")
    bin_ = pathlib.Path(newest[0])
    with Stage(binaries) as stage:
        data = stage.folder / "postgres"
        # The server refuses to run as root.
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        data.mkdir()
        if user:
            stage.folder.chmod(0o755)
            shutil.chown(data, "postgres", "postgres")
        shell(*user, bin_ / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", cwd=str(data))
        server = free_port()
        stage.run(
            [*user, str(bin_ / "postgres"), "-D", str(data), "-p", str(server), "-h", "127.0.0.1", "-k", str(data), "-F"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=str(data),
        )
        _, port = stage.connect(server)
        place = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
        until("the database answers", 20, lambda: not subprocess.run(
            [str(bin_ / "pg_isready"), *place], capture_output=True).returncode)
        assert shell(bin_ / "psql", *place, "-Atc", "select 6 * 7") == "42\n"
        assert len(shell(bin_ / "psql", *place, "-Atc", "select repeat('x', 5000000)")) == 5_000_001
        shell(bin_ / "pgbench", *place, "-i", "-q", "-s", "1", "postgres")
        clients, each = (10, 2_000) if LONG else (4, 250)
        output = shell(bin_ / "pgbench", *place, "-c", clients, "-j", "2", "-t", each, "postgres")
        assert f"number of transactions actually processed: {clients * each}/{clients * each}" in output, output
        assert "number of failed transactions: 0 " in output, output
        return {"transactions": clients * each}


def redis(binaries):
    """redis-cli and redis-benchmark."""
    with Stage(binaries) as stage:
        server = free_port()
        stage.run([tool("redis-server"), "--port", str(server), "--bind", "127.0.0.1", "--save", "", "--dir", str(stage.folder)],
                  stdout=subprocess.DEVNULL)
        _, port = stage.connect(server)
        until("redis answers", 20, lambda: subprocess.run(
            [tool("redis-cli"), "-p", str(port), "ping"], capture_output=True).stdout == b"PONG\n")
        shell(tool("redis-cli"), "-p", port, "-x", "set", "key", input=bytes(3 << 20))
        assert shell(tool("redis-cli"), "-p", port, "strlen", "key") == f"{3 << 20}\n"
        requests = 100_000 if LONG else 5_000
        output = shell(tool("redis-benchmark"), "-p", port, "-n", requests, "-c", "50", "-t", "ping,set,get,lrange_100", "--csv")
        assert output.count("\n") >= 5, output


def mqtt(binaries):
    """mosquitto_sub and mosquitto_pub."""
    with Stage(binaries) as stage:
        server = free_port()
        settings = stage.folder / "mosquitto.conf"
        settings.write_text(f"listener {server} 127.0.0.1\nallow_anonymous true\n")
        if os.geteuid() == 0:
            stage.folder.chmod(0o755)
        stage.run([tool("mosquitto"), "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listens(server)
        _, port = stage.connect(server)
        count = 20
        reader = subprocess.Popen(
            [tool("mosquitto_sub"), "-p", str(port), "-t", "news/#", "-C", str(count), "-q", "1", "-i", "reader", "-c"],
            stdout=subprocess.PIPE,
        )
        time.sleep(1)
        for number in range(count):
            shell(tool("mosquitto_pub"), "-p", port, "-t", f"news/{number}", "-m", f"message {number}", "-q", "1")
        output, _ = reader.communicate(timeout=30)
        assert output.decode().splitlines() == [f"message {number}" for number in range(count)], output


def iperf(binaries):
    """iperf3 in both directions."""
    with Stage(binaries) as stage:
        server = free_port()
        stage.run([tool("iperf3"), "-s", "-p", str(server)], stdout=subprocess.DEVNULL)
        listens(server)
        _, port = stage.connect(server)
        figures = {}
        for name, options in (("up", []), ("down", ["-R"])):
            seconds = 10 if LONG else 2
            # The server takes one at a time, and is done with the last one, or with who looked whether it listens, when it
            # has seen the end.
            for _ in range(20):
                result = json.loads(shell(tool("iperf3"), "-c", "127.0.0.1", "-p", port, "-t", seconds, "-J", *options))
                if "busy" not in result.get("error", ""):
                    break
                time.sleep(0.25)
            assert "error" not in result, result
            assert result["end"]["sum_received"]["bytes"] > 1 << 20, result
            figures[f"{name}_mbit_s"] = round(result["end"]["sum_received"]["bits_per_second"] / 1e6)
        return figures


def proxy_protocol(binaries):
    """nginx and HAProxy take the headers that the edge sends, in both versions, and know the visitor by them."""
    with Stage(binaries) as stage:
        if os.geteuid() == 0:
            stage.folder.chmod(0o755)
        web, balancer = free_port(), free_port()
        settings = stage.folder / "nginx.conf"
        settings.write_text(f"""
            daemon off; pid {stage.folder}/nginx.pid; error_log /dev/null; events {{}}
            http {{
              access_log off;
              server {{
                listen 127.0.0.1:{web} proxy_protocol;
                location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port"; }}
              }}
            }}""")
        stage.run([tool("nginx"), "-c", str(settings), "-p", str(stage.folder)], stderr=subprocess.DEVNULL)
        (stage.folder / "haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 5s
frontend balancer
    bind 127.0.0.1:{balancer} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%ci %cp %fp"
""")
        stage.run([tool("haproxy"), "-f", str(stage.folder / "haproxy.cfg")], stderr=subprocess.DEVNULL)
        for port in (web, balancer):
            listens(port)
        for server in (web, balancer):
            for version in ("v1", "v2"):
                _, port = stage.connect(server, "--proxy-protocol", version)
                own = free_port()
                answer = shell("curl", "-sS", "--local-port", own, f"http://127.0.0.1:{port}/")
                assert answer == f"127.0.0.1 {own} {port}", (server == web, version, answer)


BALANCER = "127.0.0.8"


def balancers(stage, listeners):
    """HAProxy (both versions) and nginx (version 1) in front of ports, as BALANCER; their ports, by name and target."""
    ports = {(name, target): free_port() for name in ("haproxy v1", "haproxy v2", "nginx v1") for target in listeners}
    parts = ["defaults", "    mode tcp", "    timeout client 10s", "    timeout server 10s", "    timeout connect 5s"]
    servers = []
    for (name, target), port in ports.items():
        if name.startswith("haproxy"):
            option = "send-proxy" if name.endswith("v1") else "send-proxy-v2"
            parts += [f"listen l{port}", f"    bind 127.0.0.1:{port}", f"    source {BALANCER}",
                      f"    server edge 127.0.0.1:{target} {option}"]
        else:
            servers.append(f"server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{target}; "
                           f"proxy_bind {BALANCER}; proxy_protocol on; }}")
    (stage.folder / "front.cfg").write_text("\n".join(parts) + "\n")
    stage.run([tool("haproxy"), "-f", str(stage.folder / "front.cfg")], stderr=subprocess.DEVNULL)
    module = next(iter(glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so")), None)
    if module is None:
        raise RuntimeError("the stream module of nginx is missing: scripts/test installs it")
    (stage.folder / "front.conf").write_text(
        f"load_module {module}; daemon off; pid {stage.folder}/front.pid; error_log /dev/null; events {{}}\n"
        f"stream {{ {' '.join(servers)} }}\n"
    )
    stage.run([tool("nginx"), "-c", str(stage.folder / "front.conf"), "-p", str(stage.folder)], stderr=subprocess.DEVNULL)
    for port in ports.values():
        listens(port)
    return ports


def proxy_headers_in(binaries):
    """What HAProxy and nginx in front say of the visitor the edge believes, for tunnels of TCP and the public listener."""
    settings = ["--proxies-trusted", BALANCER, "--tcp-proxy-protocol", "true", "--http-proxy-protocol", "true"]
    with Stage(binaries, *settings, "--http-head-timeout", "1s") as stage:
        if os.geteuid() == 0:
            stage.folder.chmod(0o755)
        web, plain = free_port(), free_port()
        (stage.folder / "origin.conf").write_text(f"""
            daemon off; pid {stage.folder}/origin.pid; error_log /dev/null; events {{}}
            http {{
              access_log off;
              server {{
                listen 127.0.0.1:{web} proxy_protocol;
                location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_port"; }}
              }}
              server {{ listen 127.0.0.1:{plain}; location / {{ return 200 "$http_x_forwarded_for"; }} }}
            }}""")
        stage.run([tool("nginx"), "-c", str(stage.folder / "origin.conf"), "-p", str(stage.folder)], stderr=subprocess.DEVNULL)
        for port in (web, plain):
            listens(port)
        # Only the visitor's own address may come, which neither balancer has.
        visitor = "127.0.0.9"
        _, port = stage.connect(web, "--proxy-protocol", "v2", "--ip-allow", visitor)
        site = stage.connect_web(plain, "--name", "site", "--ip-allow", visitor)
        assert site.startswith("http://site.localhost"), site
        ports = balancers(stage, [port, stage.listen])
        for (name, target), front in ports.items():
            own = free_port()
            answer = shell("curl", "-sS", "--interface", visitor, "--local-port", own, f"http://127.0.0.1:{front}/site/")
            assert answer == (f"{visitor} {own}" if target == port else visitor), (name, target == port, answer)
            refused = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{front}/site/"], capture_output=True)
            assert refused.returncode != 0 or b"access_denied" in refused.stdout or b"403" in refused.stdout, (name, refused)
        # Every fault ends the connection, and has a line.
        faults = [b"GET / HTTP/1.1\r\nHost: e\r\n\r\n", b"PROXY TCP4 1.2.3.4 nobody 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", b"PROX"]
        lines = len(stage.lines())
        for number, fault in enumerate(faults):
            for target in (port, stage.listen):
                with stage.visit(target, source_address=(BALANCER, 0)) as connection:
                    begun = time.monotonic()
                    connection.sendall(fault)
                    assert is_reset(connection), (fault, target == port)
                    assert time.monotonic() - begun < 5, fault
            assert stage.line(lines + number + 1)["error"] == "proxy_header", fault
        # The listener's line follows the reset that the visitor has seen already.
        deadline = time.monotonic() + 10
        while True:
            notes = [line for line in stage.log.read_text().splitlines() if '"proxy_header"' in line and "a connection was closed" in line]
            if len(notes) >= len(faults) or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        assert len(notes) == len(faults), notes
        # Whoever is not trusted can't say who he is.
        with stage.visit(port, source_address=(visitor, 0)) as connection:
            connection.sendall(b"PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\n\r\n")
            assert is_reset(connection)
        assert stage.line(lines + len(faults) + 1)["error"] == "proxy_header"
        with stage.visit(stage.listen, source_address=(visitor, 0)) as connection:
            connection.sendall(b"PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\nGET /site/ HTTP/1.1\r\nHost: e\r\n\r\n")
            assert connection.recv(64).startswith(b"HTTP/1.1 400")


CASES = [proxy_protocol, proxy_headers_in, openssh, postgresql, redis, mqtt, iperf]
