# shellcheck shell=bash
# The API server's audit log: who asked for what. It is how tests count the
# requests and writes of an operator.

# audit_level: the level recorded for this bed; Metadata unless changed.
audit_level() {
  cat "$CONFIG/audit-level" 2>/dev/null || echo Metadata
}

set_audit_level() {
  case $1 in
    None | Metadata | Request | RequestResponse) echo "$1" >"$CONFIG/audit-level" ;;
    *) die "audit level '$1': choose None, Metadata, Request or RequestResponse" ;;
  esac
}

# write_audit_policy: what the cluster's own parts do is left out, so that the log
# is small and holds only what clients and pods ask for.
write_audit_policy() {
  write_config kube-apiserver.audit.yaml <<EOF
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users:
      - system:apiserver
      - system:kube-controller-manager
      - system:kube-scheduler
      - system:kube-proxy
      - system:coredns
  - level: None
    userGroups: [system:nodes, system:serviceaccounts:kube-system]
  - level: None
    nonResourceURLs: ["/healthz*", "/readyz*", "/livez*", "/version", "/openapi*", "/api", "/api/*", "/apis", "/apis/*"]
    verbs: [get]
  - level: $(audit_level)
EOF
}
