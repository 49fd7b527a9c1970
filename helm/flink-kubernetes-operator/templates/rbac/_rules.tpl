{{/*
What the operator does, and nothing else. e2e/scenarios compares this with the API server's audit log.
*/}}
{{- define "flink-operator.operatorRules" -}}
# Resources of users: their finalizers are added and removed by patch, their status is replaced.
- apiGroups: [flink.apache.org]
  resources: [flinkdeployments]
  verbs: [get, list, watch, patch]
- apiGroups: [flink.apache.org]
  resources: [flinkdeployments/status]
  verbs: [update]
# Session clusters wait for their jobs when they are deleted.
- apiGroups: [flink.apache.org]
  resources: [flinksessionjobs, flinkstatesnapshots]
  verbs: [get, list, watch]
# Clusters where an owner that blocks deletion may be named only by those who may change its finalizers.
- apiGroups: [flink.apache.org]
  resources: [flinkdeployments/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments/finalizers]
  verbs: [update]
# Flink clusters: created, applied (patch), deleted; ConfigMaps include those of Flink's high availability.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
- apiGroups: [""]
  resources: [services, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch, create, patch, delete]
# Why a JobManager does not start.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [get, create, patch]
{{- if .Values.rbac.nodesRule.create }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list]
{{- end }}
{{- end }}

{{/* Flink itself, in native mode: makes TaskManager pods, keeps high availability data in ConfigMaps. */}}
{{- define "flink-operator.jobRules" -}}
- apiGroups: [""]
  resources: [pods, configmaps]
  verbs: [get, list, watch, create, update, patch, delete, deletecollection]
- apiGroups: [apps]
  resources: [deployments, deployments/finalizers]
  verbs: [get, list, watch, create, update, patch, delete, deletecollection]
{{- end }}
