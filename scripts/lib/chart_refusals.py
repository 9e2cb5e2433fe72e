# SPDX-License-Identifier: Apache-2.0
"""What the chart does not render."""

# Values that are misspelt, or of another kind than they ought to be.
TYPOS = [
    "replicaCounts=2",
    "image.tags=1",
    "config.tunnel.request-timeouts=3s",
    "config.tunnel.request-timeout=3 seconds",
    "config.errors.status-map=cdnn",
    "config.cluster.redis.urls=redis://redis.example",
    "config.public.url=tunnels.example.com",
    "traefik.enable=true",
    "resources.limit.memory=1Gi",
    "service.port=0",
    "autoscaling.minReplicas=none",
]
# What the chart refuses, because the pod would not start or the route lead elsewhere; and words of the reason.
REFUSED = {
    "image.repository=": "image.repository is required",
    "config.public.url=http://tunnels.example.com": "has to begin with https://",
    "config.public.path-mode=false": "config.public.wildcard-domain",
    "config.proxies.client-ip-header=CF-Connecting-IP": "config.proxies.trusted",
    "traefik.enabled=true,traefik.certResolver=le,traefik.tlsSecret=tls": "leave one out",
    "gateway.enabled=true": "gateway.parentRefs is required",
    "gateway.enabled=true,gateway.parentRefs[0].name=public,tls.existingSecret=tls": "have the Gateway end TLS",
    "config.dashboard=public": "config.public.api-host",
    "config.tls-passthrough.listen=0.0.0.0:8443": "config.public.wildcard-domain",
    "config.http.proxy-protocol=true": "config.proxies.trusted",
    "config.tcp.proxy-protocol=true": "config.proxies.trusted",
    "config.tcp.ports=8900-8999": "on which the edge listens itself",
    "replicaCount=2": "config.cluster.redis.url",
    "autoscaling.enabled=true": "config.cluster.redis.url",
    "inbox.enabled=true,replicaCount=2": "inbox.store=file is for one pod",
    "inbox.enabled=true,autoscaling.enabled=true": "inbox.store=file is for one pod",
    "inbox.enabled=true,config.cluster.redis.url=redis://redis.example": "don't go together",
    "inbox.enabled=true,inbox.store=redis": "which is empty",
}
