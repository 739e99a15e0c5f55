{{/* The ports of the Service that answer checks. */}}
{{- define "clerkgate.checkPorts" -}}
{{- if not (include "clerkgate.onSocket" .) -}}
- name: grpc
  port: {{ .Values.grpc.port }}
  targetPort: grpc
  appProtocol: {{ .Values.tls.enabled | ternary "https" "kubernetes.io/h2c" }}
{{- if .Values.forwardAuth.enabled }}
- name: forward-auth
  port: {{ .Values.forwardAuth.port }}
  targetPort: forward-auth
  appProtocol: {{ .Values.tls.enabled | ternary "https" "http" }}
{{- end }}
{{- end }}
{{- end }}

{{/* And those of pages, webhooks, health, metrics, and of containers beside the gate. */}}
{{- define "clerkgate.pagePorts" -}}
{{- if .Values.http.enabled }}
- name: http
  port: {{ .Values.http.port }}
  targetPort: http
  appProtocol: http
{{- end }}
{{- if .Values.admin.service }}
- name: admin
  port: {{ .Values.admin.port }}
  targetPort: admin
  appProtocol: http
{{- end }}
{{- with .Values.service.extraPorts }}
{{ toYaml . }}
{{- end }}
{{- end }}
