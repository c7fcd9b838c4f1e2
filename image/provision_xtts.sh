#!/bin/bash
# The environment that runs XTTS v2, .venv-xtts: everything that .venv has, torch and coqui-tts besides. Nothing is copied
# from .venv, and nothing is installed whose hash is not in one of the two locks. A second run takes a second.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
venv=$repository/.venv-xtts
log=$repository/build/provision-xtts.log
stamp=$venv/.complete

stop() {
    printf 'cannot set up XTTS v2: %s; the reason is in %s\n' "$1" "$log" >&2
    exit 1
}

cd "$repository"
mkdir -p "$(dirname "$log")"
wanted=$(sha256sum requirements.lock requirements-xtts.lock pyproject.toml appliance/frames/*.[ch] appliance/media/*.c | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit
printf '  %-12s %s\n' python "pinned packages, torch among them, into $venv"
{
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --no-deps --require-hashes -r requirements.lock -r requirements-xtts.lock
} >"$log" 2>&1 || stop "Python packages could not be installed; is the network up?"
"$venv/bin/pip" install --no-deps --no-build-isolation -e . >>"$log" 2>&1 || stop "the C extensions do not build"
echo "$wanted" >"$stamp"
