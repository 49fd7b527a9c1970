# shellcheck shell=bash
# Progress lines on stderr: seconds since the command started, then what is done now.

STARTED_AT=$EPOCHREALTIME

# step TEXT… : say what is about to happen.
step() {
  local now=$EPOCHREALTIME
  local ms=$(( (${now/./} - ${STARTED_AT/./}) / 1000 ))
  printf '%4d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*" >&2
}

# A command that fails where nothing expects it ends the script: say which one.
set -o errtrace
trap 'printf "%s: line %s of %s failed: %s\n" "$(basename "$0")" "$LINENO" "${BASH_SOURCE[0]}" "$BASH_COMMAND" >&2' ERR

# die TEXT… : say why it cannot go on, and stop.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}
