{{/* Where the test looks for jobs. */}}
{{- define "evaluation.testNamespace" -}}
{{- first (append .Values.watchNamespaces .Release.Namespace) -}}
{{- end -}}

{{- define "evaluation.testRules" -}}
- apiGroups: [evaluation-operator.dev]
  resources: [evaluationjobs, evaluationtargets, evaluationconfigs]
  verbs: [list]
{{- end -}}

{{- define "evaluation.testLeaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "evaluation.lease" . }}]
  verbs: [get]
{{- end -}}
