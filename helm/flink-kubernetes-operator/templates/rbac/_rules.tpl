{{/*
What the operator does, and nothing else. e2e/scenarios compares this with the API server's audit log.
*/}}
{{- define "flink-operator.operatorRules" -}}
# Resources of users: finalizers are added and removed by patch, the status is replaced.
- apiGroups: [flink.apache.org]
  resources: [flinkdeployments, flinksessionjobs]
  verbs: [get, list, watch, patch]
- apiGroups: [flink.apache.org]
  resources: [flinkdeployments/status, flinksessionjobs/status, flinkstatesnapshots/status]
  verbs: [update]
# Session clusters that are deleted wait for their jobs, or take them with them.
- apiGroups: [flink.apache.org]
  resources: [flinksessionjobs]
  verbs: [delete]
# Those of upgrades, nonces and schedules are made and removed by the operator. Server-side apply is a patch, and a create
# where there is nothing yet.
- apiGroups: [flink.apache.org]
  resources: [flinkstatesnapshots]
  verbs: [get, list, watch, create, patch, delete]
# Some clusters let only those name an owner that blocks deletion who may change its finalizers.
- apiGroups: [flink.apache.org]
  resources: [flinkdeployments/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments/finalizers]
  verbs: [update]
# Flink clusters. What is there already is read before it is replaced.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, create, delete]
# Those of Flink's high availability are looked for and removed, too.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, create, patch, delete]
# Without list and watch one that somebody deletes comes back late, and nothing else is lost.
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch, create, patch, delete]
# Why a JobManager does not start.
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
# Events of ours are written, those about pods are read.
- apiGroups: [""]
  resources: [events]
  verbs: [get, list, create, patch]
{{- if .Values.rbac.artifactSecretsRule.create }}
# Credentials for jars of session jobs, of the Secret that kubernetes.operator.user.artifacts.secret names.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}
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
