#!/bin/bash
# The environment that runs XTTS v2, .venv-xtts: everything that .venv has, torch and coqui-tts besides. Nothing is copied
# from .venv, and nothing is installed whose hash is not in one of the locks. A second run takes a second.
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
wanted=$(sha256sum requirements*.lock pyproject.toml appliance/frames/*.[ch] appliance/media/*.c | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit
printf '  %-12s %s\n' python "pinned packages, torch among them, into $venv"
install() { "$venv/bin/pip" install --no-deps --require-hashes "$@" >>"$log" 2>&1; }
: >"$log"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv" >>"$log" 2>&1 || stop "no virtual environment could be made"
# A torch that lies here (pip's find-links), for the CPU, before the one from the network, which is for NVIDIA's GPUs: pip
# itself prefers the latter. Where there is none, this fails and nothing is lost.
awk '/^[a-z]/ { is_torch = /^torch==/ } is_torch' requirements-xtts.lock >build/torch.lock
install --no-index -r build/torch.lock || true
install -r requirements.lock -r requirements-xtts.lock || stop "Python packages could not be installed; is the network up?"
"$venv/bin/python" -c 'import torch' >>"$log" 2>&1 || install -r requirements-cuda.lock || stop "NVIDIA's libraries could not be installed"
"$venv/bin/pip" install --no-deps --no-build-isolation -e . >>"$log" 2>&1 || stop "the C extensions do not build"
echo "$wanted" >"$stamp"
