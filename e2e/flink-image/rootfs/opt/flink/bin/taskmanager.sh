#!/usr/bin/env bash
# TaskManager of a standalone cluster: taskmanager.sh start-foreground [ARGUMENT…]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"

if [[ ${1:-} != start-foreground ]]; then
  echo "usage: $0 start-foreground [ARGUMENT…]" >&2
  exit 2
fi
shift
read_memory GET_TM_RESOURCE_PARAMS "$@"
read_configuration taskmanager
launch taskexecutor org.apache.flink.runtime.taskexecutor.TaskManagerRunner \
  --configDir "$FLINK_CONF_DIR" "${MEMORY_ARGUMENTS[@]}" "$@"
