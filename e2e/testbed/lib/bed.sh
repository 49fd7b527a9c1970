# shellcheck shell=bash
# A bed: its name, where its files are, and the lock that `up` and `down` hold.

readonly NODE_ADDRESS=10.88.255.1 # on lo, outside the pods' range; API server, kubelet and CoreDNS
readonly POD_RANGE=10.88.0.0/17
readonly SERVICE_RANGE=10.96.0.0/16
readonly API_SERVICE_ADDRESS=10.96.0.1
readonly DNS_SERVICE_ADDRESS=10.96.0.10
readonly API_PORT=6443

# select_bed NAME: set the variables below for this bed. Creates nothing.
select_bed() {
  [[ $1 =~ ^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$ ]] ||
    die "bed name '$1': use at most 20 of a-z, 0-9 and '-'"
  NAME=$1
  NODE_NAME=testbed-$NAME
  BED=$CACHE_DIR/testbed/$NAME
  # Unix sockets below this directory have to fit into 108 bytes.
  ((${#BED} <= 60)) || die "$BED is too long for sockets: set FLINK_OPERATOR_CACHE to a shorter directory"
  CREDENTIALS=$BED/credentials
  CONFIG=$BED/config   # written by us, read by the components
  RUN=$BED/run         # one record for each process
  LOGS=$BED/logs       # one log for each process
  PROGRAMS=$BED/programs # the components under the names they are called by
  PRIVATE=$BED/private # what the bed's processes see in place of host directories
  ADMIN_KUBECONFIG=$CREDENTIALS/admin.kubeconfig
  AUDIT_LOG=$BED/audit/audit.log
  CONTAINERD_SOCKET=$BED/containerd/containerd.sock
}

# make_bed_directories: everything here is for root only, like /var/lib/kubelet.
make_bed_directories() {
  mkdir -p "$BED"
  chmod 700 "$BED"
  mkdir -p "$CONFIG" "$RUN" "$LOGS" "$PROGRAMS" "$PRIVATE" "$BED/audit" "$BED/bin"
}

# lock_bed: wait for others that start or stop the same bed. File descriptor 9
# holds the lock until this shell ends; daemons do not inherit it. `down` removes
# the file while it holds the lock, so a waiter has to look whether what it got
# is still the file of that name.
lock_bed() {
  local file=$CACHE_DIR/testbed/.$NAME.lock
  mkdir -p "$CACHE_DIR/testbed"
  while true; do
    exec 9>"$file"
    flock 9
    [[ $(stat -Lc %i /dev/fd/9) == "$(stat -c %i "$file" 2>/dev/null)" ]] && return
  done
}

remove_bed_lock() {
  rm -f "$CACHE_DIR/testbed/.$NAME.lock"
}

# require_running_bed: for commands that need a bed and do not make one.
require_running_bed() {
  if ! is_namespace "$BED/ns/net" || ! process_runs kube-apiserver; then
    die "bed '$NAME' is not up: run $TESTBED_DIR/up --name $NAME"
  fi
}
