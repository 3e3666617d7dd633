#!/usr/bin/env python3
"""A grid with nothing cached, side by side with a loop over `uv run --with`: wall time, processor time and disk.

    cargo build --release -p caliper-cli
    python3 benches/cold.py [--grid pandas|jinja2] [--laps 2] [--jobs 2] [--python 3.11] [--binary target/release/caliper]

Needs uv on PATH and the package index. In each lap both ways start from nothing (no cache of either), then run once
more with what the first time left (warm: Caliper measures again, with nothing recorded). The two take turns, so that what
else the machine does falls on both. Processor time is that of each way with all its children, and hardly depends on what
else the machine does. Caliper imports the package once more in each environment, before the script. Disk is what a way
leaves: its cache, and for Caliper also its records.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PANDAS = """import pandas as pd

frame = pd.DataFrame({"a": [1, 2, 2], "b": [1.5, 2.5, 3.5]})
print(frame.groupby("a").mean())
"""
OLD_JINJA2 = "2.8 2.8.1 2.9 2.9.1 2.9.2 2.9.3 2.9.4 2.9.5 2.9.6 2.10 2.10.1 2.10.2 2.10.3 2.11.0 2.11.1 2.11.2 2.11.3"
NEW_JINJA2 = "3.0.0 3.0.1 3.0.2 3.0.3 3.1.0 3.1.1 3.1.2 3.1.3 3.1.4 3.1.5 3.1.6"
# By the package: releases, what they need, and the script. Old releases of Jinja2 fail, as in the quickstart.
GRIDS = {
    "pandas": (["1.5.3", "2.0.3", "2.1.4", "2.2.3", "2.3.3"], ["numpy<2"], PANDAS),
    "jinja2": (
        f"{OLD_JINJA2} {NEW_JINJA2}".split(),
        [],
        (ROOT / "docs/examples/quickstart/render.py").read_text(),
    ),
}
CONFIG = """analysis:
  dependency: {package}
  versions: {versions}
  requirements: {requirements}
  tests: [fit.py]
"""


def disk(folder):
    """What a folder takes, in MiB; a file with several names counts once."""
    seen, total = set(), 0
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            found = os.lstat(os.path.join(root, name))
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * 512
    return total / 2**20


def children():
    """The processor time of all children that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--grid", choices=GRIDS, default="pandas")
    parser.add_argument("--laps", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--python", default="3.11")
    parser.add_argument("--binary", default=str(ROOT / "target/release/caliper"))
    arguments = parser.parse_args()
    versions, requirements, script = GRIDS[arguments.grid]
    binary, jobs, python = os.path.abspath(arguments.binary), arguments.jobs, arguments.python
    for needed in [binary, "uv"]:
        if not shutil.which(needed):
            sys.exit(f"{needed} is missing; see the head of this file")
    times = {name: [] for name in ["caliper cold", "uv cold", "caliper warm", "uv warm"]}
    processor = {name: [] for name in times}
    sizes = {"caliper": [], "uv": []}
    for lap in range(arguments.laps):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            project = folder / "project"
            project.mkdir()
            (project / "fit.py").write_text(script)
            config = CONFIG.format(
                package=arguments.grid, versions=json.dumps(versions), requirements=json.dumps(requirements)
            )
            (project / "caliper.yaml").write_text(config)
            environment = {**os.environ, "UV_CACHE_DIR": str(folder / "uv")}

            def caliper():
                shutil.rmtree(project / ".caliper/records", ignore_errors=True)
                command = [binary, "run", "--jobs", str(jobs), "--python", python, "--progress", "none"]
                subprocess.run(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, check=True)

            def uv():
                start = ["uv", "run", "-q", "--no-project", "--python", python]
                for requirement in requirements:
                    start += ["--with", requirement]
                commands = [[*start, "--with", f"{arguments.grid}=={version}", "fit.py"] for version in versions]

                def one(command):
                    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
                    # 1 is the script's, 2 would be uv's own.
                    if done.returncode > 1:
                        sys.exit(f"{command}: {done.stderr}")

                with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                    list(pool.map(one, commands))

            ways = [("caliper", caliper), ("uv", uv)]
            for warmth in ["cold", "warm"]:
                for name, way in ways if lap % 2 == 0 else reversed(ways):
                    begun, used = time.perf_counter(), children()
                    way()
                    times[f"{name} {warmth}"].append(time.perf_counter() - begun)
                    processor[f"{name} {warmth}"].append(children() - used)
            sizes["caliper"].append(disk(project / ".caliper"))
            sizes["uv"].append(disk(folder / "uv"))
    middle = {name: statistics.median(each) for name, each in times.items()}
    for name, each in times.items():
        laps = "  ".join(f"{seconds:6.2f}" for seconds in each)
        used = statistics.median(processor[name])
        print(f"{name:13} {middle[name]:6.2f} s   processors {used:6.2f} s   laps {laps}")
    for name, each in sizes.items():
        print(f"{name:13} {statistics.median(each):6.0f} MiB")
    print(f"cold {middle['caliper cold'] / middle['uv cold']:.2f} of uv's time (to reach: at most 0.9)")
    print(f"warm {middle['caliper warm'] / middle['uv warm']:.2f} of uv's time (to reach: at most 0.5)")
    ratio = statistics.median(sizes["caliper"]) / statistics.median(sizes["uv"])
    print(f"disk {ratio:.2f} of uv's (to reach: at most 1.3)")


if __name__ == "__main__":
    main()
