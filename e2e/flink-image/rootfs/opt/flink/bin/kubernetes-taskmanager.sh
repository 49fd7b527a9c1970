#!/usr/bin/env bash
# TaskManager in native mode. The JobManager computed the memory: the JVM's share comes in
# FLINK_TM_JVM_MEM_OPTS, the rest in the arguments.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"

read_configuration taskmanager
MEMORY_OPTS=${FLINK_TM_JVM_MEM_OPTS:-}
launch kubernetes-taskmanager org.apache.flink.kubernetes.taskmanager.KubernetesTaskExecutorRunner \
  --configDir "$FLINK_CONF_DIR" "$@"
