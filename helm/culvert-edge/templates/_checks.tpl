{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/*
What would make the edge end at its start, or visitors meet another server: said when the chart is rendered, where
somebody reads it, and not by a pod that starts again and again.
*/}}
{{- define "culvert-edge.checks" -}}
{{- $public := .Values.config.public -}}
{{- $wildcard := index $public "wildcard-domain" -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is required: the registry and name under which you have pushed the image, such as registry.example.com/culvert. There is no public one: a name in somebody else's hands would serve your visitors" -}}
{{- end -}}
{{- if and (eq .Values.config.environment "production") (not (hasPrefix "https://" (include "culvert-edge.publicURL" .))) -}}
{{- fail "config.public.url has to begin with https:// where config.environment is production: the edge does not start otherwise" -}}
{{- end -}}
{{- if and (not (index $public "path-mode")) (not $wildcard) -}}
{{- fail "config.public.path-mode=false leaves tunnels without a URL: set config.public.wildcard-domain, too" -}}
{{- end -}}
{{- if and (index .Values.config.proxies "client-ip-header") (not .Values.config.proxies.trusted) -}}
{{- fail "config.proxies.client-ip-header is read from config.proxies.trusted only, which is empty: list the networks of the ingress controller's pods" -}}
{{- end -}}
{{- if and (eq .Values.config.dashboard "public") (not (index $public "api-host")) -}}
{{- fail "config.dashboard=public needs config.public.api-host: the dashboard has a host of its own, or none" -}}
{{- end -}}
{{- if and (index .Values.config "tls-passthrough" "listen") (not $wildcard) -}}
{{- fail "config.tls-passthrough.listen needs config.public.wildcard-domain: tunnels of TLS are told apart by their hosts" -}}
{{- end -}}
{{- if and (or (eq (index .Values.config.http "proxy-protocol" | toString) "true") (eq (index .Values.config.tcp "proxy-protocol" | toString) "true")) (not .Values.config.proxies.trusted) -}}
{{- fail "proxy-protocol is taken from config.proxies.trusted only, which is empty: list the networks of what is in front" -}}
{{- end -}}
{{- include "culvert-edge.checkBounds" . -}}
{{- include "culvert-edge.checkRoutes" . -}}
{{- include "culvert-edge.checkRedis" . -}}
{{- with index .Values.config "tls-passthrough" "listen" -}}
{{- $port := regexFind "[0-9]+$" . | int -}}
{{- if or (gt $port 65535) (has $port (list 0 8989 8990 8991)) -}}
{{- fail (printf "config.tls-passthrough.listen is %s: it takes a port from 1 to 65535 of its own, and the edge itself listens on 8989, 8990 and 8991" .) -}}
{{- end -}}
{{- end -}}
{{- range $ports := splitList "," (.Values.config.tcp.ports | toString | nospace) -}}
{{- $ends := splitList "-" $ports -}}
{{- if and $ports (or (lt (first $ends | int) 1) (gt (last $ends | int) 65535) (gt (first $ends | int) (last $ends | int))) -}}
{{- fail (printf "config.tcp.ports is %s: it takes a port from 1 to 65535, or the first and the last of several, as 20000-20009" $ports) -}}
{{- end -}}
{{- range $taken := list 8989 8990 8991 -}}
{{- if and $ports (le (first $ends | int) $taken) (ge (last $ends | int) $taken) -}}
{{- fail (printf "config.tcp.ports holds %d, on which the edge listens itself: choose other ones" $taken) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.gateway.enabled .Values.tls.existingSecret -}}
{{- fail "gateway.enabled and tls.existingSecret don't go together: a Gateway speaks plain HTTP to the pods, unless a BackendTLSPolicy of your own says otherwise; have the Gateway end TLS" -}}
{{- end -}}
{{- if and .Values.traefik.enabled .Values.traefik.certResolver .Values.traefik.tlsSecret -}}
{{- fail "traefik.certResolver and traefik.tlsSecret are two certificates for one route: leave one out" -}}
{{- end -}}
{{- if and (include "culvert-edge.inboxVolume" .) (or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled) -}}
{{- fail "inbox.store=file is for one pod: with replicaCount above 1, or autoscaling, a connector that comes back to another pod would never get what this one has kept; set inbox.store=redis" -}}
{{- end -}}
{{- if and (include "culvert-edge.inboxVolume" .) (include "culvert-edge.redisURL" .) -}}
{{- fail "inbox.store=file and a Redis (config.cluster.redis.url or redis.trial) don't go together: edges that share a registry would each keep messages that no other could hand over; set inbox.store=redis" -}}
{{- end -}}
{{- if and .Values.inbox.enabled (eq .Values.inbox.store "redis") (not (include "culvert-edge.redisURL" .)) -}}
{{- fail "inbox.store=redis is the Redis of config.cluster.redis.url, which is empty, or redis.trial.enabled, which is false" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.parentRefs is required: the Gateway that the HTTPRoute belongs to, such as [{name: public, namespace: gateways}]" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and (gt (ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled | int) 1) (not (include "culvert-edge.redisURL" .)) -}}
{{- fail "more than one pod needs config.cluster.redis.url, or redis.trial.enabled for trials: without Redis a pod knows nothing of the tunnels of others, and answers their visitors with 404" -}}
{{- end -}}
{{- end -}}

{{/* Which Redis it is, and who says its password. */}}
{{- define "culvert-edge.checkRedis" -}}
{{- $given := .Values.config.cluster.redis -}}
{{- if and .Values.redis.trial.enabled (or $given.url (index $given "password-file") (index $given "sentinel-password-file") $given.ca .Values.redis.sentinelPasswordSecret .Values.redis.caSecret) -}}
{{- fail "redis.trial.enabled and config.cluster.redis.url, .password-file, .sentinel-password-file, .ca, redis.sentinelPasswordSecret or .caSecret don't go together: the chart's own Redis is one without TLS, whose URL and password the chart writes itself" -}}
{{- end -}}
{{- if and .Values.redis.trial.enabled (or .Values.networkPolicy.redisTo .Values.networkPolicy.redisPorts) -}}
{{- fail "networkPolicy.redisTo and .redisPorts are for the Redis of config.cluster.redis.url: to that of redis.trial the chart writes the rule itself" -}}
{{- end -}}
{{- if and (not (include "culvert-edge.redisURL" .)) (or (index $given "password-file") $given.ca .Values.redis.passwordSecret .Values.redis.caSecret) -}}
{{- fail "config.cluster.redis.password-file and .ca, redis.passwordSecret and .caSecret are for the Redis of config.cluster.redis.url, which is empty" -}}
{{- end -}}
{{- if and .Values.links.tlsSecret (not (include "culvert-edge.redisURL" .)) -}}
{{- fail "links.tlsSecret is for what passes between pods, which find each other by the Redis of config.cluster.redis.url: that is empty" -}}
{{- end -}}
{{- if and .Values.redis.passwordSecret (index $given "password-file") -}}
{{- fail "redis.passwordSecret and config.cluster.redis.password-file are two passwords for one Redis: leave one out" -}}
{{- end -}}
{{- if and (or .Values.redis.sentinelPasswordSecret (index $given "sentinel-password-file")) (not (regexMatch "^rediss?\\+sentinel://" (default "" $given.url))) -}}
{{- fail "redis.sentinelPasswordSecret and config.cluster.redis.sentinel-password-file are for sentinels, of which config.cluster.redis.url names none" -}}
{{- end -}}
{{- if and .Values.redis.sentinelPasswordSecret (index $given "sentinel-password-file") -}}
{{- fail "redis.sentinelPasswordSecret and config.cluster.redis.sentinel-password-file are two passwords for the same sentinels: leave one out" -}}
{{- end -}}
{{- if and .Values.redis.caSecret $given.ca -}}
{{- fail "redis.caSecret and config.cluster.redis.ca are two authorities for one Redis: leave one out" -}}
{{- end -}}
{{- if $given.url | default "" | regexFind "^[a-z+]+://[^@]*:[^@]*@" -}}
{{- fail "config.cluster.redis.url holds a password, which belongs into the Secret that redis.passwordSecret names, or the file of config.cluster.redis.password-file" -}}
{{- end -}}
{{- range include "culvert-edge.redisPorts" . | fromJsonArray -}}
{{- if or (lt (int .) 1) (gt (int .) 65535) -}}
{{- fail (printf "config.cluster.redis.url names the port %d: it takes one from 1 to 65535" (int .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
An Ingress and an HTTPRoute match names: the API server refuses an address in them. Traefik's Host() matches an IPv4
address, too, and no IPv6 one, which a request writes in brackets.
*/}}
{{- define "culvert-edge.checkRoutes" -}}
{{- $default := include "culvert-edge.host" . -}}
{{- range $kind, $address := dict "ingress" "^(\\[.*|[0-9.]+)$" "gateway" "^(\\[.*|[0-9.]+)$" "traefik" "^\\[" -}}
{{- $route := index $.Values $kind -}}
{{- $host := default $default $route.host -}}
{{- if and $route.enabled (regexMatch $address $host) -}}
{{- fail (printf "%s.enabled can't lead visitors here by the address %s: set config.public.url to a name, or %s.host" $kind $host $kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
