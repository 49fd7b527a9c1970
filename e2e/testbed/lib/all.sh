# shellcheck shell=bash
# What every command of the test bed starts with. Expects TESTBED_DIR.

source "$TESTBED_DIR/lib/log.sh"
source "$TESTBED_DIR/lib/build.sh"
source "$TESTBED_DIR/lib/bed.sh"
source "$TESTBED_DIR/lib/cgroup.sh"
source "$TESTBED_DIR/lib/netns.sh"
source "$TESTBED_DIR/lib/process.sh"
source "$TESTBED_DIR/lib/audit.sh"
source "$TESTBED_DIR/lib/control-plane.sh"
source "$TESTBED_DIR/lib/node.sh"
source "$TESTBED_DIR/lib/dns.sh"
source "$TESTBED_DIR/lib/zookeeper.sh"
source "$TESTBED_DIR/lib/prerequisites.sh"

# The bed that a command without --name means.
DEFAULT_NAME=${TESTBED_NAME:-dev}

require_root() {
  ((EUID == 0)) || die "needs root: namespaces, mounts and cgroups are made"
}
