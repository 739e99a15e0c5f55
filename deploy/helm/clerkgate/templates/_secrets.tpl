{{/*
The secrets that the chart knows: name in values, environment variable, and name as a
file, which is also the name of the key in the policy document.
*/}}
{{- define "clerkgate.knownSecrets" -}}
publishableKey: { env: CLERK_PUBLISHABLE_KEY }
secretKey: { env: CLERK_SECRET_KEY, file: secret_key }
webhookSecret: { env: CLERK_WEBHOOK_SECRET, file: webhook_secret }
jwtKey: { env: CLERK_JWT_KEY, file: jwt_key }
machineSecretKey: { env: CLERK_MACHINE_SECRET_KEY, file: machine_secret_key }
assertionKey: { env: CLERKGATE_ASSERTION_KEY, file: assertion_key }
redisUrl: { env: REDIS_URL }
redisPassword: { env: REDIS_PASSWORD, file: redis_password }
{{- end }}

{{/* The environment of the process: nothing of it is a secret's value. */}}
{{- define "clerkgate.env" -}}
{{- with .Values.clerk.publishableKey }}
- name: CLERK_PUBLISHABLE_KEY
  value: {{ . | quote }}
{{- end }}
{{- range $name, $known := include "clerkgate.knownSecrets" . | fromYaml }}
{{- $ref := index $.Values.secrets $name }}
{{- if and $ref.name (ne (dig "as" "env" $ref) "file") }}
- name: {{ $known.env }}
  valueFrom:
    secretKeyRef:
      name: {{ $ref.name }}
      key: {{ $ref.key }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The sources of the volume with the secrets that the process reads from files. */}}
{{- define "clerkgate.secretSources" -}}
{{- range $name, $known := include "clerkgate.knownSecrets" . | fromYaml }}
{{- $ref := index $.Values.secrets $name }}
{{- if and $ref.name (eq (dig "as" "env" $ref) "file") }}
- secret:
    name: {{ $ref.name }}
    items:
      - key: {{ $ref.key }}
        path: {{ $known.file }}
{{- end }}
{{- end }}
{{- end }}
