# shellcheck shell=bash
# The bed's network namespace and mount namespace.
#
# Addresses, ports and packet filter rules live in the first. In the second, the
# bed's processes find private directories where they would otherwise write to
# the host. Both are held by files in BED/ns; when those are gone and the last
# process has ended, the kernel removes all of it: interfaces, rules and mounts.

is_namespace() {
  [[ $(stat -fc %T "$1" 2>/dev/null) == nsfs ]]
}

namespaces_exist() {
  is_namespace "$BED/ns/net" && is_namespace "$BED/ns/mnt" && [[ -e $BED/ns/complete ]]
}

# in_bed COMMAND…: run in both namespaces. Not `ip netns exec`: that mounts a new
# /sys, and the kubelet no longer finds its cgroups.
in_bed() {
  nsenter --net="$BED/ns/net" --mount="$BED/ns/mnt" --wd="$PWD" -- "$@"
}

make_namespaces() {
  namespaces_exist && return
  step "making namespaces"
  end_processes # they live in namespaces that nothing can enter any more
  remove_namespaces
  forget_runtime_state
  # Mount namespaces can be held by a file only below a mount that is private.
  mkdir -p "$BED/ns"
  mount --bind "$BED/ns" "$BED/ns"
  mount --make-private "$BED/ns"
  touch "$BED/ns/net" "$BED/ns/mnt"
  unshare --net="$BED/ns/net" true
  make_mount_namespace
  touch "$BED/ns/complete"
}

# configure_network: addresses of Services need some route, or a connection is
# refused before the packet filter could rewrite its destination.
configure_network() {
  nsenter --net="$BED/ns/net" ip -batch - <<EOF
link set lo up
address replace $NODE_ADDRESS/32 dev lo
route replace $SERVICE_RANGE dev lo src $NODE_ADDRESS
EOF
}

# forget_runtime_state: containerd's state and the pods' address leases describe
# namespaces that no longer exist. Images and the cluster's objects stay.
forget_runtime_state() {
  rm -rf "$PRIVATE" "$BED/containerd/state" "$BED/cni"
}

make_mount_namespace() {
  local directory
  for directory in run log cni; do
    mkdir -p "$PRIVATE/$directory"
  done
  mkdir -p /var/lib/cni # plugins keep results at this fixed place
  write_kernel_settings
  # shellcheck disable=SC2016 # the inner shell expands
  unshare --mount="$BED/ns/mnt" --propagation private bash -euc '
    private=$1
    (cd "$private/sysctl" && find . -type f) | while read -r file; do
      mount --bind "$private/sysctl/$file" "/proc/sys/$file"
    done
    mount --bind "$private/log" /var/log
    mount --bind "$private/cni" /var/lib/cni
    mount --bind "$private/run" /run
  ' make-mounts "$PRIVATE"
}

# write_kernel_settings: the kubelet insists on these values and would set them
# for the whole machine. It reads files of ours instead and is content.
write_kernel_settings() {
  local setting
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    [[ -e /proc/sys/${setting%=*} ]] || continue
    mkdir -p "$PRIVATE/sysctl/$(dirname "${setting%=*}")"
    echo "${setting#*=}" >"$PRIVATE/sysctl/${setting%=*}"
  done
}

remove_namespaces() {
  local mount
  for mount in "$BED/ns/net" "$BED/ns/mnt"; do
    ! is_namespace "$mount" || umount "$mount"
  done
  while mountpoint -q "$BED/ns"; do
    umount "$BED/ns"
  done
  # Removing the files also takes them out of the mount namespaces of other beds,
  # which have copies of these mounts and would keep our namespace alive.
  rm -rf "$BED/ns"
}

# processes_inside: pids of processes that still use the network namespace.
processes_inside() {
  local inode process
  inode=$(stat -Lc %i "$BED/ns/net")
  for process in /proc/[0-9]*; do
    [[ $(stat -Lc %i "$process/ns/net" 2>/dev/null) != "$inode" ]] || echo "${process#/proc/}"
  done
}
