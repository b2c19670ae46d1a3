{{/* evaluation-api's settings file (server/settings.py reads it), as YAML. */}}
{{- define "evaluation.apiSettings" -}}
namespaces: {{ toJson .Values.watchNamespaces }}
publicUrl: {{ .Values.api.publicUrl | quote }}
logLevel: {{ .Values.api.logLevel }}
{{- if .Values.api.tls.secretName }}
listen:
  {{- include "evaluation.tlsSettings" . | nindent 2 }}
{{- end }}
access:
  mode: {{ .Values.api.access.mode }}
  audience: {{ .Values.api.access.audience | quote }}
rest:
  maxBodyBytes: {{ int64 .Values.api.rest.maxBodyBytes }}
  maxReads: {{ int64 .Values.api.rest.maxReads }}
  maxWrites: {{ int64 .Values.api.rest.maxWrites }}
live:
  maxConcurrent: {{ int64 .Values.api.live.maxConcurrent }}
  seconds: {{ int64 .Values.api.live.seconds }}
  memoryBytes: {{ mul (int64 .Values.api.live.memoryMiB) 1048576 }}
store:
  {{- include "evaluation.storeSettings" . | nindent 2 }}
{{- end -}}
