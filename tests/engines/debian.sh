#!/usr/bin/env bash
# Runs the Docker engine of a release of Debian, or its Podman, beside whatever this machine has: its own
# root, namespaces and storage.
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: tests/engines/debian.sh start [IMAGE...] | run COMMAND... | stop [--purge]

start   unpacks Debian with docker.io and podman, starts its engine, gives it the images of this machine's
        engine that are named (default: python:3.11), and prints where it is (DOCKER_HOST, CONTAINER_HOST)
run     runs a command with that engine, and in its network, where containers with the network of
        the machine can reach what the command serves on loopback:
          tests/engines/debian.sh run cargo test -p caliper-container --test docker
stop    ends it. With --purge what was unpacked goes too

Environment:
  CALIPER_ENGINE         `podman` for Podman in place of Docker
  CALIPER_ENGINE_SUITE   the release of Debian: `trixie` (13; the default), `testing` or `sid`. `run` and
                         `stop` want the same as `start`
  CALIPER_ENGINES        the folder for its files (default: /tmp/caliper-engines)
  CALIPER_ENGINE_STORE   where Docker keeps images: `containerd` or `graphdriver` (default: what the engine
                         chooses)
  CALIPER_ENGINE_BRIDGE  a bridge of this machine, of which the containers of Docker are to be. Without one
                         they have a network only if they ask for the machine's
  CALIPER_ENGINE_GPUS    anything: stand-ins for NVIDIA's container toolkit, which give a container no
                         device, and only have the engine tell it which it would get
  CALIPER_DEBIAN_MIRROR  where to get Debian (default: the Debian mirrors of this machine's apt)

Needs: root, mmdebstrap, debian-archive-keyring, docker.
EOF
}

# shellcheck source=tests/common.sh
source "$(dirname "$0")/../common.sh"

suite=${CALIPER_ENGINE_SUITE:-trixie}
[[ $suite =~ ^[a-z]+$ ]] || die "CALIPER_ENGINE_SUITE is \`trixie\`, \`testing\` or \`sid\`"
state=${CALIPER_ENGINES:-/tmp/caliper-engines}/debian-$suite
root=$state/root
socket=$state/run/engine.sock
kind=${CALIPER_ENGINE:-docker}
store=${CALIPER_ENGINE_STORE:-}

unpack() {
    [[ ! -x $root/usr/sbin/nft ]] || return 0
    command -v mmdebstrap >/dev/null || die "\`mmdebstrap\` is not installed" "on Debian: apt-get install mmdebstrap"
    local mirror
    mirror=$(debian_mirrors)
    # What an interrupted attempt left, or an older one with less in it.
    rm -rf --one-file-system -- "$root"
    mkdir -p "$state"
    mmdebstrap --quiet --variant=apt --include=docker.io,podman,runc,catatonit,nftables,ca-certificates \
        --dpkgopt=force-unsafe-io \
        --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        "$suite" "$root" "${mirror%%$'\n'*}" >&2
}

# What is run in namespaces of its own. Without a network of its own, `--bridge=none` would take away
# the bridge of the machine's engine.
# shellcheck disable=SC2016 # the shell inside expands it
inside='
    set -eu
    mount --bind "$1/root" "$1/root"
    mount --rbind /proc "$1/root/proc"
    mount --rbind /sys "$1/root/sys"
    mount --rbind /dev "$1/root/dev"
    mkdir -p "$1/root/var/lib/engine" "$1/root/run/engine"
    mount --bind "$1/data" "$1/root/var/lib/engine"
    mount --bind "$1/run" "$1/root/run/engine"
    ip link set lo up
    cd "$1/root"
    if [ "$2" = podman ]; then
        # As this machine may have control groups of version 1 still.
        export CONTAINERS_CONF=/etc/engine.conf PODMAN_IGNORE_CGROUPSV1_WARNING=1
        exec chroot . podman --root /var/lib/engine --runroot /run/engine/containers --storage-driver overlay \
            system service --time=0 unix:///run/engine/engine.sock
    fi
    exec chroot . /usr/sbin/dockerd --host unix:///run/engine/engine.sock \
        --data-root /var/lib/engine --exec-root /run/engine/exec --pidfile /run/engine/docker.pid \
        --bridge="$3" --mtu=1400 --iptables=false --ip6tables=false
'

