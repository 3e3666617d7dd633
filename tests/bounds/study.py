"""Measures the bounds of the sdists of chosen.json, and prints a table.

usage: study.py CALIPER FOLDER [--choose]

CALIPER is the binary, FOLDER a place for the projects. Each sdist is fetched, unpacked and given to `caliper bounds` with a
limit on time. What was measured is kept in FOLDER, so a second call on the same day goes on. With --choose, chosen.json is
made anew, and nothing is measured.

How they are chosen, before any is tried: the names of candidates.txt, which are well-known pure Python libraries that are
no applications, in a random order (seed 17). Taken is the newest final sdist of each if

- the newest release has a wheel for any Python (`py3-none-any`),
- it is smaller than 2 MB and has files `test_*.py` or `*_test.py`,
- it declares two to five direct dependencies that hold on this Python without an extra, and not all of them exactly (`==`);

until there are ten. What its extra, its dependency group or its requirements file named `test`, `tests`, `testing` or `dev`
asks for is installed beside it.
"""

import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tarfile
import time
import urllib.parse
import urllib.request

INDEX = os.environ.get("CALIPER_INDEX_URL") or os.environ["PIP_INDEX_URL"]
HERE = pathlib.Path(__file__).parent
LIMIT = 40 * 60
NAMES = ["test", "tests", "testing", "dev"]


