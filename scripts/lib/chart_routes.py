# SPDX-License-Identifier: Apache-2.0
"""How visitors are led to the edge, as the chart renders it: for scripts/lib/chart_checks.py."""

import re

from chart_objects import objects_of


def check_route(check, route, label):
    """What the Gateway API's own schema asks of an HTTPRoute (gateway.networking.k8s.io/v1), for what we use of it."""
    check(route["apiVersion"] == "gateway.networking.k8s.io/v1", f"{label} is of another version")
    spec = route["spec"]
    check(1 <= len(spec["parentRefs"]) <= 32 and all(ref.get("name") for ref in spec["parentRefs"]), f"{label} has no parent")
    name = re.compile(r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    check(1 <= len(spec["hostnames"]) <= 16 and all(map(name.match, spec["hostnames"])), f"{label} has wrong hosts")
    for rule in spec["rules"]:
        check(set(rule) <= {"matches", "timeouts", "backendRefs"}, f"{label} has unknown keys in a rule")
        check(re.fullmatch(r"([0-9]{1,5}(h|m|s|ms)){1,4}", rule["timeouts"]["request"]), f"{label} has a wrong time-out")
        for match in rule["matches"]:
            check(match["path"]["type"] in ("Exact", "PathPrefix") and match["path"]["value"][0] == "/", f"{label} matches nothing")
        for backend in rule["backendRefs"]:
            check(isinstance(backend["port"], int) and backend["name"], f"{label} leads nowhere")


def check_routes(check, render):
    """Hosts, certificates and annotations that visitors meet are those of the wildcard domain, too."""
    domain = "config.public.wildcard-domain=t.example.com"

    def objects(*settings):
        return {thing["kind"]: thing for thing in objects_of(render(domain, *settings))}

    route = objects("traefik.enabled=true", "traefik.certResolver=le")["IngressRoute"]["spec"]
    wanted = [{"main": "tunnels.example.com", "sans": ["*.t.example.com"]}]
    check(route["tls"].get("domains") == wanted, f"Traefik asks for no certificate of the wildcard: {route['tls']}")
    plain = render("traefik.enabled=true", "traefik.certResolver=le").stdout
    check("domains:" not in plain, "a route without a wildcard names domains")
    address = objects("traefik.enabled=true", "config.public.url=https://10.1.2.3:8443")["IngressRoute"]["spec"]
    check("Host(`10.1.2.3`)" in address["routes"][0]["match"], f"Traefik matches no address: {address['routes'][0]}")
    gateway = objects("gateway.enabled=true", "gateway.parentRefs[0].name=g")["HTTPRoute"]["spec"]
    check(gateway["hostnames"] == ["tunnels.example.com", "*.t.example.com"], f"HTTPRoute: {gateway['hostnames']}")
    check(gateway["rules"][0]["timeouts"]["request"] == "0s", "a Gateway ends connectors")
    size = "nginx.ingress.kubernetes.io/proxy-body-size"
    nginx = objects("ingress.enabled=true", "ingress.className=nginx-public")["Ingress"]["metadata"]["annotations"]
    check(nginx[size] == "0" and "nginx.ingress.kubernetes.io/proxy-read-timeout" in nginx, "nginx limits uploads")
    mine = objects(
        "ingress.enabled=true", "ingress.className=nginx", f"ingress.annotations.{size.replace('.', chr(92) + '.')}=5m"
    )["Ingress"]["metadata"]["annotations"]
    check(mine[size] == "5m", "the chart outranks an annotation of its user")
    other = objects("ingress.enabled=true", "ingress.className=traefik")["Ingress"]["metadata"]
    check("annotations" not in other, "another controller gets annotations for nginx")
    rules = objects("prometheusRule.enabled=true", "prometheusRule.runbooks=https://w.example.com/")["PrometheusRule"]
    books = [rule["annotations"].get("runbook_url", "") for group in rules["spec"]["groups"] for rule in group["rules"]]
    check(all(re.match(r"https://w\.example\.com/(operations|webhooks)\.md#", book) for book in books), f"runbooks: {books}")
