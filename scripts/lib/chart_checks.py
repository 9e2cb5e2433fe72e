# SPDX-License-Identifier: Apache-2.0
"""What the chart renders, looked at from all sides: called by scripts/check-chart.

Every combination of toggles has to render, to be valid by the Kubernetes schemas, to pass the restricted Pod Security
Standard, and to hold a configuration and credentials that the edge itself takes. Alerts and the dashboard have to ask
what Prometheus understands, and the release's bill of materials to be one.
"""

import argparse
import base64
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import chart_bounds
import chart_cluster
import chart_documents
import chart_objects
import chart_routes
import chart_upgrades
from chart_refusals import REFUSED, TYPOS
import promql_parser
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "culvert-edge"
URL = "config.public.url=https://tunnels.example.com,image.repository=registry.example.com/culvert"
KUBERNETES = ["1.27", "1.34"]

# What a value may be besides its default; each is tried alone, all together, and in drawn combinations.
TOGGLES = {
    "ingress.enabled": ["true"],
    "ingress.tlsSecret": ["ingress-tls"],
    "ingress.className": ["traefik", "nginx"],
    "ingress.annotations.a": ["b"],
    "traefik.enabled": ["true"],
    "traefik.tlsSecret": ["traefik-tls"],
    "traefik.certResolver": ["letsencrypt,traefik.tlsSecret="],
    "traefik.entryPoints": ["{web}"],
    "traefik.middlewares[0].name": ["headers"],
    "traefik.serversTransport.serverName": ["edge.internal"],
    "traefik.serversTransport.rootCAsSecrets": ["{ca}"],
    "tls.existingSecret": ["edge-tls"],
    "auth.existingSecret": ["culvert-auth"],
    "autoscaling.enabled": ["true,config.cluster.redis.url=redis://redis.example"],
    "podDisruptionBudget.enabled": ["false"],
    "networkPolicy.enabled": ["false"],
    "networkPolicy.adminFrom": ["null"],
    "serviceMonitor.enabled": ["true"],
    "serviceMonitor.labels.release": ["prometheus"],
    "prometheusRule.enabled": ["true"],
    "prometheusRule.runbooks": ["https://wiki.example.com/culvert/"],
    "dashboard.enabled": ["true"],
    "dashboard.annotations.folder": ["Culvert"],
    "serviceAccount.create": ["false"],
    "serviceAccount.name": ["edge"],
    "service.type": ["NodePort", "LoadBalancer"],
    "replicaCount": ["3,config.cluster.redis.url=redis://redis.example"],
    "image.digest": ["sha256:" + "0a" * 32],
    "imagePullSecrets[0].name": ["registry"],
    "fullnameOverride": ["e", "x" * 70],
    "nameOverride": ["other"],
    "bindAddress": ["::"],
    "config.environment": ["local", "sandbox"],
    "config.dashboard": ["off", "public,config.public.api-host=api.example.com"],
    "config.public.wildcard-domain": ["tunnels.example.com"],
    "config.public.path-fallback": ["false"],
    "config.public.api-host": ["api.example.com"],
    "config.errors.status-map": ["rfc"],
    "config.proxies.trusted": ["{10.0.0.0/8,fd00::/8}"],
    "config.http.max-connections": ["2000000"],
    "config.tunnel.reserved-names": ["{www,admin}"],
    "config.cluster.redis.url": ["rediss://culvert@redis.example:6379"],
    "config.cluster.redis.prefix": ["edges:"],
    "config.cluster.lease": ["30s"],
    "config.cluster.max-guests": ["100"],
    "config.cluster.rebalance": ["true"],
    "config.log.format": ["text"],
    "config.log.timezone": ["+02:00"],
    "config.log": ["null"],
    "config.shutdown.delay": ["1500ms", "0s"],
    "config.shutdown.grace": ["2m", "1h"],
    "podAnnotations.a": ["b"],
    "podLabels.a": ["b"],
    "nodeSelector.disk": ["ssd"],
    "tolerations[0].operator": ["Exists"],
    "priorityClassName": ["high"],
    "topologySpreadConstraints": ["null"],
    "extraEnv[0].name": ["A"],
    "service.annotations.a": ["b"],
    "service.externalTrafficPolicy": ["Local"],
    "adminService.annotations.a": ["b"],
    # Last, since they allow no TLS at the pods, and no more than one of them.
    "gateway.enabled": ["true,gateway.parentRefs[0].name=public,tls.existingSecret="],
    "gateway.annotations.a": ["b"],
    "gateway.host": ["other.example.com"],
    "inbox.enabled": ["true,replicaCount=1,autoscaling.enabled=false,config.cluster.redis.url="],
    "inbox.store": ["redis,config.cluster.redis.url=redis://redis.example"],
    "inbox.existingClaim": ["messages"],
    "inbox.storageClass": ["fast"],
    "inbox.keySecret": ["inbox-key"],
    # After these, whose store has to be a Redis, too; `redis.caSecret` before the one Redis that shows no certificate.
    "redis.passwordSecret": ["redis-auth,inbox.store=redis,config.cluster.redis.url=rediss://culvert@redis.example"],
    "links.tlsSecret": ["links-tls,inbox.store=redis,config.cluster.redis.url=redis://redis.example"],
    "redis.passwordKey": ["secret"],
    "redis.caSecret": ["redis-ca,inbox.store=redis,config.cluster.redis.url=rediss://redis.example:6380"],
    "redis.caKey": ["tls.crt"],
    "redis.sentinelPasswordSecret": ["redis-auth,inbox.store=redis,config.cluster.redis.url=rediss+sentinel://culvert@redis.example/edges"],
    "redis.sentinelPasswordKey": ["secret"],
    "networkPolicy.redisTo[0].ipBlock.cidr": ["10.0.5.7/32"],
    "networkPolicy.redisPorts": ["{6390}"],
    "networkPolicy.dnsTo[0].namespaceSelector.matchLabels.a": ["b"],
    "redis.trial.enabled": [
        "true,inbox.store=redis,config.cluster.redis.url=,redis.caSecret=,redis.sentinelPasswordSecret=,"
        "networkPolicy.redisTo=null,networkPolicy.redisPorts=null"
    ],
    "redis.trial.size": ["1Gi"],
    "redis.trial.storageClass": ["fast"],
    "redis.trial.image.digest": ["sha256:" + "0a" * 32],
    "redis.trial.image.repository": ["registry.example.com/redis"],
}
# Kinds whose schemas come with an operator and not with Kubernetes: the keys of `spec` that we may use.
CUSTOM = {
    "HTTPRoute": {"parentRefs", "hostnames", "rules"},
    "IngressRoute": {"entryPoints", "routes", "tls"},
    "ServersTransport": {
        "disableHTTP2",
        "maxIdleConnsPerHost",
        "serverName",
        "rootCAsSecrets",
        "forwardingTimeouts",
    },
    "ServiceMonitor": {"jobLabel", "selector", "namespaceSelector", "endpoints"},
    "PrometheusRule": {"groups"},
}
# Settings of the edge that the chart sets itself, or that make no sense in a pod.
CHART_OWNS = {
    "dev",
    "listen",
    "event-loops",
    "admin.listen",
    "cluster.listen",
    "cluster.advertise",
    "cluster.tls.certificate",
    "cluster.tls.key",
    "cluster.tls.ca",
    "auth.api-keys-file",
    "auth.signing-keys-file",
    "auth.api-key",
    "auth.signing-key",
    "tls.certificate",
    "tls.key",
    "log.file",
    "log.file-size",
    "log.file-count",
    "inbox.directory",
    "inbox.store",
    "inbox.key-file",
}

