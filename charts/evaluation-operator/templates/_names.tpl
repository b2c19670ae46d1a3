{{/* Names and labels. Helpers that speak of one component take (list $ "<component>"). */}}

{{/* The release name; "evaluation-operator" becomes "evaluation", so that its parts are evaluation-operator and evaluation-api. */}}
{{- define "evaluation.prefix" -}}
{{- .Values.fullnameOverride | default (.Release.Name | trimSuffix "-operator") | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "evaluation.name" -}}
{{- $root := index . 0 -}}
{{- include "evaluation.prefix" $root }}-{{ index . 1 -}}
{{- end -}}

{{- define "evaluation.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: evaluation-operator
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "evaluation.labels" -}}
{{- $root := index . 0 -}}
{{ include "evaluation.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata.name, labels and annotations: (list $ "<component>" [extra annotations [extra labels]]) */}}
{{- define "evaluation.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "evaluation.name" . }}
{{ include "evaluation.metadataRest" . }}
{{- end -}}

{{- define "evaluation.metadataRest" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "evaluation.labels" . | nindent 2 }}
{{- if gt (len .) 3 }}
{{- with index . 3 }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- $extra := dict -}}
{{- if gt (len .) 2 }}{{ $extra = index . 2 | default dict }}{{ end -}}
{{- with merge (dict) $extra $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where runners report, and where people find the REST API. */}}
{{- define "evaluation.apiUrl" -}}
{{ include "evaluation.apiScheme" . }}://{{ include "evaluation.name" (list . "api") }}.{{ .Release.Namespace }}.svc:{{ .Values.api.service.port }}
{{- end -}}

{{/* Image reference: (list $ <component's image values>) */}}
{{- define "evaluation.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- with $image.reference -}}
{{ . }}
{{- else -}}
{{ $root.Values.image.registry }}/{{ $image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Labels that the operator puts on every runner pod (resources/identity.py). */}}
{{- define "evaluation.runnerLabels" -}}
app.kubernetes.io/managed-by: evaluation-operator
app.kubernetes.io/component: runner
{{- end -}}

{{/* The lease that the leading operator holds. */}}
{{- define "evaluation.lease" -}}
evaluation-operator
{{- end -}}
