{{/* What the pods of the operator, evaluation-api and the demo endpoint have in common. */}}

{{/* Satisfies the "restricted" Pod Security Standard. */}}
{{- define "evaluation.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "evaluation.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Image, pull policy and security of a container: (list $ <component's image values>) */}}
{{- define "evaluation.containerBase" -}}
{{- $root := index . 0 -}}
image: {{ include "evaluation.image" . | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  {{- include "evaluation.containerSecurityContext" $root | nindent 2 }}
{{- end -}}

{{/* Pull secrets and placement of a Deployment's pod: (list $ "<component>" <component values>). Prefers nodes and zones that have
     no pod of this component yet; never blocks scheduling for it. */}}
{{- define "evaluation.podPlacement" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $values := index . 2 -}}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "evaluation.selectorLabels" (list $root $component) | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* Labels of a component's pod: (list $ "<component>" <component values>) */}}
{{- define "evaluation.podLabels" -}}
{{- $root := index . 0 -}}{{- $values := index . 2 -}}
{{ include "evaluation.selectorLabels" . }}
{{- with merge (dict) ($values.podLabels | default dict) $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "evaluation.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "evaluation.metadata" . | nindent 2 }}
spec:
  minAvailable: 1
  # A pod that is not ready protects nothing and must not keep a node from draining.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "evaluation.selectorLabels" . | nindent 6 }}
{{- end -}}