problems = []


def check(condition, what):
    """Notes a problem unless the condition holds."""
    if not condition:
        problems.append(what)


def run(*command, **options):
    """Runs a command and gives its result, whatever it is."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


class Chart:
    """The chart under one `helm`."""

    def __init__(self, helm):
        self.helm = helm

    def render(self, settings, *arguments, environment=None):
        """The result of `helm template` with the settings."""
        flags = [part for setting in settings for part in ("--set", setting)]
        return run(
            self.helm,
            "template",
            "edge",
            str(CHART),
            "--namespace",
            "tunnels",
            *flags,
            *arguments,
            env={**os.environ, **(environment or {})},
        )


def combinations():
    """Lists of settings: the defaults, each toggle alone, all at once, and forty drawn ones."""
    single = [[f"{key}={value}"] for key, values in TOGGLES.items() for value in values]
    everything = [f"{key}={values[0]}" for key, values in TOGGLES.items() if values[0] != "null"]
    draw = random.Random(7)
    drawn = [
        [f"{key}={draw.choice(values)}" for key, values in TOGGLES.items() if draw.random() < 0.4] for _ in range(40)
    ]
    return [[], *single, everything, *drawn]


def check_objects(objects, name):
    """Checks the objects of one rendering against schemas and the rules of the chart."""
    seen = set()
    for thing in objects:
        kind = thing["kind"]
        label = f"{name}: {kind}/{thing['metadata']['name']}"
        check((kind, thing["metadata"]["name"]) not in seen, f"{label} appears twice")
        seen.add((kind, thing["metadata"]["name"]))
        check(thing["metadata"].get("namespace") == "tunnels", f"{label} has no namespace")
        if kind == "HTTPRoute":
            chart_routes.check_route(check, thing, label)
        if kind in CUSTOM:
            check(set(thing["spec"]) <= CUSTOM[kind], f"{label} has unknown keys {set(thing['spec']) - CUSTOM[kind]}")
            continue
        for version in KUBERNETES:
            fault = chart_objects.fault(thing, version)
            check(fault is None, f"{label} is not valid in Kubernetes {version}: {fault}")
        if kind in ("Deployment", "Pod"):
            check_restricted(thing["spec"]["template"]["spec"] if kind == "Deployment" else thing["spec"], label)
        if kind == "Deployment":
            selector = thing["spec"]["selector"]["matchLabels"].items()
            check(selector <= thing["spec"]["template"]["metadata"]["labels"].items(), f"{label} selects other pods")


def check_restricted(pod, label):
    """The restricted Pod Security Standard, and what we ask for beyond it."""
    check(pod["securityContext"].get("runAsNonRoot") is True, f"{label} may run as root")
    profile = pod["securityContext"].get("seccompProfile", {}).get("type")
    check(profile in ("RuntimeDefault", "Localhost"), f"{label} has no seccomp profile")
    check(pod.get("automountServiceAccountToken") is False, f"{label} mounts a token")
    check(not any("hostPath" in volume for volume in pod.get("volumes", [])), f"{label} mounts the host")
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        check(not pod.get(key), f"{label} has {key}")
    for container in pod["containers"]:
        context = container["securityContext"]
        check(context.get("allowPrivilegeEscalation") is False, f"{label} may gain privileges")
        check(context.get("readOnlyRootFilesystem") is True, f"{label} may write its root")
        check(context.get("capabilities", {}).get("drop") == ["ALL"], f"{label} keeps capabilities")


def check_edge(edge, objects, name, folder):
    """Lets the edge itself read the configuration and the credentials; gives its settings."""
    by_kind = {
        thing["kind"]: thing
        for thing in objects
        if (thing["kind"] == "Deployment" and thing["metadata"]["labels"]["app.kubernetes.io/component"] == "edge")
        or "api-keys.json" in thing.get("data", {})
    }
    configuration = next(
        thing for thing in objects if thing["kind"] == "ConfigMap" and "edge.yaml" in thing.get("data", {})
    )
    file = folder / "edge.yaml"
    file.write_text(configuration["data"]["edge.yaml"])
    if "Secret" in by_kind:
        write_secret(by_kind["Secret"]["data"], folder)
    flags = ["--auth-api-keys-file", f"{folder}/api-keys.json", "--auth-signing-keys-file", f"{folder}/signing-keys.json"]
    if "tls:" in file.read_text():
        flags += ["--tls-certificate", f"{folder}/tls.crt", "--tls-key", f"{folder}/tls.key"]
    if "redis.password-file:" in file.read_text():
        write_secret({"password": base64.b64encode(b"secret")}, folder)
        flags += ["--cluster-redis-password-file", f"{folder}/password"]
    if "redis.sentinel-password-file:" in file.read_text():
        write_secret({"sentinel-password": base64.b64encode(b"secret")}, folder)
        flags += ["--cluster-redis-sentinel-password-file", f"{folder}/sentinel-password"]
    if "key-file: /etc/culvert/inbox/inbox.key" in file.read_text():
        # The chart's own key, or somebody else's, as `openssl rand -base64 32` writes it.
        keys = [thing["data"] for thing in objects if thing["kind"] == "Secret" and "inbox.key" in thing.get("data", {})]
        write_secret(keys[0] if keys else {"inbox.key": base64.b64encode(base64.b64encode(bytes(32)) + b"\n")}, folder)
        flags += ["--inbox-key-file", f"{folder}/inbox.key"]
    if "redis.ca:" in file.read_text():
        flags += ["--cluster-redis-ca", f"{folder}/tls.crt"]
    if "tls.certificate:" in file.read_text():
        for option, end in (("certificate", "crt"), ("key", "key"), ("ca", "crt")):
            flags += [f"--cluster-tls-{option}", f"{folder}/tls.{end}"]
    # As the kubelet puts addresses into the variables that the chart names.
    variables = {
        variable["name"]: variable["value"].replace("$(POD_IP)", "fd00::7")
        for variable in by_kind["Deployment"]["spec"]["template"]["spec"]["containers"][0].get("env", [])
        if variable["name"].startswith("CULVERT_") and "value" in variable
    }
    environment = {"PATH": os.environ["PATH"]} | variables
    result = run(edge, "config", "check", "--config", str(file), *flags, env=environment)
    if result.returncode != 0:
        problems.append(f"{name}: culvert-edge refuses the configuration: {result.stderr}")
        return {}
    settings = dict(line.split("  #")[0].split(" = ", 1) for line in result.stdout.splitlines())
    lifetime = by_kind["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    needed = seconds(settings["shutdown.delay"]) + seconds(settings["shutdown.grace"])
    check(needed + 5 <= lifetime <= needed + 15, f"{name}: a pod has {lifetime} s to stop and may need {needed} s")
    return settings


def edge_refusals(edge, settings):
    """The names of those settings that the edge refuses, of some with their values."""
    flags = {name: "--" + name.replace(".", "-") for name in settings}
    words = [part for name, value in settings.items() for part in (flags[name], value)]
    result = run(edge, "config", "check", "--dev", *words, env={"PATH": os.environ["PATH"]})
    # A value that is out of bounds is told by the setting's name, one that is none by the flag's.
    return {name for name, flag in flags.items() if f"  {name} (" in result.stderr or f"  {flag} (" in result.stderr}


def seconds(text):
    """A duration of the edge in seconds."""
    for suffix, factor in (("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)):
        if text.endswith(suffix):
            return float(text[: -len(suffix)]) * factor
    raise ValueError(text)


def write_secret(data, folder):
    """Lays out a Secret as Kubernetes mounts it: links into a folder, readable for the group."""
    behind = folder / "..data"
    behind.mkdir(exist_ok=True)
    for key, value in data.items():
        file = behind / key
        file.unlink(missing_ok=True)
        file.write_bytes(base64.b64decode(value))
        file.chmod(0o440)
        link = folder / key
        link.unlink(missing_ok=True)
        link.symlink_to(f"..data/{key}")


def flattened(values, prefix=""):
    """Keys of nested values, with dots."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def check_schema(schema, values, path=""):
    """The schema names every value, refuses others, and knows none that is not there."""
    for key, value in values.items():
        known = schema.get("properties", {}).get(key)
        check(known is not None, f"values.schema.json does not know {path}{key}")
        if known and "properties" in known and isinstance(value, dict):
            check(known.get("additionalProperties") is False, f"values.schema.json lets anything into {path}{key}")
            check_schema(known, value, f"{path}{key}.")
    # `global` is what Helm gives to a chart that is part of another.
    for key in set(schema.get("properties", {})) - set(values) - {"global"}:
        check(False, f"values.schema.json knows {path}{key}, which is not in values.yaml")


