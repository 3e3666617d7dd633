#!/usr/bin/env python3
"""A thousand cells of trivial tests: what Caliper needs for them, and what it leaves behind.

    cargo build --release -p caliper-cli
    python3 benches/thousand.py [--cells 1000] [--backend local|docker]

Prints the time for each cell, the peak memory and the most open files of Caliper, and counts the machine's processes,
temporary files, and the engine's containers and images before and after: they must be the same. Beside it, for
scale: the same number of tests run by hand, in a ready-made environment (`python -c pass`) or with `docker run`.
"""

import argparse
import functools
import hashlib
import http.server
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def offer(folder, count):
    """A simple index (PEP 503) with `count` releases of `demo`, as files."""
    project = folder / "demo"
    project.mkdir(parents=True)
    links = []
    for number in range(count):
        version = f"1.{number}"
        name = f"demo-{version}-py3-none-any.whl"
        info = f"demo-{version}.dist-info"
        with zipfile.ZipFile(project / name, "w") as wheel:
            wheel.writestr("demo.py", f"VALUE = {number}\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        digest = hashlib.sha256((project / name).read_bytes()).hexdigest()
        links.append(f'<a href="{name}#sha256={digest}">{name}</a>')
    (project / "index.html").write_text("<!DOCTYPE html><title>Links for demo</title>" + "\n".join(links))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def lines(*command):
    return len(subprocess.run(command, capture_output=True, text=True).stdout.split())


def census(engine):
    """What could be left behind."""
    count = {
        "processes": sum(entry.name.isdigit() for entry in pathlib.Path("/proc").iterdir()),
        "temporary files": sum(1 for _ in pathlib.Path(tempfile.gettempdir()).iterdir()),
    }
    if engine:
        count["containers"] = lines("docker", "ps", "-aq")
        count["images"] = lines("docker", "images", "-aq")
        count["volumes"] = lines("docker", "volume", "ls", "-q")
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--backend", default="local")
    arguments = parser.parse_args()
    engine = arguments.backend != "local"
    binary = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "caliper"
    python = "%d.%d" % sys.version_info[:2]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        offer(folder / "index", arguments.cells)
        handler = functools.partial(Quiet, directory=folder / "index")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        project = folder / "project"
        project.mkdir()
        (project / "caliper.yaml").write_text("analysis: {dependency: demo, tests: [test.py]}\n")
        (project / "test.py").write_text("import demo\nprint(demo.VALUE)\n")
        before = census(engine)
        command = [binary, "run", "--backend", arguments.backend, "--python", python, "--progress", "none"]
        command += ["--index", f"http://127.0.0.1:{server.server_port}/"]
        begun = time.perf_counter()
        run = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL)
        memory = files = 0
        while run.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{run.pid}/status").read_text()
                memory = int(status.split("VmHWM:")[1].split()[0])
                files = max(files, len(os.listdir(f"/proc/{run.pid}/fd")))
            except (OSError, IndexError):
                pass
            time.sleep(0.02)
        seconds = time.perf_counter() - begun
        records = len(list((project / ".caliper/records").glob("*.json")))
        after = census(engine)
        print(f"{arguments.backend}: exit {run.returncode}, {records} records in {seconds:.1f} s, {seconds / records * 1000:.0f} ms a cell (2 tests)")
        print(f"peak memory {memory / 1024:.1f} MiB, most open files {files}")
        for what, count in before.items():
            print(f"{what}: {count} before, {after[what]} after")
        by_hand = min(arguments.cells, 40)
        one = ["docker", "run", "--rm", f"python:{python}", "python3", "-c", "pass"] if engine else [sys.executable, "-c", "pass"]
        begun = time.perf_counter()
        for _ in range(by_hand):
            subprocess.run(one, check=True)
        print(f"by hand, one after the other: {(time.perf_counter() - begun) / by_hand * 1000:.0f} ms a test")
        left = [path for path in (project / ".caliper").rglob(".unfinished-*")]
        left += [path for path in (project / ".caliper/cache/work").glob("*") if path.is_dir()]
        print(f"left in the project: {len(left)}")
        sys.exit(run.returncode or bool(left))


if __name__ == "__main__":
    main()
