"""Records which file PyPA's `packaging` would choose for every release × Python of real projects.

    python choices/record.py INDEX_URL FOLDER PROJECT...

INDEX_URL is the address of a simple index, with a slash at its end. Writes FOLDER/PROJECT.txt.gz for
`choices.rs` to hold Caliper against: the facts of each file, and for each interpreter the number of
filled cells with a digest over all choices. The rules are pip's (`CandidateEvaluator._sort_key`), in
terms of `packaging`; the first by name is taken where they leave a choice open.
"""

import gzip
import hashlib
import html.parser
import json
import pathlib
import re
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tags"))
import record as tags_record  # noqa: E402
from packaging import tags as packaging_tags  # noqa: E402
from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: E402
from packaging.utils import (  # noqa: E402
    InvalidWheelFilename, canonicalize_name, parse_wheel_filename)
from packaging.version import InvalidVersion, Version  # noqa: E402

SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tbz", ".txz", ".tlz", ".tar.lzma",
          ".tar.lz", ".tar")
PLATFORMS = [("x86_64", "glibc", (2, 17)), ("x86_64", "glibc", (2, 31)), ("x86_64", "glibc", (2, 36)),
             ("x86_64", "musl", (1, 2)), ("aarch64", "glibc", (2, 36))]
PYTHONS = [((2, 7), "cp27mu"), ((2, 7), "cp27m")]
PYTHONS += [((3, minor), f"cp3{minor}" + ("m" if minor < 8 else "")) for minor in range(3, 16)]
PYTHONS += [((3, minor), f"cp3{minor}t") for minor in range(13, 16)]


def sdist_version(filename, project):
    for extension in SDISTS:
        if filename.endswith(extension):
            stem = filename[:-len(extension)]
            break
    else:
        return None
    for place, character in enumerate(stem):
        if character == "-" and canonicalize_name(stem[:place]) == project:
            version = stem[place + 1:]
            if re.search(r"-py([123]\.?[0-9]?)$", version):
                return None  # for one Python; none of the projects has any
            try:
                return Version(version)
            except InvalidVersion:
                return None
    return None


def read(files, project):
    for file in files:
        name = file["filename"]
        if name.endswith(".whl"):
            try:
                found, version, build, tags = parse_wheel_filename(name)
            except InvalidWheelFilename:
                continue
            if found == project:
                yield file, version, build, tags
        elif (version := sdist_version(name, project)) is not None:
            yield file, version, (), None


def admits(requires_python, python):
    if not requires_python:
        return True
    try:
        return SpecifierSet(requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True


def choices(candidates, ranks, python, admitted):
    chosen = {}
    for file, version, build, tags in candidates:
        chosen.setdefault(version, None)
        if file["yanked"] or not admitted[file["requires-python"]]:
            continue
        if tags is None:
            rank = -1_000_000
        else:
            fitting = [ranks[tag] for tag in tags if tag in ranks]
            if not fitting:
                continue
            rank = -min(fitting)
        key = (tags is not None, rank, build)
        best = chosen[version]
        if best is None or key > best[0] or key == best[0] and file["filename"] < best[1]:
            chosen[version] = (key, file["filename"])
    return chosen


def read_json(body):
    return [{"filename": file["filename"], "requires-python": file.get("requires-python") or "",
             "yanked": file.get("yanked", False) is not False} for file in json.loads(body)["files"]]


def read_html(body):
    """A proxy may answer so although JSON was asked for."""
    files = []

    class Links(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            attributes = dict(attributes)
            if tag == "a" and attributes.get("href"):
                path = urllib.parse.urlsplit(attributes["href"]).path
                files.append({"filename": urllib.parse.unquote(path.rsplit("/", 1)[-1]),
                              "requires-python": attributes.get("data-requires-python") or "",
                              "yanked": "data-yanked" in attributes})

    Links().feed(body.decode())
    return files


def record(index, folder, project):
    request = urllib.request.Request(
        f"{index}{project}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request) as answer:
        body, is_json = answer.read(), "json" in answer.headers["content-type"]
    files = read_json(body) if is_json else read_html(body)
    candidates = list(read(files, project))
    with gzip.GzipFile(folder / f"{project}.txt.gz", "wb", mtime=0) as out:
        def write(*words):
            out.write(("\t".join(words) + "\n").encode())

        for file in files:
            write("file", file["filename"], file["requires-python"], "yanked" if file["yanked"] else "")
        cells = 0
        for arch, libc, glibc in PLATFORMS:
            platforms = tags_record.linux_platforms(arch, libc, glibc)
            for version, abi in PYTHONS:
                listed = tags_record.cpython(version, abi, platforms)
                ranks = {}
                for rank, tag in enumerate(listed):
                    ranks.setdefault(tag, rank)
                python = Version(".".join(map(str, version)))
                admitted = {file["requires-python"]: None for file in files}
                admitted = {text: admits(text, python) for text in admitted}
                chosen = choices(candidates, ranks, python, admitted)
                text = "".join(f"{best[1] if best else '-'}\n" for _, best in sorted(chosen.items()))
                cells += len(chosen)
                facts = f"cpython {version[0]}.{version[1]} {abi} linux {arch} {libc} {glibc[0]} {glibc[1]}"
                filled = sum(best is not None for best in chosen.values())
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
