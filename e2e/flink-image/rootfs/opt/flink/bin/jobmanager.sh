#!/usr/bin/env bash
# JobManager of a standalone session cluster: jobmanager.sh start-foreground [ARGUMENT…]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"

if [[ ${1:-} != start-foreground ]]; then
  echo "usage: $0 start-foreground [ARGUMENT…]" >&2
  exit 2
fi
shift
read_memory GET_JM_RESOURCE_PARAMS "$@"
read_configuration jobmanager
launch standalonesession org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint \
  --configDir "$FLINK_CONF_DIR" "${MEMORY_ARGUMENTS[@]}" "$@"
