#!/usr/bin/env python3
"""Caliper beside the Python program of the same name that it follows (caliper 0.0.23): same engine, images and grid.

    python3 -m venv somewhere && somewhere/bin/pip install caliper==0.0.23
    tests/images/build.sh 2.7 3.9
    cargo build --release -p caliper-cli
    python3 benches/original.py --original somewhere/bin/python [--laps 3] [--jobs 4]

The grid is MarkupSafe 1.1.1 on Python 2.7 and 3.9, and nine releases up to 3.0.2 on 3.9: eleven cells in which both
install the same file, each with three tests. (For 1.1.0 on 2.7 the original takes a file that does not install there.)

  cold    nothing recorded, no file fetched, no layer on the engine but the base images
  again   once more, and nothing has changed
  edited  once more after a line of one test script was changed; the original does not see that, and needs --force

Caliper does this with the very template of the original, which copies the project first and lets the engine fetch the
file; with the template that `caliper init` writes; and with that and tests that name the one file that they need. All
with --keep-images, so that there is something to take up.

How far that is from what can be had at all shows the same by hand: the images of the very template and a container for
each test, asked of the engine in as many threads, and nothing around them: no look at what is installed, no import.

The ways take their turn in each lap, so that what else the machine does falls on all alike. Disk is what
each leaves on the engine after the cold run, by the engine's own count and without the base images.

The original removes, after each cell, every image on the engine that has no name, whosever it is; and with an option,
everything that no container uses. Here it meets a `docker` that does neither. Its index is the one that Caliper uses.
"""

import argparse
import concurrent.futures
import http.client
import io
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPENDENCY = "markupsafe"
RELEASES = ["1.1.1", "2.0.0", "2.0.1", "2.1.0", "2.1.1", "2.1.2", "2.1.3", "2.1.4", "2.1.5", "3.0.2"]
CELLS = 11
BASES = ["python:2.7", "python:3.9"]
LABEL = "caliper.bench.original"

# Both programs read it: each takes the keys that it knows.
CONFIG = """\
analysis:
  name: MarkupSafe
  packagemanager: pypi
  dependency: markupsafe
  dockerfile: Dockerfile
  versions: {releases}
  python_versions: [cp27, cp39]
  {more}
  tests: {tests}
"""
ONLY_WHEELS = "sdist: never"  # the original looks at nothing else

# As the example of the original has it, without what that example installs beside the dependency.
FETCHES = """\
FROM {{ base }}
ADD . /tmp/repo
WORKDIR /tmp/repo
RUN wget -q {{ filename }} && python -m pip install {{ basename }}
"""

TESTS = {
    "escape.py": "from markupsafe import escape\n\nprint(escape('<a & b>'))\n",
    "joined.py": "from markupsafe import Markup\n\nprint(Markup('<b>%s</b>') % '<i>')\n",
    "repeated.py": "from markupsafe import Markup\n\nprint(Markup('<b>').join(['<', '>']) * 3)\n",
}

SCRIPTS = list(TESTS)
WITH_FILES = [{"name": name, "run": f"python {name}", "files": [name]} for name in TESTS]

# Points the original at an index, whose addresses of files may be relative.
STARTER = """\
import sys
from urllib.parse import urljoin

from caliper.managers import pypi

address, do_request = sys.argv.pop(1), pypi.do_request


def request(url):
    answer = do_request(url)
    for files in answer["releases"].values():
        for file in files:
            file["url"] = urljoin(url, file["url"])
    return answer


pypi.PypiManager.baseurl, pypi.do_request = address, request

from caliper.client import main

sys.exit(main())
"""

# What the original may do to an engine that others use too.
GUARD = """\
#!/bin/sh
case $1 in
build) exec {docker} "$@" ;;
run) shift; exec {docker} run --label {label} "$@" ;;
images) exit 0 ;;
rmi) case $2 in {dependency}-container:*) exec {docker} "$@" ;; esac ;;
esac
echo "the original may not do this: docker $*" >&2
exit 1
"""


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def inspect(*arguments):
    return json.loads(docker(*arguments))[0]


def kept():
    return set(docker("images", "--filter", "reference=caliper/kept", "--format", "{{.Repository}}:{{.Tag}}").split())


