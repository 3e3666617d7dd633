"""Which file PyPA's `packaging` would choose: the rules that Caliper is held against.

The tags, the names of wheels, the versions and the specifiers are those of `packaging`; what comes on top are pip's
rules (`LinkEvaluator`, `CandidateEvaluator._sort_key`) in its terms. Nothing here has seen Caliper's code.

Shared by `compare.py`, by `pip_finder.py` and by what records the fixtures in `caliper-pypi/tests/`.
"""

import dataclasses
import html.parser
import json
import re
import urllib.parse
from unittest import mock

from packaging import _manylinux, _musllinux, tags
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tbz", ".txz", ".tlz", ".tar.lzma", ".tar.lz", ".tar")


# What an interpreter accepts.


def linux_platforms(arch, libc, version):
    """The platform tags of a Linux that is not this one, the best first."""
    with mock.patch("sysconfig.get_platform", lambda: f"linux-{arch}"), \
         mock.patch.object(_manylinux, "_have_compatible_abi",
                           lambda _, archs: libc == "glibc" and bool(
                               set(archs) & (_manylinux._ALLOWED_ARCHS | {"armv7l", "i686"}))), \
         mock.patch.object(_manylinux, "_get_glibc_version", lambda: _manylinux._GLibCVersion(*version)), \
         mock.patch.object(_manylinux, "_is_compatible", lambda *_: True), \
         mock.patch.object(_musllinux, "_get_musl_version",
                           lambda _: _musllinux._MuslVersion(*version) if libc == "musl" else None):
        return list(tags._linux_platforms(is_32bit=False))


def cpython_tags(version, abi, platforms):
    """As `sys_tags` does for the running interpreter; a debug build also loads release extensions."""
    abis = [abi]
    nodot = "".join(map(str, version))
    if "d" in abi[2:] and version >= (3, 8):
        abis.append(abi.replace("d", ""))
    yield from tags.cpython_tags(version, abis, platforms)
    yield from tags.compatible_tags(version, f"cp{nodot}", platforms)


@dataclasses.dataclass(frozen=True)
class Target:
    """A CPython on a Linux."""

    version: tuple
    abi: str
    arch: str
    libc: str
    libc_version: tuple

    @property
    def python(self):
        """As Caliper names it: `3.13t`."""
        return ".".join(map(str, self.version)) + ("t" if self.abi.endswith("t") else "")

    @property
    def platform(self):
        """The newest platform tag of the machine: `manylinux_2_36_x86_64`."""
        family = {"glibc": "manylinux", "musl": "musllinux"}[self.libc]
        return "{}_{}_{}_{}".format(family, *self.libc_version, self.arch)

    @property
    def platforms(self):
        return linux_platforms(self.arch, self.libc, self.libc_version)

    @property
    def ranks(self):
        """Tag → rank; 0 is the best."""
        ranks = {}
        for rank, tag in enumerate(cpython_tags(self.version, self.abi, self.platforms)):
            ranks.setdefault(tag, rank)
        return ranks


# What an index offers.


@dataclasses.dataclass
class Candidate:
    filename: str
    version: Version
    requires_python: str
    yanked: bool
    build: tuple
    tags: frozenset = None  # None: a source distribution
    only_python: str = None  # of an archive in `-py2.7`


def read(content_type, body):
    """The files and the versions that an answer of an index lists."""
    if "json" in content_type:
        return _read_json(body)
    return _read_html(body), []  # only JSON lists versions


def as_json(answer):
    """The same answer as simple JSON, its files in the order of the public index."""
    files, _ = read(*answer)
    files.sort(key=lambda file: file["filename"])
    body = json.dumps({"meta": {"api-version": "1.0"}, "name": "", "files": files})
    return "application/vnd.pypi.simple.v1+json", body.encode()


def _read_json(body):
    answer = json.loads(body)
    for file in answer["files"]:
        file["requires-python"] = file.get("requires-python") or ""
        file["yanked"] = file.get("yanked") not in (None, False)
    return answer["files"], answer.get("versions", [])


def _read_html(body):
    """A proxy may answer so although JSON was asked for."""
    files = []

    class Links(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            attributes = dict(attributes)
            if tag == "a" and attributes.get("href"):
                url, _, digest = attributes["href"].partition("#")
                name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1])
                file = {"filename": name, "url": url, "hashes": {},
                        "requires-python": attributes.get("data-requires-python") or "",
                        "yanked": "data-yanked" in attributes}
                if digest.startswith("sha256="):
                    file["hashes"]["sha256"] = digest.removeprefix("sha256=")
                if "data-upload-time" in attributes:
                    file["upload-time"] = attributes["data-upload-time"]
                files.append(file)

    Links().feed(body.decode())
    return files


def candidates(files, project):
    """The files that can be installed; what is not named as a file of `project` is passed over."""
    for file in files:
        facts = file["filename"], file["requires-python"], file["yanked"]
        if facts[0].endswith(".whl"):
            try:
                found, version, build, tags_of_name = parse_wheel_filename(facts[0])
            except InvalidWheelFilename:
                continue
            if found == project:
                yield Candidate(facts[0], version, *facts[1:], build, tags_of_name)
        elif (parts := _sdist(facts[0], project)) is not None:
            yield Candidate(facts[0], parts[0], *facts[1:], (), None, parts[1])


def _sdist(filename, project):
    """The version of a source distribution, and the one Python that it is for, if any."""
    extension = next(filter(filename.endswith, SDISTS), None)
    if extension is None:
        return None
    stem = filename[:-len(extension)]
    for place, character in enumerate(stem):
        if character == "-" and canonicalize_name(stem[:place]) == project:
            version = stem[place + 1:]
            python = re.search(r"-py([123]\.?[0-9]?)$", version)
            if python:
                version = version[:python.start()]
            try:
                return Version(version), python and python.group(1)
            except InvalidVersion:
                return None
    return None


# What is chosen.


def admits(requires_python, python):
    """A specifier that cannot be read keeps nobody out."""
    if not requires_python:
        return True
    try:
        return SpecifierSet(requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True


def choices(candidates, ranks, version, pinned=False):
    """Version → name of the chosen file, or `None`.

    `ranks` are those of the interpreter, whose `version` is a tuple. Yanked files are for `pinned` releases only. Of
    equal files the first by name is taken.
    """
    python, dotted, admitted = Version(".".join(map(str, version))), ".".join(map(str, version[:2])), {}
    chosen = {}
    for candidate in candidates:
        best = chosen.setdefault(candidate.version, None)
        if candidate.yanked and not pinned or candidate.only_python not in (None, dotted):
            continue
        if candidate.requires_python not in admitted:
            admitted[candidate.requires_python] = admits(candidate.requires_python, python)
        if not admitted[candidate.requires_python]:
            continue
        rank = -1_000_000
        if candidate.tags is not None:
            fitting = [ranks[tag] for tag in candidate.tags if tag in ranks]
            if not fitting:
                continue
            rank = -min(fitting)
        key = (not candidate.yanked, candidate.tags is not None, rank, candidate.build)
        if best is None or key > best[0] or key == best[0] and candidate.filename < best[1]:
            chosen[candidate.version] = (key, candidate.filename)
    return {version: best and best[1] for version, best in chosen.items()}
