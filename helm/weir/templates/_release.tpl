{{/* What kind of release this is, derived from the values. */}}

{{/* "true" for a trial: nothing says where messages come from, nor who may come. One such value ends it, so that nobody's
gateway is opened by what they left out. */}}
{{- define "weir.isTrial" -}}
{{- $said := list .Values.bus -}}
{{- with .Values.redis -}}
{{- $said = append $said .url -}}
{{- range list .existingSecret .passwordSecret .caSecret -}}
{{- with . }}{{ $said = append $said .name }}{{ end -}}
{{- end -}}
{{- $said = append $said .certificateSecret -}}
{{- end -}}
{{- with .Values.keys -}}
{{- $said = concat $said (list .files .existingSecret) -}}
{{- end -}}
{{- range $name, $value := .Values.config -}}
{{- if or (hasPrefix "anonymous-" $name) (hasPrefix "jwt-" $name) (hasPrefix "jwks-" $name) (eq "redis-url" $name) -}}
{{- /* An empty list is an answer as well: nobody. */ -}}
{{- $said = append $said (not (kindIs "invalid" $value)) -}}
{{- end -}}
{{- end -}}
{{- /* Variables count as well, and those of a Secret may be any. */ -}}
{{- range .Values.extraEnv -}}
{{- $said = append $said (regexMatch "^WEIR_(REDIS_|BUS$|ANONYMOUS_|JW)" (toString .name)) -}}
{{- end -}}
{{- $said = append $said .Values.extraEnvFrom -}}
{{- if not (compact $said) }}true{{ end -}}
{{- end -}}

{{/* "redis" or "memory". */}}
{{- define "weir.bus" -}}
{{- default "redis" .Values.bus -}}
{{- end -}}

{{/* "true" where the chart's own Valkey is the Redis. */}}
{{- define "weir.hasValkey" -}}
{{- if or (include "weir.isTrial" .) .Values.valkey.enabled }}true{{ end -}}
{{- end -}}

{{/* maxmemory of the chart's Valkey, in bytes: half of its limit, since it needs memory for output buffers, and as much again
while it writes its file anew. Empty without a limit. */}}
{{- define "weir.valkeyMemory" -}}
{{- with (default dict (default dict .Values.valkey.resources).limits).memory -}}
{{- with include "weir.quantityBytes" . }}{{ div (int64 .) 2 }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Gateways; with autoscaling the least of them. */}}
{{- define "weir.replicas" -}}
{{- if .Values.autoscaling.enabled -}}
{{- default 2 .Values.autoscaling.minReplicas | int -}}
{{- else if not (has (toString .Values.replicaCount) (list "" "<nil>")) -}}
{{- int .Values.replicaCount -}}
{{- else if or (include "weir.isTrial" .) (eq (include "weir.bus" .) "memory") -}}
1
{{- else -}}
2
{{- end -}}
{{- end -}}

{{/* The gateway's settings as a JSON object: config, and what follows from the release where config says nothing. */}}
{{- define "weir.settings" -}}
{{- $settings := dict -}}
{{- if include "weir.isTrial" . -}}
{{- $settings = dict "anonymous-subscribe" (list "demo.*") "anonymous-publish" (list "demo.*") -}}
{{- end -}}
{{- if gt (include "weir.replicas" . | int) 1 -}}
{{- /* Another gateway is ready: who is sent away needs no longer pause. */ -}}
{{- $_ := set $settings "drain-retry-ms" 400 -}}
{{- end -}}
{{- range $name, $value := .Values.config -}}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $settings $name $value }}{{ end -}}
{{- end -}}
{{- if not (hasKey $settings "max-clients") -}}
{{- with include "weir.clientsThatFit" (dict "root" . "settings" $settings) }}{{ $_ := set $settings "max-clients" (int64 .) }}{{ end -}}
{{- end -}}
{{- $settings = omit $settings "base-path" -}}
{{- with include "weir.basePath" . }}{{ $_ := set $settings "base-path" . }}{{ end -}}
{{- toJson $settings -}}
{{- end -}}

{{/* Bytes of a size as the gateway's settings have it: K, Ki, KB and KiB are 1024. */}}
{{- define "weir.sizeBytes" -}}
{{- $text := ternary (printf "%.0f" (float64 .)) (toString .) (kindIs "float64" .) -}}
{{- $factors := dict "k" 1024 "m" 1048576 "g" 1073741824 -}}
{{- mul (regexFind "^[0-9]+" $text | int64) (dig (regexFind "[kKmMgG]" $text | lower) 1 $factors | int64) -}}
{{- end -}}

