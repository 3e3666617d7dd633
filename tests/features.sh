#!/usr/bin/env bash
# Checks that the features of the libraries build one by one, without warnings:
#
#     tests/features.sh [CRATE-FEATURE ...]
#
# `core-` is caliper-core without any feature. Without arguments all are checked, which takes some minutes: each
# combination builds its own dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."
all=(pypi- core- core-template core-config core-store core-hdf5 core-sqlite core-parquet container- container-bundle container-local container-docker container-remote)
for one in "${@:-${all[@]}}"; do
    echo "caliper-${one%%-*} with \`${one#*-}\`"
    cargo clippy -p "caliper-${one%%-*}" --no-default-features --features "${one#*-}" --quiet -- -D warnings
done
