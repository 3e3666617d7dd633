#!/usr/bin/env python3
"""The whole process of `caliper resolve`, beside the same question asked in Python with PyPA's `packaging`.

    cargo build --release -p caliper-cli
    python3 benches/resolve.py [--laps 5] [--projects tensorflow numpy]

Needs `packaging` and the package index, which is asked once for each project. Its answers are then served on loopback
as simple JSON, which Python reads best, and both sides read the same kept bytes: a warm cache. The rules in Python are
those of `tests/packaging/rules.py`. In each lap both take their turn. Peak memory is that of the whole process.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHONS = ["2.7", *[f"3.{minor}" for minor in range(5, 16)], "3.13t", "3.14t"]

# The memory of a new process counts that of the one which starts it, so that is the smallest there is.
MEASURE = """
import os, sys, time
begun = time.perf_counter()
null = os.open(os.devnull, os.O_WRONLY)
started = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
_, status, usage = os.wait4(started, 0)
print(time.perf_counter() - begun, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""

ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import rules
head, body = open(sys.argv[2], "rb").read().split(b"\\n", 1)
files, _ = rules.read(json.loads(head)["content_type"], body)
candidates = list(rules.candidates(files, sys.argv[3]))
grid = {}
for text in sys.argv[4:]:
    version = tuple(map(int, text.rstrip("t").split(".")))
    abi = "cp27mu" if version == (2, 7) else f"cp3{version[1]}" + ("m" if version[1] < 8 else "") + "t" * text.endswith("t")
    target = rules.Target(version, abi, "x86_64", "glibc", (2, 36))
    for release, name in rules.choices(candidates, target.ranks, version).items():
        grid[f"{release}/{text}"] = name
json.dump(grid, sys.stdout)
"""


def measured(command, environment):
    """Seconds and mebibytes."""
    said = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURE, *command], env=environment, check=True,
                          stdout=subprocess.PIPE, text=True)
    seconds, peak, status = said.stdout.split()
    if status != "0":
        sys.exit(f"{command[:3]} ended with {status}")
    return float(seconds), int(peak) / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--laps", type=int, default=5)
    parser.add_argument("--projects", nargs="+", default=["tensorflow", "numpy"])
    arguments = parser.parse_args()
    rules = str(ROOT / "tests/packaging")
    sys.path.insert(0, rules)
    from caliper import Caliper
    from index import serve
    from rules import as_json

    binary = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/caliper"
    good = True
    with tempfile.TemporaryDirectory() as folder:
        asked = Caliper(binary, f"{folder}/asked")
        answers = {}
        for project in arguments.projects:
            asked.resolve(project, "--python", "3.11", "--platform", "linux_x86_64")
            answers[project] = as_json(asked.answer(project))
        with serve(answers) as index:
            caliper = Caliper(binary, f"{folder}/cache", index)
            for project in arguments.projects:
                options = ["--pre", "--platform", "manylinux_2_36_x86_64"]
                options += [word for python in PYTHONS for word in ("--python", python)]
                cells = len(caliper.resolve(project, *options))
                (kept,) = pathlib.Path(caliper.cache).glob(f"index/**/{project}.answer")
                ways = {
                    "caliper": [str(binary), "resolve", project, "--format", "json", "--index", index, *options],
                    "packaging": [sys.executable, "-c", ASK, rules, str(kept), project, *PYTHONS],
                }
                environment = {**os.environ, "CALIPER_CACHE_DIR": str(caliper.cache)}
                laps = {name: [] for name in ways}
                for lap in range(arguments.laps + 1):
                    for name, command in ways.items():
                        figures = measured(command, environment)
                        if lap:  # the first one warms up
                            laps[name].append(figures)
                print(f"{project}: {len(answers[project][1]):,} bytes, {cells:,} cells")
                seconds, peak = {}, {}
                for name, figures in laps.items():
                    seconds[name] = statistics.median(each[0] for each in figures)
                    peak[name] = max(each[1] for each in figures)
                    times = "  ".join(f"{each[0]:.3f}" for each in figures)
                    print(f"  {name:9}  {seconds[name]:.3f} s  {peak[name]:6.1f} MiB   laps {times}")
                faster, smaller = (each["packaging"] / each["caliper"] for each in (seconds, peak))
                print(f"  {faster:.1f} times as fast (to reach: 10), 1/{smaller:.1f} of the memory (to reach: 1/3)")
                good = good and faster >= 10 and smaller >= 3
    sys.exit(not good)


if __name__ == "__main__":
    main()
