{{/* Streams do not move by themselves: each pod that goes sends its clients to reconnect, so it goes late and alone. */}}
{{- define "weir.scalingBehavior" -}}
{{- $behavior := dict "scaleDown" (dict "stabilizationWindowSeconds" 600 "policies" (list (dict "type" "Pods" "value" 1 "periodSeconds" 120))) -}}
{{- include "weir.overlay" (dict "on" $behavior "over" .Values.autoscaling.behavior) -}}
{{- toYaml $behavior -}}
{{- end -}}

{{/* An autoscaler that could never do anything. */}}
{{- define "weir.checkScaling" -}}
{{- with .Values.autoscaling -}}
{{- if .enabled -}}
{{- $keda := default dict .keda -}}
{{- if and $keda.enabled .clientsPerPod (not $keda.serverAddress) -}}
{{- fail "autoscaling.keda needs to be told where Prometheus is: set autoscaling.keda.serverAddress, or clientsPerPod to null" -}}
{{- end -}}
{{- if and $keda.enabled .metrics -}}
{{- fail "autoscaling.metrics are the HorizontalPodAutoscaler's: with keda they are autoscaling.keda.triggers" -}}
{{- end -}}
{{- if not (or .clientsPerPod .cpuPercent .memoryPercent (ternary $keda.triggers .metrics (eq (toString $keda.enabled) "true"))) -}}
{{- fail "autoscaling is by nothing: set autoscaling.clientsPerPod, cpuPercent, memoryPercent or metrics" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
