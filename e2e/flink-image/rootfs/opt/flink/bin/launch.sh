# shellcheck shell=bash
# Shared by the start scripts: where things lie, what the configuration says about the
# JVM, and the one `exec java`. To be sourced.

export FLINK_HOME=${FLINK_HOME:-/opt/flink}
export FLINK_CONF_DIR=${FLINK_CONF_DIR:-$FLINK_HOME/conf}
export FLINK_LIB_DIR=${FLINK_LIB_DIR:-$FLINK_HOME/lib}
export FLINK_OPT_DIR=${FLINK_OPT_DIR:-$FLINK_HOME/opt}
export FLINK_PLUGINS_DIR=${FLINK_PLUGINS_DIR:-$FLINK_HOME/plugins}
export FLINK_BIN_DIR=${FLINK_BIN_DIR:-$FLINK_HOME/bin}
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java

# What this image adds to every JVM so that it starts fast on a small machine: only the
# quick compiler, and classes that were parsed and verified when the image was made (the
# JVM goes on without them if they do not fit). A pod may set the variable to something
# else, or to nothing.
IMAGE_JVM_OPTS=${IMAGE_JVM_OPTS--XX:TieredStopAtLevel=1 -XX:SharedArchiveFile=$FLINK_HOME/class-data.jsa -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off}

# The order is the one in which class-data.jsa was made: flink-dist last.
class_path() {
  local jar jars=""
  for jar in "$FLINK_LIB_DIR"/*.jar; do
    [[ $jar == */flink-dist-* ]] || jars+=$jar:
  done
  printf '%s%s' "$jars" "$(echo "$FLINK_LIB_DIR"/flink-dist-*.jar)"
}

# bash_java_utils COMMAND ARGUMENT… : prints the result lines of Flink's own helper.
bash_java_utils() {
  local command=$1 output
  shift
  # shellcheck disable=SC2086
  if ! output=$("$JAVA" $IMAGE_JVM_OPTS -XX:+UseSerialGC \
    -classpath "$(class_path):$FLINK_BIN_DIR/bash-java-utils.jar" \
    org.apache.flink.runtime.util.bash.BashJavaUtils \
    "$command" --configDir "$FLINK_CONF_DIR" "$@" 2>&1); then
    printf '%s\n' "$output" >&2
    return 1
  fi
  sed -n 's/^BASH_JAVA_UTILS_EXEC_RESULT://p' <<<"$output"
}

# The configuration as lines of "key: value". Flink 1.x reads a flat flink-conf.yaml if
# there is one; everything else is nested YAML, which only Flink can flatten.
flat_configuration() {
  local legacy=$FLINK_CONF_DIR/flink-conf.yaml
  if [[ -f $legacy && $(echo "$FLINK_LIB_DIR"/flink-dist-*.jar) == */flink-dist-1.* ]]; then
    sed -e 's/#.*//' -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' "$legacy"
  else
    bash_java_utils UPDATE_AND_GET_FLINK_CONFIGURATION -flatten
  fi
}

# option KEY… : the value of the first key that is set, or nothing. The last line of a
# key counts. Nested YAML is printed with the quotes that a text value needs.
option() {
  local key value
  for key in "$@"; do
    value=$(KEY=$key awk 'index($0, ENVIRON["KEY"] ": ") == 1 { value = substr($0, length(ENVIRON["KEY"]) + 3) } END { print value }' <<<"$CONFIGURATION")
    if [[ -n $value ]]; then
      value=${value#[\"\']}
      printf '%s' "${value%[\"\']}"
      return
    fi
  done
}

# read_configuration jobmanager|taskmanager : sets CONFIGURATION and JAVA_OPTS.
read_configuration() {
  local process=$1
  CONFIGURATION=${CONFIGURATION-$(flat_configuration)}
  JAVA_OPTS="$(option env.java.default-opts.all) $(option env.java.opts.all env.java.opts)"
  JAVA_OPTS+=" $(option "env.java.default-opts.$process") $(option "env.java.opts.$process")"
  if [[ -z ${FLINK_LOG_DIR:-} ]]; then
    FLINK_LOG_DIR=$(option env.log.dir)
  fi
  export FLINK_LOG_DIR=${FLINK_LOG_DIR:-$FLINK_HOME/log}
  local level
  level=${ROOT_LOG_LEVEL:-$(option env.log.level)}
  [[ -z $level ]] || export ROOT_LOG_LEVEL=$level
}

# read_memory GET_JM_RESOURCE_PARAMS|GET_TM_RESOURCE_PARAMS ARGUMENT… : sets MEMORY_OPTS
# for the JVM and MEMORY_ARGUMENTS for the process. The configuration is read at the
# same time, since both may start a JVM.
read_memory() {
  local command=$1 result flat
  shift
  exec {flat}< <(flat_configuration)
  result=$(bash_java_utils "$command" "$@") || exit 1
  CONFIGURATION=$(cat <&"$flat")
  exec {flat}<&-
  MEMORY_OPTS=$(sed -n 1p <<<"$result")
  # shellcheck disable=SC2034 # for the script that sources this one
  read -ra MEMORY_ARGUMENTS <<<"$(sed -n 2p <<<"$result")"
}

# collector: the one that costs least, unless the configuration chose another.
collector() {
  [[ $JAVA_OPTS =~ -XX:\+Use[A-Za-z0-9]+GC ]] || printf %s -XX:+UseSerialGC
}

# launch NAME CLASS ARGUMENT… : becomes the Flink process. Both log frameworks get their
# file, as Flink's own scripts do.
launch() {
  local name=$1 class=$2 log
  shift 2
  log=$FLINK_LOG_DIR/flink-${USER:-flink}-$name-${HOSTNAME:-localhost}.log
  # shellcheck disable=SC2046,SC2086
  exec "$JAVA" -XX:+IgnoreUnrecognizedVMOptions $IMAGE_JVM_OPTS $(collector) \
    ${JVM_ARGS:-} ${MEMORY_OPTS:-} $JAVA_OPTS \
    -Dlog.file="$log" \
    -Dlog4j.configuration=file:"$FLINK_CONF_DIR/log4j-console.properties" \
    -Dlog4j.configurationFile=file:"$FLINK_CONF_DIR/log4j-console.properties" \
    -Dlogback.configurationFile=file:"$FLINK_CONF_DIR/logback-console.xml" \
    -classpath "$(class_path)" "$class" "$@"
}