# With GPUs, NVIDIA's hook is one that does nothing, and its runtime one that says that it was used.
settings_of_docker() {
    local hook=$root/usr/bin/nvidia-container-runtime-hook runtimes='{}' features='{}'
    rm -f "$hook"
    if [[ -n ${CALIPER_ENGINE_GPUS:-} ]]; then
        ln -s true "$hook"
        runtimes='{"nvidia": {"path": "/usr/bin/nvidia-container-runtime"}}'
        # shellcheck disable=SC2016 # when it is run
        printf '#!/bin/sh\necho "$*" >>/run/engine/nvidia.log\nexec runc "$@"\n' >"${hook%-hook}"
        chmod +x "${hook%-hook}"
    fi
    case $store in
    containerd) features='{"containerd-snapshotter": true}' ;;
    graphdriver) features='{"containerd-snapshotter": false}' ;;
    esac
    printf '{"features": %s, "runtimes": %s}\n' "$features" "$runtimes" >"$root/etc/docker/daemon.json"
}

# With GPUs, a description of devices that are but a variable in the environment.
settings_of_podman() {
    {
        podman_settings /run/engine/tmp
        # /dev is the machine's, and in /dev/shm its own Podman has its locks.
        echo 'lock_type = "file"'
    } >"$root/etc/engine.conf"
    rm -f "$root/etc/cdi/nvidia.yaml"
    [[ -z ${CALIPER_ENGINE_GPUS:-} ]] || cat >"$root/etc/cdi/nvidia.yaml" <<'EOF'
cdiVersion: "0.5.0"
kind: nvidia.com/gpu
devices:
- {name: all, containerEdits: {env: [NVIDIA_VISIBLE_DEVICES=all]}}
- {name: "0", containerEdits: {env: [NVIDIA_VISIBLE_DEVICES=0]}}
- {name: "1", containerEdits: {env: [SECOND_DEVICE=1]}}
- {name: GPU-3a23, containerEdits: {env: [SECOND_DEVICE=GPU-3a23]}}
EOF
}

start() {
    ((EUID == 0)) || die "only root can start it"
    [[ ! -S $socket ]] || die "it runs already" "end it: tests/engines/debian.sh stop"
    [[ $kind = docker || $kind = podman ]] || die "CALIPER_ENGINE is \`docker\` or \`podman\`"
    [[ -z $store || $store = containerd || $store = graphdriver ]] ||
        die "CALIPER_ENGINE_STORE is \`containerd\` or \`graphdriver\`"
    [[ $kind = docker || -z ${CALIPER_ENGINE_BRIDGE:-} ]] || die "only Docker can be given a bridge"
    unpack
    mkdir -p "$state"/{data,run} "$root/etc"/{docker,cdi}
    "settings_of_$kind"
    local namespaces=(--mount --propagation private)
    [[ -n ${CALIPER_ENGINE_BRIDGE:-} ]] || namespaces+=(--net)
    setsid unshare "${namespaces[@]}" bash -c "$inside" engine "$state" "$kind" \
        "${CALIPER_ENGINE_BRIDGE:-none}" </dev/null >"$state/log" 2>&1 &
    echo $! >"$state/pid"
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        if docker --host "unix://$socket" version >/dev/null 2>&1; then break; fi
        kill -0 "$(cat "$state/pid")" 2>/dev/null || break
        sleep 0.2
    done
    docker --host "unix://$socket" version >/dev/null ||
        die "it does not answer" "$(tail -n 5 "$state/log")"
    local image
    for image in "$@"; do
        docker save "$image" | docker --host "unix://$socket" load --quiet >&2
    done
    case $kind in
    docker) printf 'export DOCKER_HOST=unix://%s\n' "$socket" ;;
    podman) printf 'export CALIPER_TEST_ENGINE=podman CONTAINER_HOST=unix://%s\n' "$socket" ;;
    esac
}

stop() {
    if [[ -f $state/pid ]]; then
        local process tries
        process=$(cat "$state/pid")
        # Those of Podman do not end with its service.
        docker --host "unix://$socket" ps --all --quiet 2>/dev/null |
            xargs --no-run-if-empty docker --host "unix://$socket" rm --force --volumes >/dev/null 2>&1 || true
        kill "$process" 2>/dev/null || true
        for ((tries = 0; tries < 150; tries++)); do
            kill -0 "$process" 2>/dev/null || break
            sleep 0.2
        done
    fi
    # All of its mounts went with its namespace.
    rm -rf --one-file-system -- "$state/run" "$state/data" "$state/pid"
    [[ ${1:-} != --purge ]] || rm -rf --one-file-system -- "$state"
}

case ${1:-} in
start)
    shift
    (($#)) || set -- python:3.11
    start "$@"
    ;;
run)
    shift
    DOCKER_HOST=unix://$socket CONTAINER_HOST=unix://$socket exec nsenter --target "$(cat "$state/pid")" --net -- "$@"
    ;;
stop)
    shift
    stop "$@"
    ;;
-h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
