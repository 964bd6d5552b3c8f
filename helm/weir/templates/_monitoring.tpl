{{/* What an endpoint of a ServiceMonitor and of a PodMonitor have in common. */}}
{{- define "weir.scraping" -}}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* PromQL's matchers of the gateways' pods, and of no other release's whose name begins alike. Of a pod's name
Kubernetes keeps 58 characters before the last five: of a long one not all of the hash. */}}
{{- define "weir.podMatchers" -}}
{{- $name := include "weir.fullname" . -}}
{{- $pattern := ternary (printf "%s-[a-z0-9]+-[a-z0-9]+" $name) (printf "%s.*" (trunc 57 $name)) (le (len $name) 46) -}}
{{- printf "namespace=%q,pod=~%q" (include "weir.namespace" .) $pattern -}}
{{- end -}}

{{/* The page of the runbooks: the user's, or this project's where its address is known. */}}
{{- define "weir.runbooks" -}}
{{- $home := trimSuffix "/" (default "" .Chart.Home) -}}
{{- if .Values.prometheusRule.runbooks -}}
{{- .Values.prometheusRule.runbooks -}}
{{- else if and $home (not (hasSuffix ".invalid" $home)) -}}
{{- printf "%s/blob/main/docs/operations.md" $home -}}
{{- else -}}
docs/operations.md
{{- end -}}
{{- end -}}
