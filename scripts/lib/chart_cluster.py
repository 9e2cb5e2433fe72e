# SPDX-License-Identifier: Apache-2.0
"""Pods that serve each other's tunnels, and their Redis, as the chart renders them: for scripts/lib/chart_checks.py."""

import pathlib
import signal
import socket
import subprocess
import time

import yaml
from chart_objects import objects_of

TRIAL = "redis.trial.enabled=true"
# Ports that the edge's policy lets out besides links and DNS, by the URL of Redis.
PORTS = {
    "redis://redis.example": [6379],
    "rediss://culvert@redis.example:6380/": [6380],
    "redis://[fd00::7]": [6379],
    "redis://[fd00::7]:7000": [7000],
    # The primary of sentinels is at a port of its own.
    r"redis+sentinel://a\,b:26380\,[fd00::7]/name": [26379, 26380, 6379],
    r"rediss+sentinel://culvert@a\,b/name": [26379, 6379],
}


def objects(rendered):
    """What was rendered, by kind and component."""
    return {
        (thing["kind"], thing["metadata"]["labels"].get("app.kubernetes.io/component", "")): thing
        for thing in objects_of(rendered)
    }


def check_cluster(check, render, folder):
    """Holds policies, files and the chart's own Redis against each other."""
    check_egress(check, render)
    check_files(check, render)
    check_trial(check, objects(render(TRIAL, "replicaCount=2")))
    # A password with all that the shell or Redis reads as something else.
    for number, password in enumerate(["word", "a\"b\\c$(d)`e`'f #g"]):
        check_server(check, objects(render(TRIAL))["Deployment", "redis"], folder / f"redis-{number}", password)


def check_egress(check, render):
    """Pods reach each other, Redis and DNS, and nothing else."""

    def egress(*settings):
        return objects(render(*settings))["NetworkPolicy", ""]["spec"]["egress"]

    check(not egress(), f"a pod alone reaches {egress()}")
    for url, ports in PORTS.items():
        links, redis, names = egress(f"config.cluster.redis.url={url}")
        check(links["ports"] == [{"port": 8991, "protocol": "TCP"}] and links["to"], f"{url}: links by {links}")
        wanted = [{"port": port, "protocol": "TCP"} for port in ports]
        check(redis == {"ports": wanted}, f"{url}: Redis by {redis}")
        check(names == {"ports": [{"port": 53, "protocol": kind} for kind in ("UDP", "TCP")]}, f"{url}: DNS by {names}")
    _, redis, names, extra = egress(
        "config.cluster.redis.url=redis://redis.example",
        "networkPolicy.redisTo[0].ipBlock.cidr=10.0.5.7/32",
        "networkPolicy.redisPorts={6390}",
        "networkPolicy.dnsTo[0].podSelector.matchLabels.a=b",
        "networkPolicy.egress[0].ports[0].port=5353",
    )
    check(redis["to"] == [{"ipBlock": {"cidr": "10.0.5.7/32"}}], f"Redis is anywhere: {redis}")
    check([entry["port"] for entry in redis["ports"]] == [6379, 6390], f"Redis has other ports: {redis}")
    check(names["to"] == [{"podSelector": {"matchLabels": {"a": "b"}}}], f"DNS is anywhere: {names}")
    check(extra == {"ports": [{"port": 5353}]}, f"a rule of the user's is another: {extra}")


def check_files(check, render):
    """The files that the configuration names are those that are mounted."""
    for settings, names in {
        ("redis.passwordSecret=a", "redis.passwordKey=b"): {"password-file": ("a", "b")},
        ("redis.caSecret=c", "redis.caKey=d"): {"ca": ("c", "d")},
        ("config.cluster.redis.url=rediss+sentinel://a/b", "redis.sentinelPasswordSecret=a"): {
            "sentinel-password-file": ("a", "sentinel-password"),
        },
        ("redis.passwordSecret=a", "redis.caSecret=c"): {"password-file": ("a", "password"), "ca": ("c", "ca.crt")},
    }.items():
        things = objects(render("config.cluster.redis.url=rediss://redis.example", *settings))
        check_mounts(check, things, names)
    things = objects(render(TRIAL, "links.tlsSecret=l"))
    configuration = yaml.safe_load(things["ConfigMap", ""]["data"]["edge.yaml"])["cluster"]
    names = [configuration.get(f"tls.{name}") for name in ("certificate", "key", "ca")]
    check(names == [f"/etc/culvert/links/{name}" for name in ("tls.crt", "tls.key", "ca.crt")], f"links are encrypted with {names}")
    pod = things["Deployment", "edge"]["spec"]["template"]["spec"]
    wanted = {"name": "links", "secret": {"secretName": "l", "defaultMode": 0o440}}
    check(wanted in pod["volumes"], f"no volume is {wanted}")
    mounted = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "links"]
    check(mounted == ["/etc/culvert/links"], f"the files of links are at {mounted}")
    by_hand = objects(render("config.cluster.redis.url=rediss://r", "config.cluster.redis.ca=/a", "config.cluster.redis.password-file=/b"))
    configuration = yaml.safe_load(by_hand["ConfigMap", ""]["data"]["edge.yaml"])["cluster"]
    check((configuration["redis.ca"], configuration["redis.password-file"]) == ("/a", "/b"), f"files by hand: {configuration}")


