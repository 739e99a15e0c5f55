{{/* The ports that are for the proxy; empty where it asks over sockets alone. */}}
{{- define "clerkgate.proxyPorts" -}}
{{- if not (include "clerkgate.onSocket" .) }}
- { port: grpc, protocol: TCP }
{{- if .Values.forwardAuth.enabled }}
- { port: forward-auth, protocol: TCP }
{{- end }}
{{- end }}
{{- if .Values.http.enabled }}
- { port: http, protocol: TCP }
{{- end }}
{{- end }}

{{/* Who may use them. */}}
{{- define "clerkgate.proxies" -}}
{{- include "clerkgate.peers" (list .Values.networkPolicy.proxyNamespace .Values.networkPolicy.proxy) }}
{{- end }}

{{/* Who may use the admin port. */}}
{{- define "clerkgate.monitors" -}}
{{- include "clerkgate.peers" (list .Values.networkPolicy.monitoringNamespace .Values.networkPolicy.monitoring) }}
{{- end }}

{{/* The Pods of a namespace, unless its name is empty, and further peers. */}}
{{- define "clerkgate.peers" -}}
{{- with index . 0 }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
{{- end }}
{{- with index . 1 }}
{{ toYaml . }}
{{- end }}
{{- end }}
