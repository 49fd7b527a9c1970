# shellcheck shell=bash
# The operator: its binary, its image, its installation by Helm. Expects E2E_DIR and steps.sh.

ROOT=$(dirname "$E2E_DIR")
CHART=$ROOT/helm/flink-kubernetes-operator
RELEASE=flink-kubernetes-operator
CACHE_DIR=${FLINK_OPERATOR_CACHE:-$HOME/.cache/flink-operator}

# What building needs besides Rust and Go, in the form of testbed/lib/prerequisites.sh.
readonly BUILD_PREREQUISITES=(
  cc:gcc /usr/include/stdlib.h:libc6-dev readelf:binutils /etc/ssl/certs/ca-certificates.crt:ca-certificates
  unzip:unzip zip:zip mvn:maven javac:default-jdk-headless pip:python3-pip
)

# require_rust: the oldest version is the workspace's rust-version.
require_rust() {
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
  command -v cargo >/dev/null ||
    die "Rust is missing: install $wanted or newer by rustup (https://rustup.rs); Debian's is too old"
  found=$(rustc --version | cut -d' ' -f2)
  [[ $(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -1) == "$wanted" ]] ||
    die "Rust $found is too old: 'rustup update' gets $wanted or newer"
}

host_target() {
  rustc -vV | sed -n 's/^host: //p'
}

# Cargo's profile of the binary; `quick` builds faster, and `dev` is slower too.
OPERATOR_PROFILE=${OPERATOR_PROFILE:-release}

# operator_binary : where the binary lies, or will lie.
operator_binary() {
  local directory=$OPERATOR_PROFILE
  [[ $directory != dev ]] || directory=debug
  echo "${CARGO_TARGET_DIR:-$ROOT/target}/$(host_target)/$directory/flink-operator"
}

# build_operator [OPTION…] : static, since its image holds nothing else. With a target named, the flags
# do not reach build scripts and macros, which must be loaded dynamically. In the profile `quick` it is built
# together with the simulation, so that all they are made of is compiled once.
build_operator() {
  local packages=(--package flink-operator)
  [[ $OPERATOR_PROFILE != quick ]] || packages+=(--package simulation --bin flink-operator --bin simulate)
  (cd "$ROOT" && RUSTFLAGS='-C target-feature=+crt-static' \
    cargo build --profile "$OPERATOR_PROFILE" --locked --target "$(host_target)" "${packages[@]}" "$@")
}

# operator_tag : names the image by what is in it, so that another binary is another image.
operator_tag() {
  echo "flink-operator:$(sha256sum "$(operator_binary)" | cut -c1-12)"
}

# pack_operator : makes the image archive unless it is there, and prints its path.
pack_operator() {
  local tag archive
  tag=$(operator_tag)
  archive=$CACHE_DIR/images/${tag/:/-}.tar
  if [[ ! -e $archive ]]; then
    mkdir -p "$CACHE_DIR/images"
    rm -f "$CACHE_DIR"/images/flink-operator-*.tar # of other binaries
    "$E2E_DIR/operator-image/build" "$(operator_binary)" "$archive.new" "$tag" >&2
    mv "$archive.new" "$archive"
  fi
  echo "$archive"
}

# load_once BED ARCHIVE… : gives images to a bed, each archive once.
load_once() {
  local bed=$1 archive mark
  shift
  for archive in "$@"; do
    mark=$CACHE_DIR/testbed/$bed/loaded/$(basename "$archive")
    [[ -e $mark ]] && continue
    "$E2E_DIR/testbed/load-image" --name "$bed" "$archive"
    mkdir -p "$(dirname "$mark")"
    touch "$mark"
  done
}

# Overwritten for clusters that need options.
KUBECTL=(kubectl)
HELM=(helm)

# apply_crds: and waits until the API server serves them. Right after they are made not even
# `kubectl wait` works.
apply_crds() {
  local tries
  "${KUBECTL[@]}" apply --server-side --force-conflicts -f "$CHART/crds"
  for ((tries = 0; tries < 60; tries++)); do
    "${KUBECTL[@]}" get flinkdeployments,flinksessionjobs,flinkstatesnapshots >/dev/null 2>&1 && return
    sleep 0.5
  done
  die "the API server does not serve our CRDs"
}

# install_operator NAMESPACE IMAGE [HELM_OPTION…] : as users do, and waits until it is ready. CRDs are
# applied because Helm never changes those that exist.
install_operator() {
  local namespace=$1 image=$2
  shift 2
  apply_crds
  "${HELM[@]}" upgrade --install "$RELEASE" "$CHART" --namespace "$namespace" --create-namespace \
    --set-string "image.repository=${image%:*},image.tag=${image##*:}" --wait --timeout 3m "$@" ||
    { explain_operator "$namespace" && return 1; }
}

explain_operator() {
  "${KUBECTL[@]}" --namespace "$1" get pods -o wide
  "${KUBECTL[@]}" --namespace "$1" get events --sort-by=.lastTimestamp | tail -n 20
  "${KUBECTL[@]}" --namespace "$1" logs "deployment/$RELEASE" --tail=40
} >&2
