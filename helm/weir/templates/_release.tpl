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
{{- toJson $settings -}}
{{- end -}}

{{/* The channel of a publisher. Nobody may read any other than demo.* in a trial. */}}
{{- define "weir.publisherChannel" -}}
{{- .channel | default (printf "%s%s" (ternary "demo." "" (eq (include "weir.isTrial" .root) "true")) .default) -}}
{{- end -}}
