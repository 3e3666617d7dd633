"""Asks the `caliper` binary, and reads the answers of the index that it kept."""

import json
import os
import pathlib
import subprocess

from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/caliper"


class Caliper:
    """A binary with a cache of its own; the index is the one of its environment unless it is named."""

    def __init__(self, binary, cache, index=None):
        self.binary, self.cache = str(binary), pathlib.Path(cache)
        self.index = ["--index", index] if index else []

    def resolve(self, project, *options):
        """The grid, as cell → file name or `None`. A cell is a version and a Python, both as text."""
        command = [self.binary, "resolve", project, "--format", "json", *self.index, *options]
        environment = {**os.environ, "CALIPER_CACHE_DIR": str(self.cache)}
        said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if said.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {said.stderr.decode()}")
        return {(cell["version"], cell["python"]): cell["file"]["filename"] if cell.get("file") else None
                for cell in json.loads(said.stdout)["cells"]}

    def answer(self, project):
        """Content type and body of the answer that was kept: both sides must have read the same bytes."""
        (path,) = self.cache.glob(f"index/**/{canonicalize_name(project)}.answer")
        head, body = path.read_bytes().split(b"\n", 1)
        return json.loads(head)["content_type"], body