def page(name):
    address = f"{INDEX.rstrip('/')}/{re.sub('[-_.]+', '-', name).lower()}/"
    request = urllib.request.Request(address, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    return address, json.load(urllib.request.urlopen(request))["files"]


def fetch(address, file, folder):
    path = folder / file["filename"]
    if not path.exists():
        path.write_bytes(urllib.request.urlopen(urllib.parse.urljoin(address, file["url"])).read())
    return path


def unpack(path, place):
    if not place.exists():
        tarfile.open(path).extractall(place, filter="data")
    (project,) = (inner for inner in place.iterdir() if inner.is_dir())
    return project


def final(version):
    return re.fullmatch(r"\d+(\.\d+)*(\.post\d+)?", version)


def key(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def newest(files):
    """The newest final release with an sdist and a wheel for any Python."""
    releases = {}
    for file in files:
        if file.get("yanked"):
            continue
        name = file["filename"]
        if name.endswith(".tar.gz"):
            version = name[: -len(".tar.gz")].rsplit("-", 1)[-1]
            kind = "sdist"
        elif name.endswith("-py3-none-any.whl") or name.endswith("-py2.py3-none-any.whl"):
            version = name.split("-")[1]
            kind = "wheel"
        else:
            continue
        if final(version):
            releases.setdefault(version, {})[kind] = file
    both = [version for version, kinds in releases.items() if len(kinds) == 2]
    return (max(both, key=key), releases) if both else (None, releases)


def direct(project):
    """The requirements without those of extras, as the sdist says."""
    text = (project / "PKG-INFO").read_text(errors="replace").split("\n\n")[0]
    lines = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("Requires-Dist:")]
    found = {}
    for line in lines:
        requirement, _, marker = line.partition(";")
        if "extra" in marker or "python_version <" in marker or "python_version<" in marker or "win32" in marker:
            continue
        name = re.match(r"[A-Za-z0-9._-]+", requirement).group(0)
        found[re.sub("[-_.]+", "-", name).lower()] = requirement.strip()
    return found


def has_tests(project):
    # A folder of tests may be there and be empty.
    return any(project.glob("**/test_*.py")) or any(project.glob("**/*_test.py"))


def choose(folder):
    names = (HERE / "candidates.txt").read_text().split()
    random.Random(17).shuffle(names)
    chosen = []
    for name in names:
        if len(chosen) == 10:
            break
        try:
            address, files = page(name)
        except OSError as error:
            print(f"{name}: {error}", flush=True)
            continue
        version, releases = newest(files)
        if version is None:
            print(f"{name}: no release with an sdist and a wheel for any Python", flush=True)
            continue
        sdist = releases[version]["sdist"]
        if (sdist.get("size") or 0) > 2_000_000:
            print(f"{name}: {sdist['filename']} is too large", flush=True)
            continue
        project = unpack(fetch(address, sdist, folder), folder / name)
        requirements = direct(project)
        exact = all("==" in one for one in requirements.values())
        if not 2 <= len(requirements) <= 5 or exact or not has_tests(project):
            print(f"{name}: {len(requirements)} dependencies, tests: {has_tests(project)}", flush=True)
            continue
        chosen.append({"name": name, "file": sdist["filename"], "requires": sorted(requirements.values())})
        print(f"{name}: chosen", flush=True)
    (HERE / "chosen.json").write_text(json.dumps(chosen, indent=1) + "\n")


def asks_for(project):
    """The arguments for what its tests need."""
    import tomllib

    pyproject = project / "pyproject.toml"
    table = tomllib.loads(pyproject.read_text()) if pyproject.exists() else {}
    found = []
    metadata = (project / "PKG-INFO").read_text(errors="replace")
    extras = re.findall(r"^Provides-Extra: *(\S+)", metadata, re.M)
    groups = table.get("dependency-groups", {})
    for name in NAMES:
        if name in extras:
            found += ["--extra", name]
        elif name in groups:
            found += ["--group", name]
    for name in NAMES:
        for path in (f"requirements-{name}.txt", f"requirements/{name}.txt", f"{name}-requirements.txt"):
            if not found and (project / path).is_file():
                found += ["-r", path]
    return found


def measure(caliper, one, folder):
    address, files = page(one["name"])
    (sdist,) = (file for file in files if file["filename"] == one["file"])
    project = unpack(fetch(address, sdist, folder), folder / one["name"])
    command = [caliper, "bounds", str(project), *asks_for(project), *one.get("arguments", [])]
    command += ["--python", one.get("python", "3.11"), "--timeout", "5m", "--progress", "none", "--format", "json"]
    if one.get("command"):
        command += ["--", *one["command"]]
    environment = {**os.environ, "CALIPER_CACHE_DIR": str(folder / "cache")}
    begun = time.monotonic()
    # An interrupt keeps what was measured.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.communicate()
        return None, f"not finished in {LIMIT // 60} minutes", time.monotonic() - begun
    if process.returncode not in (0, 1, 3):
        return None, f"error {process.returncode}: {err.strip()[-300:]}", time.monotonic() - begun
    return json.loads(out), None, time.monotonic() - begun


def told(bound):
    return "?" if bound is None else bound["version"] + ("" if bound["evidence"] == "proven" else "*")


def lines(one, found, why, seconds):
    if found is None:
        return [f"| {one['file']} | | | | | {' '.join(why.split())[:120]} | | {seconds:.0f} |"]
    together = found["together"]
    today = ", ".join(
        f"{one['today']}: {one.get('why', '')[:60]}" for one in found["pythons"] if one["today"] != "passed"
    )
    rows = []
    for dependency in found["dependencies"]:
        reason = (dependency.get("why") or "")[:60]
        rows.append(
            f"| | {dependency['name']} | {dependency['declared'] or 'any'} | "
            f"{told(dependency['lower'])} … {told(dependency['upper'])} | {dependency['check']} | "
            f"{reason} | | |"
        )
    blame = " ".join(f"{pin['name']} {pin['version']}" for pin in together["blame"])
    head = (
        f"| {one['file']} | | | together: {together['lower']}, {together['upper']} | | "
        f"{' '.join(filter(None, [today, blame]))} | {found['installs']} | {seconds:.0f} |"
    )
    return [head, *rows]


def main():
    caliper, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if "--choose" in sys.argv:
        return choose(folder)
    chosen = json.loads((HERE / "chosen.json").read_text())
    print("| sdist | dependency | declared | measured | check | why | installs | s |")
    print("|---|---|---|---|---|---|--:|--:|", flush=True)
    sums = {"projects": 0, "ranges": 0, "refuted": 0, "lower": 0, "upper": 0, "together": 0}
    for one in chosen:
        found, why, seconds = measure(caliper, one, folder)
        print("\n".join(lines(one, found, why, seconds)), flush=True)
        if found is None:
            continue
        sums["projects"] += 1
        for dependency in found["dependencies"]:
            sums["ranges"] += 1
            sums["refuted"] += dependency["check"] == "refuted"
            lower, upper = dependency["lower"], dependency["upper"]
            failing = [key(version) for version in dependency["failing"]]
            sums["lower"] += lower is not None and any(version < key(lower["version"]) for version in failing)
            sums["upper"] += upper is not None and any(version > key(upper["version"]) for version in failing)
        sums["together"] += found["together"]["lower"] == "fails"
    print(
        f"\n{sums['projects']} projects, {sums['ranges']} declared ranges: {sums['refuted']} refuted, "
        f"{sums['lower']} at the lower end and {sums['upper']} at the upper one; "
        f"in {sums['together']} projects the lower bounds that hold one by one fail together"
    )


main()
