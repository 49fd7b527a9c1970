# shellcheck shell=bash
# What comes from package registries, through their ordinary clients and configuration.

# flink_jars OUTPUT_DIRECTORY RELEASE : lib/, plugins/ and bin/ of Flink. They are shipped
# in PyFlink's package of libraries: as a source archive for 1.x, as a wheel for 2.x.
flink_jars() {
  local output=$1 release=$2 download
  require pip "pip for Python 3"
  require unzip unzip
  download=$(dirname "$output")/download
  step "downloading Flink $release (300 MB)"
  pip download --quiet --no-deps --dest "$download" "apache-flink-libraries==$release" >&2
  mkdir -p "$download/unpacked"
  case $(echo "$download"/*flink*) in
    *.whl) unzip -q "$download"/*.whl -d "$download/unpacked" && mv "$download/unpacked/pyflink" "$output" ;;
    *) tar -xf "$download"/*.tar.gz -C "$download/unpacked" --strip-components=1 && mv "$download/unpacked/deps" "$output" ;;
  esac
}

# streaming_examples OUTPUT_DIRECTORY : Flink's own example jars, as far as the registry has
# them: the first release of 1.20 only. StateMachineExample.jar is cut out of the jar of all
# examples; without its Kafka connector, which it uses only when asked to.
streaming_examples() {
  local output=$1 all classes
  require mvn Maven
  step "downloading the streaming examples"
  mkdir -p "$output"
  all=$(dirname "$output")/all-examples
  maven_artifact "$all" flink-examples-streaming:1.20.0:jar
  maven_artifact "$all" flink-examples-streaming:1.20.0:jar:TopSpeedWindowing
  mv "$all/flink-examples-streaming-1.20.0-TopSpeedWindowing.jar" "$output/TopSpeedWindowing.jar"
  classes=$all/classes
  unzip -q "$all/flink-examples-streaming-1.20.0.jar" 'org/apache/flink/streaming/examples/statemachine/*' -d "$classes"
  jar --create --file "$output/StateMachineExample.jar" \
    --main-class org.apache.flink.streaming.examples.statemachine.StateMachineExample -C "$classes" .
}

# maven_artifact OUTPUT_DIRECTORY ARTIFACT
maven_artifact() {
  (cd "$(dirname "$1")" && mvn --quiet --batch-mode dependency:copy "-Dartifact=org.apache.flink:$2" "-DoutputDirectory=$1") >&2
}
