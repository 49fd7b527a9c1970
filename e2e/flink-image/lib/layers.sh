# shellcheck shell=bash
# The layers of a Flink image, from the one that changes least: Debian with a JRE (shared
# by all versions), Flink's jars, class data for a fast start, our start scripts and job.

# layer OUTPUT DIRECTORY : packs a directory so that the same content gives the same bytes.
layer() {
  tar --create --file "$1" --directory "$2" --format=gnu --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
}

DEBIAN_RELEASE=bookworm
DEBIAN_PACKAGES=openjdk-17-jre-headless,procps
# Documentation, package lists, and Perl's library, which only package scripts use.
# shellcheck disable=SC2016 # $1 is mmdebstrap's
DEBIAN_HOOKS=(
  'chroot "$1" groupadd --gid 9999 flink'
  'chroot "$1" useradd --uid 9999 --gid 9999 --home-dir /opt/flink --no-create-home --shell /bin/bash flink'
  'rm -rf "$1"/usr/share/man/* "$1"/usr/share/doc/* "$1"/usr/share/info "$1"/usr/share/locale/* "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*'
  'rm -rf "$1"/usr/share/perl "$1"/usr/lib/*/perl "$1"/usr/lib/*/libperl.so.* "$1"/usr/lib/jvm/*/lib/ct.sym'
)

base_recipe() {
  echo "$DEBIAN_RELEASE" "$DEBIAN_PACKAGES" "${DEBIAN_HOOKS[@]}"
  declare -f base_layer
}

base_layer() {
  local output=$1 hook log hooks=()
  require mmdebstrap mmdebstrap
  for hook in "${DEBIAN_HOOKS[@]}"; do hooks+=("--customize-hook=$hook"); done
  log=$(dirname "$output")/log
  step "making the base of Debian $DEBIAN_RELEASE and a JRE"
  SOURCE_DATE_EPOCH=0 mmdebstrap --variant=minbase --format=tar --skip=output/dev --include="$DEBIAN_PACKAGES" \
    "${hooks[@]}" "$DEBIAN_RELEASE" "$output" 2>"$log" || { tail -20 "$log" >&2 && die "mmdebstrap failed"; }
}

# Jars that a job on the DataStream API does not need, and native libraries of state
# backends for other platforms.
UNUSED_JARS=(flink-cep-*.jar flink-scala_*.jar flink-table-*.jar)
OTHER_PLATFORMS=('lib*jni-*musl.so' 'lib*jni-linux32.so' 'lib*jni-linux-ppc64le.so' 'lib*jni-*.dll' 'lib*jni-*.jnilib')

flink_recipe() {
  echo "${UNUSED_JARS[@]}" "${OTHER_PLATFORMS[@]}"
  declare -f flink_jars streaming_examples maven_artifact flink_layer
}

flink_layer() {
  local output=$1 release=$2 scratch root unused
  require zip zip
  scratch=$(dirname "$output")
  root=$scratch/root/opt/flink
  flink_jars "$scratch/jars" "$release"
  mkdir -p "$root/bin" "$root/opt" "$root/usrlib" "$root/log" "$root/examples/streaming"
  mv "$scratch/jars/lib" "$scratch/jars/plugins" "$root/"
  mv "$scratch/jars/bin/bash-java-utils.jar" "$root/bin/"
  for unused in "${UNUSED_JARS[@]}"; do
    # shellcheck disable=SC2086 # a pattern
    rm -f "$root/lib"/$unused
  done
  zip --quiet --delete "$root"/lib/flink-dist-*.jar "${OTHER_PLATFORMS[@]}"
  if [[ $release == 1.* ]]; then
    streaming_examples "$scratch/examples"
    mv "$scratch/examples"/*.jar "$root/examples/streaming/"
  fi
  chmod -R u=rwX,go=rX "$scratch/root"
  chmod 1777 "$root/log" # any user a pod asks for may write its log
  layer "$output" "$scratch/root"
}

start_recipe() {
  directory_digest "$IMAGE_DIR/rootfs" "$E2E_DIR/job/src"
  declare -f start_layer
}

# start_layer OUTPUT FLINK_LAYER RELEASE : scripts, default configuration and the counting
# job. The job lies in examples/ too, because a standalone application cluster hides usrlib/
# under an empty volume. Flink 2.x has no example jars in the registry: there the job
# takes the place of StateMachineExample.jar, so that manifests which name it run.
start_layer() {
  local output=$1 flink=$2 release=$3 scratch root examples
  require javac "a JDK"
  scratch=$(dirname "$output")
  root=$scratch/root/opt/flink
  examples=$root/examples/streaming
  mkdir -p "$scratch/flink" "$root/usrlib" "$examples"
  cp -r "$IMAGE_DIR/rootfs/." "$scratch/root/"
  tar --extract --file "$flink" --directory "$scratch/flink" ./opt/flink/lib
  "$E2E_DIR/job/build" "$scratch/flink/opt/flink/lib" "$root/usrlib/counting-job.jar" >&2
  cp "$root/usrlib/counting-job.jar" "$examples/CountingJob.jar"
  if [[ $release != 1.* ]]; then
    cp "$root/usrlib/counting-job.jar" "$examples/StateMachineExample.jar"
  fi
  chmod -R u=rwX,go=rX "$scratch/root"
  layer "$output" "$scratch/root"
}

class_data_recipe() {
  cat "$IMAGE_DIR/lib/class-data.sh" "$IMAGE_DIR/lib/in-root"
  declare -f class_data_layer
}

# class_data_layer OUTPUT LAYER… : the archive of parsed classes, made by the image's own
# JVM from the image's own files, else the JVM would refuse it.
class_data_layer() {
  local output=$1 scratch part
  shift
  scratch=$(dirname "$output")
  mkdir -p "$scratch/image" "$scratch/root/opt/flink"
  for part in "$@"; do
    tar --extract --file "$part" --directory "$scratch/image" --numeric-owner
  done
  cp "$IMAGE_DIR/lib/class-data.sh" "$scratch/image/tmp/class-data.sh"
  step "making class data for a fast start (1 min)"
  "$IMAGE_DIR/lib/in-root" "$scratch/image" /bin/bash /tmp/class-data.sh >"$scratch/log" 2>&1 ||
    { tail -40 "$scratch/log" >&2 && die "making the class data failed"; }
  mv "$scratch/image/opt/flink/class-data.jsa" "$scratch/root/opt/flink/"
  chmod -R u=rwX,go=rX "$scratch/root"
  layer "$output" "$scratch/root"
}
