{{/* The arguments of the process. */}}
{{- define "clerkgate.args" -}}
- serve
- --config=/etc/clerkgate/{{ .Values.policy.key }}
{{- if include "clerkgate.onSocket" . }}
- --grpc=unix:{{ .Values.socket.directory }}/grpc.sock
{{- else }}
- --grpc=:{{ .Values.grpc.port }}
{{- end }}
{{- if .Values.forwardAuth.enabled }}
{{- if include "clerkgate.onSocket" . }}
- --forward-auth=unix:{{ .Values.socket.directory }}/forward-auth.sock
{{- else }}
- --forward-auth=:{{ .Values.forwardAuth.port }}
{{- end }}
{{- end }}
{{- if .Values.http.enabled }}
- --http=:{{ .Values.http.port }}
{{- end }}
- --admin=:{{ .Values.admin.port }}
- --drain={{ .Values.drainSeconds }}s
{{- with .Values.checkTimeout }}
- --timeout={{ . }}
{{- end }}
- --log-level={{ .Values.logLevel }}
{{- if .Values.tls.enabled }}
- --tls-cert=/run/clerkgate-tls/tls.crt
- --tls-key=/run/clerkgate-tls/tls.key
{{- if .Values.tls.clientCA.enabled }}
- --tls-client-ca=/run/clerkgate-tls/client-ca.crt
{{- range .Values.tls.clientSANs }}
- --tls-client-san={{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "clerkgate.ports" -}}
{{- if not (include "clerkgate.onSocket" .) }}
- name: grpc
  containerPort: {{ .Values.grpc.port }}
{{- if .Values.forwardAuth.enabled }}
- name: forward-auth
  containerPort: {{ .Values.forwardAuth.port }}
{{- end }}
{{- end }}
{{- if .Values.http.enabled }}
- name: http
  containerPort: {{ .Values.http.port }}
{{- end }}
- name: admin
  containerPort: {{ .Values.admin.port }}
{{- end }}

{{- define "clerkgate.volumeMounts" -}}
- name: clerkgate-policy
  mountPath: /etc/clerkgate
  readOnly: true
{{- if include "clerkgate.secretSources" . }}
- name: clerkgate-secrets
  mountPath: /run/clerkgate-secrets
  readOnly: true
{{- end }}
{{- if .Values.tls.enabled }}
- name: clerkgate-tls
  mountPath: /run/clerkgate-tls
  readOnly: true
{{- end }}
{{- if include "clerkgate.onSocket" . }}
{{ include "clerkgate.socketMount" . }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The mount of the directory with the sockets, for the proxy beside the gate. */}}
{{- define "clerkgate.socketMount" -}}
- name: clerkgate-socket
  mountPath: {{ .Values.socket.directory }}
{{- end }}

{{/*
The volumes of the container. The policy is a directory, so that changes of the
ConfigMap arrive. Secrets and keys can be read by the group 65532, which is the
fsGroup of the Pod.
*/}}
{{- define "clerkgate.volumes" -}}
- name: clerkgate-policy
  configMap:
    name: {{ include "clerkgate.configMapName" . }}
{{- with include "clerkgate.secretSources" . | trim }}
- name: clerkgate-secrets
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- with .Values.tls }}
{{- if .enabled }}
- name: clerkgate-tls
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .secretName }}
          items:
            - key: {{ .certKey }}
              path: tls.crt
            - key: {{ .keyKey }}
              path: tls.key
      {{- if .clientCA.enabled }}
      - secret:
          name: {{ default .secretName .clientCA.secretName }}
          items:
            - key: {{ .clientCA.key }}
              path: client-ca.crt
      {{- end }}
{{- end }}
{{- end }}
{{- if include "clerkgate.onSocket" . }}
- name: clerkgate-socket
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What the container is, without its name. */}}
{{- define "clerkgate.containerBody" -}}
image: {{ include "clerkgate.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  {{- include "clerkgate.args" . | nindent 2 }}
{{- with include "clerkgate.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- include "clerkgate.ports" . | trim | nindent 2 }}
startupProbe:
  httpGet: { path: /healthz, port: admin }
  {{- toYaml .Values.probes.startup | nindent 2 }}
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  {{- toYaml .Values.probes.liveness | nindent 2 }}
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  {{- toYaml .Values.probes.readiness | nindent 2 }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  {{- include "clerkgate.volumeMounts" . | nindent 2 }}
{{- end }}

{{- define "clerkgate.container" -}}
- name: clerkgate
  {{- include "clerkgate.containerBody" . | nindent 2 }}
{{- end }}

{{/*
The gate for the Pod of another chart that has this one as a dependency, under
initContainers: it runs before the proxy starts, and until the proxy has ended.

  initContainers:
    {{- include "clerkgate.sidecar" .Subcharts.clerkgate | nindent 4 }}
*/}}
{{- define "clerkgate.sidecar" -}}
- name: clerkgate
  restartPolicy: Always
  {{- include "clerkgate.containerBody" . | nindent 2 }}
{{- end }}

{{/* Constraints that name no Pods are about those of the release. */}}
{{- define "clerkgate.topologySpreadConstraints" -}}
{{- $own := dict "matchLabels" (include "clerkgate.selectorLabels" . | fromYaml) }}
{{- range .Values.topologySpreadConstraints }}
- {{ toYaml (hasKey . "labelSelector" | ternary . (merge (dict "labelSelector" $own) .)) | nindent 2 | trim }}
{{- end }}
{{- end }}

{{/* The template of the Pods, for a Deployment and for a DaemonSet. */}}
{{- define "clerkgate.podTemplate" -}}
metadata:
  labels:
    {{- include "clerkgate.selectorLabels" . | nindent 4 }}
    {{- with .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with include "clerkgate.podAnnotations" . | trim }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "clerkgate.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ include "clerkgate.terminationGracePeriodSeconds" . }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    {{- include "clerkgate.container" . | nindent 4 }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "clerkgate.volumes" . | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and (eq .Values.kind "Deployment") .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- include "clerkgate.topologySpreadConstraints" . | trim | nindent 4 }}
  {{- end }}
{{- end }}
