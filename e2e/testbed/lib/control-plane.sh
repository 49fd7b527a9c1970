# shellcheck shell=bash
# etcd, API server, controller manager and scheduler.

link_programs() {
  local kubernetes name
  kubernetes=$(program_path kubernetes)
  for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    ln -sfn "$kubernetes" "$PROGRAMS/$name"
  done
  for name in etcd coredns helm; do
    ln -sfn "$(program_path "$name")" "$PROGRAMS/$name"
  done
}

# write_client_commands: kubectl and helm that work from outside the namespace.
write_client_commands() {
  local name
  for name in kubectl helm; do
    cat >"$BED/bin/$name" <<EOF
#!/bin/sh
export KUBECONFIG="\${KUBECONFIG:-$ADMIN_KUBECONFIG}"
exec nsenter --net='$BED/ns/net' -- '$PROGRAMS/$name' "\$@"
EOF
    chmod +x "$BED/bin/$name"
  done
}

write_credentials() {
  "$(program_path credentials)" -dir "$CREDENTIALS" -node "$NODE_NAME" -node-ip "$NODE_ADDRESS" \
    -service-ip "$API_SERVICE_ADDRESS" -port "$API_PORT"
}

# kubectl_admin ARGUMENTS…
kubectl_admin() {
  nsenter --net="$BED/ns/net" -- "$PROGRAMS/kubectl" --kubeconfig "$ADMIN_KUBECONFIG" --cache-dir "$BED/kubectl-cache" "$@"
}

# start_etcd: without fsync, since a bed never outlives a crash of the machine.
start_etcd() {
  local client=http://127.0.0.1:2379 peer=http://127.0.0.1:2380
  ensure_process etcd "$PROGRAMS/etcd" --name bed --data-dir "$BED/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "bed=$peer"
}

start_apiserver() {
  write_audit_policy
  ensure_process kube-apiserver "$PROGRAMS/kube-apiserver" \
    --etcd-servers http://127.0.0.1:2379 \
    --bind-address 0.0.0.0 --secure-port "$API_PORT" --advertise-address "$NODE_ADDRESS" \
    --service-cluster-ip-range "$SERVICE_RANGE" \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
    --client-ca-file "$CREDENTIALS/ca.crt" \
    --tls-cert-file "$CREDENTIALS/apiserver.crt" --tls-private-key-file "$CREDENTIALS/apiserver.key" \
    --cert-dir "$BED/apiserver" \
    --kubelet-certificate-authority "$CREDENTIALS/ca.crt" \
    --kubelet-client-certificate "$CREDENTIALS/apiserver-to-kubelet.crt" \
    --kubelet-client-key "$CREDENTIALS/apiserver-to-kubelet.key" \
    --kubelet-preferred-address-types InternalIP \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$CREDENTIALS/service-account.pub" \
    --service-account-signing-key-file "$CREDENTIALS/service-account.key" \
    --allow-privileged --profiling=false \
    --audit-policy-file "$CONFIG/kube-apiserver.audit.yaml" \
    --audit-log-path "$AUDIT_LOG" --audit-log-maxsize 1024 --audit-log-maxbackup 2
}

# start_controller_manager api|full: the api profile has no nodes, and its tests
# play the part of the workload controllers. What it keeps are the controllers
# that any client counts on: owner references, namespace removal, service accounts.
start_controller_manager() {
  local controllers='*'
  [[ $1 == full ]] || controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller,serviceaccount-token-controller,root-ca-certificate-publisher-controller,clusterrole-aggregation-controller
  ensure_process kube-controller-manager "$PROGRAMS/kube-controller-manager" \
    --kubeconfig "$CREDENTIALS/controller-manager.kubeconfig" \
    --authentication-kubeconfig "$CREDENTIALS/controller-manager.kubeconfig" \
    --authorization-kubeconfig "$CREDENTIALS/controller-manager.kubeconfig" \
    --authentication-skip-lookup --bind-address 127.0.0.1 --cert-dir "$BED/controller-manager" \
    --controllers "$controllers" --leader-elect=false --use-service-account-credentials \
    --service-account-private-key-file "$CREDENTIALS/service-account.key" --root-ca-file "$CREDENTIALS/ca.crt" \
    --cluster-signing-cert-file "$CREDENTIALS/ca.crt" --cluster-signing-key-file "$CREDENTIALS/ca.key" \
    --node-monitor-grace-period 2m --profiling=false
}

start_scheduler() {
  ensure_process kube-scheduler "$PROGRAMS/kube-scheduler" \
    --kubeconfig "$CREDENTIALS/scheduler.kubeconfig" \
    --authentication-kubeconfig "$CREDENTIALS/scheduler.kubeconfig" \
    --authorization-kubeconfig "$CREDENTIALS/scheduler.kubeconfig" \
    --authentication-skip-lookup --bind-address 127.0.0.1 --cert-dir "$BED/scheduler" \
    --leader-elect=false --profiling=false
}

await_apiserver() {
  await kube-apiserver "API server is ready" kubectl_admin get --raw /readyz
}

# await_service_account: pods of a namespace are refused until it has one.
await_service_account() {
  await kube-controller-manager "controllers are at work" \
    kubectl_admin get serviceaccount/default configmap/kube-root-ca.crt
}
