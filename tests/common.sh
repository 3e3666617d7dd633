# shellcheck shell=bash
# What the scripts in tests/images and tests/engines share; they source it.

say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $1"
    shift
    for line in "$@"; do say "  $line"; done
    exit 1
}

# Prints where to get Debian, a mirror a line: those that are named, or that this machine's apt has.
debian_mirrors() {
    local mirrors
    read -ra mirrors <<<"${CALIPER_DEBIAN_MIRROR:-}"
    if ((!${#mirrors[@]})); then
        # By convention a full Debian mirror ends in /debian; security archives and other vendors' do not.
        # shellcheck disable=SC2016 # apt expands it
        mapfile -t mirrors < <(
            { apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null || true; } |
                sed 's,/*$,,' | grep '/debian$' | awk '!seen[$0]++'
        )
    fi
    ((${#mirrors[@]})) ||
        die "this machine's apt names no Debian mirror" "set CALIPER_DEBIAN_MIRROR to the address of one"
    printf '%s\n' "${mirrors[@]}"
}

# podman_settings FOLDER prints a containers.conf for a Podman that keeps its temporary files in FOLDER.
podman_settings() {
    # Podman asks for more than a machine may allow, and lowers its own limit of processes to 32768.
    local files processes
    files=$(ulimit -Hn) processes=$(ulimit -Hu)
    [[ $files != unlimited ]] && ((files < 1048576)) || files=1048576
    [[ $processes != unlimited ]] && ((processes < 32768)) || processes=32768
    # runc and cgroupfs also work where the hierarchies of cgroups are mixed, and without systemd.
    cat <<EOF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$1"
EOF
}
