#!/usr/bin/env bash
# Shows which graphics processors containers get that ask for some, on a machine that has none: Debian's
# engines, with stand-ins for NVIDIA's toolkit.
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: tests/engines/gpus.sh

Starts both engines of tests/engines/debian.sh, one after the other, and measures one cell for each way
to ask for GPUs. Prints what the engine told the test, and what the record says was granted. No device is
involved: what NVIDIA's own programs would then do is not shown.

Needs: what tests/engines/debian.sh needs, the image python:3.11, target/release/caliper.
EOF
}

# shellcheck source=tests/common.sh
source "$(dirname "$0")/../common.sh"

case ${1:-} in
'') ;;
*)
    usage
    exit 2
    ;;
esac

here=$(cd "$(dirname "$0")/../.." && pwd)
engine=$here/tests/engines/debian.sh
binary=${CARGO_TARGET_DIR:-$here/target}/release/caliper
log=${CALIPER_ENGINES:-/tmp/caliper-engines}/debian-${CALIPER_ENGINE_SUITE:-trixie}/run/nvidia.log
[[ -x $binary ]] || die "$binary is missing" "cargo build --release --workspace"
folder=$(mktemp -d)
trap 'kill %1 || true; "$engine" stop || true; rm -rf "$folder"' EXIT
python3 "$here/tests/engines/demo_index.py" "$folder/index" &

cat >"$folder/told.py" <<'EOF'
import os
print("told:", os.environ.get("NVIDIA_VISIBLE_DEVICES"), os.environ.get("SECOND_DEVICE", ""))
EOF
cat >"$folder/Dockerfile" <<'EOF'
FROM {{ base }}
COPY {{ basename }} /tmp/{{ basename }}
RUN python -m pip install --no-index /tmp/{{ basename }}
EOF
cd "$folder"
for _ in $(seq 100); do
    [[ ! -s index/address ]] || break
    sleep 0.1
done

measure() {
    printf 'analysis: {dependency: demo, base: %s, tests: [told.py], limits: {%s}}\n' "$base" "$1" >caliper.yaml
    rm -rf .caliper "$log"
    echo "$backend, $1"
    "$binary" run --backend "$backend" --index "$(cat index/address)" --progress none >/dev/null 2>said || true
    grep -E '^(error|warning)' said || true
    "$binary" show 1.0/3.11 | sed -n 's/^.*granted */    granted: /p; s/^.*told:/    told:/p' || true
    [[ ! -e $log ]] || echo "    started by the runtime \`nvidia\`: $(grep -c ' create ' "$log") containers"
}

for backend in docker podman; do
    settings=$(env -u DOCKER_HOST CALIPER_ENGINE="$backend" CALIPER_ENGINE_GPUS=yes "$engine" start)
    eval "$settings"
    base=python:3.11
    [[ $backend = docker ]] || base=localhost/python:3.11
    for asked in 'gpus: all' 'gpus: 2' 'gpus: [0, GPU-3a23]' 'gpus: [7]' 'runtime: nvidia' 'network: none'; do
        measure "$asked"
    done
    "$engine" stop
done
