"""Records which file PyPA's `packaging` would choose for every release × Python of real projects.

    python choices/record.py INDEX_URL FOLDER PROJECT...

INDEX_URL is the address of a simple index, with a slash at its end. Writes FOLDER/PROJECT.txt.gz for
`choices.rs` to hold Caliper against: the facts of each file, and for each interpreter the number of
filled cells with a digest over all choices. The rules are those of `tests/packaging/rules.py`.
"""

import gzip
import hashlib
import pathlib
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "tests/packaging"))
import rules  # noqa: E402
from packaging.utils import canonicalize_name  # noqa: E402

MACHINES = [("x86_64", "glibc", (2, 17)), ("x86_64", "glibc", (2, 31)), ("x86_64", "glibc", (2, 36)),
            ("x86_64", "musl", (1, 2)), ("aarch64", "glibc", (2, 36))]
PYTHONS = [((2, 7), "cp27mu"), ((2, 7), "cp27m")]
PYTHONS += [((3, minor), f"cp3{minor}" + ("m" if minor < 8 else "")) for minor in range(3, 16)]
PYTHONS += [((3, minor), f"cp3{minor}t") for minor in range(13, 16)]


def record(index, folder, project):
    request = urllib.request.Request(
        f"{index}{project}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request) as answer:
        files, _ = rules.read(answer.headers["content-type"], answer.read())
    candidates = list(rules.candidates(files, project))
    with gzip.GzipFile(folder / f"{project}.txt.gz", "wb", mtime=0) as out:
        def write(*words):
            out.write(("\t".join(words) + "\n").encode())

        for file in files:
            write("file", file["filename"], file["requires-python"], "yanked" if file["yanked"] else "")
        cells = 0
        for machine in MACHINES:
            for version, abi in PYTHONS:
                target = rules.Target(version, abi, *machine)
                chosen = rules.choices(candidates, target.ranks, version)
                text = "".join(f"{name or '-'}\n" for _, name in sorted(chosen.items()))
                cells += len(chosen)
                arch, libc, (major, minor) = machine
                facts = f"cpython {version[0]}.{version[1]} {abi} linux {arch} {libc} {major} {minor}"
                filled = sum(name is not None for name in chosen.values())
                write("grid", facts, str(len(chosen)), str(filled),
                      hashlib.sha256(text.encode()).hexdigest())
    print(f"{project}: {len(files)} files, {cells} cells")


def main():
    index, folder, *projects = sys.argv[1:]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for project in projects:
        record(index, folder, canonicalize_name(project))


if __name__ == "__main__":
    main()
