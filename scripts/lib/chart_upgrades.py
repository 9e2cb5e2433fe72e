# SPDX-License-Identifier: Apache-2.0
"""What the chart makes once and keeps over upgrades: for scripts/lib/chart_checks.py."""

import http.server
import json
import threading

import yaml
from chart_objects import objects_of


class FakeCluster(http.server.BaseHTTPRequestHandler):
    """As much of the Kubernetes API as `helm template --dry-run=server` asks for, with the Secrets in it that are given."""

    secrets = {}
    kinds = {
        "v1": {"Secret": "secrets", "ConfigMap": "configmaps", "Service": "services", "Pod": "pods"}
        | {"ServiceAccount": "serviceaccounts"},
        "apps/v1": {"Deployment": "deployments"},
        "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies"},
        "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    }

    def do_GET(self):
        """Answers discovery and the Secrets."""
        path = self.path.split("?")[0]
        groups = []
        answers = {
            "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
        }
        for version, kinds in self.kinds.items():
            resources = [
                {"name": name, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": ["get"]}
                for kind, name in kinds.items()
            ]
            root = "/apis" if "/" in version else "/api"
            answers[f"{root}/{version}"] = {
                "kind": "APIResourceList",
                "groupVersion": version,
                "resources": resources,
            }
            if "/" in version:
                entry = {"groupVersion": version, "version": version.split("/")[1]}
                groups.append({"name": version.split("/")[0], "versions": [entry], "preferredVersion": entry})
        for name, secret in self.secrets.items():
            answers[f"/api/v1/namespaces/tunnels/secrets/{name}"] = secret
        body = answers.get(path, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})
        data = json.dumps(body).encode()
        self.send_response(200 if path in answers else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        """Says nothing."""


def secrets_of(rendered):
    """The Secrets of a rendering, by name."""
    return {thing["metadata"]["name"]: thing for thing in objects_of(rendered) if thing["kind"] == "Secret"}


def check_upgrade(check, render, folder):
    """The keys of the first installation are those of the next release, and so is the password of its Redis."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeCluster)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "fake",
                "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "users": [{"name": "fake", "user": {}}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            }
        )
    )

    def install(*flags):
        flags = ["--dry-run=server", "--disable-openapi-validation", *flags]
        return render(
            ["redis.trial.enabled=true"], *flags, environment={"KUBECONFIG": str(kubeconfig), "HOME": str(folder)}
        )

    first = install()
    if first.returncode != 0:
        check(False, f"rendering against a cluster: {first.stderr}")
        return
    made, again = secrets_of(first), secrets_of(install())
    check(len(made) == 2, f"the chart makes the Secrets {sorted(made)}")
    for name, secret in made.items():
        check(secret["data"] != again[name]["data"], f"two installations have the same {name}")
    FakeCluster.secrets = made
    for name, secret in secrets_of(install("--is-upgrade")).items():
        check(secret["data"] == made[name]["data"], f"an upgrade makes a new {name}: tokens, or Redis' password, would be worthless")
    kept = [name for name, secret in made.items() if secret["metadata"].get("annotations", {}).get("helm.sh/resource-policy")]
    check(kept == ["edge-culvert-edge-auth"], f"uninstalling keeps {kept}, and not the keys alone")
    server.shutdown()
