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

{{/* The Secret and key that hold the Redis URL: the user's own, else the chart's. */}}
{{- define "weir.redisSecretName" -}}
{{- default (include "weir.fullname" .) .Values.redis.existingSecret.name -}}
{{- end -}}
{{- define "weir.redisSecretKey" -}}
{{- if .Values.redis.existingSecret.name -}}
{{- .Values.redis.existingSecret.key -}}
{{- else -}}
redis-url
{{- end -}}
{{- end -}}

{{/*
One setting as text. YAML's numbers arrive as floats, which print as 4.194304e+06 when left alone; "$(" would be
expanded by Kubernetes in an environment variable.
*/}}
{{- define "weir.setting" -}}
{{- $text := "" -}}
{{- if kindIs "slice" . -}}
{{- $text = join "," . -}}
{{- else if kindIs "float64" . -}}
{{- $text = printf "%.0f" . -}}
{{- else -}}
{{- $text = toString . -}}
{{- end -}}
{{- $text | replace "$(" "$$(" | quote -}}
{{- end -}}

{{/* How long draining may take: config.drain-seconds, and time for the logs before and the exit after it. */}}
{{- define "weir.terminationGracePeriodSeconds" -}}
{{- add (int (dig "drain-seconds" 10 .Values.config)) 20 -}}
{{- end -}}

{{/* What the gateway would refuse at start, said when the chart is rendered instead of in a crash loop. */}}
{{- define "weir.check" -}}
{{- if not (or (index .Values.config "anonymous-subscribe") (index .Values.config "anonymous-publish")) -}}
{{- fail "nobody may subscribe or publish: set config.anonymous-subscribe and config.anonymous-publish to the channels that are open to all, such as [\"*\"]" -}}
{{- end -}}
{{- end -}}
