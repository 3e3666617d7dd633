#!/usr/bin/env bash
# Runs the `local` backend where control groups of version 2 are delegated to an ordinary user: on an
# emulated Debian 13 with systemd.
set -euo pipefail

usage() {
    cat <<'EOF'
Usage: tests/engines/groups.sh [--purge]

Unpacks Debian 13, starts it in qemu without help of the processor (some five minutes, four of them
emulated), and runs there, as a user and with the command of the documentation
(`systemd-run --user --scope -p Delegate=yes`), one cell whose tests run into each limit. Prints what
the record says, and what is left. With --purge what was unpacked goes afterwards.

Environment:
  CALIPER_ENGINES        the folder for its files (default: /tmp/caliper-engines)
  CALIPER_DEBIAN_MIRROR  where to get Debian (default: the Debian mirror of this machine's apt)

Needs: root, mmdebstrap, debian-archive-keyring, qemu-system-x86, uv, target/release/caliper.
EOF
}

# shellcheck source=tests/common.sh
source "$(dirname "$0")/../common.sh"

case ${1:-} in
'' | --purge) ;;
*)
    usage
    exit 2
    ;;
esac

here=$(cd "$(dirname "$0")/../.." && pwd)
state=${CALIPER_ENGINES:-/tmp/caliper-engines}/groups
root=$state/root
binary=${CARGO_TARGET_DIR:-$here/target}/release/caliper

if [[ ! -e $root/sbin/init ]]; then
    mirror=$(debian_mirrors)
    mkdir -p "$state"
    mmdebstrap --quiet --variant=apt --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
        --include=linux-image-cloud-amd64,initramfs-tools,systemd-sysv,dbus-user-session,libpam-systemd \
        --include=python3,procps,iproute2,passwd,ca-certificates --aptopt='Acquire::Check-Valid-Until "false"' \
        trixie "$root" "${mirror%%$'\n'*}" >&2
    chroot "$root" useradd --create-home user
fi
install "$binary" "$(command -v uv)" "$root/usr/local/bin/"
install --mode 644 "$here/tests/engines/demo_index.py" "$root/usr/local/lib/"

project=$root/home/user/project
rm -rf "$project"
mkdir -p "$project"
cat >"$project/caliper.yaml" <<'EOF'
analysis:
  dependency: demo
  tests: [processor.py, child.py, forks.py, {run: python bomb.py, name: bomb.py, timeout: 20s}]
  limits: {memory: 300MiB, cpus: 0.5, cpuset: "0", pids: 50, timeout: 60s}
EOF
cat >"$project/free.yaml" <<'EOF'
analysis: {dependency: demo, tests: [{run: python bomb.py, name: bomb.py, timeout: 20s}]}
EOF
cat >"$project/processor.py" <<'EOF'
import os, time
begun = time.time()
while time.time() - begun < 4:
    pass
print(len(os.sched_getaffinity(0)), "processor, used", round(time.process_time() / 4, 1))
EOF
cat >"$project/child.py" <<'EOF'
import subprocess, sys
subprocess.run([sys.executable, "-c", "x = bytearray(800 << 20); import time; time.sleep(9)"])
print("went on")
EOF
cat >"$project/forks.py" <<'EOF'
import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1
except OSError as error:
    print(count, error)
EOF
sed -n '/^  fork-bomb.py: |/,/^tests:/{s/^    //p}' "$here/caliper-cli/grids/fork-bomb.yaml" >"$project/bomb.py"

cat >"$root/try.sh" <<'EOF'
#!/bin/bash
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
as() { runuser -u user -- env XDG_RUNTIME_DIR=/run/user/1000 HOME=/home/user PATH="$PATH" "$@"; }
ip link set lo up
loginctl enable-linger user
until [[ -S /run/user/1000/bus ]]; do sleep 1; done
python3 /usr/local/lib/demo_index.py /srv/index 8000 &
cd /home/user/project && chown -R user . && sleep 3
for config in caliper.yaml free.yaml; do
    echo "== $config"
    as systemd-run --user --scope --quiet -p Delegate=yes bash -c \
        'cat "/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/cgroup.controllers"
         exec caliper run '$config' --index http://127.0.0.1:8000/ --progress none --quiet'
    as caliper show $config 1.0/3.13 | sed -n '/granted/p; /^[a-z]*.py:/,/^$/p'
    echo "left: $(find /sys/fs/cgroup -name 'caliper*' | wc -l) control groups, $(pgrep -fc bomb.py) processes"
done
poweroff -f
EOF
chmod +x "$root/try.sh"
cat >"$root/etc/systemd/system/try.service" <<'EOF'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/try.sh
StandardOutput=journal+console
StandardError=journal+console
EOF
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf /etc/systemd/system/try.service "$root/etc/systemd/system/multi-user.target.wants/"

rm -f "$state/disk"
truncate -s 4G "$state/disk"
mkfs.ext4 -q -F -d "$root" "$state/disk"
# Without cx16: kernels stumble over how some versions of qemu emulate that instruction.
timeout 600 qemu-system-x86_64 -accel tcg,thread=multi -cpu max,la57=off,cx16=off -m 4096 -smp 2 \
    -nographic -no-reboot -nic none -drive "file=$state/disk,format=raw,if=virtio,cache=unsafe" \
    -kernel "$root"/boot/vmlinuz-* -initrd "$root"/boot/initrd.img-* \
    -append "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 panic=-1" </dev/null |
    sed -un 's/^.*try.sh\[[0-9]*\]: //p'
rm -f "$state/disk"
[[ ${1:-} != --purge ]] || rm -rf --one-file-system -- "$state"
