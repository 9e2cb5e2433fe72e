{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{- define "culvert-edge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "culvert-edge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 57 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 57 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 57 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "culvert-edge.selector" -}}
app.kubernetes.io/name: {{ include "culvert-edge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: edge
{{- end -}}

{{- define "culvert-edge.labels" -}}
app.kubernetes.io/name: {{ include "culvert-edge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: culvert
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "culvert-edge.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "culvert-edge.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "culvert-edge.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "culvert-edge.authSecret" -}}
{{- default (printf "%s-auth" (include "culvert-edge.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{/* The Redis or Valkey of all pods: the chart's own where redis.trial is on; empty where a pod is alone. */}}
{{- define "culvert-edge.redisURL" -}}
{{- if .Values.redis.trial.enabled -}}
{{- printf "redis://%s-redis:6379" (include "culvert-edge.fullname" .) -}}
{{- else -}}
{{- default "" .Values.config.cluster.redis.url -}}
{{- end -}}
{{- end -}}

{{/* The Secret with its password that the chart mounts, and the key in it. */}}
{{- define "culvert-edge.redisSecret" -}}
{{- if .Values.redis.passwordSecret -}}
{{- .Values.redis.passwordSecret -}}
{{- else if .Values.redis.trial.enabled -}}
{{- printf "%s-redis" (include "culvert-edge.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "culvert-edge.redisPasswordKey" -}}
{{- ternary .Values.redis.passwordKey "password" (ne .Values.redis.passwordSecret "") -}}
{{- end -}}

{{/* What the edge is told of Redis, with the files that the chart mounts. */}}
{{- define "culvert-edge.redisSettings" -}}
url: {{ include "culvert-edge.redisURL" . | quote }}
password-file: {{ ternary "/etc/culvert/redis/password" (index .Values.config.cluster.redis "password-file") (ne (include "culvert-edge.redisSecret" .) "") | quote }}
sentinel-password-file: {{ ternary "/etc/culvert/redis/sentinel-password" (index .Values.config.cluster.redis "sentinel-password-file") (ne .Values.redis.sentinelPasswordSecret "") | quote }}
ca: {{ ternary "/etc/culvert/redis/ca.crt" .Values.config.cluster.redis.ca (ne .Values.redis.caSecret "") | quote }}
{{- end -}}

{{/*
The ports of Redis that pods reach, as a list in JSON: those of the URL. Sentinels name a primary whose port nobody knows
before; 6379 is the usual one.
*/}}
{{- define "culvert-edge.redisPorts" -}}
{{- $url := include "culvert-edge.redisURL" . -}}
{{- $sentinel := regexMatch "^rediss?\\+sentinel://" $url -}}
{{- $ports := list -}}
{{- range regexReplaceAll "^[a-z+]+://([^@/]*@)?" $url "" | splitList "/" | first | splitList "," -}}
{{- $port := regexFind ":[0-9]+$" . | trimPrefix ":" -}}
{{- $ports = append $ports (default (ternary "26379" "6379" $sentinel) $port | int) -}}
{{- end -}}
{{- if $sentinel -}}{{- $ports = append $ports 6379 -}}{{- end -}}
{{- range .Values.networkPolicy.redisPorts -}}{{- $ports = append $ports (int .) -}}{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{- define "culvert-edge.redisSelector" -}}
app.kubernetes.io/name: {{ include "culvert-edge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: redis
{{- end -}}

{{- define "culvert-edge.inboxSecret" -}}
{{- default (printf "%s-inbox" (include "culvert-edge.fullname" .)) .Values.inbox.keySecret -}}
{{- end -}}

{{- define "culvert-edge.inboxVolume" -}}
{{- if and .Values.inbox.enabled (eq .Values.inbox.store "file") }}true{{ end -}}
{{- end -}}

{{- define "culvert-edge.inboxClaim" -}}
{{- default (printf "%s-inbox" (include "culvert-edge.fullname" .)) .Values.inbox.existingClaim -}}
{{- end -}}

{{- define "culvert-edge.publicURL" -}}
{{- required "config.public.url is required: the URL under which visitors reach the edge, such as https://tunnels.example.com" .Values.config.public.url | trimSuffix "/" -}}
{{- end -}}

{{/* The host without a port: a routing rule matches names. */}}
{{- define "culvert-edge.host" -}}
{{- (urlParse (include "culvert-edge.publicURL" .)).host | regexFind "^(\\[[^]]*\\]|[^:]+)" -}}
{{- end -}}

{{- define "culvert-edge.bind" -}}
{{- if contains ":" . -}}[{{ . }}]{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{/*
A duration as the edge spells it ("500ms", "30s", "5m", "1h"), in whole seconds, rounded up.
*/}}
{{- define "culvert-edge.seconds" -}}
{{- if hasSuffix "ms" . -}}{{ div (add (trimSuffix "ms" . | int64) 999) 1000 }}
{{- else if hasSuffix "s" . -}}{{ trimSuffix "s" . | int64 }}
{{- else if hasSuffix "m" . -}}{{ mul (trimSuffix "m" . | int64) 60 }}
{{- else if hasSuffix "h" . -}}{{ mul (trimSuffix "h" . | int64) 3600 }}
{{- else -}}{{ mul (trimSuffix "d" . | int64) 86400 }}
{{- end -}}
{{- end -}}

{{/*
The edge's configuration file. Numbers are written as text, because Helm knows only floating-point ones and writes a
million as 1e+06; a setting that is empty is left out and has the edge's own default.
*/}}
{{- define "culvert-edge.configuration" -}}
listen: {{ printf "%s:8989" (include "culvert-edge.bind" .Values.bindAddress) | quote }}
event-loops: {{ .Values.eventLoops | int | toString | quote }}
admin:
  listen: {{ printf "%s:8990" (include "culvert-edge.bind" .Values.bindAddress) | quote }}
auth:
  api-keys-file: /etc/culvert/auth/api-keys.json
  signing-keys-file: /etc/culvert/auth/signing-keys.json
{{- if .Values.tls.existingSecret }}
tls:
  certificate: /etc/culvert/tls/tls.crt
  key: /etc/culvert/tls/tls.key
{{- end }}
{{- range $section, $settings := .Values.config }}
{{- if not (kindIs "map" $settings) }}
{{ $section }}: {{ toString $settings | quote }}
{{- else }}
{{- $lines := list }}
{{- if eq $section "cluster" }}
{{- $redis := merge (include "culvert-edge.redisSettings" $ | fromYaml) $settings.redis }}
{{- $settings = merge (dict "redis" $redis) $settings }}
{{- if $.Values.links.tlsSecret }}
{{- $files := dict "certificate" "/etc/culvert/links/tls.crt" "key" "/etc/culvert/links/tls.key" "ca" "/etc/culvert/links/ca.crt" }}
{{- $settings = merge (dict "tls" $files) $settings }}
{{- end }}
{{- end }}
{{- if and (eq $section "cluster") $settings.redis.url }}
{{- $lines = append $lines (printf "listen: %s" (printf "%s:8991" (include "culvert-edge.bind" $.Values.bindAddress) | quote)) }}
{{- end }}
{{- range $key, $value := $settings }}
{{- if kindIs "slice" $value }}
{{- if $value }}{{ $lines = append $lines (printf "%s: %s" $key (join "," $value | quote)) }}{{ end }}
{{- else if kindIs "map" $value }}
{{- range $name, $nested := $value }}
{{- if ne (toString $nested) "" }}{{ $lines = append $lines (printf "%s.%s: %s" $key $name (toString $nested | quote)) }}{{ end }}
{{- end }}
{{- else if kindIs "float64" $value }}
{{- $lines = append $lines (printf "%s: %s" $key ($value | int64 | toString | quote)) }}
{{- else if ne (toString $value) "" }}
{{- $lines = append $lines (printf "%s: %s" $key (toString $value | quote)) }}
{{- end }}
{{- end }}
{{- if and (eq $section "inbox") $.Values.inbox.enabled }}
{{- $place := ternary "directory: /var/lib/culvert/inbox" "store: redis" (eq $.Values.inbox.store "file") }}
{{- $lines = concat $lines (list $place "key-file: /etc/culvert/inbox/inbox.key") }}
{{- end }}
{{- if $lines }}
{{ $section }}:
{{- range $lines }}
  {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
What stays of the pod's life after SIGTERM: the delay in which proxies learn that it leaves, the requests in flight,
and ten seconds to close what is left.
*/}}
{{- define "culvert-edge.terminationSeconds" -}}
{{- $delay := include "culvert-edge.seconds" .Values.config.shutdown.delay | int64 -}}
{{- $grace := include "culvert-edge.seconds" .Values.config.shutdown.grace | int64 -}}
{{- add $delay $grace 10 -}}
{{- end -}}

{{/*
What ingress-nginx has to be told: bodies of any size, passed on as they come, and conversations that are silent for an
hour. Its own defaults end uploads at 1 MB and connectors after a minute.
*/}}
{{- define "culvert-edge.nginxAnnotations" -}}
nginx.ingress.kubernetes.io/proxy-body-size: "0"
nginx.ingress.kubernetes.io/proxy-request-buffering: "off"
nginx.ingress.kubernetes.io/proxy-buffering: "off"
nginx.ingress.kubernetes.io/proxy-read-timeout: "3600"
nginx.ingress.kubernetes.io/proxy-send-timeout: "3600"
{{- if .Values.tls.existingSecret }}
nginx.ingress.kubernetes.io/backend-protocol: HTTPS
{{- end }}
{{- end -}}
