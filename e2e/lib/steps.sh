# shellcheck shell=bash
# Steps that a person waits for: what is done now, and how long it took.

# Times are milliseconds.
now() {
  local now=$EPOCHREALTIME
  echo $((${now/./} / 1000))
}

# seconds MILLISECONDS : like 12.3 s
seconds() {
  printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100))
}

# timed TEXT COMMAND… : runs it; its output is kept and shown only if it fails.
timed() {
  local text=$1 began log status=0
  shift
  log=$(mktemp)
  began=$(now)
  [[ ! -t 2 ]] || printf '           %s …\r' "$text" >&2
  # Not `"$@" || …`: bash would no longer stop at a command that fails inside.
  "$@" >"$log" 2>&1 </dev/null &
  wait $! || status=$?
  report "$text" "$began" "$status"
  ((status == 0)) || tail -n 60 "$log" >&2
  rm -f "$log"
  return "$status"
}

# report TEXT BEGAN STATUS : the line of a step that has ended.
report() {
  local mark=ok
  (($3 == 0)) || mark=FAILED
  printf '%9s  %s: %s\e[K\n' "$(seconds $(($(now) - $2)))" "$1" "$mark" | uncoloured >&2
}

# uncoloured: without the code that clears a line, unless a person looks.
uncoloured() {
  if [[ -t 2 ]]; then cat; else sed 's/\x1b\[K//'; fi
}

# in_background NAME COMMAND… : starts it with low priority, so that it takes only what the
# foreground leaves. `finished NAME` waits for it.
declare -A BACKGROUND_PIDS=()
BACKGROUND_DIR=

in_background() {
  local name=$1
  shift
  [[ -n $BACKGROUND_DIR ]] || BACKGROUND_DIR=$(mktemp -d)
  now >"$BACKGROUND_DIR/$name.began"
  (
    renice -n 10 "$BASHPID" >/dev/null
    status=0
    "$@" >"$BACKGROUND_DIR/$name.log" 2>&1 </dev/null &
    wait $! || status=$?
    now >"$BACKGROUND_DIR/$name.ended"
    exit "$status"
  ) &
  BACKGROUND_PIDS[$name]=$!
}

# finished NAME TEXT : waits, and reports how long it took in all.
finished() {
  local name=$1 text=$2 status=0 took
  [[ ! -t 2 ]] || printf '           %s …\r' "$text" >&2
  wait "${BACKGROUND_PIDS[$name]}" || status=$?
  unset "BACKGROUND_PIDS[$name]"
  took=$(($(cat "$BACKGROUND_DIR/$name.ended") - $(cat "$BACKGROUND_DIR/$name.began")))
  report "$text" $(($(now) - took)) "$status"
  ((status == 0)) || tail -n 60 "$BACKGROUND_DIR/$name.log" >&2
  return "$status"
}

# background_output NAME : what it printed.
background_output() {
  cat "$BACKGROUND_DIR/$1.log"
}

# end_background: for an exit before everything has finished.
end_background() {
  local pid
  for pid in "${BACKGROUND_PIDS[@]}"; do
    end_tree "$pid"
  done
  [[ -z $BACKGROUND_DIR ]] || rm -rf "$BACKGROUND_DIR"
}

# end_tree PID : ends a process that was started here, and what it started.
end_tree() {
  local child children=()
  { read -ra children <"/proc/$1/task/$1/children"; } 2>/dev/null || true
  for child in "${children[@]}"; do
    end_tree "$child"
  done
  kill "$1" 2>/dev/null || true
}
