# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian packages for deploy/quickstart and tests/run: source this file, then call packages_ensure.
#
# Installing mosquitto, knot or bind9 would start them on their standard ports. A temporary policy-rc.d says no to that;
# one that exists already is obeyed and left alone. Services of packages that were installed before are not touched, and
# those of packages installed here are not enabled for the next boot either.
PACKAGES_POLICY=/usr/sbin/policy-rc.d

# Root, directly or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "this needs root: $*" >&2
        return 1
    fi
}

# packages_list FILE...: the names in the lists.
packages_list() {
    sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$@" | sort -u
}

# packages_missing FILE...: the names that dpkg does not have. A package whose command comes from elsewhere is not missing.
packages_missing() {
    local name
    for name in $(packages_list "$@"); do
        case $name in
        npm) command -v npm >/dev/null && continue ;;
        esac
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
    done
}

packages_policy_put() {
    [ ! -e "$PACKAGES_POLICY" ] || return 0
    as_root sh -c "printf '#!/bin/sh\n# muster: temporary, removed after the installation\nexit 101\n' >$PACKAGES_POLICY &&
        chmod 755 $PACKAGES_POLICY"
}

# Ours only: the comment tells.
packages_policy_remove() {
    if [ -f "$PACKAGES_POLICY" ] && grep -q '^# muster: temporary' "$PACKAGES_POLICY"; then
        as_root rm -f "$PACKAGES_POLICY"
    fi
}

# The services that came with these packages, just installed, shall not start at the next boot.
packages_disable_services() {
    local name unit
    command -v systemctl >/dev/null || return 0
    for name in "$@"; do
        for unit in $(dpkg -L "$name" 2>/dev/null | sed -n 's,^\(/usr\)\?/lib/systemd/system/\([^/@]*\.service\)$,\2,p'); do
            as_root systemctl --quiet disable "$unit" >/dev/null 2>&1 || true # static units have nothing to disable
        done
    done
}

# packages_ensure FILE...: installs what is missing of the lists; does nothing, without the network, when nothing is.
# Runs in a subshell: its trap takes the policy file away on every way out.
packages_ensure() (
    set -euo pipefail
    local missing
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    echo "installing ${#missing[@]} packages: ${missing[*]}" >&2
    trap packages_policy_remove EXIT
    trap 'exit 130' INT TERM HUP
    packages_policy_put
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5
        -o Dpkg::Use-Pty=0)
    as_root "${apt[@]}" update >&2
    as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2
    packages_disable_services "${missing[@]}"
)
