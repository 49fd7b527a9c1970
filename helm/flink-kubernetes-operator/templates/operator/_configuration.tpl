{{/*
A configuration file: the chart's own, the user's text, and what follows from other values.

In the flat form a later line wins, so the user's text may repeat what the chart's file says. In YAML a key
given twice cannot be read at all: lines of the chart that the user's text has, too, are left out, and a
key that follows from another value is refused.
*/}}
{{- define "flink-operator.configuration" -}}
{{- $root := .root }}
{{- $users := dict }}
{{- if .yaml }}
{{- $users = fromYaml .text }}
{{- with get $users "Error" }}
{{- fail (printf "defaultConfiguration.config.yaml cannot be read as YAML: %s" .) }}
{{- end }}
{{- end }}
{{- if $root.Values.defaultConfiguration.append }}
{{- range $line := $root.Files.Lines "conf/flink-conf.yaml" }}
{{- if not (hasKey $users (splitList ": " $line | first)) }}
{{ $line }}
{{- end }}
{{- end }}
{{- end }}
{{- with trim .text }}
{{ . }}
{{- end }}
{{- range $key, $value := include "flink-operator.settings" $root | fromYaml }}
{{- if hasKey $users $key }}
{{- fail (printf "defaultConfiguration.config.yaml: %s follows from watchNamespaces or operatorHealth; set those" $key) }}
{{- end }}
{{ $key }}: {{ $value }}
{{- end }}
{{- end }}

{{/* Options that follow from other values. */}}
{{- define "flink-operator.settings" -}}
{{- if .Values.watchNamespaces }}
kubernetes.operator.watched.namespaces: {{ join "," .Values.watchNamespaces | quote }}
{{- end }}
{{- with .Values.operatorHealth }}
kubernetes.operator.health.probe.enabled: "true"
kubernetes.operator.health.probe.port: {{ .port | quote }}
{{- end }}
{{- end }}
