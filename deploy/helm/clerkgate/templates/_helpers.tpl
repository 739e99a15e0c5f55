{{/* The name of the chart, in labels and as the name of the container. */}}
{{- define "clerkgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of every object: that of the release, which says what it is. */}}
{{- define "clerkgate.fullname" -}}
{{- $name := include "clerkgate.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What selects the Pods. It never changes in the life of a release. */}}
{{- define "clerkgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "clerkgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "clerkgate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "clerkgate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The metadata that all objects have in common, for one of this name. */}}
{{- define "clerkgate.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "clerkgate.labels" $root | nindent 2 }}
{{- end }}

{{- define "clerkgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "clerkgate.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "clerkgate.configMapName" -}}
{{- default (printf "%s-policy" (include "clerkgate.fullname" .)) .Values.policy.existingConfigMap }}
{{- end }}

{{- define "clerkgate.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Not empty where checks come over Unix sockets. */}}
{{- define "clerkgate.onSocket" -}}
{{- if or .Values.socket.enabled (eq .Values.kind "Sidecar") }}true{{ end }}
{{- end }}

{{/* Not empty where there are Pods of the release's own. */}}
{{- define "clerkgate.hasPods" -}}
{{- if ne .Values.kind "Sidecar" }}true{{ end }}
{{- end }}

{{/*
What the process may take between SIGTERM and its end: the drain, 10 s for checks
under way, 6 s for its HTTP servers, and 4 s to spare.
*/}}
{{- define "clerkgate.stopSeconds" -}}
{{- add .Values.drainSeconds 20 }}
{{- end }}

{{- define "clerkgate.terminationGracePeriodSeconds" -}}
{{- default (include "clerkgate.stopSeconds" .) .Values.terminationGracePeriodSeconds }}
{{- end }}

{{/*
The annotation with the checksum of the policy. It is that of the document, so that
nothing else starts Pods anew.
*/}}
{{- define "clerkgate.podAnnotations" -}}
{{- if and .Values.policy.restartOnChange (not .Values.policy.existingConfigMap) }}
checksum/policy: {{ .Values.policy.document | sha256sum }}
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}
