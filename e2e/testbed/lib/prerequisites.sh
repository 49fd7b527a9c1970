# shellcheck shell=bash
# Debian packages the bed needs. Only what is missing is installed.

# A command (or file) that tells whether the package is there, and the package.
readonly API_PREREQUISITES=(ip:iproute2 nsenter:util-linux flock:util-linux findmnt:util-linux python3:python3)
readonly FULL_PREREQUISITES=(
  "${API_PREREQUISITES[@]}"
  containerd:containerd ctr:containerd runc:runc /usr/lib/cni/ptp:containernetworking-plugins
  iptables:iptables conntrack:conntrack ethtool:ethtool socat:socat ipset:ipset modprobe:kmod
  mmdebstrap:mmdebstrap /bin/busybox:busybox-static cc:gcc /usr/include/stdlib.h:libc6-dev
)

# missing_packages PAIR…
missing_packages() {
  local pair
  for pair in "$@"; do
    [[ -e ${pair%%:*} ]] || command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
  done | sort -u
}

# install_missing PAIR…
install_missing() {
  local packages
  mapfile -t packages < <(missing_packages "$@")
  ((${#packages[@]})) || return 0
  command -v apt-get >/dev/null || die "missing, and there is no apt-get to install them: ${packages[*]}"
  step "installing ${packages[*]}"
  refuse_service_starts
  apt_quietly update
  apt_quietly install --no-install-recommends "${packages[@]}"
  allow_service_starts
}

# refuse_service_starts: Debian would start its containerd at once; the bed runs its
# own. policy-rc.d is the way to tell packages not to.
refuse_service_starts() {
  [[ ! -e /usr/sbin/policy-rc.d ]] || return 0
  printf '#!/bin/sh\nexit 101 # testbed\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  trap allow_service_starts EXIT
}

# allow_service_starts: remove the policy again if it is ours.
allow_service_starts() {
  ! grep -q '# testbed$' /usr/sbin/policy-rc.d 2>/dev/null || rm /usr/sbin/policy-rc.d
}

# apt_quietly ARGUMENTS…: wait for other users of apt, try again when a mirror fails.
apt_quietly() {
  local tries log
  log=$(mktemp)
  for ((tries = 0; tries < 4; tries++)); do
    if DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
      -qq -y "$@" >"$log" 2>&1 </dev/null; then
      rm "$log"
      return
    fi
    sleep $((tries * 5 + 2))
  done
  cat "$log" >&2
  rm "$log"
  die "apt-get $* failed"
}