def check_queries():
    """Alerts and panels ask what Prometheus understands; gives their number."""
    alerts = yaml.safe_load((CHART / "alerts" / "culvert-edge.yaml").read_text())
    queries = {rule["alert"]: rule["expr"] for group in alerts["groups"] for rule in group["rules"]}
    for panel in json.loads((CHART / "dashboards" / "culvert-edge.json").read_text())["panels"]:
        for number, target in enumerate(panel.get("targets", [])):
            queries[f"{panel['title']}/{number}"] = target["expr"].replace("$__rate_interval", "5m")
    for name, query in queries.items():
        try:
            promql_parser.parse(query)
        except ValueError as error:
            problems.append(f"the query of {name}: {error}")
    return len(queries)


def check_bill_of_materials():
    """What scripts/release writes is valid by the schema of CycloneDX."""
    program = ROOT / "scripts" / "lib" / "bill_of_materials.py"
    result = run(sys.executable, str(program), "1.2.3", str(ROOT / "Package.resolved"))
    error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(result.stdout) if result.returncode == 0 else result.stderr
    check(error is None, f"bill of materials: {error}")


def main():
    """Runs all checks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--helm", required=True)
    parser.add_argument("--edge", required=True)
    options = parser.parse_args()
    chart = Chart(options.helm)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    check_schema(json.loads((CHART / "values.schema.json").read_text()), values)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=e", "-days", "2",
            "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt")  # fmt: skip
        settings, kinds, count = {}, set(), 0
        for combination in combinations():
            label = " ".join(combination) or "defaults"
            result = chart.render([URL, *combination])
            if result.returncode != 0:
                problems.append(f"{label}: {result.stderr}")
                continue
            objects = chart_objects.objects_of(result)
            kinds |= {thing["kind"] for thing in objects}
            count += 1
            check_objects(objects, label)
            settings = check_edge(options.edge, objects, label, folder) or settings
        for setting in TYPOS:
            check(chart.render([URL, setting]).returncode != 0, f"the typo {setting} was taken")
        for wrong, words in REFUSED.items():
            error = chart.render([URL, wrong]).stderr
            check(words in error, f"{wrong} is not explained: {error}")
        chart_bounds.check_bounds(
            check,
            lambda *flags: chart.render([URL], *flags),
            lambda settings: edge_refusals(options.edge, settings),
            values,
            CHART / "templates",
        )
        chart_routes.check_routes(check, lambda *settings: chart.render([URL, *settings]))
        refused = chart.render(["image.repository=registry.example.com/culvert"])
        check("config.public.url is required" in refused.stderr, "a missing config.public.url is not explained")
        ours, theirs = set(flattened(values["config"])), set(settings) - CHART_OWNS
        check(ours == theirs, f"config: only in the chart {sorted(ours - theirs)}, only in the edge {sorted(theirs - ours)}")
        chart_upgrades.check_upgrade(
            check, lambda settings, *flags, **options: chart.render([URL, *settings], *flags, **options), folder
        )
        chart_cluster.check_cluster(check, lambda *settings: chart.render([URL, *settings]), folder)
    chart_documents.check_documents(check, lambda *settings: chart.render([URL, *settings]), ROOT)
    queries = check_queries()
    check_bill_of_materials()

    for problem in itertools.islice(problems, 40):
        print(f"chart: {problem}", file=sys.stderr)
    print(
        f"{count} combinations of values, {len(kinds)} kinds of object, {len(TYPOS)} typos, {queries} queries, "
        f"{len(problems)} problems"
    )
    sys.exit(1 if problems else 0)


main()
