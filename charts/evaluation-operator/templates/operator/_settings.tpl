{{/* The operator's settings file (controller/settings.py reads it), as YAML. */}}
{{- define "evaluation.operatorSettings" -}}
apiUrl: {{ include "evaluation.apiUrl" . }}
{{- if include "evaluation.apiHasAuthority" . }}
apiCaFile: {{ include "evaluation.apiAuthorityFolder" . }}/ca.crt
{{- end }}
watchNamespaces: {{ toJson .Values.watchNamespaces }}
runnerImages:
  {{- range $family, $image := .Values.runner.images }}
  {{- range $type := $image.types }}
  {{ $type }}:
    image: {{ include "evaluation.image" (list $ $image) | quote }}
    imagePullPolicy: {{ $.Values.image.pullPolicy }}
    {{- with dig $type nil ($image.accepts | default dict) }}
    accepts: {{ toJson . }}
    {{- end }}
  {{- end }}
  {{- end }}
lease:
  name: {{ include "evaluation.lease" . }}
defaults:
  resources: {{ toJson .Values.runner.resources }}
  pendingDeadlineSeconds: {{ int64 .Values.runner.pendingDeadlineSeconds }}
  activeDeadlineSeconds: {{ int64 .Values.runner.activeDeadlineSeconds }}
  queueDeadlineSeconds: {{ int64 .Values.runner.queueDeadlineSeconds }}
  ttlSecondsAfterFinished: {{ int64 .Values.runner.ttlSecondsAfterFinished }}
{{- end -}}
