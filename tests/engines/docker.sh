#!/usr/bin/env bash
# Runs a Docker engine of its own beside the machine's: its own storage, on btrfs (so that it can limit the
# disk of a container), its own network namespace, its own socket.
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: tests/engines/docker.sh start [IMAGE...] | kill | stop

start   starts the engine, gives it the images of the machine's engine that are named (default:
        python:3.11), and prints what to put into the environment:
          eval "$(tests/engines/docker.sh start)"
kill    ends it with SIGKILL and starts it again at once, as after a crash
stop    ends it and removes all it had

Environment:
  CALIPER_ENGINES  the folder for its files (default: /tmp/caliper-engines)

Needs: root, dockerd, btrfs-progs, util-linux. Containers have no network but the engine's own
loopback (`--network host` in builds).
EOF
}

state=${CALIPER_ENGINES:-/tmp/caliper-engines}/docker
socket=$state/docker.sock

daemon() {
    # A crash leaves the file of its number behind, and containerd running.
    if [[ -f $state/containerd.pid ]]; then kill -9 "$(cat "$state/containerd.pid")" 2>/dev/null || true; fi
    rm -f "$state/docker.pid" "$state/exec/containerd/containerd.pid"
    # Its own network namespace: `--bridge=none` would take the bridge of the machine's engine away.
    unshare --net sh -c 'ip link set lo up 2>/dev/null; exec "$@"' sh \
        dockerd --host "unix://$socket" --data-root "$state/data" --exec-root "$state/exec" \
        --pidfile "$state/docker.pid" --bridge none --iptables=false --storage-driver btrfs \
        --config-file "$state/daemon.json" >>"$state/log" 2>&1 </dev/null &
    for _ in $(seq 300); do
        if docker --host "unix://$socket" version >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    tail "$state/log" >&2
    exit 1
}

case ${1:-} in
start)
    shift
    mkdir -p "$state/data"
    echo '{}' >"$state/daemon.json"
    truncate -s 12G "$state/disk"
    mkfs.btrfs -q "$state/disk" >/dev/null 2>&1
    mount -o loop "$state/disk" "$state/data"
    btrfs quota enable "$state/data" >&2
    daemon
    for image in "${@:-python:3.11}"; do
        docker --host unix:///var/run/docker.sock save "$image" | docker --host "unix://$socket" load >&2
    done
    echo "export DOCKER_HOST=unix://$socket"
    ;;
kill)
    kill -9 "$(cat "$state/docker.pid")"
    daemon
    ;;
stop)
    kill "$(cat "$state/docker.pid")" 2>/dev/null || true
    for _ in $(seq 100); do [[ -e $state/docker.pid ]] || break; sleep 0.1; done
    umount -l "$state/data"
    rm -rf "$state"
    ;;
*)
    usage
    exit 2
    ;;
esac
