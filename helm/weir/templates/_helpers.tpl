{{- define "weir.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "weir.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "weir.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "weir.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "weir.selectorLabels" -}}
app.kubernetes.io/name: {{ include "weir.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "weir.labels" -}}
{{ include "weir.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
{{- end -}}

{{- define "weir.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "weir.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Where messages come from, as the variable WEIR_REDIS_URL of the gateway or WEIR_TO of a publisher. */}}
{{- define "weir.busEnv" -}}
{{- $values := .root.Values -}}
- name: {{ .name }}
{{- if eq (include "weir.bus" .root) "memory" }}
  value: {{ printf "http://%s:%d%s" (include "weir.fullname" .root) (int $values.service.port) (include "weir.basePath" .root) | quote }}
{{- else if include "weir.hasValkey" .root }}
  value: {{ printf "redis://%s:6379" (include "weir.valkeyName" .root) | quote }}
{{- else if $values.redis.existingSecret.name }}
  valueFrom:
    secretKeyRef:
      name: {{ $values.redis.existingSecret.name }}
      key: {{ $values.redis.existingSecret.key }}
{{- else }}
  valueFrom:
    secretKeyRef:
      name: {{ include "weir.fullname" .root }}
      key: redis-url
{{- end }}
{{- end -}}

{{/* The files that go with the Redis URL: not empty where there are any. */}}
{{- define "weir.hasRedisFiles" -}}
{{- with .Values.redis -}}
{{- or (default dict .passwordSecret).name (default dict .caSecret).name .certificateSecret -}}
{{- end -}}
{{- end -}}

{{- define "weir.redisFilesEnv" -}}
{{- with .Values.redis -}}
{{- if (default dict .passwordSecret).name }}
- name: WEIR_REDIS_PASSWORD_FILE
  value: /etc/weir/redis/password
{{- end }}
{{- if (default dict .caSecret).name }}
- name: WEIR_REDIS_CA_FILE
  value: /etc/weir/redis/ca.crt
{{- end }}
{{- if .certificateSecret }}
- name: WEIR_REDIS_CERTIFICATE_FILE
  value: /etc/weir/redis/tls.crt
- name: WEIR_REDIS_KEY_FILE
  value: /etc/weir/redis/tls.key
{{- end }}
{{- end }}
{{- end -}}

{{- define "weir.redisFilesMount" -}}
- name: redis-files
  mountPath: /etc/weir/redis
  readOnly: true
{{- end -}}

{{- define "weir.redisFilesVolume" -}}
- name: redis-files
  projected:
    defaultMode: 288  # 0440, which is read differently by YAML 1.1 and 1.2.
    sources:
      {{- with .Values.redis.passwordSecret }}{{ if .name }}
      - secret:
          name: {{ .name }}
          items: [{key: {{ .key | quote }}, path: password}]
      {{- end }}{{ end }}
      {{- with .Values.redis.caSecret }}{{ if .name }}
      - secret:
          name: {{ .name }}
          items: [{key: {{ .key | quote }}, path: ca.crt}]
      {{- end }}{{ end }}
      {{- with .Values.redis.certificateSecret }}
      - secret:
          name: {{ . }}
          items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
      {{- end }}
{{- end -}}

{{/* Names with a suffix stay within 63 characters. */}}
{{- define "weir.valkeyName" -}}
{{- printf "%s-valkey" (include "weir.fullname" . | trunc 50 | trimSuffix "-") -}}
{{- end -}}

{{- define "weir.keysSecretName" -}}
{{- default (printf "%s-keys" (include "weir.fullname" . | trunc 50 | trimSuffix "-")) .Values.keys.existingSecret -}}
{{- end -}}

{{/* One setting as text. YAML's numbers arrive as floats, which print as 4.194304e+06 when left alone. */}}
{{- define "weir.setting" -}}
{{- $text := "" -}}
{{- if kindIs "slice" . -}}
{{- $text = join "," . -}}
{{- else if kindIs "float64" . -}}
{{- $text = printf "%.0f" . -}}
{{- else if kindIs "bool" . -}}
{{- /* What YAML made of on and off. */ -}}
{{- $text = ternary "on" "off" . -}}
{{- else -}}
{{- $text = toString . -}}
{{- end -}}
{{- $text | quote -}}
{{- end -}}

{{/* How long an end may take: preStop, config.drain-seconds, and time for the logs before and the exit after it. */}}
{{- define "weir.terminationGracePeriodSeconds" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (int .Values.preStopSeconds) (int (dig "drain-seconds" 10 (include "weir.settings" . | fromJson))) 20 -}}
{{- else -}}
{{- int .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{/* The TOML file, for what has no variable: the settings of single channels. JSON's strings are TOML's. */}}
{{- define "weir.toml" -}}
{{- range .Values.channels }}
[[channel]]
{{- range $name, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ $name }} = {{ if or (kindIs "string" $value) (kindIs "bool" $value) }}{{ toJson $value }}{{ else }}{{ printf "%.0f" (float64 $value) }}{{ end }}
{{- end }}
{{- end }}
{{ end }}
{{- end -}}

{{/* What the gateway would refuse at start, said when the chart is rendered instead of in a crash loop. */}}
{{- define "weir.check" -}}
{{- include "weir.checkBus" . -}}
{{- include "weir.checkHistory" . -}}
{{- include "weir.checkMemory" . -}}
{{- $config := include "weir.settings" . | fromJson -}}
{{- $who := list -}}
{{- range list "anonymous-subscribe" "anonymous-publish" "jwt-secret-file" "jwt-public-key-file" "jwks-file" -}}
{{- with index $config . }}{{ $who = append $who . }}{{ end -}}
{{- end -}}
{{- if not $who -}}
{{- fail "nobody may subscribe or publish: set config.anonymous-subscribe and config.anonymous-publish to the channels that are open to all, such as [\"news.*\"], or a key for tokens (keys, and config.jwks-file or another one)" -}}
{{- end -}}
{{- if and (index $config "jwt-audience") (not (or (index $config "jwt-secret-file") (index $config "jwt-public-key-file") (index $config "jwks-file"))) -}}
{{- fail "config.jwt-audience needs keys, without which no token is looked at: config.jwt-secret-file, config.jwt-public-key-file or config.jwks-file" -}}
{{- end -}}
{{- $origins := index $config "cors-origin" | default list -}}
{{- range ternary (splitList "," (toString $origins)) $origins (kindIs "string" $origins) -}}
{{- if not (regexMatch "^([*]|[a-z0-9+.-]+://[^/?#@*[:space:][:upper:]]+)$" .) -}}
{{- fail (printf "config.cors-origin: %q is no origin: scheme://host[:port] in lower case and without a path, as a browser's Origin header has it, or *" .) -}}
{{- end -}}
{{- end -}}
{{- include "weir.checkEnv" . -}}
{{- $keys := .Values.keys | default dict -}}
{{- $mounts := .Values.extraVolumeMounts | default list -}}
{{- range list "jwt-secret-file" "jwt-public-key-file" "jwks-file" -}}
{{- with index $config . -}}
{{- $path := . -}}
{{- $isMounted := false -}}
{{- range $mounts }}{{ if hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) (printf "%s/" $path) }}{{ $isMounted = true }}{{ end }}{{ end -}}
{{- if not $isMounted -}}
{{- $file := trimPrefix "/etc/weir/keys/" . -}}
{{- if or (eq $file .) (and $keys.files (not (hasKey $keys.files $file))) (not (or $keys.files $keys.existingSecret)) -}}
{{- fail (printf "%s is not among keys.files, and under no extraVolumeMounts: the pod has no other files" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (kindIs "invalid" .Values.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.maxReplicas is not set" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- include "weir.checkScaling" . -}}
{{- end -}}

{{/* A variable twice is refused by the API server or by helm, depending on their versions; and what the chart sets
belongs to the ports and times that it renders. */}}
{{- define "weir.checkEnv" -}}
{{- $own := list "WEIR_LISTEN" "WEIR_ADMIN_LISTEN" "WEIR_BUS" -}}
{{- if eq (include "weir.bus" .) "redis" -}}
{{- $own = concat $own (regexFindAll "WEIR_[A-Z_]+" (printf "WEIR_REDIS_URL %s" (include "weir.redisFilesEnv" .)) -1) -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if has .name $own -}}
{{- fail (printf "extraEnv: %s is set by the chart: see redis, bus and service" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The patterns of durable channels, and of those that follow a stream, as a JSON object of two lists. */}}
{{- define "weir.histories" -}}
{{- $durable := index .Values.config "durable" | default list -}}
{{- $durable = ternary (splitList "," (toString $durable)) $durable (kindIs "string" $durable) -}}
{{- $followed := list -}}
{{- range .Values.channels -}}
{{- if .durable }}{{ $durable = append $durable .match }}{{ end -}}
{{- if eq "stream" (toString .source) }}{{ $followed = append $followed .match }}{{ end -}}
{{- end -}}
{{- dict "durable" $durable "followed" $followed | toJson -}}
{{- end -}}

{{/* Channels with a history in Redis. */}}
{{- define "weir.checkHistory" -}}
{{- range .Values.channels -}}
{{- $isStream := eq "stream" (toString .source) -}}
{{- if and .durable $isStream -}}
{{- fail (printf "channels: %q is durable, and of source stream: leave out one of the two" .match) -}}
{{- end -}}
{{- if and (not $isStream) (or (index . "stream-key") (index . "stream-field")) -}}
{{- fail (printf "channels: %q has a stream-key or a stream-field, which need source: stream" .match) -}}
{{- end -}}
{{- end -}}
{{- $histories := include "weir.histories" . | fromJson -}}
{{- with concat $histories.durable $histories.followed -}}
{{- if eq (include "weir.bus" $) "memory" -}}
{{- fail (printf "the channels %q have their history in Redis, and bus is memory" (first .)) -}}
{{- end -}}
{{- end -}}
{{- if and $histories.durable (regexMatch "[{}]" (index .Values.config "redis-prefix" | default "" | toString)) -}}
{{- fail "config.redis-prefix: durable channels can't be used with a brace in it, since their keys have braces of their own" -}}
{{- end -}}
{{- end -}}

{{/* One bus, and one Redis. */}}
{{- define "weir.checkBus" -}}
{{- $redis := .Values.redis | default dict -}}
{{- $sources := list -}}
{{- if $redis.url }}{{ $sources = append $sources "redis.url" }}{{ end -}}
{{- if (default dict $redis.existingSecret).name }}{{ $sources = append $sources "redis.existingSecret" }}{{ end -}}
{{- if .Values.valkey.enabled }}{{ $sources = append $sources "valkey.enabled" }}{{ end -}}
{{- $files := list -}}
{{- if (default dict $redis.passwordSecret).name }}{{ $files = append $files "redis.passwordSecret" }}{{ end -}}
{{- if (default dict $redis.caSecret).name }}{{ $files = append $files "redis.caSecret" }}{{ end -}}
{{- if $redis.certificateSecret }}{{ $files = append $files "redis.certificateSecret" }}{{ end -}}
{{- if eq (include "weir.bus" .) "memory" -}}
{{- if or $sources $files -}}
{{- fail (printf "bus is memory, which has no Redis: leave out %s" (concat $sources $files | join " and ")) -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- fail "autoscaling.enabled: a gateway whose bus is memory is alone, so it can't be scaled" -}}
{{- end -}}
{{- if gt (include "weir.replicas" . | int) 1 -}}
{{- fail (printf "replicaCount is %v: a gateway whose bus is memory is alone, since each would know its own messages only" .Values.replicaCount) -}}
{{- end -}}
{{- else if not (include "weir.isTrial" .) -}}
{{- if not $sources -}}
{{- fail "there is no Redis: set redis.url or redis.existingSecret, or bus to memory for one gateway that is published to over HTTP. (Without any value of redis, bus, keys and config.anonymous-* the release is a trial, which brings a Valkey.)" -}}
{{- end -}}
{{- if gt (len $sources) 1 -}}
{{- fail (printf "%s: set one of them, there is one Redis" (join " and " $sources)) -}}
{{- end -}}
{{- if and $files (hasPrefix "redis://" (default "" $redis.url)) (or (default dict $redis.caSecret).name $redis.certificateSecret) -}}
{{- fail "redis.caSecret and redis.certificateSecret are for TLS: redis.url begins with rediss:// then" -}}
{{- end -}}
{{- if and .Values.valkey.enabled $files -}}
{{- fail (printf "valkey.enabled: %s is for a Redis of yours" (join " and " $files)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
