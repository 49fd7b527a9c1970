#!/usr/bin/env bash
# The image's entry point, with the words that the official Flink images understand:
# jobmanager, standalone-job and taskmanager start a standalone process; anything
# else is a command that is run as it is (native Kubernetes mode does that).
set -euo pipefail

case ${1:-help} in
  jobmanager | taskmanager | standalone-job)
    process=$1
    shift
    exec "$process.sh" start-foreground "$@"
    ;;
  help)
    echo "usage: docker-entrypoint.sh jobmanager|taskmanager|standalone-job [ARGUMENT…] | COMMAND [ARGUMENT…]"
    ;;
  *)
    exec "$@"
    ;;
esac
