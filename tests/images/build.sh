#!/usr/bin/env bash
# Makes the base images python:2.7, 3.9, 3.11, 3.13 and 3.14 out of Debian packages, for tests and
# for people who cannot reach an image registry. An image that exists is left alone.
# shellcheck disable=SC2016 # apt and mmdebstrap expand what stands in single quotes
set -euo pipefail

usage() {
    cat <<'END'
Usage: tests/images/build.sh [--force] [VERSION...]

Builds python:VERSION for each VERSION (2.7 3.9 3.11 3.13 3.14; default: all of them), two at a
time. VERSION may also be written python:VERSION.

  --force   build even if the image exists
  --help    this text

Environment:
  CALIPER_DEBIAN_MIRROR  where to get Debian; several addresses, separated by spaces, are tried in
                         order for each release (default: the Debian mirrors of this machine's apt)
  SSL_CERT_FILE          the CA bundle that the images shall trust beside Debian's own
                         (default: /etc/ssl/certs/ca-certificates.crt)
  CALIPER_DEBIAN_KEYRING the keyring to verify Debian with (default: that of debian-archive-keyring)

Needs: mmdebstrap, debian-archive-keyring, a running Docker engine; for 2.7 also python3 with pip.
END
}

all=(3.11 3.9 2.7 3.13 3.14)
at_once=2

# shellcheck source=tests/common.sh
source "$(dirname "$0")/../common.sh"

# Which Debian release has this Python. `testing` moves on: it drops 3.14 one day.
suite_of() {
    case $1 in
    2.7 | 3.9) echo bullseye ;;
    3.11) echo bookworm ;;
    3.13) echo trixie ;;
    3.14) echo testing ;;
    *) return 1 ;;
    esac
}

need() { # need COMMAND PACKAGE WHY
    command -v "$1" >/dev/null && return
    die "\`$1\` is not installed ($3)" "Debian and Ubuntu have it: apt-get install $2"
}

# ---- what was asked for -------------------------------------------------------------------------

