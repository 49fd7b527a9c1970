# shellcheck shell=bash
# The bed's cgroups: /testbed-NAME/daemons for our processes, /testbed-NAME/kubepods
# for the kubelet's. Every process the bed has, also one whose pid file was lost,
# is below the first directory: `down` relies on that.

CGROUP_ROOT=/sys/fs/cgroup

# cgroup_hierarchies: mount points, one for cgroup v2, one per controller for v1.
cgroup_hierarchies() {
  if [[ $(stat -fc %T "$CGROUP_ROOT") == cgroup2fs ]]; then
    echo "$CGROUP_ROOT"
  else
    findmnt -rnt cgroup -o TARGET | sort -u
  fi
}

make_cgroups() {
  local hierarchy
  for hierarchy in $(cgroup_hierarchies); do
    [[ -d $hierarchy/$NODE_NAME/daemons ]] && continue
    mkdir -p "$hierarchy/$NODE_NAME"
    give_controllers "$hierarchy" "$hierarchy/$NODE_NAME"
    mkdir -p "$hierarchy/$NODE_NAME/daemons"
    give_controllers "$hierarchy/$NODE_NAME" "$hierarchy/$NODE_NAME/daemons"
  done
}

# give_controllers PARENT CHILD: make the child usable.
give_controllers() {
  local file controller
  if [[ -e $1/cgroup.subtree_control ]]; then # v2: controllers are handed down by name
    for controller in $(<"$1/cgroup.controllers"); do
      echo "+$controller" >"$1/cgroup.subtree_control" || die "cannot hand the $controller controller down from $1"
    done
    return
  fi
  for file in cpuset.cpus cpuset.mems; do # v1: a new cpuset is empty and accepts no process
    [[ ! -e $1/$file ]] || cat "$1/$file" >"$2/$file"
  done
}

# join_cgroup: move this (sub)shell into the daemons' cgroup.
join_cgroup() {
  local hierarchy
  for hierarchy in $(cgroup_hierarchies); do
    echo "$BASHPID" >"$hierarchy/$NODE_NAME/daemons/cgroup.procs"
  done
}

# bed_cgroups: all cgroup directories of the bed, deepest first.
bed_cgroups() {
  local hierarchy
  for hierarchy in $(cgroup_hierarchies); do
    [[ ! -d $hierarchy/$NODE_NAME ]] || find "$hierarchy/$NODE_NAME" -depth -type d
  done
}

# bed_processes: pids in the bed's cgroups.
bed_processes() {
  local directory
  bed_cgroups | while read -r directory; do
    cat "$directory/cgroup.procs" 2>/dev/null || true # cgroups of ending pods vanish under our hands
  done | sort -un
}

remove_cgroups() {
  local directory
  bed_cgroups | while read -r directory; do
    retry 50 rmdir "$directory"
  done
}

# retry TIMES COMMAND…: the kernel frees a cgroup a moment after its last process.
retry() {
  local left=$1
  shift
  until "$@" 2>/dev/null; do
    ((left-- > 0)) || die "failed: $*"
    sleep 0.1
  done
}
