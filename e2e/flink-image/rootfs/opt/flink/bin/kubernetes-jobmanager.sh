#!/usr/bin/env bash
# JobManager in native mode: kubernetes-jobmanager.sh kubernetes-application|kubernetes-session [ARGUMENT…]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"

case ${1:-} in
  kubernetes-application) class=org.apache.flink.kubernetes.entrypoint.KubernetesApplicationClusterEntrypoint ;;
  kubernetes-session) class=org.apache.flink.kubernetes.entrypoint.KubernetesSessionClusterEntrypoint ;;
  *)
    echo "usage: $0 kubernetes-application|kubernetes-session [ARGUMENT…]" >&2
    exit 2
    ;;
esac
name=$1
shift
read_memory GET_JM_RESOURCE_PARAMS "$@"
read_configuration jobmanager
launch "$name" "$class" "${MEMORY_ARGUMENTS[@]}" "$@"
