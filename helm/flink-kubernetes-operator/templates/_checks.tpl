{{/* What a schema cannot say. Included by the Deployment, so that it is always looked at. */}}
{{- define "flink-operator.checks" -}}
{{- if gt (int .Values.replicas) 1 }}
{{- fail (printf "replicas: %d is not possible yet. There is no leader election, so two operators would act on the same resources. Use 1 (or 0 to pause)." (int .Values.replicas)) }}
{{- end }}
{{- if and (ne .Values.strategy.type "Recreate") (gt (int .Values.replicas) 0) }}
{{- fail (printf "strategy.type: %s lets two operators run during an update, which without leader election act on the same resources. Use Recreate." .Values.strategy.type) }}
{{- end }}
{{- if has "" .Values.watchNamespaces }}
{{- fail "watchNamespaces: an entry is empty" }}
{{- end }}
{{- if not (or (get .Values.defaultConfiguration "flink-conf.yaml") (get .Values.defaultConfiguration "config.yaml") .Values.defaultConfiguration.append) }}
{{- fail "defaultConfiguration: with append: false there must be a flink-conf.yaml or a config.yaml" }}
{{- end }}
{{- end }}

{{/* Which configuration file the operator sees. As in Apache's chart, flink-conf.yaml wins unless it is null. */}}
{{- define "flink-operator.configurationFile" -}}
{{- if hasKey .Values.defaultConfiguration "flink-conf.yaml" -}}
flink-conf.yaml
{{- else -}}
config.yaml
{{- end -}}
{{- end }}

{{/* Values of Apache's chart that are set and have no effect here: a JSON list of names. */}}
{{- define "flink-operator.ignoredValues" -}}
{{- $ignored := list }}
{{- $webhook := .Values.webhook | default dict }}
{{- if $webhook }}{{ $ignored = append $ignored "webhook" }}{{ end }}
{{- if .Values.webhookSecurityContext }}{{ $ignored = append $ignored "webhookSecurityContext" }}{{ end }}
{{- if .Values.jvmArgs }}{{ $ignored = append $ignored "jvmArgs" }}{{ end }}
{{- if get .Values.operatorPod "webhook" }}{{ $ignored = append $ignored "operatorPod.webhook" }}{{ end }}
{{- range list "log4j-operator.properties" "logback-operator.xml" }}
{{- if get $.Values.defaultConfiguration . }}{{ $ignored = append $ignored (printf "defaultConfiguration.%s" .) }}{{ end }}
{{- end }}
{{- toJson $ignored }}
{{- end }}
