{{/* Names and labels are those of Apache's chart: selectors and dashboards of users match on them. */}}

{{- define "flink-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "flink-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "flink-operator.name" . }}
{{- end }}

{{- define "flink-operator.labels" -}}
{{ include "flink-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "flink-operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "flink-operator.serviceAccountName" -}}
{{- .Values.operatorServiceAccount.name | default (ternary "flink-operator" "default" .Values.operatorServiceAccount.create) }}
{{- end }}

{{- define "flink-operator.jobServiceAccountName" -}}
{{- .Values.jobServiceAccount.name | default (ternary "flink" "default" .Values.jobServiceAccount.create) }}
{{- end }}

{{/* Where Flink clusters run, as JSON: the watched namespaces, or the release's own. */}}
{{- define "flink-operator.jobNamespaces" -}}
{{- toJson (.Values.watchNamespaces | default (list .Release.Namespace)) }}
{{- end }}

{{/*
The folder of fetched jars, as a JSON object: path; ownMount, whether the values mount something there; volume, whether
our volume is needed. As in Apache's chart it is an emptyDir named flink-artifacts-volume, which values may mount, too.
*/}}
{{- define "flink-operator.artifacts" -}}
{{- $path := "/opt/flink/artifacts" }}
{{- $name := "flink-artifacts-volume" }}
{{- $ownMount := false }}
{{- $used := false }}
{{- $ownVolume := false }}
{{- if .Values.operatorVolumeMounts.create }}
{{- range .Values.operatorVolumeMounts.data }}
{{- if eq (trimSuffix "/" .mountPath) $path }}{{ $ownMount = true }}{{ end }}
{{- if eq .name $name }}{{ $used = true }}{{ end }}
{{- end }}
{{- end }}
{{- if .Values.operatorVolumes.create }}
{{- range .Values.operatorVolumes.data }}
{{- if eq .name $name }}{{ $ownVolume = true }}{{ end }}
{{- end }}
{{- end }}
{{- $volume := and (not $ownVolume) (or $used (not $ownMount)) }}
{{- dict "path" $path "ownMount" $ownMount "volume" $volume | toJson }}
{{- end }}
