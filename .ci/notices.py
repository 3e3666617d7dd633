#!/usr/bin/env python3
"""Writes the notices of all crates that `caliper` is built from, with the texts of their licences.

    .ci/notices.py > caliper-cli/THIRD-PARTY.txt

Reads `cargo metadata` for the platform at hand, or for the one that is given, and the sources of the crates. Fails if a
crate has no text of a licence, unless it stands in WITHOUT. Which licences are allowed: tests/dependencies.py.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

# Crates whose packages lack the text, and why that does.
WITHOUT = {
    "hdf5-core": "the text is in its repository alone",
    "hdf5-reader": "the text is in its repository alone",
}
NAMES = re.compile(r"(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)


def tree(platform: str) -> dict:
    """The packages that end up in the binary, by their ids."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", platform]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    start = next(id for id, package in packages.items() if package["name"] == "caliper-cli")
    seen, left = set(), [start]
    while left:
        one = left.pop()
        if one in seen:
            continue
        seen.add(one)
        for dependency in nodes[one]["deps"]:
            # What only tests and build scripts need is not in the binary.
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                left.append(dependency["pkg"])
    return {id: packages[id] for id in seen if packages[id]["source"] is not None}


def texts(folder: pathlib.Path) -> list[str]:
    """The texts of licences in a package: beside its manifest, and beside what it brings along in another language."""
    found = []
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        is_code = path.suffix in {".rs", ".py", ".c", ".h", ".json", ".toml", ".yml", ".html"}
        if path.is_file() and NAMES.match(path.name) and not is_code:
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            if text and text not in found:
                found.append(text)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    host = re.search(r"host: (\S+)", subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout)
    parser.add_argument("--platform", default=host[1], help="the triple, such as aarch64-unknown-linux-musl")
    packages = sorted(tree(parser.parse_args().platform).values(), key=lambda package: (package["name"], package["version"]))
    by_text, missing = {}, []
    for package in packages:
        found = texts(pathlib.Path(package["manifest_path"]).parent)
        if not found:
            missing.append(package["name"])
        for text in found:
            by_text.setdefault(text, []).append(f"{package['name']} {package['version']}")
    print("caliper contains these works of others, each under its own licence. The texts follow below.\n")
    for package in packages:
        where = package["repository"] or package["homepage"] or ""
        reason = WITHOUT.get(package["name"])
        print(f"{package['name']} {package['version']}: {package['license']}  {where}{f' ({reason})' if reason else ''}")
    for text, names in sorted(by_text.items(), key=lambda item: item[1][0]):
        print(f"\n{'=' * 100}\n{', '.join(names)}\n\n{text}")
    print(f"{len(packages)} crates, {len(by_text)} texts", file=sys.stderr)
    unknown = sorted(set(missing) - set(WITHOUT))
    if unknown:
        print(f"no text of a licence in: {', '.join(unknown)}", file=sys.stderr)
    needless = sorted(set(WITHOUT) - set(missing))
    if needless:
        print(f"WITHOUT names crates that have a text, or are not there: {', '.join(needless)}", file=sys.stderr)
    return 1 if unknown or needless else 0


if __name__ == "__main__":
    sys.exit(main())
