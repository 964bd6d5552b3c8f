{{/* How the gateway is reached from outside: paths, and what the proxies on the way are told. */}}

{{/* Seconds of silence after which a proxy may close a stream, as in docs/proxies.md: longer than the gateway is silent,
short enough that a client whose network has gone is forgotten. */}}
{{- define "weir.silenceSeconds" -}}
{{- max 90 (mul 4 (dig "heartbeat-seconds" 15 (include "weir.settings" . | fromJson) | int)) -}}
{{- end -}}

{{/* The paths of one host of the Ingress, as a JSON object {paths: [{path, pathType}]}: root, host. */}}
{{- define "weir.ingressPaths" -}}
{{- $type := default (default "Prefix" .root.Values.ingress.pathType) .host.pathType -}}
{{- $paths := list -}}
{{- range default (list (default "/" .host.path)) .host.paths -}}
{{- if kindIs "string" . -}}
{{- $paths = append $paths (dict "path" . "pathType" $type) -}}
{{- else -}}
{{- $paths = append $paths (dict "path" .path "pathType" (default $type .pathType)) -}}
{{- end -}}
{{- end -}}
{{- dict "paths" $paths | toJson -}}
{{- end -}}

{{/* The match of one path of the HTTPRoute, which is a prefix as text or says its type, as JSON. */}}
{{- define "weir.pathMatch" -}}
{{- ternary (dict "type" "PathPrefix" "value" .) . (kindIs "string" .) | toJson -}}
{{- end -}}

{{/* What stands before all paths of the gateway: basePath or config.base-path, or else the one path that the Ingress, the
HTTPRoute and the Route pass on. Those that rewrite paths are left out, and exact ones, behind which there is nothing.
So are several that are the gateway's own. Empty, or without a slash at its end. */}}
{{- define "weir.basePath" -}}
{{- $said := default (dig "base-path" "" (default dict .Values.config)) .Values.basePath -}}
{{- if $said -}}
{{- trimSuffix "/" $said -}}
{{- else -}}
{{- $paths := list -}}
{{- $rewrites := regexMatch "rewrite-target|path-rewrite" (toJson (list .Values.ingress.annotations .Values.openshiftRoute.annotations)) -}}
{{- if and .Values.ingress.enabled (not $rewrites) -}}
{{- range .Values.ingress.hosts -}}
{{- range (include "weir.ingressPaths" (dict "root" $ "host" .) | fromJson).paths -}}
{{- if eq .pathType "Prefix" }}{{ $paths = append $paths (trimSuffix "/" .path) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not (regexMatch "URLRewrite" (toJson .Values.httpRoute.filters))) -}}
{{- range .Values.httpRoute.paths -}}
{{- with include "weir.pathMatch" . | fromJson -}}
{{- if eq (default "PathPrefix" .type) "PathPrefix" }}{{ $paths = append $paths (trimSuffix "/" .value) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.openshiftRoute.enabled (not $rewrites) -}}
{{- $paths = append $paths (trimSuffix "/" (default "/" .Values.openshiftRoute.path)) -}}
{{- end -}}
{{- $paths = uniq $paths -}}
{{- $others := list -}}
{{- range $paths }}{{ if not (regexMatch "^/(channels|events|clients)(/|$)" .) }}{{ $others = append $others . }}{{ end }}{{ end -}}
{{- if and (not $others) (or (gt (len $paths) 1) (not (has "/events" $paths))) }}{{ $paths = list }}{{ end -}}
{{- if gt (len $paths) 1 -}}
{{- $shown := list -}}
{{- range $paths }}{{ $shown = append $shown (default "/" .) }}{{ end -}}
{{- fail (printf "the gateway is at one path, and not at %s: say in basePath at which (\"/\" for none)" (join " and " $shown)) -}}
{{- end -}}
{{- with compact $paths -}}
{{- $path := first . -}}
{{- if or (not (regexMatch "^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$" $path)) (gt (len $path) 128) -}}
{{- fail (printf "%s can't be the path of the gateway (letters, digits and -._~/): let the proxy rewrite it, and set basePath to what it passes on" $path) -}}
{{- end -}}
{{- $path -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What streams need of the Ingress' controller, as JSON: longer than a stream is silent, each event at once, as large a
body as a message may be. docs/proxies.md has the reasons. */}}
{{- define "weir.ingressAnnotations" -}}
{{- $silence := include "weir.silenceSeconds" . -}}
{{- $controller := default "" .Values.ingress.controller -}}
{{- $annotations := dict -}}
{{- if eq $controller "nginx" -}}
{{- range $name, $value := dict "proxy-buffering" "off" "proxy-http-version" "1.1" "proxy-read-timeout" $silence "proxy-send-timeout" $silence
  "proxy-body-size" (dig "max-message-bytes" "4Mi" (include "weir.settings" . | fromJson) | include "weir.sizeBytes") -}}
{{- $_ := set $annotations (printf "nginx.ingress.kubernetes.io/%s" $name) $value -}}
{{- end -}}
{{- if include "weir.hasAway" . -}}
{{- /* For when there are no endpoints. (custom-http-errors would swallow the gateway's own 503 as well.) */ -}}
{{- $_ := set $annotations "nginx.ingress.kubernetes.io/default-backend" (include "weir.awayName" .) -}}
{{- end -}}
{{- else if eq $controller "haproxy" -}}
{{- $_ := set $annotations "haproxy.org/backend-config-snippet" (printf "option http-no-delay\ntimeout server %ss\n%s" $silence (include "weir.awayServer" .)) -}}
{{- else if eq $controller "haproxy-ingress" -}}
{{- $_ := set $annotations "haproxy-ingress.github.io/config-backend" (printf "option http-no-delay\n%s" (include "weir.awayServer" .)) -}}
{{- $_ := set $annotations "haproxy-ingress.github.io/timeout-server" (printf "%ss" $silence) -}}
{{- else if eq $controller "alb" -}}
{{- /* A gateway that drains ends its streams itself; the load balancer must wait as long as the pod may. */ -}}
{{- range $name, $value := dict "target-type" "ip" "healthcheck-port" "8081" "healthcheck-path" "/readyz"
  "healthcheck-interval-seconds" "10" "healthcheck-timeout-seconds" "5" "healthy-threshold-count" "2" "unhealthy-threshold-count" "2"
  "load-balancer-attributes" (printf "idle_timeout.timeout_seconds=%d" (min 4000 ($silence | int)))
  "target-group-attributes" (printf "deregistration_delay.timeout_seconds=%d,load_balancing.algorithm.type=least_outstanding_requests" (min 3600 (include "weir.terminationGracePeriodSeconds" . | int))) -}}
{{- $_ := set $annotations (printf "alb.ingress.kubernetes.io/%s" $name) $value -}}
{{- end -}}
{{- end -}}
{{- toJson $annotations -}}
{{- end -}}
