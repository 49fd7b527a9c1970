# shellcheck shell=bash
# Programs the bed runs, built from Go modules into a cache that all beds share.
#
# A program's file name carries its version, and for our own modules a digest of
# their sources, so "is it built?" is one look at the file system. A build writes
# to a scratch directory and renames when it is complete: what bears the final
# name is whole.

CACHE_DIR=${FLINK_OPERATOR_CACHE:-$HOME/.cache/flink-operator}
PROGRAMS_DIR=$CACHE_DIR/bin
GO_SOURCES=$TESTBED_DIR/go

KUBERNETES_VERSION=v1.34.4
ETCD_VERSION=v3.6.5
COREDNS_VERSION=v1.12.4
HELM_VERSION=v3.19.5
KWOK_VERSION=v0.7.0
VERSITYGW_VERSION=v1.8.0
FAKE_GCS_VERSION=v1.56.1
PAUSE_IMAGE=docker.io/library/testbed-pause:1

# require_go: the oldest release that all modules above accept is 1.24.
require_go() {
  command -v go >/dev/null || die "Go is missing: install Go 1.24 or newer and put it on PATH"
  local version major minor
  version=$(GOTOOLCHAIN=local go env GOVERSION)
  IFS=. read -r major minor _ <<<"${version#go}"
  minor=${minor%%[!0-9]*}
  ((major > 1 || minor >= 24)) || die "Go $version is too old: the test bed needs Go 1.24 or newer"
}

# link_flags MODULE
link_flags() {
  local package minor=${KUBERNETES_VERSION#v1.}
  echo -n "-s -w"
  [[ $1 == cluster ]] || return 0
  echo -n " -X helm.sh/helm/v3/internal/version.version=$HELM_VERSION"
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    echo -n " -X $package.gitVersion=$KUBERNETES_VERSION -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
    echo -n " -X $package.gitCommit=testbed -X $package.gitTreeState=clean"
  done
}

# source_digest MODULE: short digest of what one of our modules is built from.
source_digest() {
  { find "$GO_SOURCES/$1" -type f | sort | xargs cat && link_flags "$1"; } | sha256sum | cut -c1-12
}

# program_path PROGRAM: where the finished program lies, or will lie.
program_path() {
  case $1 in
    kubernetes) echo "$PROGRAMS_DIR/kubernetes-$KUBERNETES_VERSION-$(source_digest cluster)" ;;
    etcd) echo "$PROGRAMS_DIR/etcd-$ETCD_VERSION-$(source_digest cluster)" ;;
    credentials) echo "$PROGRAMS_DIR/credentials-$(source_digest credentials)" ;;
    coredns) echo "$PROGRAMS_DIR/coredns-$COREDNS_VERSION-$(source_digest cluster)" ;;
    helm) echo "$PROGRAMS_DIR/helm-$HELM_VERSION-$(source_digest cluster)" ;;
    kwok) echo "$PROGRAMS_DIR/kwok-$KWOK_VERSION" ;;
    versitygw) echo "$PROGRAMS_DIR/versitygw-$VERSITYGW_VERSION" ;;
    fake-gcs-server) echo "$PROGRAMS_DIR/fake-gcs-server-$FAKE_GCS_VERSION" ;;
    skipper | cert-manager) echo "$PROGRAMS_DIR/$1-$(source_digest "$1")" ;;
    pause-image) echo "$PROGRAMS_DIR/pause-image-$(sha256sum <"$TESTBED_DIR/image/pause.c" | cut -c1-12).tar" ;;
    *) die "unknown program $1" ;;
  esac
}

# compile PROGRAM DIRECTORY: leave the program in DIRECTORY, under any name.
compile() {
  case $1 in
    etcd | kubernetes | coredns) compile_module cluster "$2" "./$1" ;;
    helm) compile_module cluster "$2" helm.sh/helm/v3/cmd/helm ;;
    credentials | skipper | cert-manager) compile_module "$1" "$2" . ;;
    kwok) install_published "sigs.k8s.io/kwok/cmd/kwok@$KWOK_VERSION" "$2" ;;
    versitygw) install_published "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW_VERSION" "$2" ;;
    fake-gcs-server) install_published "github.com/fsouza/fake-gcs-server@$FAKE_GCS_VERSION" "$2" ;;
    pause-image) pack_pause_image "$2" ;;
  esac
}

# compile_module MODULE DIRECTORY PACKAGE
compile_module() {
  (cd "$GO_SOURCES/$1" && go_tool build -mod=readonly -buildvcs=false -ldflags "$(link_flags "$1")" -o "$2/" "$3")
}

# install_published PACKAGE@VERSION DIRECTORY
install_published() {
  (cd / && GOBIN=$2 go_tool install -ldflags "-s -w" "$1")
}

# go_tool ARGUMENT… : go without C and paths of this machine. Its compiler needs a quarter less time when it collects its
# garbage no sooner than there is so much of it.
go_tool() {
  CGO_ENABLED=0 GOGC=off GOMEMLIMIT=2GiB go "$1" -trimpath "${@:2}"
}

pack_pause_image() {
  cc -static -Os -s -o "$1/pause" "$TESTBED_DIR/image/pause.c"
  "$TESTBED_DIR/pack-image" --name "$PAUSE_IMAGE" --output "$1/pause.tar" \
    --file "$1/pause=/pause" --entrypoint '["/pause"]' --user 65535
  rm "$1/pause"
}

# build_program PROGRAM: build it unless the cache has it. Two builders wait for
# each other, and the second finds the first one's result.
build_program() {
  local program=$1 target scratch
  target=$(program_path "$program")
  [[ -e $target ]] && return
  [[ $program == pause-image ]] || require_go
  mkdir -p "$PROGRAMS_DIR"
  step "building $(basename "$target") (once; minutes on a small machine)"
  (
    flock 9
    [[ -e $target ]] && exit
    rm -rf "$PROGRAMS_DIR/.building-$program".* # left by a build that was killed
    scratch=$(mktemp -d "$PROGRAMS_DIR/.building-$program.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    compile "$program" "$scratch"
    mv "$scratch"/* "$target"
  ) 9>"$PROGRAMS_DIR/.lock-$program"
}
