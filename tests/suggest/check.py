#!/usr/bin/env python3
"""Holds suggested specifiers against PyPA's `packaging`, on made-up outcomes.

    pip install --target /tmp/packaging packaging
    PYTHONPATH=/tmp/packaging tests/suggest/check.py [--patterns 5000] [--seed 1]

Needs `packaging`, and cargo to build the example program `suggest` of caliper-core, unless `--program`
names it. For each pattern of outcomes over a realistic set of releases it checks that

- among the releases that were measured, the suggestion allows exactly those that pass;
- what it says of the releases that were not measured is so;
- it has no more clauses than a list of exclusions would;
- on small sets, no shorter specifier exists that all tools read alike (all combinations are tried);
- where it says that no specifier separates releases, none does;
- `check` judges a made-up declaration as `packaging` does.

Prints what was counted, and exits with status 1 if something does not hold.
"""

import argparse
import collections
import itertools
import json
import random
import subprocess
import sys
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
SMALL = 9


def releases(choose):
    """A set of releases as projects have them."""
    kind = choose.random()
    epoch = "1!" if kind < 0.05 else ""
    found = set()
    major = choose.choice([0, 1, 2, 19, 2020])
    for _ in range(choose.randint(1, 4)):
        minor = choose.choice([0, 0, 8])
        for _ in range(choose.randint(1, 5)):
            depth = choose.choice([1, 2, 2, 3])
            for patch in range(choose.randint(1, 4)):
                numbers = [major, minor, patch, choose.randint(0, 2)][: depth + (1 if patch else 0)]
                base = epoch + ".".join(map(str, numbers))
                if choose.random() < 0.25:
                    found.add(base + choose.choice(["a1", "b2", "rc1", ".dev0", "rc1.dev3"]))
                if choose.random() < 0.1:
                    found.add(base + choose.choice(["rc2", "rc3"]))
                if choose.random() < 0.12:
                    found.add(base + choose.choice([".post1", ".post2", ".post1.dev2"]))
                if choose.random() < 0.06:
                    found.add(base + choose.choice(["+cpu", "+cu118", "+local.1"]))
                if choose.random() < 0.95:
                    found.add(base)
            minor += choose.choice([1, 1, 1, 2])
        major += choose.choice([1, 1, 2])
    if not found or epoch and choose.random() < 0.7:
        found |= {"1.0", "2.0"}
    # 1.0 and 1.0.0 are one release.
    versions = {Version(text): text for text in sorted(found)}
    kept = [version for version in sorted(versions) if choose.random() < 0.9] or [min(versions)]
    return kept[: choose.choice([3, 6, SMALL, 20, 60, 200])]


def outcomes(choose, versions):
    """Stretches, islands and gaps, or plain noise."""
    noise = choose.choice([0, 0, 0.05, 0.2, 0.5])
    unmeasured = choose.choice([0, 0, 0.1, 0.5])
    flips = sorted(choose.randint(0, len(versions)) for _ in range(choose.choice([0, 1, 1, 2, 2, 3])))
    state, known = choose.random() < 0.5, []
    for index in range(len(versions)):
        state ^= flips.count(index) % 2 == 1
        passes = state ^ (choose.random() < noise)
        known.append("passed" if passes else "failed")
    return [outcome if choose.random() >= unmeasured else "unmeasured" for outcome in known]


def declared(choose, versions):
    operators = ["==", "!=", "<", "<=", ">", ">=", "~=", "==*", "!=*"]
    clauses = []
    for _ in range(choose.randint(1, 3)):
        version, operator = choose.choice(versions), choose.choice(operators)
        if operator.endswith("*"):
            text = version.base_version.rsplit(".", choose.choice([0, 1]))[0] + ".*"
        else:
            text = str(version) if operator in ("==", "!=") else version.public
        clauses.append(operator.rstrip("*") + text)
    try:
        SpecifierSet(",".join(clauses))
    except InvalidSpecifier:
        return ">=0"
    return ",".join(clauses)


def candidates(versions):
    """All clauses that could tell these releases apart."""
    texts = set()
    for version in versions:
        texts |= {f"{operator}{version.public}" for operator in ("<", "<=", ">", ">=", "==", "!=")}
        texts |= {f"{operator}{version}" for operator in ("==", "!=")}
        epoch = f"{version.epoch}!" if version.epoch else ""
        numbers = list(version.release) + [0, 0]
        for length in range(1, len(numbers)):
            prefix = epoch + ".".join(map(str, numbers[:length]))
            texts |= {f"=={prefix}.*", f"!={prefix}.*", f"<{prefix}", f">={prefix}"}
    return sorted(texts)


def read_alike(text, versions):
    """Whether `pep440_rs` 0.7 agrees: it compares `==1.1.*` with 1 as far as both go, and takes `<2.0rc2`
    to exclude 2.0rc1."""
    if text.endswith(".*"):
        prefix = Version(text[2:-2])
        return not any(
            version.epoch == prefix.epoch
            and len(version.release) < len(prefix.release)
            and version.release == prefix.release[: len(version.release)]
            and any(prefix.release[len(version.release) :])
            for version in versions
        )
    return text[0] != "<" or text[1] == "=" or not Version(text[1:]).is_prerelease


