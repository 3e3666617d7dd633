#!/usr/bin/env bash
# Runs Debian 13's Docker engine beside whatever this machine has: its own root, namespaces and storage.
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: tests/engines/debian13.sh start [IMAGE...] | run COMMAND... | stop [--purge]

start   unpacks Debian 13 with docker.io, starts its engine, gives it the images of this machine's
        engine that are named (default: python:3.11), and prints where it is (DOCKER_HOST)
run     runs a command with that engine, and in its network, where containers with the network of
        the machine can reach what the command serves on loopback:
          tests/engines/debian13.sh run cargo test -p caliper-container --test docker
stop    ends it. With --purge what was unpacked goes too

The engine has no bridge: containers have a network only if they ask for the machine's.

Environment:
  CALIPER_ENGINES        the folder for its files (default: /tmp/caliper-engines)
  CALIPER_ENGINE_STORE   `containerd` for images in containerd's store, as newer engines have by default
  CALIPER_DEBIAN_MIRROR  where to get Debian (default: the Debian mirrors of this machine's apt)

Needs: root, mmdebstrap, debian-archive-keyring, docker.
EOF
}

say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $1"
    shift
    for line in "$@"; do say "  $line"; done
    exit 1
}

state=${CALIPER_ENGINES:-/tmp/caliper-engines}/debian13
root=$state/root
socket=$state/run/docker.sock

unpack() {
    [[ ! -x $root/usr/sbin/dockerd ]] || return 0
    command -v mmdebstrap >/dev/null || die "\`mmdebstrap\` is not installed" "on Debian: apt-get install mmdebstrap"
    local mirrors
    read -ra mirrors <<<"${CALIPER_DEBIAN_MIRROR:-}"
    if ((!${#mirrors[@]})); then
        # shellcheck disable=SC2016 # apt expands it
        mapfile -t mirrors < <(
            apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | sed 's,/*$,,' |
                grep '/debian$' | awk '!seen[$0]++'
        )
    fi
    ((${#mirrors[@]})) || die "this machine's apt names no Debian mirror" "set CALIPER_DEBIAN_MIRROR"
    mkdir -p "$state"
    mmdebstrap --quiet --variant=apt --include=docker.io,ca-certificates --dpkgopt=force-unsafe-io \
        --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        trixie "$root" "${mirrors[0]}" >&2
}

# What is run in namespaces of its own. Without a network of its own, `--bridge=none` would take away
# the bridge of the machine's engine.
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
    exec chroot . /usr/sbin/dockerd --host unix:///run/engine/docker.sock \
        --data-root /var/lib/engine --exec-root /run/engine/exec --pidfile /run/engine/docker.pid \
        --bridge=none --iptables=false --ip6tables=false
'

start() {
    ((EUID == 0)) || die "only root can start it"
    [[ ! -S $socket ]] || die "it runs already" "end it: tests/engines/debian13.sh stop"
    unpack
    mkdir -p "$state"/{data,run} "$root/etc/docker"
    local containerd=false
    [[ ${CALIPER_ENGINE_STORE:-} != containerd ]] || containerd=true
    printf '{"features": {"containerd-snapshotter": %s}}\n' "$containerd" >"$root/etc/docker/daemon.json"
    setsid unshare --net --mount --propagation private bash -c "$inside" engine "$state" \
        </dev/null >"$state/log" 2>&1 &
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
    printf 'export DOCKER_HOST=unix://%s\n' "$socket"
}

stop() {
    if [[ -f $state/pid ]]; then
        local process tries
        process=$(cat "$state/pid")
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
    DOCKER_HOST=unix://$socket exec nsenter --target "$(cat "$state/pid")" --net -- "$@"
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
