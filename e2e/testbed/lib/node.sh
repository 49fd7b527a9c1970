# shellcheck shell=bash
# The node: containerd, kubelet and kube-proxy.

# in_containerd ARGUMENTS…: ctr for the images and containers that the kubelet sees.
in_containerd() {
  ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io "$@"
}

# write_containerd_config:
# - restrict_oom_score_adj: without CAP_SYS_RESOURCE a score cannot be lowered, and
#   runc then fails in a way that does not name the reason.
# - the `opt` plugin would make /opt/containerd on the host.
write_containerd_config() {
  write_config containerd.toml <<EOF
version = 2
root = "$BED/containerd/root"
state = "$BED/containerd/state"
oom_score = 0
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
address = "$CONTAINERD_SOCKET"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "$PAUSE_IMAGE"
restrict_oom_score_adj = true
disable_apparmor = true
disable_hugetlb_controller = true
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$CONFIG/cni"
EOF
}

# write_cni_config: a routed pair of interfaces for each pod. With a bridge, answers
# between pods behind a Service would bypass the packet filter unless the kernel has
# br_netfilter; routed traffic always passes it.
write_cni_config() {
  write_config cni/10-testbed.conflist <<EOF
{
  "cniVersion": "0.4.0",
  "name": "testbed",
  "plugins": [
    {
      "type": "ptp",
      "ipam": {
        "type": "host-local",
        "dataDir": "$BED/cni",
        "ranges": [[{"subnet": "$POD_RANGE"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
EOF
}

start_containerd() {
  write_containerd_config
  write_cni_config
  ensure_process containerd containerd --config "$CONFIG/containerd.toml" --log-level warn
  await containerd "containerd is ready" in_containerd images list -q
  load_pause_image
}

load_pause_image() {
  [[ -z $(in_containerd images list -q "name==$PAUSE_IMAGE") ]] || return 0
  in_containerd images import "$(program_path pause-image)" >/dev/null
}

# write_kubelet_config: nothing is evicted for a disk that others fill, and no
# image is collected, since there is no registry to get it back from.
write_kubelet_config() {
  mkdir -p "$BED/kubelet"
  printf 'nameserver %s\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n' \
    "$DNS_SERVICE_ADDRESS" | write_config resolv.conf
  write_config kubelet.resolv.conf </dev/null # what pods inherit from the node: nothing
  write_config kubelet.yaml <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$CONTAINERD_SOCKET
volumePluginDir: $BED/kubelet/volume-plugins
resolvConf: $CONFIG/kubelet.resolv.conf
clusterDNS: [$DNS_SERVICE_ADDRESS]
clusterDomain: cluster.local
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $CREDENTIALS/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $CREDENTIALS/kubelet-server.crt
tlsPrivateKeyFile: $CREDENTIALS/kubelet-server.key
cgroupDriver: cgroupfs
cgroupRoot: /$NODE_NAME
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
imageGCHighThresholdPercent: 100
evictionHard:
  memory.available: 100Mi
  nodefs.available: 1%
  nodefs.inodesFree: 1%
  imagefs.available: 1%
EOF
}

start_kubelet() {
  write_kubelet_config
  ensure_process kubelet "$PROGRAMS/kubelet" --config "$CONFIG/kubelet.yaml" \
    --kubeconfig "$CREDENTIALS/kubelet.kubeconfig" --root-dir "$BED/kubelet" --cert-dir "$BED/kubelet/pki" \
    --hostname-override "$NODE_NAME" --node-ip "$NODE_ADDRESS"
}

# start_kube_proxy: it may set no kernel parameters, some machines forbid it.
start_kube_proxy() {
  write_config kube-proxy.yaml <<EOF
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: $CREDENTIALS/proxy.kubeconfig}
hostnameOverride: $NODE_NAME
clusterCIDR: $POD_RANGE
bindAddress: 0.0.0.0
metricsBindAddress: 127.0.0.1:10249
healthzBindAddress: 127.0.0.1:10256
oomScoreAdj: 0
iptables: {localhostNodePorts: false}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
EOF
  ensure_process kube-proxy "$PROGRAMS/kube-proxy" --config "$CONFIG/kube-proxy.yaml"
}

await_node() {
  await kubelet "node $NODE_NAME is ready" node_is_ready
}

node_is_ready() {
  [[ $(kubectl_admin get node "$NODE_NAME" \
    -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]]
}
