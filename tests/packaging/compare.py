#!/usr/bin/env python3
"""Compares the files that `caliper resolve` chooses with those that PyPA's `packaging` chooses, cell by cell.

    cargo build -p caliper-cli
    python3 tests/packaging/compare.py [--generated 40] [--seed 0] [PROJECT...]

Without PROJECTs the real ones are those below. They are read from the index of the environment, as `caliper` finds
it, each once; both sides then read the same bytes. `--generated` adds projects that are made up and served on
loopback. Prints every cell that differs and how many were compared, and exits with 1 if any differs.

Needs `packaging` 26.3 or newer (older ones put `linux_*` last).
"""

import argparse
import concurrent.futures
import sys
import tempfile

import awkward
import rules
from caliper import BINARY, Caliper
from index import serve
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

PROJECTS = """
    tensorflow numpy scipy pandas scikit-learn cryptography PyYAML attrs requests lxml pillow grpcio protobuf markupsafe
    setuptools
    zope.interface ruamel.yaml PyQt5 cffi uv xgboost pywin32 pytz
""".split()
PYTHONS = [((2, 7), "cp27mu")]
PYTHONS += [((3, minor), f"cp3{minor}" + ("m" if minor < 8 else "")) for minor in range(5, 16)]
PYTHONS += [((3, 13), "cp313t"), ((3, 14), "cp314t")]
MACHINES = [("x86_64", "glibc", (2, 17)), ("x86_64", "glibc", (2, 31)), ("x86_64", "glibc", (2, 36)),
            ("x86_64", "musl", (1, 2))]
TARGETS = [[rules.Target(*python, *machine) for python in PYTHONS] for machine in MACHINES]


class Count:
    files = cells = filled = different = 0

    def __str__(self):
        return f"{self.files} files, {self.cells} cells ({self.filled} filled), {self.different} differ"

    def add(self, other):
        for name in ["files", "cells", "filled", "different"]:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def asked(caliper, project):
    """Caliper's grids of a project, for each machine with and without what is yanked."""
    grids = []
    pythons = [word for target in TARGETS[0] for word in ("--python", target.python)]
    for targets in TARGETS:
        for yanked in [[], ["--yanked"]]:
            # The index is asked once.
            offline = ["--offline"] if grids else []
            grids.append(caliper.resolve(
                project, "--pre", "--platform", targets[0].platform, *pythons, *yanked, *offline))
    return grids


def compare(project, grids, answer, ranks):
    """Holds the grids of one project against `packaging`."""
    files, versions = rules.read(*answer)
    candidates = list(rules.candidates(files, canonicalize_name(project)))
    empty = {}
    for text in versions:
        try:
            empty[Version(text)] = None
        except InvalidVersion:
            pass
    count, grids = Count(), iter(grids)
    count.files = len(files)
    for targets in TARGETS:
        for pinned in [False, True]:
            found = {(Version(version), python): name for (version, python), name in next(grids).items()}
            expected = {}
            for target in targets:
                chosen = rules.choices(candidates, ranks[target], target.version, pinned)
                for version, name in {**empty, **chosen}.items():
                    expected[version, target.python] = name
            for cell in expected.keys() | found.keys():
                count.cells += 1
                count.filled += expected.get(cell) is not None
                here, there = found.get(cell, "no cell"), expected.get(cell, "no cell")
                if here != there:
                    count.different += 1
                    print(f"{project} {cell[0]}/{cell[1]} {targets[0].platform}: caliper {here}, packaging {there}")
    return count


def generated(number, seed):
    """Name of the index's project → answer. The index tells them apart by a number, their files do not."""
    made = {}
    while len(made) < number:
        made[f"index-{len(made)}"] = awkward.project(seed + len(made))
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--caliper", default=BINARY)
    parser.add_argument("--generated", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("projects", nargs="*", default=PROJECTS)
    arguments = parser.parse_args()
    ranks = {target: target.ranks for targets in TARGETS for target in targets}
    # `caliper` is a process of its own, so two of them run while the answers of others are compared here.
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        total = Count()

        def judge(jobs):
            whole = Count()
            for label, project, caliper, grids in jobs:
                count = compare(project, grids.result(), caliper.answer(project), ranks)
                if label:
                    print(f"{project}: {count}", flush=True)
                whole.add(count)
            total.add(whole)
            return whole

        real = Caliper(arguments.caliper, f"{folder}/real")
        jobs = [(True, project, real, pool.submit(asked, real, project)) for project in arguments.projects]
        print(f"{len(jobs)} real projects: {judge(jobs)}")
        if arguments.generated:
            made = generated(arguments.generated, arguments.seed)
            answers = {f"{folder}/{canonicalize_name(name)}": body for folder, (name, *body) in made.items()}
            with serve(answers) as address:
                jobs = []
                for part, (name, *_) in made.items():
                    caliper = Caliper(arguments.caliper, f"{folder}/{part}", f"{address}{part}/")
                    jobs.append((False, name, caliper, pool.submit(asked, caliper, name)))
                whole = judge(jobs)
            print(f"{len(jobs)} generated projects: {whole}")
    print(f"in all: {total}")
    sys.exit(total.different > 0 or total.filled < 1000)


if __name__ == "__main__":
    main()
