# shellcheck shell=bash
# Files in the cache. A name carries a digest of everything the file is made from; a file
# is made under another name and renamed when it is whole.

CACHE_DIR=${FLINK_OPERATOR_CACHE:-$HOME/.cache/flink-operator}
IMAGES_DIR=$CACHE_DIR/images

# cached_path NAME.EXTENSION INGREDIENT… : where such a file lies, or will lie.
cached_path() {
  local name=$1 digest
  shift
  digest=$(printf '%s\n' "$@" | sha256sum | cut -c1-12)
  echo "$IMAGES_DIR/${name%.*}-$digest.${name##*.}"
}

# directory_digest DIRECTORY… : one word for the contents and modes of all files beneath.
directory_digest() {
  local directory
  for directory in "$@"; do
    (cd "$directory" && find . -type f -printf '%m %P\n' -exec sha256sum {} + | LC_ALL=C sort)
  done | sha256sum | cut -c1-12
}

# make_cached TARGET FUNCTION ARGUMENT… : calls FUNCTION SCRATCH_FILE ARGUMENT… unless the
# target is there. Two makers wait for each other, and the second finds the first's result.
make_cached() {
  local target=$1 function=$2
  shift 2
  [[ -e $target ]] && return
  mkdir -p "$IMAGES_DIR"
  (
    flock 9
    [[ -e $target ]] && exit
    scratch=$(mktemp -d "$IMAGES_DIR/.making.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    "$function" "$scratch/result" "$@"
    mv "$scratch/result" "$target"
  ) 9>"$IMAGES_DIR/.lock-$(basename "$target")"
}

# require COMMAND PACKAGE : the command must be there.
require() {
  command -v "$1" >/dev/null || die "$1 is missing: install $2"
}
