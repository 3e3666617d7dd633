# What the metadata of an installed distribution says. Stands before the programs that need it. Runs on 2.7 and on 3.x, and
# needs only the standard library.
import sys

# The folder that the program happens to stand in comes first; with `-c` it has no name.
HERE = sys.argv[0].rpartition("/")[0]
sys.path[:] = [folder for folder in sys.path if folder and folder != HERE]

import io
import os
import re


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
    """The name and the version in the text of a METADATA or PKG-INFO."""
    found = {}
    for line in text.splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        found.setdefault(key.strip().lower(), value.strip())
    return found.get("name"), found.get("version")


def listed(folder, name):
    """The files that a distribution lists as its own, relative to `folder`; `None` if it has no list."""
    record = read(folder, name, "RECORD")
    if record is not None:
        import csv

        if str is bytes:
            record = record.encode("utf-8")
        rows = csv.reader(record.splitlines())
        return [row[0] if str is not bytes else row[0].decode("utf-8") for row in rows if row]
    # https://setuptools.pypa.io/en/latest/deprecated/python_eggs.html
    written = read(folder, name, "installed-files.txt")
    if written is None:
        return None
    paths = [os.path.normpath(os.path.join(name, line)) for line in written.splitlines()]
    return [path.replace(os.sep, "/") for path in paths]


