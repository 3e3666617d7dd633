#!/usr/bin/env bash
# Builds the wheel into a folder, installs it into a clean environment without an index, and tries it:
# tests/wheel.sh FOLDER [OPTION OF maturin build…]. Needs maturin on PATH, and caliper-cli/THIRD-PARTY.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
shift
maturin build --quiet --manifest-path caliper-cli/Cargo.toml --locked --out "$folder" "$@"
wheel=$(echo "$folder"/caliper_grid-*.whl)
python3 -m venv "$folder/clean"
"$folder/clean/bin/python" -m pip install --quiet --no-index "$wheel"
# Only what is installed: neither the checkout nor PATH may help.
try() { (cd "$folder" && env -i HOME="$folder" "$folder/clean/bin/caliper" "$@"); }
try --version
mkdir "$folder/study"
try init --quiet study
try check study/caliper.yaml
metadata=$(python3 -m zipfile -l "$wheel")
for part in THIRD-PARTY.txt LICENSE-MIT LICENSE-APACHE; do
    grep -q "licenses/.*$part" <<< "$metadata" || { echo "the wheel has no $part" >&2; exit 1; }
done
for page in man/caliper.1 man/caliper-run.1; do
    try --quiet man "$folder/man"
    [[ -s $folder/$page ]] || { echo "there is no manual page $page" >&2; exit 1; }
done
printf '%s: %s bytes\n' "$(basename "$wheel")" "$(stat -c %s "$wheel")"
