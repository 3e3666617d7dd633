#!/usr/bin/env python3
"""Two results that hold a large array, compared by Caliper and by NumPy side by side: wall time and peak memory.

    cargo build --release -p caliper-cli
    python3 -m pip install numpy h5py safetensors
    python3 benches/arrays.py [--gib 2] [--laps 2] [--format npy npz safetensors hdf5]

Two releases of a package each leave an array of random 32-bit floats, of which ten values differ. Caliper reads both out
of its folder of results, where they are compressed, and tells how many values differ, by how much, and where the first
is. NumPy does the same with the plain files: once with all of both arrays in memory, and once piece by piece (of
safetensors the Python package reads all of a file). Caliper and both ways of NumPy take turns. The peak is that of the process, and for Caliper that of a process whose files are
read and not mapped.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENDINGS = {"npy": "npy", "npz": "npz", "safetensors": "safetensors", "hdf5": "h5"}
CONFIG = """\
analysis:
  name: arrays
  packagemanager: pypi
  dependency: six
  versions: ["1.16.0", "1.17.0"]
  python_versions: ["{python}"]
  tests: [{{name: array, run: "python leave.py"}}]
  results: ["out.*"]
  limits: {{results: 64GiB, timeout: 1h}}
"""
TEST = """\
import shutil, six
shutil.copyfile({folder!r} + "/" + six.__version__ + ".out.{ending}", "out.{ending}")
"""
# Prints how many values differ, the largest distances and the index of the first.
NUMPY = """\
import sys, numpy
one, other, how = sys.argv[1:]
def load(path):
    if path.endswith(".npz"):
        return numpy.load(path)["x"]
    if path.endswith(".safetensors"):
        import safetensors.numpy
        return safetensors.numpy.load_file(path)["x"]
    if path.endswith(".h5"):
        import h5py
        return h5py.File(path)["x"]
    return numpy.load(path, mmap_mode="r" if how == "pieces" else None)
left, right = load(one), load(other)
step = 1 << 20 if how == "pieces" else left.shape[0]
count, absolute, relative, first = 0, 0.0, 0.0, None
for start in range(0, left.shape[0], step):
    a, b = left[start:start + step], right[start:start + step]
    differ = a != b
    if not differ.any():
        continue
    places = numpy.flatnonzero(differ)
    count += len(places)
    first = first if first is not None else start + places[0]
    apart = numpy.abs(a[places].astype("f8") - b[places])
    absolute = max(absolute, apart.max())
    relative = max(relative, (apart / numpy.abs(a[places].astype("f8"))).max())
print(count, absolute, relative, first)
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=2.0, help="how long each array is")
    parser.add_argument("--laps", type=int, default=2)
    parser.add_argument("--format", nargs="+", choices=ENDINGS, default=list(ENDINGS))
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/caliper")
    return parser.parse_args()


def write(path, array):
    if path.suffix == ".npy":
        numpy.save(path, array)
    elif path.suffix == ".npz":
        numpy.savez(path, x=array)
    elif path.suffix == ".safetensors":
        import safetensors.numpy

        safetensors.numpy.save_file({"x": array}, path)
    else:
        import h5py

        with h5py.File(path, "w") as file:
            file["x"] = array


def arrays(folder, ending, gib):
    """Writes both arrays; ten values of the second differ."""
    array = numpy.random.default_rng(0).random(int(gib * 2**28), dtype="f4")
    write(folder / f"1.16.0.out.{ending}", array)
    for place in numpy.linspace(len(array) // 3, len(array) - 1, 10).astype(int):
        array[place] += numpy.float32(0.5)
    write(folder / f"1.17.0.out.{ending}", array)


def peak(command, cwd):
    """The wall time in seconds, the peak in MiB, the exit status, and what was printed. It is the only child of a process
    of its own, because the system tells the peak of all children together."""
    script = (
        "import resource, subprocess, sys, time\n"
        "start = time.monotonic()\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "seconds = time.monotonic() - start\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024\n"
        "print(seconds, peak, done.returncode)\n"
        "print(done.stdout + done.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *command], cwd=cwd, capture_output=True, text=True, check=True)
    head, rest = done.stdout.split("\n", 1)
    seconds, most, code = head.split()
    return float(seconds), float(most), int(code), rest


def main():
    asked = arguments()
    asked.binary = asked.binary.resolve()
    table = []
    for name in asked.format:
        ending = ENDINGS[name]
        with tempfile.TemporaryDirectory(prefix="caliper-arrays-") as folder:
            folder = pathlib.Path(folder)
            arrays(folder, ending, asked.gib)
            project = folder / "project"
            project.mkdir()
            python = f"{sys.version_info.major}.{sys.version_info.minor}"
            (project / "caliper.yaml").write_text(CONFIG.format(python=python))
            (project / "leave.py").write_text(TEST.format(folder=str(folder), ending=ending))
            seconds, most, _, said = peak([str(asked.binary), "run", "-q", "--backend", "local"], project)
            table.append((name, "caliper run", seconds, most))
            ways = {
                "caliper compare": [str(asked.binary), "compare", "1.16.0", "1.17.0"],
                "NumPy, in memory": [sys.executable, "-c", NUMPY, *map(str, sorted(folder.glob("1.*"))), "memory"],
                "NumPy, in pieces": [sys.executable, "-c", NUMPY, *map(str, sorted(folder.glob("1.*"))), "pieces"],
            }
            found = {way: [] for way in ways}
            for _ in range(asked.laps):
                for way, command in ways.items():
                    seconds, most, _, said = peak(command, project)
                    found[way].append((seconds, most))
                    if "10 of" not in said and not said.startswith("10 "):
                        sys.exit(f"{way} did not find the ten values:\n{said}")
            for way, laps in found.items():
                table.append((name, way, statistics.median(lap[0] for lap in laps), max(lap[1] for lap in laps)))
    print(f"{'format':12} {'way':18} {'seconds':>8} {'GiB/s':>6} {'MiB at most':>12}")
    for name, way, seconds, most in table:
        print(f"{name:12} {way:18} {seconds:8.1f} {2 * asked.gib / seconds:6.2f} {most:12.0f}")


if __name__ == "__main__":
    main()
