# shellcheck shell=bash
# Stages of a test run: each is tried, whatever became of the others, and counted. Expects steps.sh and
# an array STAGES of names and descriptions; what the test put into the background is waited for here.

PASSED=0
FAILED=0
CHOSEN=()
SUMMARY=()

# choose_stages [NAME…]
choose_stages() {
  local index name
  for name in "$@"; do
    [[ " ${STAGES[*]} " == *" $name "* ]] || die "there is no stage $name: see --list"
  done
  for ((index = 0; index < ${#STAGES[@]}; index += 2)); do
    name=${STAGES[index]}
    (($# > 0)) && [[ " $* " != *" $name "* ]] || CHOSEN+=("$name")
  done
}

# What of the background a stage uses, and what that is called.
declare -A NEEDS=([chart]=components [artifacts]=servers [api-server]=components
  [scenarios]="components images" [flink-rest]="components images")
declare -A BACKGROUND_NAMES=([components]="Kubernetes, etcd, CoreDNS and Helm" [images]="Flink images"
  [servers]="servers of artifacts")

run_stages() {
  local name need
  for name in "${CHOSEN[@]}"; do
    for need in ${NEEDS[$name]-}; do
      if [[ -v BACKGROUND_PIDS[$need] ]]; then
        finished "$need" "${BACKGROUND_NAMES[$need]}" || true # the stage says what is missing
      fi
    done
    run_stage "$name"
  done
  printf '%s\n' "" "${SUMMARY[@]}" "$PASSED passed, $FAILED failed"
  ((FAILED == 0))
}

run_stage() {
  local name=$1 log began status=0 counts
  log=$(mktemp)
  began=$(now)
  "stage_$name" >"$log" 2>&1 </dev/null &
  wait $! || status=$?
  report "$name" "$began" "$status"
  ((status == 0)) || tail -n 150 "$log" >&2
  counts=$(count_results "$status" "$log")
  PASSED=$((PASSED + ${counts% *}))
  FAILED=$((FAILED + ${counts#* }))
  SUMMARY+=("$(printf '%-12s %9s  %s' "$name" "$(seconds $(($(now) - began)))" "$(last_words "$counts" "$log")")")
  rm -f "$log"
}

# count_results STATUS LOG : prints how many passed and failed. Each of cargo's test programs says
# `test result: …`, Python's `Ran N tests`, each of ours `N passed, N failed` (or `N equal, N differing`, `N agree, N differ`) in a line of its own;
# a stage that says nothing of the kind counts as one.
count_results() {
  awk -v status="$1" '
    /^test result: / { passed += $4; failed += $6; counted = 1 }
    /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; counted = 1 }
    /^Ran [0-9]+ tests? in / { passed += $2; counted = 1 }
    /^[0-9]+ (equal, [0-9]+ differing|agree, [0-9]+ differ)$/ { passed += $1; counted = 1 }
    END {
      if (!counted && status == 0) passed = 1
      if (status != 0 && failed == 0) failed = 1
      print passed + 0, failed + 0
    }' "$2"
}

# last_words COUNTS LOG : the last line of a runner, or the counts.
last_words() {
  local line
  line=$(grep -E '^[0-9]+ (passed|equal|agree|converged|scenarios|runs)' "$2" | tail -n 1 || true)
  echo "${line:-${1% *} passed, ${1#* } failed}"
}
