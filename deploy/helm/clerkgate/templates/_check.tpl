{{/*
What the schema cannot say: settings that are each right and together impossible. Each
would otherwise be found by a Pod that does not start, or by nobody.
*/}}
{{- define "clerkgate.check" -}}
{{- if not (or .Values.policy.document .Values.policy.existingConfigMap) }}
{{- fail "there is no policy: --set-file policy.document=clerkgate.yaml, or name the ConfigMap that holds it in policy.existingConfigMap" }}
{{- end }}
{{- include "clerkgate.checkReferences" . }}
{{- include "clerkgate.checkSecrets" . }}
{{- $v := .Values }}
{{- if $v.autoscaling.enabled }}
{{- if gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" }}
{{- end }}
{{- if and $v.autoscaling.targetCPUUtilizationPercentage (not (dig "requests" "cpu" "" $v.resources)) }}
{{- fail "autoscaling.targetCPUUtilizationPercentage is a share of resources.requests.cpu, which is not set" }}
{{- end }}
{{- end }}
{{- if and (eq $v.kind "Deployment") $v.podDisruptionBudget.enabled (not (kindIs "string" $v.podDisruptionBudget.minAvailable)) }}
{{- if ge (int $v.podDisruptionBudget.minAvailable) (int ($v.autoscaling.enabled | ternary $v.autoscaling.minReplicas $v.replicaCount)) }}
{{- fail "podDisruptionBudget.minAvailable leaves no Pod that may be evicted: nodes could not be drained" }}
{{- end }}
{{- end }}
{{- with $v.terminationGracePeriodSeconds }}
{{- if lt (int .) (int (include "clerkgate.stopSeconds" $)) }}
{{- fail (printf "terminationGracePeriodSeconds is less than drainSeconds and the 20 s that stopping may take after it: at least %s" (include "clerkgate.stopSeconds" $)) }}
{{- end }}
{{- end }}
{{- $ports := list (int $v.admin.port) }}
{{- if not (include "clerkgate.onSocket" .) }}
{{- $ports = append $ports (int $v.grpc.port) }}
{{- if $v.forwardAuth.enabled }}{{ $ports = append $ports (int $v.forwardAuth.port) }}{{ end }}
{{- end }}
{{- if $v.http.enabled }}{{ $ports = append $ports (int $v.http.port) }}{{ end }}
{{- if ne (len $ports) (len (uniq $ports)) }}
{{- fail "two of grpc.port, forwardAuth.port, http.port and admin.port are the same" }}
{{- end }}
{{- if and (include "clerkgate.hasPods" .) $v.networkPolicy.enabled (not (include "clerkgate.proxies" .)) (include "clerkgate.proxyPorts" .) }}
{{- fail "networkPolicy.proxyNamespace: say where the proxy runs, or nothing may ask the gate; with networkPolicy.enabled=false everything in the cluster may" }}
{{- end }}
{{- end }}

{{/*
Each ${NAME} of the document is set by something. The process refuses a document with
one that is not; it is said here before a Pod has to.
*/}}
{{- define "clerkgate.checkReferences" -}}
{{- if and .Values.policy.document (not .Values.extraEnvFrom) }}
{{- $set := list }}
{{- range include "clerkgate.env" . | fromYamlArray }}
{{- $set = append $set .name }}
{{- end }}
{{- range regexFindAll `\$\{[A-Za-z_][A-Za-z0-9_]*\}` (include "clerkgate.withoutComments" .) -1 | uniq }}
{{- $name := . | trimPrefix "${" | trimSuffix "}" }}
{{- if not (has $name $set) }}
{{- fail (printf "policy.document refers to %s, which nothing sets: name its Secret in secrets, or set it in extraEnv or extraEnvFrom" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* No secret stands in the document itself: a ConfigMap is no place for one. */}}
{{- define "clerkgate.checkSecrets" -}}
{{- if and .Values.clerk.publishableKey (not (regexMatch "^pk_(test|live)_" .Values.clerk.publishableKey)) }}
{{- fail "clerk.publishableKey is no publishable key: those begin with pk_test_ or pk_live_" }}
{{- end }}
{{- range $what, $pattern := dict "a secret key of Clerk" `\b(sk_(test|live)_|ak_|mk_)[A-Za-z0-9]{8}` "the signing secret of a webhook" `whsec_[A-Za-z0-9+/]{8}` "a private key" `-----BEGIN [A-Z ]*PRIVATE KEY` "a password in a URL" `(rediss?|valkeys?)://[^/@\s"']*:[^/@\s"'$]+@` }}
{{- if regexMatch $pattern (toString $.Values.policy.document) }}
{{- fail (printf "policy.document holds %s: keep it in a Secret, named in secrets, and write ${NAME}" $what) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "clerkgate.withoutComments" -}}
{{- regexReplaceAll `(?m)(^|\s)#.*$` .Values.policy.document "" | replace "$${" "" }}
{{- end }}