def useful(versions, passing, failing, alike=True):
    """For each clause that allows all that passes, what it excludes of what fails."""
    found = {}
    for text in candidates(versions):
        if alike and not read_alike(text, versions):
            continue
        clause = SpecifierSet(text)
        if all(clause.contains(version, prereleases=True) for version in passing):
            excluded = frozenset(v for v in failing if not clause.contains(v, prereleases=True))
            if excluded:
                found.setdefault(excluded, text)
    return found


def shorter_exists(found, failing, clauses):
    return any(
        frozenset().union(*sets) >= set(failing)
        for length in range(1, clauses)
        for sets in itertools.combinations(found, length)
    )


class Check:
    def __init__(self):
        self.counts = collections.Counter()
        self.failures = []

    def expect(self, holds, what, asked, answer):
        if not holds:
            self.counts["WRONG: " + what] += 1
            self.failures.append((what, asked, answer))

    def one(self, asked, answer):
        known = {Version(text): outcome for text, outcome in asked["releases"]}
        by = lambda wanted: [version for version, outcome in known.items() if outcome == wanted]
        passing, failing, unmeasured = by("passed"), by("failed"), by("unmeasured")
        self.counts["patterns"] += 1
        self.counts["releases"] += len(known)
        suggested = answer["suggested"]
        if suggested == "nothing_passes":
            self.counts["nothing passes"] += 1
            self.expect(not passing, "something passes", asked, answer)
        elif "inseparable" in suggested:
            self.counts["inseparable"] += 1
            listed = {Version(text) for text in suggested["inseparable"]["failing"]}
            covered = frozenset().union(*useful(known, passing, failing), frozenset())
            self.expect(listed and not listed & covered, "they can be separated", asked, answer)
        else:
            self.specifier(suggested["specifier"], known, passing, failing, unmeasured, asked, answer)
        self.declared(asked, answer, passing, failing, unmeasured)

    def specifier(self, suggestion, known, passing, failing, unmeasured, asked, answer):
        text, clauses = suggestion["specifier"], suggestion["clauses"]
        specifier = SpecifierSet(text)
        allowed = {v for v in known if specifier.contains(v, prereleases=True)}
        versions = lambda key: {Version(text) for text in suggestion[key]}
        self.counts[f"{clauses if clauses < 6 else '6 or more'} clauses"] += 1
        self.expect(set(passing) <= allowed, "a passing release is excluded", asked, answer)
        self.expect(not set(failing) & allowed, "a failing release is allowed", asked, answer)
        self.expect(versions("allows") == set(passing), "`allows`", asked, answer)
        self.expect(versions("unproven") == set(unmeasured) & allowed, "`unproven`", asked, answer)
        excluded = set(unmeasured) - allowed
        self.expect(versions("unproven_excluded") == excluded, "`unproven_excluded`", asked, answer)
        self.expect(text.count(",") + 1 == clauses, "the number of clauses", asked, answer)
        self.expect(clauses <= max(1, len(failing)), "longer than exclusions", asked, answer)
        if failing:
            self.counts["clauses"] += clauses
            self.counts["exclusions that would do the same"] += len(failing)
        if len(known) <= SMALL and failing:
            self.counts["tried all combinations"] += 1
            found = useful(known, passing, failing)
            self.expect(not shorter_exists(found, failing, clauses), "a shorter one exists", asked, answer)
            found = useful(known, passing, failing, alike=False)
            if shorter_exists(found, failing, clauses):
                self.counts["shorter only where tools differ"] += 1

    def declared(self, asked, answer, passing, failing, unmeasured):
        specifier = SpecifierSet(asked["declared"])
        allows = lambda version: specifier.contains(version, prereleases=True)
        expected = {
            "refuted_by": {v for v in failing if allows(v)},
            "too_narrow_for": {v for v in passing if not allows(v)},
            "unproven": {v for v in unmeasured if allows(v)},
        }
        self.counts["declarations"] += 1
        for key, versions in expected.items():
            said = {Version(text) for text in answer["declared"][key]}
            self.expect(said == versions, f"declared: `{key}`", asked, answer)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--patterns", type=int, default=5000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--program", help="the example program, built already")
    options = arguments.parse_args()
    choose = random.Random(options.seed)
    asked = []
    for _ in range(options.patterns):
        versions = releases(choose)
        known = outcomes(choose, versions)
        pairs = [[str(version), outcome] for version, outcome in zip(versions, known)]
        choose.shuffle(pairs)
        asked.append({"releases": pairs, "declared": declared(choose, versions)})
    program = [options.program] if options.program else [
        "cargo", "run", "-q", "-p", "caliper-core", "--example", "suggest",
    ]
    lines = "".join(json.dumps(line) + "\n" for line in asked)
    answers = subprocess.run(program, input=lines, text=True, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    check = Check()
    for line, answer in zip(asked, answers.stdout.splitlines(), strict=True):
        check.one(line, json.loads(answer))
    for name, count in sorted(check.counts.items()):
        print(f"{count:>9}  {name}")
    for what, line, answer in check.failures[:5]:
        print(f"\n{what}:\n  {json.dumps(line)}\n  {json.dumps(answer)}")
    sys.exit(1 if check.failures else 0)


if __name__ == "__main__":
    main()
