# shellcheck shell=bash
# The program that checks, and the bed that it checks in. Expects steps.sh and operator.sh.

# run_runner ARGUMENTS… : outside of any bed.
run_runner() {
  build_programs && "$(program e2e-runner)" "$@"
}

# prepare_bed BED FLINK… : a full bed with the images of the operator and of these Flink versions.
# Sets what `testbed/env` sets.
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
  timed "images" load_once "$bed" "$(pack_operator)" "${archives[@]}"
}

# prepare_flink_bed BED FLINK… : a full bed with the images of these Flink versions and our kinds, but
# without an operator. Sets what `testbed/env` sets.
prepare_flink_bed() {
  local bed=$1 version versions=() archives
  shift
  for version in "$@"; do versions+=(--flink "$version"); done
  in_background flink "$E2E_DIR/flink-image/build" "${versions[@]}"
  timed "bed $bed" "$TESTBED_DIR/up" --name "$bed"
  finished flink "Flink images"
  mapfile -t archives < <(background_output flink | grep '\.tar$')
  eval "$("$TESTBED_DIR/env" --name "$bed")"
  timed "images" load_once "$bed" "${archives[@]}"
  timed "CRDs" apply_crds
}

# copy_of_operator FOLDER : builds the operator with debug checks, and prints the path of a copy that no
# later build replaces.
copy_of_operator() {
  build_programs >&2 || return
  cp "$(program flink-operator)" "$1/flink-operator"
  echo "$1/flink-operator"
}
