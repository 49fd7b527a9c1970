# shellcheck shell=bash
# The example of the README: applied, and watched until it is stable. Expects KUBECTL and NAMESPACE.

EXAMPLE=basic
EXAMPLE_LIMIT=${EXAMPLE_LIMIT:-300} # seconds

# example_state : lifecycle, JobManager and job in one line.
example_state() {
  "${KUBECTL[@]}" --namespace "$NAMESPACE" get flinkdeployment "$EXAMPLE" -o \
    jsonpath='{.status.lifecycleState} (JobManager {.status.jobManagerDeploymentStatus}, job {.status.jobStatus.state}){"\t"}{.status.error}'
}

# show_example: prints each state with the seconds since it was applied.
show_example() {
  local began before='' state
  began=$(now)
  "${KUBECTL[@]}" --namespace "$NAMESPACE" apply -f "$ROOT/examples/$EXAMPLE.yaml" >/dev/null
  printf '           examples/%s.yaml is applied\n' "$EXAMPLE" >&2
  while true; do
    state=$(example_state)
    if [[ $state != "$before" ]]; then
      printf '%9s  %s\n' "$(seconds $(($(now) - began)))" "${state/$'\t'/ }" >&2
      before=$state
    fi
    [[ $state != STABLE\ * ]] || return 0
    (($(now) - began < EXAMPLE_LIMIT * 1000)) || break
    sleep 0.5
  done
  explain_example
  die "$EXAMPLE is not stable after $EXAMPLE_LIMIT s"
}

explain_example() {
  "${KUBECTL[@]}" --namespace "$NAMESPACE" describe flinkdeployment "$EXAMPLE"
  "${KUBECTL[@]}" --namespace "$NAMESPACE" get pods -o wide
  "${KUBECTL[@]}" --namespace "$NAMESPACE" logs "deployment/$RELEASE" --tail=60
  "${KUBECTL[@]}" --namespace "$NAMESPACE" logs "deployment/$EXAMPLE" --tail=30
} >&2
