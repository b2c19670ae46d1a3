{{/* evaluation-api's settings file (server/settings.py reads it), as YAML. */}}
{{- define "evaluation.apiSettings" -}}
namespaces: {{ toJson .Values.watchNamespaces }}
publicUrl: {{ .Values.api.publicUrl | quote }}
logLevel: {{ .Values.api.logLevel }}
store:
  {{- include "evaluation.storeSettings" . | nindent 2 }}
{{- end -}}
