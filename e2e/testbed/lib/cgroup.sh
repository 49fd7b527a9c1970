# shellcheck shell=bash
# The bed's cgroups: /testbed-NAME/daemons for our processes, /testbed-NAME/kubepods
# for the kubelet's. Every process the bed has, also one whose pid file was lost,
# is below the first directory: `down` relies on that.

CGROUP_ROOT=/sys/fs/cgroup

# is_unified: cgroup v2 alone.
is_unified() {
  [[ $(stat -fc %T "$CGROUP_ROOT") == cgroup2fs ]]
}

# cgroup_hierarchies: mount points; one for cgroup v2, for v1 one per controller, and
# where both are mounted also the v2 one, since runc makes its directories there too.
cgroup_hierarchies() {
  if is_unified; then
    echo "$CGROUP_ROOT"
  else
    findmnt -rnt cgroup,cgroup2 -o TARGET | sort -u
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
    is_unified || return 0 # beside v1 it only groups processes
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

# end_processes: end everything the bed runs, pods and containerd's shims too. No one
# gets time to say goodbye: it is called when nothing they could save will survive.
end_processes() {
  local pids tries
  for ((tries = 0; tries < 300; tries++)); do
    mapfile -t pids < <(bed_processes)
    ((${#pids[@]})) || return 0
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.1
  done
  die "processes do not end: ${pids[*]}"
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
