#!/usr/bin/env bash
# Runs a Podman of its own for the tests: its own storage, its own socket, nothing of the machine's.
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: tests/engines/podman.sh start [IMAGE...] | stop

start   starts Podman's service, gives it the images of the Docker engine that are named (default:
        python:3.11), and prints what to put into the environment of the tests:
          eval "$(tests/engines/podman.sh start)"
          cargo test -p caliper-container --test docker
stop    ends it and removes all it had

Environment:
  CALIPER_ENGINES   the folder for its files (default: /tmp/caliper-engines)
  CALIPER_ROOTLESS  a user; Podman then runs as that user, without being root. The user is made if
                    there is none, and the tests must be run by that user or by root

Needs: podman, runc, catatonit, fuse-overlayfs; without root also uidmap and slirp4netns. Debian 12 has all.
EOF
}

# shellcheck source=tests/common.sh
source "$(dirname "$0")/../common.sh"

user=${CALIPER_ROOTLESS:-}
state=${CALIPER_ENGINES:-/tmp/caliper-engines}/podman${user:+-$user}
socket=$state/podman.sock

# As the user of the service, with its own files only.
settings=(
    CONTAINERS_CONF="$state/containers.conf" CONTAINERS_STORAGE_CONF="$state/storage.conf"
    XDG_RUNTIME_DIR="$state/runtime" TMPDIR="$state/tmp"
)
# In its own folder: conmon leaves a file `oom` where it was started.
as_user=(env -u CONTAINER_HOST -C "$state" "${settings[@]}")
if [[ -n $user ]]; then
    as_user=(setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all
        env -u CONTAINER_HOST -C "$state" HOME="$state/home" USER="$user" "${settings[@]}")
fi

start() {
    for program in podman runc; do
        command -v "$program" >/dev/null || die "\`$program\` is not installed" "on Debian: apt-get install $program"
    done
    [[ ! -S $socket ]] || die "it runs already" "end it: tests/engines/podman.sh stop"
    if [[ -n $user ]] && ! id "$user" >/dev/null 2>&1; then
        useradd --create-home "$user" # and its subordinate ids, as /etc/login.defs says
    fi
    mkdir -p "$state"/{storage,run,runtime,tmp,home}
    podman_settings "$state/tmp" >"$state/containers.conf"
    cat >"$state/storage.conf" <<EOF
[storage]
driver = "overlay"
graphroot = "$state/storage"
runroot = "$state/run"
EOF
    [[ -z $user ]] || chown -R "$user:$user" "$state"
    chmod 700 "$state/runtime"
    "${as_user[@]}" setsid podman system service --time=0 "unix://$socket" \
        </dev/null >"$state/service.log" 2>&1 &
    echo $! >"$state/pid"
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        if "${as_user[@]}" podman --remote --url "unix://$socket" version >/dev/null 2>&1; then break; fi
        sleep 0.2
    done
    "${as_user[@]}" podman --remote --url "unix://$socket" version >/dev/null ||
        die "it does not answer" "$(tail -n 5 "$state/service.log")"
    local image
    for image in "$@"; do
        docker save "$image" | "${as_user[@]}" podman load --quiet >&2
    done
    printf 'export CALIPER_TEST_ENGINE=podman CONTAINER_HOST=unix://%s\n' "$socket"
}

stop() {
    [[ -d $state ]] || exit 0
    "${as_user[@]}" podman rm --all --force --time 0 >/dev/null || true
    kill "$(cat "$state/pid")" 2>/dev/null || true
    # What was unpacked belongs to users that only Podman's own namespace knows.
    "${as_user[@]}" podman unshare rm -rf "$state/storage" 2>/dev/null || true
    umount "$state/storage/overlay" 2>/dev/null || true
    rm -rf --one-file-system -- "$state"
}

case ${1:-} in
start)
    shift
    (($#)) || set -- python:3.11
    start "$@"
    ;;
stop) stop ;;
-h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
