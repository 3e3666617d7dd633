#!/usr/bin/env python3
"""A heavy grid with nothing cached, side by side with a loop over `uv run --with`: wall time and disk.

    cargo build --release -p caliper-cli
    python3 benches/cold.py [--laps 2] [--jobs 2] [--python 3.11] [--binary target/release/caliper]

Needs uv on PATH and the package index. In each lap both ways start from nothing (no cache of either), then run once
more with what the first time left (warm: Caliper measures again, with nothing recorded). The two take turns, so that what
else the machine does falls on both. Disk is what a way leaves: its cache, and for Caliper also its records.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSIONS = ["1.5.3", "2.0.3", "2.1.4", "2.2.3", "2.3.3"]
SCRIPT = """import pandas as pd

frame = pd.DataFrame({"a": [1, 2, 2], "b": [1.5, 2.5, 3.5]})
print(frame.groupby("a").mean())
"""
CONFIG = """analysis:
  dependency: pandas
  versions: [{versions}]
  requirements: ["numpy<2"]
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--laps", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--python", default="3.11")
    parser.add_argument("--binary", default=str(ROOT / "target/release/caliper"))
    arguments = parser.parse_args()
    binary, jobs, python = os.path.abspath(arguments.binary), arguments.jobs, arguments.python
    for needed in [binary, "uv"]:
        if not shutil.which(needed):
            sys.exit(f"{needed} is missing; see the head of this file")
    times = {name: [] for name in ["caliper cold", "uv cold", "caliper warm", "uv warm"]}
    sizes = {"caliper": [], "uv": []}
    for lap in range(arguments.laps):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            project = folder / "project"
            project.mkdir()
            (project / "fit.py").write_text(SCRIPT)
            quoted = ", ".join(f'"{version}"' for version in VERSIONS)
            (project / "caliper.yaml").write_text(CONFIG.format(versions=quoted))
            environment = {**os.environ, "UV_CACHE_DIR": str(folder / "uv")}

            def caliper():
                shutil.rmtree(project / ".caliper/records", ignore_errors=True)
                command = [binary, "run", "--jobs", str(jobs), "--python", python, "--progress", "none"]
                subprocess.run(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, check=True)

            def uv():
                start = ["uv", "run", "-q", "--no-project", "--python", python, "--with", "numpy<2"]
                commands = [[*start, "--with", f"pandas=={version}", "fit.py"] for version in VERSIONS]

                def one(command):
                    subprocess.run(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, check=True)

                with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                    list(pool.map(one, commands))

            ways = [("caliper", caliper), ("uv", uv)]
            for warmth in ["cold", "warm"]:
                for name, way in ways if lap % 2 == 0 else reversed(ways):
                    begun = time.perf_counter()
                    way()
                    times[f"{name} {warmth}"].append(time.perf_counter() - begun)
            sizes["caliper"].append(disk(project / ".caliper"))
            sizes["uv"].append(disk(folder / "uv"))
    middle = {name: statistics.median(each) for name, each in times.items()}
    for name, each in times.items():
        print(f"{name:13} {middle[name]:6.2f} s   laps " + "  ".join(f"{seconds:6.2f}" for seconds in each))
    for name, each in sizes.items():
        print(f"{name:13} {statistics.median(each):6.0f} MiB")
    print(f"cold {middle['caliper cold'] / middle['uv cold']:.2f} of uv's time (to reach: at most 0.9)")
    print(f"warm {middle['caliper warm'] / middle['uv warm']:.2f} of uv's time (to reach: at most 0.5)")
    ratio = statistics.median(sizes["caliper"]) / statistics.median(sizes["uv"])
    print(f"disk {ratio:.2f} of uv's (to reach: at most 1.3)")


if __name__ == "__main__":
    main()
