#!/bin/bash
# Everything between a fresh Debian 12 and a box that runs: Debian packages, virtual environment, C extensions,
# model files, the Asterisk tree. Each step leaves a stamp, so that a second run takes a second.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
cache=${DRAGOMAN_CACHE:-$HOME/.cache/dragoman}
venv=$repository/.venv
log=$repository/build/provision.log
packages=(ca-certificates gcc libc6-dev python3 python3-dev python3-venv mmdebstrap baresip-core sip-tester prometheus)

say() { printf '  %-12s %s\n' "$1" "$2"; }
stop() {
    printf 'cannot set up: %s\n' "$1" >&2
    exit 1
}
fingerprint() { sha256sum "$@" | sha256sum | cut -c1-16; }

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
    done
}

install_debian_packages() {
    command -v dpkg-query >/dev/null || stop 'this is not Debian; Debian 12 is needed'
    local missing
    missing=$(missing_packages)
    [ -z "$missing" ] && return
    say debian "$missing"
    [ "$(id -u)" -eq 0 ] || stop "Debian packages are missing and only root may install them; run: sudo apt-get install ${missing% }"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of words
    { apt-get update && apt-get install -y --no-install-recommends $missing; } >>"$log" 2>&1 ||
        stop "Debian packages could not be installed (${missing% }); is the network up? the reason is in $log"
}

install_python_packages() {
    local wanted stamp=$venv/.packages
    wanted=$(fingerprint requirements.lock)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say python "pinned packages into $venv"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop 'python3 is older than 3.11; Debian 12 has it'
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv" >>"$log" 2>&1 || stop "no virtual environment could be made; see $log"
    "$venv/bin/pip" install --no-deps --require-hashes -r requirements.lock >>"$log" 2>&1 ||
        stop "Python packages could not be installed; is the network up? the reason is in $log"
    echo "$wanted" >"$stamp"
}

build_extensions() {
    local wanted stamp=$venv/.extensions
    wanted=$(fingerprint pyproject.toml appliance/frames/*.[ch])
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say build 'the C extensions'
    "$venv/bin/pip" install --no-deps --no-build-isolation -e . >>"$log" 2>&1 || stop "the C extensions do not build; the reason is in $log"
    echo "$wanted" >"$stamp"
}

assemble_models() {
    local wanted stamp=$cache/models/.assembled
    wanted=$(fingerprint requirements.lock appliance/engines/model_files.toml)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say models "into $cache/models"
    "$venv/bin/python" -m appliance.engines.model_files assemble "$cache" >>"$log" 2>&1 || stop "model files could not be assembled; the reason is in $log"
    echo "$wanted" >"$stamp"
}

# Debian 12 has no Asterisk; the one of Debian 14 (forky) brings its own C library and runs from a folder.
extract_asterisk() {
    local tree=$cache/asterisk-tree fresh=$cache/asterisk-tree.$$ directory
    [ -e "$tree/.complete" ] && return
    say asterisk "into $tree"
    # shellcheck disable=SC2064 # the name as it is now
    trap "rm -rf '$fresh'" EXIT
    mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --include=asterisk forky "$fresh" >>"$log" 2>&1 ||
        stop "Asterisk could not be fetched from Debian; is the network up? the reason is in $log"
    for directory in bin sbin lib lib64; do
        [ -e "$fresh/$directory" ] || ln -s "usr/$directory" "$fresh/$directory"
    done
    touch "$fresh/.complete"
    rm -rf "$tree"
    mv "$fresh" "$tree"
}

cd "$repository"
mkdir -p "$(dirname "$log")" "$cache"
: >"$log"
install_debian_packages
install_python_packages
build_extensions
assemble_models
extract_asterisk
