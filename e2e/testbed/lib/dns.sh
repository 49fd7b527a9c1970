# shellcheck shell=bash
# CoreDNS, as a process beside the pods, behind the usual Service kube-dns.

start_coredns() {
  # Names outside the cluster do not exist here: say so at once, clients would wait.
  write_config coredns.Corefile <<EOF
cluster.local:53 in-addr.arpa:53 {
  bind $NODE_ADDRESS
  errors
  health 127.0.0.1:8080
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $CREDENTIALS/coredns.kubeconfig testbed
    ttl 5
  }
}
.:53 {
  bind $NODE_ADDRESS
  errors
  template IN ANY . {
    rcode NXDOMAIN
  }
}
EOF
  ensure_process coredns "$PROGRAMS/coredns" -conf "$CONFIG/coredns.Corefile"
}

apply_dns_objects() {
  [[ -e $BED/etcd/dns-applied ]] && return
  write_dns_objects | kubectl_admin apply --server-side --force-conflicts -f - >/dev/null
  touch "$BED/etcd/dns-applied" # beside the data that holds the objects
}

write_dns_objects() {
  cat <<EOF
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:coredns"}
rules:
  - {apiGroups: [""], resources: [services, pods, namespaces], verbs: [list, watch]}
  - {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "system:coredns"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:coredns"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:coredns"}]
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: $DNS_SERVICE_ADDRESS
  ports:
    - {name: dns, port: 53, protocol: UDP}
    - {name: dns-tcp, port: 53, protocol: TCP}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: kube-dns-testbed
  namespace: kube-system
  labels: {kubernetes.io/service-name: kube-dns}
addressType: IPv4
endpoints: [{addresses: [$NODE_ADDRESS], conditions: {ready: true}}]
ports:
  - {name: dns, port: 53, protocol: UDP}
  - {name: dns-tcp, port: 53, protocol: TCP}
EOF
}
