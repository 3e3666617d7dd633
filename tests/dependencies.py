#!/usr/bin/env python3
"""Checks the crates that Caliper is built from: their licences, their sources, and which come in several versions.

Reads `cargo metadata` of the lock file, for the platform at hand and for tests too. Needs no network once the crates
are downloaded. docs/decisions/0128-dependencies.md says why this is not `cargo deny`.
"""

import collections
import json
import re
import subprocess
import sys

LICENCES = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "ISC", "MIT",
    "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}
SOURCE = "registry+https://github.com/rust-lang/crates.io-index"

# Crates that are built in several versions, and what needs the older ones.
SEVERAL = {
    "base64": "shiplift",
    "bit-set": "jsonschema (tests)",
    "bit-vec": "jsonschema (tests)",
    "bytes": "shiplift",
    "getrandom": "ring; jsonschema (tests)",
    "glam": "nalgebra, which statrs names and does not build; one feature for each version",
    "hashbrown": "lru, which hdf5-reader needs; safetensors",
    "http": "hyper 0.14",
    "http-body": "hyper 0.14",
    "hyper": "shiplift",
    "miniz_oxide": "png",
    "pin-project": "shiplift",
    "pin-project-internal": "shiplift",
    "socket2": "hyper 0.14",
    "syn": "pin-project 0.4; derives that have moved to 3 already",
    "synstructure": "derives that have moved to syn 3 already",
}


def allowed(licence: str) -> bool:
    """Whether an SPDX expression can be met with LICENCES: every part of an AND, and one of an OR."""
    # A slash is the older form of OR.
    tokens = re.findall(r"[()]|[^\s()]+", licence.replace("/", " OR "))
    rest = iter([*tokens, None])
    token = next(rest)

    def advance():
        nonlocal token
        token = next(rest)

    def one():
        nonlocal token
        if token == "(":
            advance()
            met = either()
            if token != ")":
                raise ValueError(licence)
            advance()
            return met
        name = token
        advance()
        if token == "WITH":
            advance()
            name = f"{name} WITH {token}"
            advance()
        return name in LICENCES

    def both():
        met = one()
        while token == "AND":
            advance()
            met = one() and met
        return met

    def either():
        met = both()
        while token == "OR":
            advance()
            met = both() or met
        return met

    met = either()
    if token is not None:
        raise ValueError(licence)
    return met


def check_reader() -> None:
    cases = {
        "MIT": True,
        "MIT/Apache-2.0": True,
        "GPL-3.0-only OR MIT": True,
        "GPL-3.0-only AND MIT": False,
        "(GPL-3.0-only OR MIT) AND Unicode-3.0": True,
        "MIT OR Apache-2.0 AND GPL-3.0-only": True,
        "(MIT OR Apache-2.0) AND GPL-3.0-only": False,
        "Apache-2.0 WITH LLVM-exception": True,
        "GPL-2.0-only WITH Classpath-exception-2.0": False,
        "Proprietary": False,
    }
    for licence, expected in cases.items():
        assert allowed(licence) == expected, licence


def faults(packages: list[dict]) -> list[str]:
    found = []
    versions = collections.defaultdict(set)
    for package in packages:
        name = f"{package['name']} {package['version']}"
        versions[package["name"]].add(package["version"])
        try:
            if not allowed(package["license"] or ""):
                found.append(f"{name}: licence `{package['license']}` is not on the list")
        except ValueError:
            found.append(f"{name}: licence `{package['license']}` is not an SPDX expression")
        # Members of the workspace have no source.
        if package["source"] not in (None, SOURCE):
            found.append(f"{name}: comes from {package['source']}")
    several = {name for name, those in versions.items() if len(those) > 1}
    for name in sorted(several - SEVERAL.keys()):
        found.append(f"{name}: built in {len(versions[name])} versions: {', '.join(sorted(versions[name]))}")
    for name in sorted(SEVERAL.keys() - several):
        found.append(f"{name}: built in one version only: take it off the list")
    return found


def main() -> None:
    check_reader()
    host = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    host = re.search(r"^host: (.*)$", host, re.M)[1]
    command = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={host}"]
    metadata = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    built = {node["id"] for node in metadata["resolve"]["nodes"]}
    packages = [package for package in metadata["packages"] if package["id"] in built]
    found = faults(packages)
    print(f"{len(packages)} crates")
    for fault in found:
        print(fault)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
