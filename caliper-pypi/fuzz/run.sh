#!/usr/bin/env bash
# Fuzzes the named targets, or all, one after the other: `caliper-pypi/fuzz/run.sh SECONDS [TARGET…]`.
#
# Needs `cargo install cargo-fuzz` and a C++ compiler. What is found lies in `artifacts/TARGET`: mend it, and keep
# the file in `seeds/TARGET`, where `cargo test -p caliper-pypi fuzzing` runs it from then on.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?how many seconds for each target}
shift
[ $# -gt 0 ] || set -- wheel_name sdist_name tag index_json index_html metadata wheel_archive

export RUSTC_BOOTSTRAP=1 # cargo-fuzz asks for flags that the stable compiler hides
cp ../../Cargo.lock .    # fuzz the versions that are shipped
for target; do
    mkdir -p "corpus/$target"
    nice -n 10 cargo fuzz run "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -max_len=65536 -print_final_stats=1
done
