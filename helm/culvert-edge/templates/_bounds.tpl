{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/*
What the edge takes as durations, sizes and numbers: the least, the most, or nothing where there is no most.
scripts/check-chart holds this table against the edge, at the bounds and beyond them.
*/}}
{{- define "culvert-edge.bounds" -}}
http.head-timeout: [1s, 24h]
http.keep-alive-timeout: [1s, 24h]
http.stall-timeout: [1s, 24h]
http.max-head-size: [1KiB, 1MiB]
http.max-fields: ["8", "10000"]
http.max-connections: ["1", "10000000"]
http.max-connections-per-address: ["1", "10000000"]
http.max-unfinished-size: [1MiB, 1024GiB]
tunnel.request-timeout: [1s, 24h]
tunnel.connect-timeout: [1s, 60s]
tunnel.heartbeat-interval: [2s, 100s]
tunnel.reconnect-hold: [0s, 5m]
tunnel.resume: [0s, 10m]
tunnel.unknown-hold: [0s, 5m]
tunnel.idle-expiry: [1s, 366d]
tunnel.name-lease: [0s, 366d]
tunnel.token-lifetime: [1s, 366d]
tunnel.token-overlap: [0s, 30d]
tunnel.max-connections: ["1", "10000"]
tcp.max-connections: ["1", "10000000"]
tcp.max-connections-per-address: ["1", "10000000"]
tcp.idle-timeout: [1s, ""]
limits.tunnels-per-key: ["1", "1000000000"]
limits.api-calls-per-second: ["1", "1000000000"]
limits.failed-logins-per-minute: ["1", "1000000000"]
limits.creations-per-hour: ["1", "1000000000"]
limits.connects-per-second: ["1", "1000000000"]
cluster.lease: [1s, 5m]
cluster.max-guests: ["1", "10000000"]
inbox.max-size: [1MiB, 1024GiB]
inbox.max-per-key: ["1", "10000"]
shutdown.delay: [0s, 24h]
shutdown.grace: [0s, 24h]
{{- end -}}

{{/* A duration in milliseconds, a size in bytes, or a number. */}}
{{- define "culvert-edge.quantity" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "" 1 "B" 1 "kB" 1000 "MB" 1000000 "GB" 1000000000 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 -}}
{{- mul $number (index $units (regexFind "[A-Za-z]*$" .)) -}}
{{- end -}}

{{- define "culvert-edge.checkBounds" -}}
{{- range $key, $ends := include "culvert-edge.bounds" . | fromYaml -}}
{{- $path := splitList "." $key -}}
{{- $section := index $.Values.config (first $path) -}}
{{- $given := "" -}}
{{- if $section -}}{{- $given = index $section (last $path) -}}{{- end -}}
{{- $value := ternary ($given | int64 | toString) ($given | toString) (kindIs "float64" $given) -}}
{{- if and $section (ne $value "") (ne $value "<nil>") -}}
{{- $quantity := include "culvert-edge.quantity" $value | int64 -}}
{{- if or (lt $quantity (include "culvert-edge.quantity" (first $ends) | int64)) (and (last $ends) (gt $quantity (include "culvert-edge.quantity" (last $ends) | int64))) -}}
{{- fail (printf "config.%s is %s: the edge takes %s to %s, and does not start with anything else" $key $value (first $ends) (default "any time" (last $ends))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
