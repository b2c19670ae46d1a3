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
entities:
  defaultNamespace: {{ .Values.api.entities.defaultNamespace | default (first .Values.watchNamespaces) | default "default" }}
  shared: {{ .Values.api.entities.shared }}
  modelEndpoint: {{ .Values.api.entities.modelEndpoint | quote }}
  secretReferences: {{ .Values.api.entities.secretReferences }}
  configTypes:
  {{- range $image := .Values.runner.images }}
  {{- range $type := $image.types }}
    {{ $type }}: {{ dig $type dict ($image.accepts | default dict) | toJson }}
  {{- end }}
  {{- end }}
live:
  maxConcurrent: {{ int64 .Values.api.live.maxConcurrent }}
  seconds: {{ int64 .Values.api.live.seconds }}
  memoryBytes: {{ mul (int64 .Values.api.live.memoryMiB) 1048576 }}
store:
  {{- include "evaluation.storeSettings" . | nindent 2 }}
{{- end -}}
