"""Heals the sdists of chosen.json, and prints a table.

usage: study.py CALIPER FOLDER [NAME...]

CALIPER is the binary, FOLDER a place for the projects; with names, only these are healed. Each sdist is fetched, unpacked and given to `caliper heal` with its
Python and the day on which it came out. What was measured is kept in FOLDER, so a second call goes on.

How they were chosen, before any was tried: 97 names of pure Python projects in a random order (seed 16); the year goes round
from 2015 to 2021; taken is the last final sdist of that year if it is smaller than 3 MB, has tests inside, and requires
something without an upper bound; until there are twenty. The Python is the newest of 3.6 to 3.9 that was out on that day, at
least 3.6. What its extra `test`, `tests` or `testing` asks for is installed beside it.
"""

import json
import os
import pathlib
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
import zipfile

INDEX = os.environ.get("CALIPER_INDEX_URL") or os.environ["PIP_INDEX_URL"]


def fetch(one, folder):
    name = one["name"].lower().replace(".", "-")
    page = f"{INDEX.rstrip('/')}/{name}/"
    request = urllib.request.Request(page, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    files = json.load(urllib.request.urlopen(request))["files"]
    url = next(file["url"] for file in files if file["filename"] == one["file"])
    path = folder / one["file"]
    path.write_bytes(urllib.request.urlopen(urllib.parse.urljoin(page, url)).read())
    place = folder / one["name"]
    if one["file"].endswith(".zip"):
        zipfile.ZipFile(path).extractall(place)
    else:
        tarfile.open(path).extractall(place, filter="data")


def heal(caliper, one, folder):
    place = folder / one["name"]
    if not place.exists():
        fetch(one, folder)
    (project,) = (inner for inner in place.iterdir() if inner.is_dir())
    command = [caliper, "heal", str(project), "--python", one["python"], "--came-out", one["uploaded"]]
    for extra in sorted(set(one["extras"])):
        command += ["--with", extra]
    command += ["--repeats", "1", "--timeout", "3m", "--progress", "none", "--format", "json"]
    environment = {**os.environ, "CALIPER_CACHE_DIR": str(folder / "cache")}
    try:
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=2400)
    except subprocess.TimeoutExpired:
        return {"state": {"state": "not finished in 40 minutes"}, "environments": 0, "runs": 0}
    if ended.returncode not in (0, 1):
        return {"state": {"state": f"error {ended.returncode}: {ended.stderr.strip()[-300:]}"}, "environments": 0, "runs": 0}
    return json.loads(ended.stdout)[0]


def line(one, found):
    state = found["state"]
    worked = state.get("worked")
    at_its_date = "yes" if state["state"] == "works" or worked and not worked.get("before") else "later" if worked else "no"
    pins = " ".join(
        f"{pin['name']}=={pin['version']}" + (" (build)" if pin["is_for_builds"] else "") + ("?" if pin.get("unproven") else "")
        for pin in state.get("pins", [])
    )
    why = (found.get("why") or "")[:90]
    until = (worked or {}).get("last", "")[:10]
    return (
        f"| {one['file']} | {one['python']} | {at_its_date} | {until} | {state['state']} | {pins} | "
        f"{found['environments']} | {found['runs']} | {why} |"
    )


def main():
    caliper, folder, names = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    chosen = json.loads((pathlib.Path(__file__).parent / "chosen.json").read_text())
    print("| sdist | Python | works at its date | until | today | pins | environments | runs | why it fails today |")
    print("|---|---|---|---|---|---|--:|--:|---|", flush=True)
    for one in chosen:
        if names and one["name"] not in names:
            continue
        print(line(one, heal(caliper, one, folder)), flush=True)


main()
