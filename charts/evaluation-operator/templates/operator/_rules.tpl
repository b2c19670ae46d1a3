{{/* What the operator may do where jobs run. controller/permissions.py is the catalogue; a test compares the two. */}}
{{- define "evaluation.operatorRules" -}}
# Follows jobs, and looks at one again before it makes anything for it. It cannot write the spec of any.
- apiGroups: [evaluation-operator.dev]
  resources: [evaluationjobs]
  verbs: [get, list, watch]
# Resolves the references of jobs.
- apiGroups: [evaluation-operator.dev]
  resources: [evaluationtargets, evaluationconfigs]
  verbs: [list, watch]
# Writes phase, conditions and error of a job.
- apiGroups: [evaluation-operator.dev]
  resources: [evaluationjobs/status]
  verbs: [patch]
# Sets blockOwnerDeletion on what it makes for a job; clusters with OwnerReferencesPermissionEnforcement ask for this right.
- apiGroups: [evaluation-operator.dev]
  resources: [evaluationjobs/finalizers]
  verbs: [update]
# Starts (create), pauses and sets the time to live of (patch), and cancels (delete) the Kubernetes Job of a job.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
# Reads why a pod does not start, and the last message of one that ended.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# Moves keys given in plain text into a Secret that the job owns. It cannot read any Secret.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
# Keeps the pinned copy of a job that is too large for an annotation.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
# Tells people what happened to a job (create, patch), and reads why the cluster refuses a pod (list).
- apiGroups: [""]
  resources: [events]
  verbs: [list, create, patch]
{{- end -}}

{{/* What it may do in its own namespace. */}}
{{- define "evaluation.operatorLeaseRules" -}}
# The first replica makes the lease. A create cannot be limited to a name.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
# Only the holder of the lease acts; the others stand by.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "evaluation.lease" . }}]
  verbs: [get, patch]
{{- end -}}
