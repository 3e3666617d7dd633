#!/usr/bin/env python3
"""Asks pip's own finder for the file of random cells, and compares with `caliper resolve`.

    cargo build -p caliper-cli
    python3 tests/packaging/pip_finder.py [--cells 50] [--seed 0]

A cell is a project, a release, a CPython and a machine. pip is asked as `pip download PROJECT==RELEASE
--python-version … --platform … --abi … --implementation cp` asks it, up to the choice: nothing is downloaded. The index
of the environment is asked once for each project, by Caliper; pip reads the same answer from a server on loopback.

Of two source archives of one release pip takes the one that is listed first. Caliper's choice does not depend on the
order of an answer: it is the first by name, as the public index lists them. So they are served in that order here;
`--as-listed` leaves them in that of the index of the environment, which may be by date.

Needs `packaging` and pip 26.3 or newer.
"""

import argparse
import os
import random
import sys
import tempfile

import pip
import rules
from caliper import BINARY, Caliper
from compare import PROJECTS, TARGETS
from index import serve
from packaging.utils import canonicalize_name
from pip._internal.index.collector import LinkCollector
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.models.target_python import TargetPython
from pip._internal.network.session import PipSession
from pip._vendor.packaging.specifiers import SpecifierSet

NAMED = PROJECTS[:15]


def chosen_by_pip(session, index, project, release, target):
    scope = SearchScope.create(find_links=[], index_urls=[index], no_index=False)
    finder = PackageFinder.create(
        LinkCollector(session, scope),
        # As `pip install` does; a yanked file is for a pinned release only, and this one is.
        SelectionPreferences(allow_yanked=True),
        TargetPython(target.platforms, target.version, [target.abi], "cp"),
    )
    best = finder.find_best_candidate(project, SpecifierSet(f"=={release}")).best_candidate
    return best and best.link.filename


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--caliper", default=BINARY)
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--as-listed", action="store_true")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    targets = [target for row in TARGETS for target in row]
    for name in list(os.environ):
        if name.startswith("PIP_") and name != "PIP_INDEX_URL":
            del os.environ[name]  # a folder of wheels, say, is no part of the question
    filled = different = 0
    with tempfile.TemporaryDirectory() as folder:
        caliper = Caliper(arguments.caliper, folder)
        releases, answers = {}, {}
        for project in NAMED:
            grid = caliper.resolve(project, "--pre", "--yanked", "--python", "3.11", "--platform", "linux_x86_64")
            releases[project] = sorted({version for version, _ in grid})
            answer = caliper.answer(project)
            answers[canonicalize_name(project)] = answer if arguments.as_listed else rules.as_json(answer)
        with serve(answers) as index:
            session = PipSession()
            for _ in range(arguments.cells):
                project, target = chance.choice(NAMED), chance.choice(targets)
                release = chance.choice(releases[project])
                here = caliper.resolve(project, "--versions", f"=={release}", "--offline", "--python", target.python,
                                       "--platform", target.platform)[release, target.python]
                there = chosen_by_pip(session, index, project, release, target)
                filled += there is not None
                if here != there:
                    different += 1
                    print(f"{project} {release}/{target.python} {target.platform}: caliper {here}, pip {there}")
    print(f"pip {pip.__version__}: {arguments.cells} cells ({filled} filled), {different} differ")
    sys.exit(different > 0 or filled < arguments.cells // 4)


if __name__ == "__main__":
    main()
