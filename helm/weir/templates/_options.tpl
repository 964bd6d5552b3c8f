{{/* What all objects and all pods of the chart have in common. */}}

{{- define "weir.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* The release's full name with a suffix, within 63 characters. */}}
{{- define "weir.nameWith" -}}
{{- printf "%s-%s" (include "weir.fullname" .root | trunc 50 | trimSuffix "-") .suffix -}}
{{- end -}}

{{/* The metadata of an object: root, and what it has of its own: name or suffix, namespace, labels, component,
annotations. The chart's labels win over the user's. */}}
{{- define "weir.metadata" -}}
{{- $labels := dict -}}
{{- $own := include "weir.labels" .root | fromYaml -}}
{{- if .component }}{{ $_ := set $own "app.kubernetes.io/component" .component }}{{ end -}}
{{- range list .root.Values.commonLabels .labels $own -}}
{{- range $key, $value := . }}{{ $_ := set $labels $key $value }}{{ end -}}
{{- end -}}
{{- $annotations := dict -}}
{{- range list .root.Values.commonAnnotations .annotations -}}
{{- range $key, $value := . }}{{ $_ := set $annotations $key $value }}{{ end -}}
{{- end -}}
{{- if .suffix -}}
name: {{ include "weir.nameWith" . | quote }}
{{- else -}}
name: {{ default (include "weir.fullname" .root) .name | quote }}
{{- end }}
namespace: {{ default (include "weir.namespace" .root) .namespace | quote }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The labels of a pod: root, component, and labels of its own. Nothing that a new version of the chart changes. */}}
{{- define "weir.podLabels" -}}
{{- $labels := dict -}}
{{- $own := set (include "weir.selectorLabels" .root | fromYaml) "app.kubernetes.io/component" .component -}}
{{- range list .root.Values.commonLabels .labels $own -}}
{{- range $key, $value := . }}{{ $_ := set $labels $key $value }}{{ end -}}
{{- end -}}
{{- toYaml $labels -}}
{{- end -}}

{{/* Lays `over` on `on`, which it changes: objects key by key, null takes a key away. (mergeOverwrite passes over false
and 0.) */}}
{{- define "weir.overlay" -}}
{{- $on := .on -}}
{{- range $key, $value := .over -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $on $key -}}
{{- else if and (kindIs "map" $value) (kindIs "map" (index $on $key)) -}}
{{- include "weir.overlay" (dict "on" (index $on $key) "over" $value) -}}
{{- else -}}
{{- $_ := set $on $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Not empty on OpenShift, whose own rules give each namespace its users. (`on` and `off` may arrive as YAML's booleans.) */}}
{{- define "weir.isOpenShift" -}}
{{- $openshift := toString .Values.openshift -}}
{{- if or (has $openshift (list "on" "true")) (and (eq $openshift "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) -}}
yes
{{- end -}}
{{- end -}}

{{/* Of every pod of the chart: root, and the number of its user. No root, no token of Kubernetes. */}}
{{- define "weir.podSecurity" -}}
{{- $context := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if not (include "weir.isOpenShift" .root) -}}
{{- range list "runAsUser" "runAsGroup" "fsGroup" }}{{ $_ := set $context . $.user }}{{ end -}}
{{- end -}}
{{- include "weir.overlay" (dict "on" $context "over" .root.Values.podSecurityContext) -}}
automountServiceAccountToken: false
# Service links would set WEIR_PORT and others: variables that look like settings.
enableServiceLinks: false
{{- with $context }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Of every container of the chart: no capabilities, nothing to write to. */}}
{{- define "weir.containerSecurity" -}}
{{- $context := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- include "weir.overlay" (dict "on" $context "over" .Values.securityContext) -}}
{{- toYaml $context -}}
{{- end -}}

{{/* Where a pod of the chart may run, and what it needs there: root, and isGateway. Only the gateway gets all of affinity:
its terms about pods are about gateways. */}}
{{- define "weir.podPlacement" -}}
{{- $root := .root -}}
{{- $names := list -}}
{{- range concat (default list (default dict $root.Values.global).imagePullSecrets) (default list $root.Values.imagePullSecrets) -}}
{{- if kindIs "string" . }}{{ $names = append $names . }}{{ else }}{{ $names = append $names .name }}{{ end -}}
{{- end -}}
{{- with uniq $names }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "priorityClassName" "runtimeClassName" "dnsConfig" "hostAliases" }}
{{- with index $root.Values $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- $affinity := default dict $root.Values.affinity -}}
{{- if not .isGateway }}{{ $affinity = pick $affinity "nodeAffinity" }}{{ end -}}
{{- with $affinity }}
{{ dict "affinity" . | toYaml }}
{{- end }}
{{- end -}}

{{/* An image: root, and image, a name. A registry for all images takes the place of its own. */}}
{{- define "weir.imageAt" -}}
{{- $registry := default "" (default dict .root.Values.global).imageRegistry -}}
{{- $parts := splitList "/" .image -}}
{{- if and $registry (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) -}}
{{- $parts = rest $parts -}}
{{- end -}}
{{- join "/" (concat (compact (list $registry)) $parts) -}}
{{- end -}}

{{/* The chart's own image. A digest says which one; a tag beside it is for people. */}}
{{- define "weir.image" -}}
{{- $image := .Values.image -}}
{{- $name := join "/" (compact (list (default "" $image.registry) $image.repository)) -}}
{{- if or $image.tag (not $image.digest) }}{{ $name = printf "%s:%s" $name (default .Chart.AppVersion $image.tag) }}{{ end -}}
{{- if $image.digest }}{{ $name = printf "%s@%s" $name $image.digest }}{{ end -}}
{{- include "weir.imageAt" (dict "root" . "image" $name) -}}
{{- end -}}
