#!/usr/bin/env bash
# Runs inside the image's root: starts each kind of Flink process once, notes the classes
# it loads, and has the JVM write them to /opt/flink/class-data.jsa.
set -euo pipefail
source /opt/flink/bin/launch.sh

# recorded NAME COMMAND… : runs a start script and records its classes.
recorded() {
  IMAGE_JVM_OPTS="-XX:TieredStopAtLevel=1 -XX:DumpLoadedClassList=/tmp/$1.classes" "${@:2}"
}

# ask PATH : one request to the JobManager's REST port, the answer thrown away.
ask() {
  { exec {rest}<>/dev/tcp/127.0.0.1/8081; } 2>/dev/null || return 0
  printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&"$rest"
  timeout 5 cat <&"$rest" >/dev/null || true
  exec {rest}<&-
}

# A bounded job on a standalone cluster, with checkpoints, until it has finished.
run_job() {
  local jobmanager taskmanager path
  recorded jobmanager standalone-job.sh start-foreground --job-classname counting.CountingJob \
    --count 400 --rate 100 --checkpoint-interval 500 --ledger /tmp &
  jobmanager=$!
  recorded taskmanager taskmanager.sh start-foreground &
  taskmanager=$!
  while kill -0 "$jobmanager" 2>/dev/null; do
    for path in /config /overview /jobs/overview /jobs /taskmanagers; do ask "$path"; done
    sleep 1
  done
  wait "$jobmanager"
  kill "$taskmanager"
  wait "$taskmanager" || true
}

# The native entry points load their classes and then fail: there is no API server.
run_native() {
  mkdir -p /var/run/secrets/kubernetes.io/serviceaccount
  echo none >/var/run/secrets/kubernetes.io/serviceaccount/token
  export KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=1 _POD_IP_ADDRESS=127.0.0.1
  recorded native-jobmanager timeout 20 kubernetes-jobmanager.sh kubernetes-application \
    -Dkubernetes.cluster-id=class-data -Dexecution.target=kubernetes-application \
    -Dpipeline.jars=local:///opt/flink/usrlib/counting-job.jar -Dhigh-availability.type=kubernetes \
    -Dhigh-availability.storageDir=file:///tmp/ha -Dhigh-availability.cluster-id=class-data || true
  recorded native-taskmanager timeout 10 kubernetes-taskmanager.sh -Djobmanager.rpc.address=localhost || true
}

recorded memory bash_java_utils GET_JM_RESOURCE_PARAMS >/dev/null
recorded configuration bash_java_utils UPDATE_AND_GET_FLINK_CONFIGURATION -flatten >/dev/null
timeout 120 bash -c "$(declare -f recorded ask run_job); set -euo pipefail; run_job"
run_native
awk '!seen[$0]++' /tmp/*.classes >/tmp/all-classes
# G1 must write the archive: it is the only collector that can put heap objects into it.
java -XX:+UseG1GC -Xshare:dump -XX:SharedClassListFile=/tmp/all-classes \
  -XX:SharedArchiveFile=/opt/flink/class-data.jsa -classpath "$(class_path)"
