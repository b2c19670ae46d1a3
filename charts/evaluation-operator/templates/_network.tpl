{{/* Rules that several NetworkPolicies share. */}}

{{- define "evaluation.egressDns" -}}
# Names. The port only: where the resolver runs differs from cluster to cluster.
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{- define "evaluation.egressKubernetesApi" -}}
# The Kubernetes API. The ports only: its addresses are not known here.
- ports:
    {{- range .Values.networkPolicy.kubernetesApiPorts }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}

{{/* Peers that may read the operator's metrics; every pod of the cluster when none are named. */}}
{{- define "evaluation.metricsPeers" -}}
{{- .Values.networkPolicy.metrics.from | default (list (dict "namespaceSelector" dict)) | toYaml -}}
{{- end -}}
