{{/* TLS of evaluation-api: its certificate, and the authority that its clients in the cluster trust. */}}

{{- define "evaluation.apiScheme" -}}
{{ ternary "https" "http" (ne .Values.api.tls.secretName "") }}
{{- end -}}

{{/* Whether there is an authority to hand on: "true" or empty. */}}
{{- define "evaluation.apiHasAuthority" -}}
{{- if and .Values.api.tls.secretName .Values.api.tls.caKey }}true{{ end -}}
{{- end -}}

{{- define "evaluation.apiAuthorityFolder" -}}
/etc/evaluation-api-ca
{{- end -}}

{{/* The authority's certificate and nothing else of the Secret. */}}
{{- define "evaluation.apiAuthorityVolume" -}}
- name: api-ca
  secret:
    secretName: {{ .Values.api.tls.secretName }}
    items: [{key: {{ .Values.api.tls.caKey }}, path: ca.crt}]
{{- end -}}

{{- define "evaluation.apiAuthorityMount" -}}
- {name: api-ca, mountPath: {{ include "evaluation.apiAuthorityFolder" . }}, readOnly: true}
{{- end -}}

{{/* The listener's part of the settings file. */}}
{{- define "evaluation.tlsSettings" -}}
tlsCertFile: /etc/evaluation-api-tls/tls.crt
tlsKeyFile: /etc/evaluation-api-tls/tls.key
{{- end -}}

{{/* A probe of evaluation-api: (list $ "<path>") */}}
{{- define "evaluation.apiProbe" -}}
{{- $root := index . 0 -}}
httpGet: {path: {{ index . 1 }}, port: http{{ if $root.Values.api.tls.secretName }}, scheme: HTTPS{{ end }}}
{{- end -}}