{{/* Bytes of a quantity of Kubernetes: Ki is 1024 and k is 1000. Empty if it is none. */}}
{{- define "weir.quantityBytes" -}}
{{- $text := ternary (printf "%.0f" (float64 .)) (toString .) (kindIs "float64" .) -}}
{{- $factors := dict "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- if regexMatch "^[0-9]+([.][0-9]*)?([eE][+]?[0-9]+)?(m|k|[MGTPE]|[KMGTPE]i)?$" $text -}}
{{- $number := regexFind "^[0-9.]+([eE][+]?[0-9]+)?" $text | float64 -}}
{{- printf "%.0f" (mulf $number (dig (regexFind "(m|k|[MGTPE]|[KMGTPE]i)$" $text) 1.0 $factors)) -}}
{{- end -}}
{{- end -}}

{{/* What of the container's memory limit is left for clients, in bytes: it less memory-limit, request-memory, and 64 MiB for
the program with some of the largest messages. Negative if they don't fit; empty without a limit. */}}
{{- define "weir.memoryForClients" -}}
{{- $settings := .settings -}}
{{- with (default dict (default dict .root.Values.resources).limits).memory -}}
{{- with include "weir.quantityBytes" . -}}
{{- $taken := add (include "weir.sizeBytes" (dig "memory-limit" "256Mi" $settings)) (include "weir.sizeBytes" (dig "request-memory" "64Mi" $settings)) 67108864 -}}
{{- sub (int64 .) $taken -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* max-clients that the container's memory limit holds though none of them reads: then each takes socket-unsent-bytes and
some 60 KB more, nearly all of it in the kernel, where it counts as the container's. 100 at least. */}}
{{- define "weir.clientsThatFit" -}}
{{- with include "weir.memoryForClients" . -}}
{{- $bytesEach := add (include "weir.sizeBytes" (dig "socket-unsent-bytes" "128Ki" $.settings)) 60000 -}}
{{- max 100 (div (int64 .) $bytesEach) -}}
{{- end -}}
{{- end -}}

{{- define "weir.checkMemory" -}}
{{- $settings := include "weir.settings" . | fromJson -}}
{{- $left := include "weir.memoryForClients" (dict "root" . "settings" $settings) -}}
{{- if and $left (lt (int64 $left) 0) -}}
{{- fail (printf "resources.limits.memory (%v) does not hold config.memory-limit (%s), config.request-memory (%s) and 64Mi for the program: raise it by %dMi, or lower them" .Values.resources.limits.memory (dig "memory-limit" "256Mi" $settings | include "weir.setting" | trimAll "\"") (dig "request-memory" "64Mi" $settings | include "weir.setting" | trimAll "\"") (div (sub 1048575 (int64 $left)) 1048576)) -}}
{{- end -}}
{{- $resources := .Values.resources | default dict -}}
{{- $asked := default "" (default dict $resources.requests).memory | include "weir.quantityBytes" -}}
{{- $limit := default "" (default dict $resources.limits).memory | include "weir.quantityBytes" -}}
{{- if and $asked $limit (gt (int64 $asked) (int64 $limit)) -}}
{{- fail (printf "resources.requests.memory (%v) is more than resources.limits.memory (%v)" $resources.requests.memory $resources.limits.memory) -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int64 (dig "max-clients" 0 $settings)) 0) (gt (int64 .Values.autoscaling.clientsPerPod) (int64 (dig "max-clients" 0 $settings))) -}}
{{- fail (printf "autoscaling.clientsPerPod is %d, and a gateway takes no more than %d clients (config.max-clients, or what resources.limits.memory holds): no pod would ever be added" (int64 .Values.autoscaling.clientsPerPod) (int64 (dig "max-clients" 0 $settings))) -}}
{{- end -}}
{{- end -}}

{{/* The channel of a publisher. Nobody may read any other than demo.* in a trial. */}}
{{- define "weir.publisherChannel" -}}
{{- .channel | default (printf "%s%s" (ternary "demo." "" (eq (include "weir.isTrial" .root) "true")) .default) -}}
{{- end -}}

{{/* A new pod is ready before an old one drains: a Service with no ready pod answers 503, which makes every EventSource
give up for good. All new ones first: who is sent away comes to one that stays. */}}
{{- define "weir.strategy" -}}
{{- $strategy := deepCopy (.Values.strategy | default dict) -}}
{{- if eq (default "RollingUpdate" $strategy.type) "RollingUpdate" -}}
{{- $rolling := dict "maxUnavailable" 0 "maxSurge" "100%" -}}
{{- include "weir.overlay" (dict "on" $rolling "over" $strategy.rollingUpdate) -}}
{{- if and (has (toString $rolling.maxUnavailable) (list "0" "0%")) (has (toString $rolling.maxSurge) (list "0" "0%")) -}}
{{- fail "strategy.rollingUpdate: with maxSurge 0 and maxUnavailable 0 no pod could ever be replaced" -}}
{{- end -}}
{{- $strategy = merge (dict "type" "RollingUpdate" "rollingUpdate" $rolling) $strategy -}}
{{- end -}}
{{- toYaml $strategy -}}
{{- end -}}

{{/* A probe: what `given` says over `default`. Another handler replaces the default one. */}}
{{- define "weir.probe" -}}
{{- $default := .default -}}
{{- $given := .given | default dict -}}
{{- if or $given.exec $given.tcpSocket $given.grpc }}{{ $default = omit $default "httpGet" }}{{ end -}}
{{- toYaml (merge (deepCopy $given) $default) -}}
{{- end -}}

{{/* Ready once Redis was reached, or will not be for a while, and until draining begins. Redis going away later closes no
stream, so it must not take the pod out of its Service either. */}}
{{- define "weir.probes" -}}
readinessProbe:
  {{- include "weir.probe" (dict "given" .Values.readinessProbe "default" (dict "httpGet" (dict "path" "/readyz" "port" "admin") "periodSeconds" 2 "timeoutSeconds" 2 "failureThreshold" 2)) | nindent 2 }}
livenessProbe:
  {{- include "weir.probe" (dict "given" .Values.livenessProbe "default" (dict "httpGet" (dict "path" "/healthz" "port" "admin") "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6)) | nindent 2 }}
{{- with .Values.startupProbe }}
startupProbe:
  {{- include "weir.probe" (dict "given" . "default" (dict "httpGet" (dict "path" "/healthz" "port" "admin"))) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Until the proxies have heard that this pod is leaving, it goes on as if it weren't. Empty where there is nothing to do. */}}
{{- define "weir.lifecycle" -}}
{{- $lifecycle := deepCopy (.Values.lifecycle | default dict) -}}
{{- if and .Values.preStopSeconds (not $lifecycle.preStop) -}}
{{- $lifecycle = set $lifecycle "preStop" (dict "exec" (dict "command" (list "weir-broker" "--sleep" (.Values.preStopSeconds | int | toString)))) -}}
{{- end -}}
{{- if $lifecycle }}{{ toYaml $lifecycle }}{{ end -}}
{{- end -}}

{{/* The gateway's environment, as its ConfigMap holds it. */}}
{{- define "weir.environment" -}}
WEIR_LISTEN: "[::]:8080"
WEIR_ADMIN_LISTEN: "[::]:8081"
WEIR_BUS: {{ include "weir.bus" . | quote }}
{{- if (default dict .Values.adminTokenSecret).name }}
WEIR_ADMIN_TOKEN_FILE: /etc/weir/admin/token
{{- end }}
{{- if .Values.channels }}
WEIR_CONFIG: /etc/weir/files/weir.toml
{{- end }}
{{- range $name, $value := include "weir.settings" . | fromJson }}
WEIR_{{ $name | upper | replace "-" "_" }}: {{ include "weir.setting" $value }}
{{- end }}
{{- end -}}

{{- define "weir.awayName" -}}
{{- printf "%s-away" (include "weir.fullname" . | trunc 50 | trimSuffix "-") -}}
{{- end -}}

{{/* "true" where something answers while there is no gateway: by default where an Ingress can be told to use it. */}}
{{- define "weir.hasAway" -}}
{{- $isWired := and .Values.ingress.enabled (has (default "" .Values.ingress.controller) (list "nginx" "haproxy" "haproxy-ingress")) -}}
{{- if ternary $isWired .Values.away.enabled (has (toString .Values.away.enabled) (list "" "<nil>")) }}true{{ end -}}
{{- end -}}

{{/* A server of HAProxy for when all others are down. Not an error page: the gateway's own 503 passes. */}}
{{- define "weir.awayServer" -}}
{{- if include "weir.hasAway" . -}}
server away {{ include "weir.awayName" . }}.{{ include "weir.namespace" . }}.svc:80 backup init-addr last,libc,none
{{ end -}}
{{- end -}}

{{/* The channel of helm test: one that everybody may read, and that no pattern's owner is likely to use. */}}
{{- define "weir.testChannel" -}}
{{- $rules := index (include "weir.settings" . | fromJson) "anonymous-subscribe" | default list -}}
{{- if kindIs "string" $rules }}{{ $rules = splitList "," $rules }}{{ end -}}
{{- $channel := (default dict .Values.test).channel -}}
{{- range $rules -}}
{{- if and (not $channel) (contains "*" .) }}{{ $channel = replace "*" "helm-test" . }}{{ end -}}
{{- end -}}
{{- $channel | default (first (append $rules "helm-test")) -}}
{{- end -}}
