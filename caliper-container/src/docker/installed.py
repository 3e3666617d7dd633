# Asked of every environment, with the name of the dependency behind it. Runs on 2.7 and on 3.x, and
# needs only the standard library.
import io
import json
import os
import re
import sys


def normal(name):
    # https://peps.python.org/pep-0503/#normalized-names
    return re.sub("[-_.]+", "-", name).lower()


def read(*parts):
    try:
        with io.open(os.path.join(*parts), encoding="utf-8", errors="replace") as file:
            return file.read()
    except (IOError, OSError):
        return None


def identity(text):
    found = {}
    for line in text.splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        found.setdefault(key.strip().lower(), value.strip())
    return found.get("name"), found.get("version")


def files(folder, name):
    """The installed files of a distribution, relative to `folder`, as far as it says."""
    record = read(folder, name, "RECORD")
    if record is not None:
        import csv

        if str is bytes:
            record = record.encode("utf-8")
        rows = csv.reader(record.splitlines())
        return [row[0] if str is not bytes else row[0].decode("utf-8") for row in rows if row]
    # https://setuptools.pypa.io/en/latest/deprecated/python_eggs.html
    written = read(folder, name, "installed-files.txt")
    if written is not None:
        paths = [os.path.normpath(os.path.join(name, line)) for line in written.splitlines()]
        return [path.replace(os.sep, "/") for path in paths]
    modules = read(folder, name, "top_level.txt") or ""
    return [line.strip() + ".py" for line in modules.splitlines() if line.strip()]


wanted = normal(sys.argv[1])
installed = {}
paths = None
for folder in sys.path:
    if not os.path.isdir(folder):
        continue
    for name in sorted(os.listdir(folder)):
        if name.endswith(".dist-info"):
            text = read(folder, name, "METADATA")
        elif name.endswith((".egg-info", ".egg")):
            # A folder, or with distutils a single file.
            inner = "EGG-INFO" if name.endswith(".egg") else ""
            text = read(folder, name, inner, "PKG-INFO") or read(folder, name)
        else:
            continue
        project, version = identity(text or "")
        # What comes first on the path hides what comes later.
        if not project or not version or normal(project) in installed:
            continue
        installed[normal(project)] = [project, version]
        if normal(project) == wanted:
            paths = files(folder, name)

print(json.dumps({"installed": sorted(installed.values()), "paths": paths}))
