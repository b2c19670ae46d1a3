{{/* Grants rules either everywhere or in each watched namespace: (list $ "<component>" "<name of the template with the rules>") */}}
{{- define "evaluation.grant" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $rules := index . 2 -}}
{{- $where := list (dict "kind" "ClusterRole") -}}
{{- with $root.Values.watchNamespaces -}}
{{- $where = list -}}
{{- range . }}{{ $where = append $where (dict "kind" "Role" "namespace" .) }}{{ end -}}
{{- end -}}
{{- range $where }}
{{- include "evaluation.role" (list $root $component .kind (.namespace | default "") "" $rules) }}
{{- end }}
{{- end -}}

{{/* A (Cluster)Role and its binding to the component's service account:
     (list $ "<component>" "<kind>" "<namespace>" "<suffix of the name>" "<rules template>").
     Cluster-wide names carry the release namespace, so that two releases of one name do not share a role. */}}
{{- define "evaluation.role" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $kind := index . 2 -}}{{- $namespace := index . 3 -}}
{{- $account := include "evaluation.name" (list $root $component) -}}
{{- $name := printf "%s%s" $account (index . 4) -}}
{{- if eq $kind "ClusterRole" }}{{ $name = printf "%s:%s" $root.Release.Namespace $name }}{{ end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ $name | quote }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  {{- include "evaluation.metadataRest" (list $root $component) | nindent 2 }}
rules:
  {{- include (index . 5) $root | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ $name | quote }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  {{- include "evaluation.metadataRest" (list $root $component) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ $name | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ $account }}
    namespace: {{ $root.Release.Namespace }}
{{- end -}}
