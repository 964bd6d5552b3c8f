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

{{/* PromQL's matchers of the release's pods. */}}
{{- define "weir.podMatchers" -}}
{{- printf "namespace=%q,pod=~%q" (include "weir.namespace" .) (printf "%s-.*" (include "weir.fullname" .)) -}}
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