def check_mounts(check, things, names):
    """Settings of files lead, over the mount and the volume, to a Secret and a key in it."""
    pod = things["Deployment", "edge"]["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "redis")["projected"]
    check(volume["defaultMode"] == 0o440, "others can read Redis' password")
    items = {
        f"{mounts['redis']}/{item['path']}": (source["secret"]["name"], item["key"])
        for source in volume["sources"]
        for item in source["secret"]["items"]
    }
    configuration = yaml.safe_load(things["ConfigMap", ""]["data"]["edge.yaml"])["cluster"]
    found = {name: items.pop(configuration[f"redis.{name}"], None) for name in names}
    check(found == names and not items, f"files of Redis: {found} instead of {names}, and {items}")


def check_trial(check, things):
    """The chart's own Redis is where the edge looks for it, and open for the edge alone."""
    redis, service = things["Deployment", "redis"], things["Service", "redis"]
    labels = redis["spec"]["template"]["metadata"]["labels"]
    edge = things["Deployment", "edge"]["spec"]["template"]["metadata"]["labels"]
    url = yaml.safe_load(things["ConfigMap", ""]["data"]["edge.yaml"])["cluster"]["redis.url"]
    check(url == f"redis://{service['metadata']['name']}:6379", f"the edge looks for its Redis at {url}")
    check(service["spec"]["selector"].items() <= labels.items(), "the Service of Redis leads elsewhere")
    check(not service["spec"]["selector"].items() <= edge.items(), "the Service of Redis leads to edges")
    check(set(labels) == set(service["spec"]["selector"]), f"another version of the chart would replace Redis: {labels}")
    for kind, name in (("Service", ""), ("Service", "edge"), ("PodDisruptionBudget", "")):
        selector = things.get((kind, name), {"spec": {}})["spec"].get("selector", {})
        check(not selector or not selector.get("matchLabels", selector).items() <= labels.items(), f"a {kind} takes Redis for an edge")
    password = things["Secret", "redis"]
    check_mounts(check, things, {"password-file": (password["metadata"]["name"], "password")})
    secret = next(volume for volume in redis["spec"]["template"]["spec"]["volumes"] if volume["name"] == "password")["secret"]
    check(secret["secretName"] == password["metadata"]["name"], "Redis has another password than the edge")
    policy = things["NetworkPolicy", "redis"]["spec"]
    check(policy["podSelector"]["matchLabels"].items() <= labels.items(), "no policy guards Redis")
    check(policy["policyTypes"] == ["Ingress", "Egress"] and policy["egress"] == [], f"Redis reaches {policy['egress']}")
    (peer,) = [peer for rule in policy["ingress"] for peer in rule["from"]]
    check(peer["podSelector"]["matchLabels"].items() <= edge.items() and set(peer) == {"podSelector"}, f"{peer} reaches Redis")
    out = things["NetworkPolicy", ""]["spec"]["egress"][1]["to"]
    check([peer["podSelector"]["matchLabels"] for peer in out] == [labels], f"the edge reaches {out} instead of its Redis")


def check_server(check, redis, folder, password):
    """The container's command starts a Redis that asks for the password and keeps what it is told."""
    data = folder / "data"
    data.mkdir(parents=True)
    (folder / "password").write_text(password)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (container,) = redis["spec"]["template"]["spec"]["containers"]
    script = container["args"][0].replace("/etc/redis/", f"{folder}/").replace("/data", str(data)).replace("6379", str(port))
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen([*container["command"], script], stdout=output, stderr=output)
    try:
        answers = [ask(port, "PING")] + [ask(port, "AUTH", password, then="INFO")]
        check(answers[0].startswith("-NOAUTH"), f"Redis asks for no password: {answers[0]}")
        for fact in ("aof_enabled:1", "maxmemory_policy:noeviction", "maxmemory:134217728"):
            check(fact in answers[1], f"the chart's Redis has not {fact}: {answers[1][:200]}")
        check(password not in pathlib.Path(f"/proc/{server.pid}/cmdline").read_text(), "the list of processes has the password")
    except OSError as error:
        check(False, f"the chart's Redis does not start: {error}: {log.read_text()}")
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(10)
    check(code == 0 and list(data.iterdir()), f"the chart's Redis ends with {code}: {log.read_text()}")


def ask(port, *words, then=None):
    """The answer of the Redis at a port, which may take some seconds to start; `then` is a command that follows."""
    for attempt in range(100):
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=5)
            break
        except ConnectionRefusedError:
            if attempt == 99:
                raise
            time.sleep(0.1)
    with connection:
        for command in [words, *([(then,)] if then else []), ("QUIT",)]:
            parts = [part for word in command for part in (f"${len(word.encode())}", word)]
            connection.sendall("\r\n".join([f"*{len(command)}", *parts, ""]).encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
