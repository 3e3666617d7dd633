#!/usr/bin/env python3
"""The quickstart grid through Caliper, side by side with other ways to run the same scripts.

    cargo build --release -p caliper-cli
    python3 benches/quickstart.py [--laps 3] [--jobs 2] [--python 3.11]

Needs uv and nox on PATH (`pip install uv nox`) and the package index. Everything is warm: each way is run once before
the laps, and in each lap all ways take their turn, so that what else the machine does falls on all alike.

  limit    the script in environments that stand already: nobody who makes environments can be faster
  caliper  `caliper run` with a warm cache and nothing recorded
  uv run   `uv run --with jinja2==X` for each release
  nox      nox with the uv backend, a session for each release, the sessions shared out among as many noxes

`caliper` also imports the package before the script, in each environment; `limit+import` does the same.

The others get the environment that this is started in, and it matters whether that forbids Python to write bytecode
(PYTHONDONTWRITEBYTECODE, as container images and CI often do): where it may, the environments that stand already have
theirs from the lap before, while those that Caliper makes in each lap have to compile what they import.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOXFILE = """
import nox

@nox.session(venv_backend="uv", python="{python}")
@nox.parametrize("version", {versions!r})
def render(session, version):
    session.install(f"jinja2=={{version}}")
    session.run("python", "render.py", success_codes=range(256), silent=True)
"""


def quiet(command, **options):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def side_by_side(jobs, commands, **options):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda command: quiet(command, **options), commands))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--laps", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--python", default="%d.%d" % sys.version_info[:2])
    arguments = parser.parse_args()
    jobs, python = arguments.jobs, arguments.python
    binary = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "caliper"
    for needed in [str(binary), "uv", "nox"]:
        if not shutil.which(needed):
            sys.exit(f"{needed} is missing; see the head of this file")

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        project = folder / "project"
        shutil.copytree(ROOT / "docs/examples/quickstart", project, ignore=shutil.ignore_patterns(".caliper"))
        clean = dict(os.environ)
        run = [str(binary), "run", "--jobs", str(jobs), "--python", python, "--progress", "none"]

        def caliper():
            shutil.rmtree(project / ".caliper/records", ignore_errors=True)
            subprocess.run(run, cwd=project, env=clean, stdout=subprocess.DEVNULL, check=True)

        caliper()
        results = json.loads((project / ".caliper/results.json").read_text())
        versions = [cell["version"] for cell in results["cells"] if cell["file"]]
        passed = sum(all(run["outcome"] == "passed" for test in cell["tests"] for run in test["runs"]) for cell in results["cells"])
        bytecode = "not written" if os.environ.get("PYTHONDONTWRITEBYTECODE") else "written"
        print(f"{len(versions)} releases on Python {python}, {jobs} at once; {passed} pass; bytecode is {bytecode}")

        environments = []
        for version in versions:
            environment = folder / "ready" / version
            quiet(["uv", "venv", "--python", python, str(environment)], check=True)
            program = environment / "bin/python"
            quiet(["uv", "pip", "install", "--python", str(program), f"jinja2=={version}"], check=True)
            environments.append(str(program))
        nox_folder = folder / "nox"
        nox_folder.mkdir()
        shutil.copy(project / "render.py", nox_folder)
        (nox_folder / "noxfile.py").write_text(NOXFILE.format(python=python, versions=versions))
        shares = [versions[start::jobs] for start in range(jobs)]

        def limit():
            side_by_side(jobs, [[program, "render.py"] for program in environments], cwd=project, env=clean)

        def limit_and_import():
            def both(program):
                for part in [["-c", "import jinja2"], ["render.py"]]:
                    quiet([program, *part], cwd=project, env=clean)

            with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                list(pool.map(both, environments))

        def uv_run():
            start = ["uv", "run", "--no-project", "--python", python]
            commands = [[*start, "--with", f"jinja2=={version}", "render.py"] for version in versions]
            side_by_side(jobs, commands, cwd=project, env=clean)

        def nox():
            commands = [
                ["nox", "--session", *[f"render(version={version!r})" for version in share]] for share in shares
            ]
            side_by_side(jobs, commands, cwd=nox_folder, env=clean)

        ways = {"limit": limit, "limit+import": limit_and_import, "caliper": caliper, "uv run": uv_run, "nox": nox}
        for way in ways.values():
            way()
        times = {name: [] for name in ways}
        for lap in range(arguments.laps):
            for name, way in ways.items():
                begun = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - begun)
        middle = {name: statistics.median(each) for name, each in times.items()}
        for name, each in times.items():
            laps = "  ".join(f"{seconds:6.2f}" for seconds in each)
            print(f"{name:13} {middle[name]:6.2f} s   {middle[name] / middle['caliper']:5.2f} × caliper   laps {laps}")
        print(f"caliper / limit  {middle['caliper'] / middle['limit']:.2f}  (to reach: at most 2)")
        print(f"uv run / caliper {middle['uv run'] / middle['caliper']:.2f}  (to reach: at least 2)")
        print(f"nox / caliper    {middle['nox'] / middle['caliper']:.2f}  (to reach: at least 2.5)")


if __name__ == "__main__":
    main()
