{{/* Where evaluation-api keeps artifacts: refuses settings that would lose them, then gives settings, credentials and volume. */}}
{{- define "evaluation.storeCheck" -}}
{{- $store := .Values.api.store -}}
{{- if and (eq $store.type "disk") (gt (int .Values.api.replicas) 1) -}}
{{- fail "api.replicas is more than 1, but api.store.type is disk: each replica would keep artifacts that the others do not have. Set api.store.type to s3, or api.replicas to 1." -}}
{{- end -}}
{{- if and (eq $store.type "s3") (not $store.s3.bucket) -}}
{{- fail "api.store.type is s3, but api.store.s3.bucket is empty: name the bucket." -}}
{{- end -}}
{{- end -}}

{{- define "evaluation.storeUrl" -}}
{{- $store := .Values.api.store -}}
{{- if eq $store.type "s3" -}}
s3://{{ $store.s3.bucket }}{{ with $store.s3.prefix }}/{{ . }}{{ end }}
{{- else -}}
file:///var/lib/evaluation-api
{{- end -}}
{{- end -}}

{{/* The store's part of the settings file. */}}
{{- define "evaluation.storeSettings" -}}
{{- $s3 := .Values.api.store.s3 -}}
url: {{ include "evaluation.storeUrl" . }}
{{- if eq .Values.api.store.type "s3" }}
allowHttp: {{ hasPrefix "http://" $s3.endpoint }}
options:
  region: {{ $s3.region | quote }}
  {{- with $s3.endpoint }}
  endpoint: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Credentials go through the environment, never through the settings file. */}}
{{- define "evaluation.storeEnv" -}}
{{- $secret := .Values.api.store.s3.credentialsSecret -}}
{{- if and (eq .Values.api.store.type "s3") $secret.name }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ $secret.name }}, key: {{ $secret.accessKeyIdKey }}}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ $secret.name }}, key: {{ $secret.secretAccessKeyKey }}}}
{{- end }}
{{- end -}}

{{- define "evaluation.storeClaim" -}}
{{- .Values.api.store.disk.persistence.existingClaim | default (printf "%s-artifacts" (include "evaluation.name" (list . "api"))) -}}
{{- end -}}

{{- define "evaluation.storeVolume" -}}
{{- $disk := .Values.api.store.disk -}}
- name: artifacts
  {{- if or $disk.persistence.enabled $disk.persistence.existingClaim }}
  persistentVolumeClaim: {claimName: {{ include "evaluation.storeClaim" . }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ $disk.sizeLimit }}}
  {{- end }}
{{- end -}}

{{/* TCP port of the object store. */}}
{{- define "evaluation.storePort" -}}
{{- $url := urlParse (.Values.api.store.s3.endpoint | default "https://s3") -}}
{{- $given := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $given | default (ternary "80" "443" (eq $url.scheme "http")) -}}
{{- end -}}
