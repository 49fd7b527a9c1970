# shellcheck shell=bash
# What an image has besides for jobs in Python and SQL: the Table API, an interpreter with PyFlink, an SQL runner.

# Debian's Python, for which PyFlink's wheels in `python/` are.
PYTHON_VERSION=3.11
# PyFlink loads a class of CEP's, whatever a program does.
TABLE_JARS=('lib/flink-table-*.jar' 'lib/flink-cep-*.jar' 'opt/flink-python-*.jar')

table_recipe() {
  echo "${TABLE_JARS[@]}"
  declare -f flink_jars table_layer
}

# table_layer OUTPUT RELEASE : the jars are where Flink's distribution has them.
table_layer() {
  local output=$1 release=$2 scratch root jar
  scratch=$(dirname "$output")
  root=$scratch/layer/opt/flink
  flink_jars "$scratch/jars" "$release"
  mkdir -p "$root/lib" "$root/opt"
  for jar in "${TABLE_JARS[@]}"; do
    # shellcheck disable=SC2086 # a pattern
    mv "$scratch/jars"/$jar "$root/$(dirname "$jar")/"
  done
  chmod -R u=rwX,go=rX "$scratch/layer"
  layer "$output" "$scratch/layer"
}

# python_recipe RELEASE
python_recipe() {
  echo "$DEBIAN_RELEASE" "$PYTHON_VERSION"
  cat "$IMAGE_DIR/python/$1.txt"
  declare -f python_layer
}

# python_layer OUTPUT RELEASE : an interpreter, whose libraries are in the base, and PyFlink.
python_layer() {
  local output=$1 release=$2 scratch root log
  require mmdebstrap mmdebstrap
  require pip "pip for Python 3"
  scratch=$(dirname "$output")
  root=$scratch/layer
  log=$scratch/log
  mkdir -p "$root"
  step "making Python $PYTHON_VERSION with PyFlink $release"
  mmdebstrap --variant=extract --format=tar --include="python$PYTHON_VERSION" "$DEBIAN_RELEASE" "$scratch/debian.tar" 2>"$log" ||
    { tail -20 "$log" >&2 && die "mmdebstrap failed"; }
  tar --extract --file "$scratch/debian.tar" --directory "$root" "./usr/bin/python$PYTHON_VERSION" "./usr/lib/python$PYTHON_VERSION"
  ln -s "python$PYTHON_VERSION" "$root/usr/bin/python3"
  pip install --quiet --no-deps --only-binary=:all: --python-version "$PYTHON_VERSION" --require-hashes \
    --requirement "$IMAGE_DIR/python/$release.txt" --no-compile --root-user-action=ignore \
    --target "$root/usr/local/lib/python$PYTHON_VERSION/dist-packages" >&2
  find "$root" -name '*.c' -delete # sources of compiled modules
  chmod -R u=rwX,go=rX "$root"
  layer "$output" "$root"
}

programs_recipe() {
  directory_digest "$E2E_DIR/sql-runner/src"
  declare -f programs_layer
}

# programs_layer OUTPUT FLINK_LAYER TABLE_LAYER
programs_layer() {
  local output=$1 scratch part
  scratch=$(dirname "$output")
  shift
  require javac "a JDK"
  mkdir -p "$scratch/flink"
  for part in "$@"; do tar --extract --file "$part" --directory "$scratch/flink" ./opt/flink/lib; done
  "$E2E_DIR/sql-runner/build" "$scratch/flink/opt/flink/lib" "$scratch/layer/opt/flink/usrlib/sql-runner.jar" >&2
  chmod -R u=rwX,go=rX "$scratch/layer"
  layer "$output" "$scratch/layer"
}