class Original:
    name = "original"

    def __init__(self, folder, python, index):
        self.project = project(folder / "original", FETCHES, "", SCRIPTS)
        guard = folder / "guard"
        guard.mkdir()
        text = GUARD.format(docker=shutil.which("docker"), label=LABEL, dependency=DEPENDENCY)
        (guard / "docker").write_text(text)
        (guard / "docker").chmod(0o755)
        (guard / "starter.py").write_text(STARTER)
        self.command = [python, str(guard / "starter.py"), index, "analyze", "--config", "caliper.yaml"]
        # It speaks to the classic builder, which engines have that lack buildx.
        path = f"{guard}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "DOCKER_BUILDKIT": "0"}

    def run(self, *options):
        command = [*self.command, *options]
        subprocess.run(command, cwd=self.project, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def edited(self):
        self.run("--force")

    def passed(self):
        records = [json.loads(path.read_text()) for path in (self.project / ".caliper/data").iterdir()]
        tests = [record["tests"][name] for record in records if "tests" in record for name in TESTS]
        return sum(test["retval"] == 0 for test in tests)

    def containers(self):
        return docker("ps", "-aq", "--filter", f"label={LABEL}").split()

    def disk(self):
        # It takes the names from its images, whose layers stay for the containers that it leaves.
        total = 0
        for container in self.containers():
            container = inspect("inspect", "--size", container)
            base = inspect("image", "inspect", BASES["cp39" in container["Config"]["Image"]])
            total += container["SizeRootFs"] - base["Size"]
        return total

    def clean(self):
        shutil.rmtree(self.project / ".caliper", ignore_errors=True)
        if containers := self.containers():
            docker("rm", *containers)


class Caliper:
    def __init__(self, name, folder, binary, template, tests, jobs):
        self.name = name
        self.project = project(folder / name.replace(" ", "-"), template, ONLY_WHEELS, tests)
        self.others = kept()
        self.command = [binary, "run", "--jobs", str(jobs), "--keep-images", "--progress", "none", "--quiet"]

    def run(self):
        subprocess.run(self.command, cwd=self.project, check=True, stdout=subprocess.DEVNULL)

    edited = run

    def passed(self):
        records = [json.loads(path.read_text()) for path in (self.project / ".caliper/records").iterdir()]
        self.dockerfiles = sorted(record["environment"]["dockerfile"] for record in records if record["environment"]["dockerfile"])
        cells = json.loads((self.project / ".caliper/results.json").read_text())["cells"]
        tests = [run for cell in cells for test in cell["tests"] if test["name"] in TESTS for run in test["runs"]]
        return sum(run["outcome"] == "passed" for run in tests)

    def disk(self):
        images = [inspect("image", "inspect", name) for name in kept() - self.others]
        bases = [inspect("image", "inspect", name) for name in BASES]
        below = {base["RootFS"]["Layers"][0]: base["Size"] for base in bases}
        # Whoever else keeps images meanwhile does that on other bases.
        sizes = [(image["Size"], image["RootFS"]["Layers"][0]) for image in images]
        return sum(size - below[lowest] for size, lowest in sizes if lowest in below)

    def clean(self):
        # Not `caliper clean`: somebody may have kept other images.
        for name in kept() - self.others:
            docker("rmi", name)
        shutil.rmtree(self.project / ".caliper", ignore_errors=True)


class Connection(http.client.HTTPConnection):
    """To the engine, through its socket."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))

    @classmethod
    def ask(cls, method, path, body=None, kind="application/json"):
        connection = cls("engine")
        connection.request(method, path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {text.decode()}")
        return text


class ByHand:
    name = "by hand"

    def __init__(self, folder, same, jobs):
        self.project = project(folder / "by-hand", FETCHES, ONLY_WHEELS, SCRIPTS)
        self.same, self.jobs = same, jobs
        self.count, self.images = 0, []

    def test(self, image, script, archive=None):
        # By the label the containers are found and removed, should this end before its time.
        body = {"Image": image, "Cmd": ["python", script], "Labels": {LABEL: "1"}}
        body["HostConfig"] = {"LogConfig": {"Type": "none"}}
        container = json.loads(Connection.ask("POST", "/containers/create", json.dumps(body)))["Id"]
        if archive is not None:
            path = f"/containers/{container}/archive?path=/tmp/repo"
            Connection.ask("PUT", path, archive, "application/x-tar")
        Connection.ask("POST", f"/containers/{container}/start")
        ended = json.loads(Connection.ask("POST", f"/containers/{container}/wait"))
        self.count += ended["StatusCode"] == 0
        Connection.ask("DELETE", f"/containers/{container}?v=1")

    def cell(self, number, dockerfile):
        image = f"{LABEL}:{number}"
        # As Caliper keeps its Dockerfile out of the project, so that cells share the layer with that.
        ignored = "Dockerfile\n.dockerignore\n"
        context = packed({"Dockerfile": dockerfile, ".dockerignore": ignored, **self.scripts()})
        Connection.ask("POST", f"/build?t={image}", context, "application/x-tar")
        self.images.append(image)
        for script in TESTS:
            self.test(image, script)

    def scripts(self):
        return {name: (self.project / name).read_text() for name in TESTS}

    def side_by_side(self, work, *lists):
        self.count = 0
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as threads:
            list(threads.map(work, *lists))

    def run(self):
        if not self.images:
            self.side_by_side(self.cell, range(CELLS), self.same.dockerfiles)

    def edited(self):
        runs = [(image, script) for image in self.images for script in TESTS]
        archive = packed(self.scripts())
        self.side_by_side(lambda run: self.test(*run, archive), runs)

    def passed(self):
        return self.count

    def disk(self):
        return 0

    def clean(self):
        for image in self.images:
            docker("rmi", image)
        self.images = []


def packed(files):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


def project(folder, template, more, tests):
    folder.mkdir()
    text = CONFIG.format(releases=json.dumps(RELEASES), more=more, tests=json.dumps(tests))
    (folder / "caliper.yaml").write_text(text)
    (folder / "Dockerfile").write_text(template)
    for name, text in TESTS.items():
        (folder / name).write_text(text)
    return folder


def timed(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def lap(way, number):
    """Seconds cold, again and edited, and bytes left."""
    way.clean()
    # What the way before it has still to write is not its own.
    os.sync()
    cold = timed(way.run)
    disk = way.disk()
    expected = CELLS * len(TESTS)
    if way.passed() != expected:
        sys.exit(f"{way.name}: {way.passed()} of {expected} tests passed")
    again = timed(way.run)
    with open(way.project / "escape.py", "a") as script:
        script.write(f"print('lap {number}')\n")
    edited = timed(way.edited)
    if way.passed() != expected:
        sys.exit(f"{way.name}: {way.passed()} of {expected} tests passed after the edit")
    way.clean()
    return {"cold": cold, "again": again, "edited": edited, "disk": disk}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original", required=True, metavar="PYTHON", help="a Python in which caliper 0.0.23 is installed")
    parser.add_argument("--laps", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=4, help="how much Caliper, or one by hand, does at once")
    arguments = parser.parse_args()
    binary = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "caliper"
    if not binary.exists():
        sys.exit(f"{binary} is missing; see the head of this file")
    for name in BASES:
        docker("image", "inspect", name)
    found = json.loads(subprocess.run([binary, "doctor", "--format", "json"], capture_output=True, text=True).stdout)
    index = found["index"]["Ok"].rstrip("/").removesuffix("/simple") + "/pypi"

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        initial = folder / "init"
        subprocess.run([binary, "init", str(initial), "--quiet"], check=True)
        template = (initial / "Dockerfile").read_text()
        ways = [
            Original(folder, arguments.original, index),
            Caliper("same template", folder, str(binary), FETCHES, SCRIPTS, arguments.jobs),
            Caliper("init template", folder, str(binary), template, SCRIPTS, arguments.jobs),
            Caliper("its own files", folder, str(binary), template, WITH_FILES, arguments.jobs),
        ]
        ways.append(ByHand(folder, ways[1], arguments.jobs))
        laps = {way.name: [] for way in ways}
        try:
            for number in range(arguments.laps):
                for way in ways:
                    measured = lap(way, number)
                    laps[way.name].append(measured)
                    print(f"lap {number + 1} {way.name:14}", shown(measured), flush=True)
        finally:
            for way in ways:
                way.clean()
    middle = {
        name: {key: statistics.median(one[key] for one in each) for key in each[0]} for name, each in laps.items()
    }
    print()
    for name, each in middle.items():
        print(f"median {name:13}", shown(each))
    original, same, init, files, hand = (middle[way.name] for way in ways)
    print(f"original / same template, cold:   {original['cold'] / same['cold']:5.2f}  (to reach: at least 3)")
    print(f"original / init template, edited: {original['edited'] / init['edited']:5.2f}  (to reach: at least 10)")
    print(f"original / its own files, edited: {original['edited'] / files['edited']:5.2f}")
    for key in ("cold", "edited"):
        print(f"original / by hand, {key}: {original[key] / hand[key]:5.2f}")


def shown(measured):
    times = "  ".join(f"{key} {measured[key]:6.2f} s" for key in ("cold", "again", "edited"))
    return f"{times}  disk {measured['disk'] / 2**20:6.1f} MiB"


if __name__ == "__main__":
    main()
