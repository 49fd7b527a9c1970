# shellcheck shell=bash
# The program that checks, and the bed that it checks in. Expects steps.sh and operator.sh.

runner_binary() {
  echo "${CARGO_TARGET_DIR:-$ROOT/target}/debug/e2e-runner"
}

build_runner() {
  (cd "$ROOT" && cargo build --quiet --locked -p e2e-runner)
}

# run_runner ARGUMENTS… : outside of any bed.
run_runner() {
  build_runner && "$(runner_binary)" "$@"
}

# prepare_bed BED FLINK… : a full bed with the images of the operator and of these Flink versions.
# Sets KUBECTL, HELM and what `testbed/env` sets.
prepare_bed() {
  local bed=$1 version versions=() archives
  shift
  for version in "$@"; do versions+=(--flink "$version"); done
  in_background components "$TESTBED_DIR/build"
  in_background flink "$E2E_DIR/flink-image/build" "${versions[@]}"
  timed "operator binary" build_operator
  timed "operator image" pack_operator
  finished components "Kubernetes, etcd, CoreDNS and Helm"
  finished flink "Flink images"
  mapfile -t archives < <(background_output flink | grep '\.tar$')
  timed "bed $bed" "$TESTBED_DIR/up" --name "$bed"
  eval "$("$TESTBED_DIR/env" --name "$bed")"
  KUBECTL=(kubectl)
  HELM=(helm)
  timed "images" load_once "$bed" "$(pack_operator)" "${archives[@]}"
}
