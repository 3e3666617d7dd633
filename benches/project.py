#!/usr/bin/env python3
"""The grid of a project that is installed, side by side with a loop over `uv run --with` and with nox: wall time.

    cargo build --release -p caliper-cli
    python3 -m pip install nox
    python3 benches/project.py [--laps 2] [--jobs 2] [--binary target/release/caliper]

Ten releases of click on five Pythons (3.9 to 3.13, which must be there): 50 cells, in each of which the project's wheel, one
release and pytest are installed and the project's tests run. The wheel is built by each way itself, once. In each lap
every way starts from nothing (a cache of its own that is empty), then runs once more with what the first time left (for
Caliper without its records). The ways take turns. nox runs its sessions one after the other, with uv as its backend; the
loop runs as many as Caliper.
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
PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]
RELEASES = ["7.1.2", "8.0.0", "8.0.1", "8.0.2", "8.0.3", "8.0.4", "8.1.0", "8.1.2", "8.1.3", "8.1.7"]
FILES = {
    "pyproject.toml": """[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"

[project]
name = "greeter"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["click>=7.1"]

[project.optional-dependencies]
test = ["pytest"]
""",
    "src/greeter/__init__.py": """import click

@click.command()
@click.option("--name", default="world")
def main(name):
    click.echo(f"Hello, {name}!")
""",
    "tests/test_greeter.py": """from click.testing import CliRunner
from greeter import main

def test_greets():
    assert CliRunner().invoke(main, ["--name", "you"]).output == "Hello, you!\\n"
""",
    "caliper.yaml": f"""analysis:
  dependency: click
  versions: {RELEASES}
  python_versions: {PYTHONS}
  project: {{extras: [test]}}
  import: false
  tests:
    - {{name: pytest, run: python -m pytest -q tests, compare: exit-status}}
""",
    "noxfile.py": f"""import nox

nox.options.default_venv_backend = "uv"

@nox.session(python={PYTHONS})
@nox.parametrize("click", {RELEASES})
def tests(session, click):
    session.install("dist/greeter-1.0-py3-none-any.whl[test]", f"click=={{click}}")
    session.run("python", "-m", "pytest", "-q", "tests")
""",
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--laps", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--binary", default=str(ROOT / "target/release/caliper"))
    arguments = parser.parse_args()
    binary, jobs = os.path.abspath(arguments.binary), arguments.jobs
    for needed in [binary, "uv", "nox"]:
        if not shutil.which(needed):
            sys.exit(f"{needed} is missing; see the head of this file")
    ways = ["caliper", "uv", "nox"]
    times = {f"{name} {warmth}": [] for warmth in ["cold", "warm"] for name in ways}
    for lap in range(arguments.laps):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name in ways:
                for path, text in FILES.items():
                    (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name / path).write_text(text)

            def call(name, command):
                environment = {**os.environ, "UV_CACHE_DIR": str(folder / name / "cache")}
                done = subprocess.run(
                    command, cwd=folder / name, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
                )
                if done.returncode:
                    sys.exit(f"{command}: {done.stdout[-2000:]} {done.stderr[-2000:]}")

            def caliper():
                shutil.rmtree(folder / "caliper/.caliper/records", ignore_errors=True)
                call("caliper", [binary, "run", "--jobs", str(jobs), "--progress", "none", "--fail-on", "failed"])

            def uv():
                call("uv", ["uv", "build", "-q", "--wheel"])
                wheel = str(folder / "uv/dist/greeter-1.0-py3-none-any.whl")
                commands = [
                    ["uv", "run", "-q", "--no-project", "--python", python, "--with", f"{wheel}[test]", "--with", f"click=={release}"]
                    + ["python", "-m", "pytest", "-q", "tests"]
                    for release in RELEASES
                    for python in PYTHONS
                ]
                with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                    list(pool.map(lambda command: call("uv", command), commands))

            def nox():
                call("nox", ["uv", "build", "-q", "--wheel"])
                call("nox", ["nox", "--no-error-on-missing-interpreters"])

            turns = list(zip(ways, [caliper, uv, nox]))
            for warmth in ["cold", "warm"]:
                for name, way in turns[lap % 3 :] + turns[: lap % 3]:
                    begun = time.perf_counter()
                    way()
                    times[f"{name} {warmth}"].append(time.perf_counter() - begun)
    middle = {name: statistics.median(each) for name, each in times.items()}
    for name, each in times.items():
        laps = "  ".join(f"{seconds:6.2f}" for seconds in each)
        print(f"{name:13} {middle[name]:6.2f} s   laps {laps}")
    for warmth in ["cold", "warm"]:
        for other in ["uv", "nox"]:
            print(f"{warmth}: {middle[f'caliper {warmth}'] / middle[f'{other} {warmth}']:.2f} of the time of {other}")


if __name__ == "__main__":
    main()
