{{/* What evaluation-api may do where jobs run. server/permissions.py is the catalogue; a test compares the two. */}}
{{- define "evaluation.apiRules" -}}
# Finds the job that a runner reports on (get), and follows all jobs for the REST API (list, watch).
- apiGroups: [evaluation-operator.dev]
  resources: [evaluationjobs]
  verbs: [get, list, watch]
# Callers of the REST API create, cancel and delete jobs, and write about a job's own result.
- apiGroups: [evaluation-operator.dev]
  resources: [evaluationjobs]
  verbs: [create, patch, delete]
# They create, change (get) and delete targets and configs, which are followed as the jobs are (list, watch).
- apiGroups: [evaluation-operator.dev]
  resources: [evaluationtargets, evaluationconfigs]
  verbs: [get, list, watch, create, patch, delete]
# Keys that callers send inside a body go into Secrets (create), which their objects own (get, patch) and which follow a job into its
# namespace (get); those that belong to nothing are found by their label, metadata only (list), and removed (delete).
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, get, list, patch, delete]
# Results that callers create themselves are ConfigMaps with a label.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
# Writes progress, results and the artifact's address.
- apiGroups: [evaluation-operator.dev]
  resources: [evaluationjobs/status]
  verbs: [patch]
# Finds the pods of a job, for its log (list), and those that end without having uploaded theirs (watch). Follows a runner's
# token to its pod (get), and that to its Kubernetes Job ...
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# ... and that to its job: a pod reports on its own job only.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get]
# Reads the log of a pod that runs, or that could not upload it.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end -}}

{{/* Not tied to a namespace. */}}
{{- define "evaluation.apiClusterRules" -}}
# Asks the cluster whose token a runner or a caller shows.
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
{{- if eq .Values.api.access.mode "kubernetes" }}
# Asks the cluster what a caller may do.
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
{{- end -}}
