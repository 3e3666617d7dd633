#!/usr/bin/env python3
"""Kills a run at random moments and starts it again, until it ends; then compares with an undisturbed run.

    cargo build --release -p caliper-cli
    python3 benches/kill.py [--kills 20] [--seed 0] [-- --backend docker --python 3.11]
    python3 benches/kill.py --engine tests/engines/docker.sh --kills 5 -- --backend docker --python 3.11

The study is the quickstart, Jinja2; with `--engine`, whose containers may have no network, MarkupSafe, which needs
nothing else.

With `--engine` it is not the run that is killed but its engine, by `SCRIPT kill`, which also starts it again; the
run goes on meanwhile. The records must be equal but for times and dates, and nothing may be left running or lying
around, on the engine neither.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALONE = """\
analysis: {name: MarkupSafe, packagemanager: pypi, dependency: markupsafe, versions: ">=2.1", sdist: never, tests: [test.py]}
"""
TEST = """\
import time, markupsafe
time.sleep(0.5)
print(markupsafe.escape("<a>"))
"""
# What differs between any two runs of the same thing.
TIMES = {"started", "finished", "nanoseconds", "cpu_nanoseconds", "peak_memory", "batch", "log", "reused"}


def timeless(value):
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [timeless(each) for each in value]
    return value


def records(project):
    return {
        path.name: timeless(json.loads(path.read_text()))
        for path in sorted((project / ".caliper/records").glob("*.json"))
    }


def processes(marker):
    """Processes that carry this folder in their environment or arguments."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in text:
                found.append(entry.name)
    return found


def on_engine():
    """What of Caliper's is on the engine that `docker` speaks to."""
    found = []
    for command in (["ps", "-aq"], ["images", "-aq"], ["volume", "ls", "-q"]):
        listed = subprocess.run(["docker", *command, "--filter", "label=dev.caliper"], capture_output=True, text=True)
        found += listed.stdout.split()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", type=pathlib.Path, help="a script whose `kill` ends the engine and starts it again")
    parser.add_argument("extra", nargs="*")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    binary = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "caliper"
    extra = arguments.extra or ["--python", "%d.%d" % sys.version_info[:2]]

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        cache = folder / "cache"
        environment = {**os.environ, "CALIPER_CACHE_DIR": str(cache)}

        def project(name):
            path = folder / name
            if arguments.engine:
                path.mkdir()
                (path / "caliper.yaml").write_text(ALONE)
                (path / "test.py").write_text(TEST)
                return path
            shutil.copytree(ROOT / "docs/examples/quickstart", path, ignore=shutil.ignore_patterns(".caliper"))
            return path

        def start(path):
            command = [str(binary), "run", "--progress", "none", *extra]
            return subprocess.Popen(command, cwd=path, env=environment, stdout=subprocess.DEVNULL)

        undisturbed, killed = project("undisturbed"), project("killed")
        start(undisturbed).wait()  # fills the cache
        shutil.rmtree(undisturbed / ".caliper")
        begun = time.perf_counter()
        status = start(undisturbed).wait()
        whole = time.perf_counter() - begun
        print(f"undisturbed: exit {status}, {len(records(undisturbed))} records, {whole:.1f} s")

        if arguments.engine:
            run = start(killed)
            moments = sorted(chance.uniform(0, whole) for _ in range(arguments.kills))
            begun = time.perf_counter()
            for moment in moments:
                time.sleep(max(0.0, moment - (time.perf_counter() - begun)))
                if run.poll() is None:
                    subprocess.run([arguments.engine, "kill"], check=True)
            print(f"engine killed at {' '.join(f'{moment:.1f}' for moment in moments)} s: exit {run.wait()}")
            arguments.kills = 0

        # Kills fall over the length of a run, so most of them hit work in flight.
        kept = []
        kills = 0
        while kills < arguments.kills:
            run = start(killed)
            # Long enough for a cell or two, or no run would ever come further than the one before.
            longest = max(0.5, 3 * whole / arguments.kills, 3 * whole / max(1, len(records(undisturbed))))
            delay = chance.uniform(0.02, longest)
            try:
                run.wait(delay)
                # It was done before its time came: begin anew, so that there is something to kill.
                shutil.rmtree(killed / ".caliper")
                continue
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                run.wait()
            kills += 1
            kept.append(len(list((killed / ".caliper/records").glob("*.json"))))
        print(f"caliper killed {kills} times; records kept after each: {' '.join(map(str, kept))}")
        status = start(killed).wait()
        equal = records(undisturbed) == records(killed)
        print(f"at last: exit {status}, {len(records(killed))} records, equal but for times: {equal}")
        left = [str(path) for path in (killed / ".caliper").rglob(".unfinished-*")]
        left += [str(path) for path in (cache / "work").glob("*") if path.name != "lock"] if (cache / "work").exists() else []
        running = processes(str(folder))
        engine = on_engine() if "docker" in extra else []
        print(f"left over: {len(left)} files, {len(running)} processes, {len(engine)} things on the engine")
        if not equal:
            for name, record in records(undisturbed).items():
                other = records(killed).get(name)
                if other != record:
                    print(f"  {name}: {json.dumps(record)[:2000]}\n    {json.dumps(other)[:2000]}")
        sys.exit(not (equal and not left and not running and not engine))


if __name__ == "__main__":
    main()
