# shellcheck shell=bash
# The bed's long-running processes. A record RUN/NAME holds the pid, the kernel's
# start time of that process (so that a reused pid is not taken for it), and a
# digest of program, arguments and configuration (so that a change restarts it).

# start_time PID: ticks since boot; fails when there is no such process or it is dead.
start_time() {
  local line fields
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -ra fields <<<"${line##*) }" # the name in parentheses may hold anything
  [[ ${fields[0]} != [ZX] ]] && echo "${fields[19]}"
}

process_runs() {
  local pid started
  { read -r pid started _ <"$RUN/$1"; } 2>/dev/null && [[ $(start_time "$pid") == "$started" ]]
}

# write_config FILE: write standard input to CONFIG/FILE. Left untouched when it is
# the same: kube-proxy ends when its file is written, whatever the content.
write_config() {
  local target=$CONFIG/$1
  mkdir -p "$(dirname "$target")"
  cat >"$target.new"
  if cmp -s "$target.new" "$target"; then
    rm "$target.new"
  else
    mv "$target.new" "$target"
  fi
}

# ensure_process NAME COMMAND…: leave it alone when it runs as wanted, else (re)start
# it. Files CONFIG/NAME* are taken for its configuration.
ensure_process() {
  local name=$1 digest recorded
  shift
  digest=$({ echo "$@" && readlink -f "$(command -v "$1")" && find "$CONFIG" -name "$name*" -type f | sort | xargs -r cat; } | sha256sum | cut -c1-16)
  if process_runs "$name"; then
    read -r _ _ recorded <"$RUN/$name"
    [[ $recorded != "$digest" ]] || return 0
    step "restarting $name, its configuration changed"
    stop_process "$name"
  else
    step "starting $name"
  fi
  launch "$name" "$digest" "$@"
}

launch() {
  local name=$1 digest=$2 pid
  shift 2
  end_unrecorded "$1"
  (
    exec 9>&-
    join_cgroup
    cd /
    exec setsid nsenter --net="$BED/ns/net" --mount="$BED/ns/mnt" -- "$@"
  ) </dev/null >>"$LOGS/$name.log" 2>&1 &
  pid=$! # each exec keeps the pid
  echo "$pid $(start_time "$pid") $digest" >"$RUN/.$name" && mv "$RUN/.$name" "$RUN/$name"
}

# end_unrecorded COMMAND: end a process of this bed that runs the command although
# no record says so: `up` was killed between the two, or the record was lost.
end_unrecorded() {
  local pid program tries
  for pid in $(bed_processes); do
    IFS= read -r -d '' program 2>/dev/null <"/proc/$pid/cmdline" || continue
    [[ $program == "$1" ]] || continue
    step "ending an unrecorded $(basename "$1") (pid $pid)"
    kill -KILL "$pid" 2>/dev/null || true
    for ((tries = 0; tries < 300; tries++)); do
      start_time "$pid" >/dev/null || break
      sleep 0.1
    done
  done
}

# stop_process NAME: ask, insist after 5 s, and return when it is gone: a
# successor needs its ports.
stop_process() {
  local name=$1 pid tries
  process_runs "$name" || return 0
  read -r pid _ <"$RUN/$name"
  kill -TERM "$pid" 2>/dev/null || true
  for ((tries = 0; tries < 400; tries++)); do
    process_runs "$name" || break
    ((tries != 50)) || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.1
  done
  ! process_runs "$name" || die "$name (pid $pid) does not end"
  rm -f "$RUN/$name"
}

# await NAME WHAT COMMAND…: wait until the command succeeds; give up when process
# NAME has ended or after 3 minutes (a loaded machine is slow, not broken).
await() {
  local name=$1 what=$2 tries
  shift 2
  for ((tries = 0; tries < 900; tries++)); do
    if "$@" >/dev/null 2>&1; then
      ((tries == 0)) || step "$what"
      return 0
    fi
    process_runs "$name" || break
    sleep 0.2
  done
  tail -n 15 "$LOGS/$name.log" >&2
  die "not reached: $what (whole log: $LOGS/$name.log)"
}
