"""Makes up projects that hurt: what real ones do once in a thousand files, these do in every other.

One thing is left out, because Caliper means to differ: a name with white space is a wheel to `packaging`, and none to
Caliper (nor to the specification).
"""

import html
import itertools
import json
import random

from packaging.utils import canonicalize_name

NAMES = ["demo", "zope.thing", "A-b_C", "x", "py", "backports.two-words", "cp311"]
VERSIONS = ["0", "1", "1.0", "1.0.0", "1.0.0.0", "v1.1", "1.1", "1.2a1", "1.2.alpha.1", "1.2rc1", "1.2.dev3", "1.2.post1",
            "1.2-1", "1.2_1", "1.2.r4", "1!0.5", "2.0+local.1", "2.0+ubuntu_1", "2.0", "2.0.c2", "2004b", "10.0", "9.0",
            "1.0.1.dev0", "01.02", "1.2.3.4.5.6", "20260101", "1.0a", "1.0.post", "1.0a1.post2.dev3", "not.a.version",
            "", "1..0", "1.0+", "1.x"]
PYTHONS = ["py3", "py2", "py2.py3", "py2.py3.cp27", "cp27", "cp35", "cp36.cp37", "cp38", "cp39", "cp310", "cp311", "cp312",
           "cp313", "cp314", "cp315", "cp3", "cp2", "py310", "py27", "py39.py313", "pp39", "pp311.cp311", "CP312", "cp32",
           "graalpy311", "jy27", "cp1000", "py", "cp37.cp37"]
ABIS = ["none", "abi3", "abi3t", "abi3.none", "cp27m", "cp27mu", "cp35m", "cp37m", "cp38", "cp311", "cp313", "cp313t", "cp314t",
        "cp314.cp314t", "cp311d", "pypy39_pp73", "None", "cp36m.cp37m", "abi2"]
PLATFORMS = ["any", "linux_x86_64", "manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64",
             "manylinux_2_5_x86_64.manylinux1_x86_64", "manylinux_2_12_x86_64.manylinux2010_x86_64",
             "manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_18_x86_64",
             "manylinux_2_28_x86_64", "manylinux_2_31_x86_64", "manylinux_2_36_x86_64", "manylinux_2_37_x86_64",
             "manylinux_2_4_x86_64", "manylinux_1_17_x86_64", "manylinux_3_0_x86_64", "manylinux_02_17_x86_64",
             "manylinux2014_i686", "manylinux_2_17_aarch64.manylinux2014_aarch64", "musllinux_1_1_x86_64",
             "musllinux_1_2_x86_64", "musllinux_1_3_x86_64", "musllinux_1_0_x86_64.manylinux_2_28_x86_64", "win32",
             "win_amd64", "macosx_10_9_universal2", "macosx_11_0_arm64", "any.linux_x86_64", "LINUX_X86_64",
             "manylinux_2_17_x86-64", "manylinux2014"]
BUILDS = ["1", "2", "10", "1a", "1b", "0", "007", "2.1", "_1", "a1", "", "1_1", "9999999999"]
REQUIRES = [">=3", ">=3.7", ">=2.7,!=3.0.*,!=3.1.*", ">=3.6,<3.12", "==3.8.*", "~=3.9", "<3", ">=3.11.4", ">3.12", ">=3.6.*",
            "3.6", "===3.11", ">=3.14.0a1", "nonsense", ">=2.7, <4", "<3.13 ,>=3.5,", "!=3.9", "==3.10", " ", "> 3.8",
            ">=3.8;", "~=3", ">= '3.7'", "<=3.13", "<=3.13.*", ">=3.7||<4", ">=4", "==2.7", ">=3,<4.0.0.0"]
SDISTS = [".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".egg", ".exe", ".whl.zip", ".tar", ".TAR.GZ",
          "-py2.7.tar.gz", "-py3.11.zip", "-py3.tar.gz", ".win-amd64-py3.6.exe", ".linux-x86_64.tar.gz", ".rpm", ".tbz"]


def spelled(name, chance):
    """A name as file names spell it."""
    forms = [name, name.replace("-", "_").replace(".", "_"), canonicalize_name(name), name.upper(), name.lower(),
             spelled_plainly(name), name.replace("-", "__"), name + "x", name.replace("_", "-")]
    return chance.choices(forms, [4, 12, 6, 2, 4, 12, 1, 1, 2])[0]


def spelled_plainly(name):
    return canonicalize_name(name).replace("-", "_")


def some(values, chance):
    """One of a list, seldom two or three of them joined as a compressed set."""
    number = chance.choices([1, 2, 3], [12, 2, 1])[0]
    return ".".join(chance.sample(values, min(number, len(values))))


def files(name, chance):
    versions = chance.sample(VERSIONS, chance.randint(1, 12))
    # Few Pythons and platforms in one project, so that files compete for cells.
    pythons, abis = chance.sample(PYTHONS, chance.randint(1, 5)), chance.sample(ABIS, chance.randint(1, 4)) + ["none"]
    platforms, requires = chance.sample(PLATFORMS, chance.randint(1, 6)), chance.sample(REQUIRES, 3)
    # Every project has a release, or there would be no grid.
    yield {"filename": f"{spelled_plainly(name)}-0.1.tar.gz", "requires-python": None, "yanked": False}
    for _ in range(chance.randint(0, 60)):
        version = chance.choice(versions)
        if chance.random() < 0.2:
            filename = f"{spelled(name, chance)}-{version}{chance.choice(SDISTS)}"
        else:
            if abis[0] != "none" and chance.random() < 0.5:
                python = abi = chance.choice(pythons)
            else:
                python, abi = some(pythons, chance), some(abis, chance)
            build = f"-{chance.choice(BUILDS)}" if chance.random() < 0.25 else ""
            parts = f"{spelled(name, chance)}-{version}{build}-{python}-{abi}-{some(platforms, chance)}"
            filename = parts + chance.choices([".whl", ".WHL", ".whl.asc", "-x.whl"], [40, 1, 1, 1])[0]
        yield {
            "filename": filename,
            "requires-python": chance.choice(requires) if chance.random() < 0.4 else None,
            "yanked": chance.choices([False, True, "", "it is broken"], [20, 1, 1, 1])[0],
        }


def project(seed):
    """A name, a content type and a body, of which the same seed makes the same."""
    chance = random.Random(seed)
    name = chance.choice(NAMES)
    listed = list({file["filename"]: file for file in files(name, chance)}.values())
    if chance.random() < 0.5:
        for file in listed:
            file.update(url=f"https://files.example/{file['filename']}", hashes={})
        chance.shuffle(listed)
        versions = chance.sample(VERSIONS, chance.randint(0, 5))
        body = json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": listed, "versions": versions})
        return name, "application/vnd.pypi.simple.v1+json", body.encode()
    links = ['<!DOCTYPE html><meta name="pypi:repository-version" content="1.0">']
    for file, quoted in zip(listed, itertools.cycle([True, False])):
        requires = html.escape(file["requires-python"] or "")
        yanked = "" if file["yanked"] is False else f' data-yanked="{html.escape(str(file["yanked"]))}"'
        requires = f' data-requires-python="{requires}"' if requires or quoted else ""
        address = file["filename"].replace(" ", "%20")
        links.append(f'<a href="/files/{address}#sha256={"0" * 64}"{requires}{yanked}>{html.escape(file["filename"])}</a>')
    return name, "text/html", "\n".join(links).encode()