force=false
wanted=()
for argument in "$@"; do
    case $argument in
    --force) force=true ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*) die "unknown option \`$argument\`" "see tests/images/build.sh --help" ;;
    *)
        version=${argument#python:}
        suite_of "$version" >/dev/null || die "no recipe for \`$argument\`" "known: ${all[*]}"
        # Named twice is built once: two builds of one image would race for its name.
        [[ " ${wanted[*]-} " == *" $version "* ]] || wanted+=("$version")
        ;;
    esac
done
((${#wanted[@]})) || wanted=("${all[@]}")

command -v docker >/dev/null || die "\`docker\` is not installed" "on Debian: apt-get install docker.io"
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    die "the Docker engine does not answer" "start it, or point DOCKER_HOST at one; try: docker version"

todo=()
for version in "${wanted[@]}"; do
    if ! $force && docker image inspect "python:$version" >/dev/null 2>&1; then
        say "python:$version exists"
    else
        todo+=("$version")
    fi
done
((${#todo[@]})) || exit 0

# ---- what it takes ------------------------------------------------------------------------------

need mmdebstrap mmdebstrap "it makes a Debian root file system"

keyring=${CALIPER_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
[[ -r $keyring ]] ||
    die "no Debian keyring at $keyring" "install it: apt-get install debian-archive-keyring" \
        "or set CALIPER_DEBIAN_KEYRING"

ca_bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
[[ -r $ca_bundle ]] ||
    die "no CA bundle at $ca_bundle" "install it: apt-get install ca-certificates" "or set SSL_CERT_FILE"

found=$(debian_mirrors)
mapfile -t mirrors <<<"$found"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/caliper-images.XXXXXXXX")
cleanup() {
    local leader tries
    exec 2>/dev/null # the shell would report each build that it ends
    for leader in $(jobs -pr); do
        kill -- "-$leader" || true
        # mmdebstrap unmounts and removes its own tree when it is told to stop; give it the time.
        for ((tries = 0; tries < 100; tries++)); do
            kill -0 -- "-$leader" || break
            sleep 0.1
        done
    done
    rm -rf --one-file-system -- "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# The unprivileged mode of mmdebstrap reads these files as another user.
chmod 755 "$scratch"
install -m 644 "$ca_bundle" "$scratch/host.crt"

if [[ " ${todo[*]} " == *" 2.7 "* ]]; then
    # The last releases that run on 2.7. A wheel of pip is also a program, so pip can install itself.
    python3 -m pip --version >/dev/null 2>&1 ||
        die "python:2.7 needs pip on this machine, to fetch pip, setuptools and wheel for 2.7" \
            "on Debian and Ubuntu: apt-get install python3-pip"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --python-version 2.7 \
        --only-binary=:all: --dest "$scratch/wheels" pip==20.3.4 setuptools==44.1.1 wheel==0.37.1 \
        >"$scratch/wheels.log" 2>&1 ||
        die "could not fetch pip, setuptools and wheel for Python 2.7:" "$(tail -n 5 "$scratch/wheels.log")"
    chmod 755 "$scratch/wheels"
fi

# ---- one image ----------------------------------------------------------------------------------

# A release that Debian has archived leaves the usual mirrors, so ask each one for it.
mirror_of() {
    local suite=$1 mirror
    for mirror in "${mirrors[@]}"; do
        if /usr/lib/apt/apt-helper download-file "$mirror/dists/$suite/InRelease" \
            "$scratch/InRelease.$BASHPID" >/dev/null 2>&1; then
            echo "$mirror"
            return
        fi
    done
    die "no mirror has Debian $suite: ${mirrors[*]}" \
        "if it has been archived, add an address that has it to CALIPER_DEBIAN_MIRROR"
}

build() {
    local version=$1 suite mirror packages id before seconds=$SECONDS
    suite=$(suite_of "$version")
    mirror=$(mirror_of "$suite")

    local options=(
        --variant=apt # not `essential`: a template may want to apt-get
        --keyring="$keyring"
        --aptopt='Acquire::Languages "none"'
        # A frozen mirror, and `testing` between two updates, carry Release files past their date.
        --aptopt='Acquire::Check-Valid-Until "false"'
        --dpkgopt=force-unsafe-io
        --dpkgopt='path-exclude=/usr/share/doc/*'
        --dpkgopt='path-include=/usr/share/doc/*/copyright'
        --dpkgopt='path-exclude=/usr/share/man/*'
        --dpkgopt='path-exclude=/usr/share/locale/*'
        --dpkgopt='path-exclude=/usr/share/info/*'
        # Through update-ca-certificates, so that a later upgrade of ca-certificates keeps it.
        --customize-hook='mkdir -p "$1/usr/local/share/ca-certificates"'
        --customize-hook="copy-in $scratch/host.crt /usr/local/share/ca-certificates"
        --customize-hook='chroot "$1" update-ca-certificates >/dev/null'
        --customize-hook="ln -s python$version \"\$1/usr/bin/python\""
    )
    local bundle=/etc/ssl/certs/ca-certificates.crt
    local changes=(
        -c 'CMD ["python"]'
        -c "ENV LANG=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CERT=$bundle SSL_CERT_FILE=$bundle REQUESTS_CA_BUNDLE=$bundle"
    )
    packages=python$version,ca-certificates,wget
    case $version in
    2.7)
        options+=(
            --customize-hook="copy-in $scratch/wheels /tmp"
            --customize-hook='chroot "$1" python2.7 /tmp/wheels/pip-20.3.4-py2.py3-none-any.whl/pip install -q --no-index --no-cache-dir --find-links /tmp/wheels pip setuptools wheel'
            --customize-hook='rm -rf "$1/tmp/wheels" "$1/root/.cache"'
        )
        changes+=(-c 'ENV PIP_NO_PYTHON_VERSION_WARNING=1')
        ;;
    *) packages+=,python$version-venv,python3-pip ;;
    esac
    case $suite in
    bullseye) ;;
    # Debian 12 and later mark their Python as managed by apt alone; in an image pip may have it.
    *) changes+=(-c 'ENV PIP_BREAK_SYSTEM_PACKAGES=1') ;;
    esac

    # The name is given last, to a whole image that runs: a half-made one would be "an image that exists".
    if ! id=$(TMPDIR=$scratch mmdebstrap "${options[@]}" --include="$packages" "$suite" - "$mirror" |
        docker import "${changes[@]}" -) ||
        ! docker run --rm "$id" sh -c 'python --version && python -m pip --version'; then
        # The engine imports an empty stream too.
        [[ -z $id ]] || docker image rm "$id"
        return 1
    fi
    before=$(docker image inspect --format '{{.Id}}' "python:$version" 2>/dev/null || true)
    docker tag "$id" "python:$version" || return
    # With --force: the image that has just lost its name, unless it has another or is built upon.
    if [[ -n $before && $(docker image inspect --format '{{len .RepoTags}}' "$before") == 0 ]]; then
        docker image rm "$before" || true
    fi
    say "python:$version made from Debian $suite in $((SECONDS - seconds)) s," \
        "$(($(docker image inspect --format '{{.Size}}' "$id") / 1000000)) MB"
}

# ---- all of them --------------------------------------------------------------------------------

set -m # a process group for each build, so that an interrupt reaches all of it
declare -A version_of
failed=()
collect() { # waits for one build to end
    local pid version
    if wait -n -p pid; then
        sed -n '/^python:.* made from /p' "$scratch/${version_of[$pid]}.log" >&2
        return
    fi
    version=${version_of[$pid]}
    failed+=("$version")
    say "python:$version failed; the end of its log:"
    tail -n 20 "$scratch/$version.log" | sed 's/^/  /' >&2
}

running=0
for version in "${todo[@]}"; do
    if ((running == at_once)); then
        collect
        running=$((running - 1))
    fi
    build "$version" >"$scratch/$version.log" 2>&1 &
    version_of[$!]=$version
    running=$((running + 1))
done
while ((running)); do
    collect
    running=$((running - 1))
done

((${#failed[@]} == 0)) ||
    die "could not make: ${failed[*]/#/python:}" "what was made before stays; run it again for the rest"
