#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the chart renders, as files that programs without a cluster read.

    chart_settings.py HELM CHART FOLDER

Writes edge.yaml, api-keys.json, signing-keys.json and api-key into FOLDER, and dynamic.json: the routers and transports
of the IngressRoute for Traefik's file provider, with a service `edge` whose servers the caller fills in.
"""

import base64
import json
import pathlib
import subprocess
import sys

import yaml

SETTINGS = [
    "image.repository=registry.example.com/culvert",
    "config.public.url=http://127.0.0.1",
    "config.environment=sandbox",
    "config.proxies.trusted={127.0.0.0/8}",
    "config.shutdown.grace=3s",
    "traefik.enabled=true",
    "traefik.entryPoints={web}",
    "config.public.wildcard-domain=tunnels.test",
]


def router(route, entry_points):
    """A route of an IngressRoute as a router of the file provider."""
    return {"rule": route["match"], "entryPoints": entry_points, "service": "edge"}


def main():
    helm, chart, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    flags = [part for setting in SETTINGS for part in ("--set", setting)]
    rendered = subprocess.run([helm, "template", "edge", chart, *flags], capture_output=True, text=True, check=True)
    objects = [thing for thing in yaml.safe_load_all(rendered.stdout) if thing]
    by_kind = {thing["kind"]: thing for thing in objects}
    (folder / "edge.yaml").write_text(by_kind["ConfigMap"]["data"]["edge.yaml"])
    for name, value in by_kind["Secret"]["data"].items():
        file = folder / name
        file.write_bytes(base64.b64decode(value))
        file.chmod(0o600)

    ingress, transport = by_kind["IngressRoute"]["spec"], by_kind["ServersTransport"]["spec"]
    service = ingress["routes"][0]["services"][0]
    (folder / "dynamic.json").write_text(
        json.dumps(
            {
                "http": {
                    "routers": {
                        f"edge{number}": router(route, ingress["entryPoints"])
                        for number, route in enumerate(ingress["routes"])
                    },
                    "services": {
                        "edge": {
                            "loadBalancer": {
                                "servers": [],
                                "passHostHeader": service["passHostHeader"],
                                "responseForwarding": service["responseForwarding"],
                                "serversTransport": "edge",
                            }
                        }
                    },
                    "serversTransports": {"edge": transport},
                }
            }
        )
    )


main()
