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
