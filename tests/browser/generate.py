"""Writes a folder of results as `caliper run` leaves it, from invented numbers, for `caliper report FOLDER -o FILE`.

    python3 tests/browser/generate.py FOLDER [--runs N] [--hostile]

`--runs` is how many test runs there are, 1,000 by default, five for each cell: 100,000 runs are 500 releases on 40
columns. `--hostile` writes a small study in which every text that a test or an index can choose attacks the page.
"""

import argparse
import hashlib
import json
import math
import random
import struct
import zlib
from pathlib import Path

REPEATS = 5
TRACEBACK = """\
Traceback (most recent call last):
  File "/project/fit.py", line {line}, in <module>
    fit()
ValueError: shape mismatch in block {block}
"""
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
LIMITS = {"asked": {"timeout": 600.0}, "granted": {"timeout": 600.0}, "by": "caliper: process group"}


class Folder:
    """Where blobs are put, each once."""

    def __init__(self, path):
        self.path = Path(path)
        (self.path / "blobs").mkdir(parents=True, exist_ok=True)

    def blob(self, content):
        content = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(content).hexdigest()
        file = self.path / "blobs" / f"{digest}.zst"
        if not file.exists():
            file.write_bytes(zstandard(content))
        return f"blob:sha256:{digest}"


def zstandard(content):
    """A frame of raw blocks: no compression, and no library for it (RFC 8878, 3.1.1)."""
    blocks = [content[at : at + (1 << 17)] for at in range(0, len(content), 1 << 17)] or [b""]
    frame = b"\x28\xb5\x2f\xfd" + b"\xa0" + struct.pack("<I", len(content))
    for index, block in enumerate(blocks):
        header = (index == len(blocks) - 1) | len(block) << 3
        frame += struct.pack("<I", header)[:3] + block
    return frame


def digest(*of):
    return "sha256:" + hashlib.sha256(repr(of).encode()).hexdigest()


def png(shift, width=120, height=80):
    """A small image: a sine, drawn from nothing but zlib."""
    rows = b""
    for y in range(height):
        row = bytearray(b"\xff\xff\xff" * width)
        for x in range(width):
            if abs(y - (height / 2 + 25 * math.sin(x / 12 + shift))) < 1.5:
                row[3 * x : 3 * x + 3] = b"\x00\x5a\xa0"
        rows += b"\x00" + bytes(row)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def record(release, python, variant, tests, installed, folder, log, backend="local"):
    abi = "cp" + python.replace(".", "")
    return {
        "schema": 1,
        "version": release,
        "python": python,
        "abi": abi,
        "variant": variant,
        "key": digest("cell", release, python, variant),
        "environment": {
            "key": digest("environment", release, python, variant),
            "backend": backend,
            "index": "https://index.invalid/simple/",
            "base": None,
            "dockerfile": None,
            "interpreter": {
                "python": python,
                "version": f"{python}.1",
                "implementation": "cpython",
                "abi": abi,
                "platform": {"os": "linux", "arch": "x86_64", "libc": {"name": "glibc", "major": 2, "minor": 36}},
            },
            "tools": {"uv": "0.9.0"},
            "file": {
                "filename": f"generated-{release}-py3-none-any.whl",
                "url": f"https://index.invalid/generated-{release}-py3-none-any.whl",
                "sha256": digest("file", release),
                "kind": "wheel",
            },
            "installed": [{"name": name, "version": version} for name, version in installed],
        },
        "machine": {"cpu": "invented", "cores": 2},
        "outcome": "tested",
        "build": {"ok": True, "nanoseconds": 1_200_000_000, "reason": None, "log": folder.blob(log)},
        "tests": tests,
        "started": "2026-11-28T21:14:03.143Z",
        "finished": "2026-11-28T21:14:05.402Z",
    }


def test(name, command, runs):
    return {"name": name, "key": digest("test", name), "command": command, "runs": runs}


def run(attempt, outcome, seconds, output="", error="", memory=90 << 20, **more):
    return {
        "attempt": attempt,
        "batch": "generated-1",
        "outcome": outcome,
        "retval": 0 if outcome == "passed" else 1,
        "nanoseconds": max(1_000_000, int(seconds * 1e9)),
        "cpu_nanoseconds": max(1_000_000, int(seconds * 0.9e9)),
        "peak_memory": memory,
        "limits": LIMITS,
        "output": output,
        "error": error,
        **more,
    }


def judged(cell, name, state, verdict, baseline=None, part="stdout"):
    one = {"cell": cell, "test": name, "state": state, "verdict": verdict}
    if baseline:
        same = {"rung": "same_bytes", "read_as": "bytes"}
        other = {
            "rung": "other_text",
            "read_as": "text",
            "divergence": {"place": {"line": {"line": 2, "column": 14}}, "expected": "0.31", "actual": "0.44"},
        }
        one["evidence"] = {"baseline": baseline, "part": part, "comparison": same if verdict == "same" else other}
        if verdict != "same":
            one["evidence"]["noise"] = {
                "runs": [5, 5],
                "p": 0.008,
                "adjusted": 0.03,
                "permutations": 252,
                "comparisons": 4,
                "alpha": 0.05,
                "needed": 5,
            }
    return one


def cell_id(record):
    labels = ",".join(f"{axis}={label}" for axis, label in record["variant"].items())
    return f"{record['version']}/{record['python']}" + (f"[{labels}]" if labels else "")


def cause(signature, records, places=()):
    releases = list(dict.fromkeys(record["version"] for record in records))
    return {
        "signature": signature,
        "count": len(records),
        "first": releases[0],
        "example": {"cell": cell_id(records[0]), "test": records[0]["tests"][-1]["name"]},
        "releases": releases,
        "cells": [cell_id(record) for record in records],
        "places": [{"at": at, "count": count, "tests": [records[0]["tests"][-1]["name"]]} for at, count in places],
    }


def results(name, cells, verdicts, causes, rows):
    return {
        "schema": 1,
        "analysis": name,
        "dependency": "generated",
        "backend": "local",
        "started": "2026-11-28T21:14:03.143Z",
        "finished": "2026-11-28T21:15:11.901Z",
        "caliper": "0.1.0",
        "causes": causes,
        "rows": rows,
        "cells": cells,
        "verdicts": verdicts,
    }


def grid(runs):
    """How many releases, and how many Pythons: about as many cells as that makes with two axes of two values."""
    cells = max(20, round(runs / REPEATS))
    pythons = max(1, min(10, round(math.sqrt(cells / 5) / 6.3)))
    return max(2, round(cells / (4 * pythons))), pythons


def generated(folder, runs):
    """Bands of releases that fail or differ on some columns, a loss that drifts, and times with noise."""
    chance = random.Random(18)
    count, pythons = grid(runs)
    releases = [f"{number // 50}.{number // 5 % 10}.{number % 5}" for number in range(count)]
    columns = [
        (f"3.{5 + minor}", {"seed": seed, "cpus": cpus}) for minor in range(pythons) for seed in "01" for cpus in "12"
    ]
    cells, verdicts, failing, rows = [], [], {}, {}
    for number, release in enumerate(releases):
        for column, (python, variant) in enumerate(columns):
            band = number // 37
            fails = number < count - 3 and ((band * 7 + column) % 11 == 0 or chance.random() < 0.01)
            differs = not fails and number < count - 3 and (band + column) % 9 == 4
            of_test = []
            for attempt in range(1, REPEATS + 1):
                seconds = chance.gauss(1 + number / count + column / 50, 0.03)
                memory = int(chance.gauss(90, 1) * 256) * 4096
                if fails:
                    block = (number * 3 + column) % 24
                    error = TRACEBACK.format(line=10 + number % 40, block=block)
                    of_test.append(run(attempt, "failed", seconds / 8, error=error, memory=memory))
                else:
                    loss = chance.gauss((0.44 if differs else 0.31) - 0.05 * number / count, 0.004)
                    of_test.append(
                        run(
                            attempt,
                            "passed",
                            seconds,
                            f"epoch 1\nloss {loss:.6f}\ndone on {python}\n",
                            memory=memory,
                            measures={"loss": loss, "epochs": 1.0},
                        )
                    )
            installed = [
                ("generated", release),
                ("numpy", f"1.{number % 30}.0"),
                ("scipy", f"1.{column % 9}.0"),
                ("pip", "26.3"),
            ]
            tests = [test("fit.py", ["python", "fit.py"], of_test)]
            one = record(
                release,
                python,
                variant,
                tests,
                installed,
                folder,
                f"Resolved 3 packages\nInstalled generated=={release}\n",
            )
            if number == count - 1 or number % 40 == 0:
                for each in of_test[:1]:
                    image = png(0.3 if differs else 0.0)
                    each["files"] = [
                        {
                            "path": "loss.png",
                            "size": len(image),
                            "sha256": "sha256:" + hashlib.sha256(image).hexdigest(),
                            "content": folder.blob(image),
                        }
                    ]
            cells.append(one)
            id = cell_id(one)
            verdict = None if fails else "different" if differs else "same"
            verdicts.append(
                judged(id, "fit.py", "failed" if fails else "passed", verdict, None if fails else releases[-1])
            )
            if fails:
                failing.setdefault(f"ValueError: shape mismatch in block {(number * 3 + column) % 24}", []).append(one)
            row = rows.setdefault(
                column,
                {
                    "test": "fit.py",
                    "python": python,
                    "variant": variant,
                    "transitions": [],
                    "unprobed": [],
                    "monotone": True,
                    "flaky": [],
                    "last": None,
                },
            )
            if row["last"] is not None and row["last"] != fails:
                row["transitions"].append(
                    {
                        "kind": "first_bad" if fails else "good_again",
                        "from": releases[number - 1],
                        "to": release,
                        "where": "adjacent",
                        "sure": {"by": "single_run"},
                    }
                )
            row["last"] = fails
    for row in rows.values():
        del row["last"]
        row["monotone"] = len(row["transitions"]) < 2
    causes = sorted(
        (cause(text, records, [("fit.py in <module>", len(records))]) for text, records in failing.items()),
        key=lambda one: -one["count"],
    )
    return results(f"A generated study of {len(cells) * REPEATS:,} runs", cells, verdicts, causes, list(rows.values()))


def hostile(folder):
    """Every text that a test or an index can choose attacks the page."""
    ansi = "\x1b[31mred\x1b[0m \x1b]8;;http://evil.invalid/\x07link\x1b]8;;\x07 \x1b]0;unfinished title"
    controls = "bell\x07 back\x08 nul\x00 rtl \u202egnp.exe\u2066 line\u2028separator cr\rover \x9b31m"
    long_line = "x" * 5_000_000
    output = f"{EVIL}\n{ansi}\n{controls}\n<!-- <script>\n" + "same\n" * 50
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30" onload="alert(7)"><script>alert(8)</script>'
        b'<rect width="40" height="30" fill="#fc0"/><image href="http://evil.invalid/x.png" width="9" height="9"/></svg>'
    )
    cells, verdicts, failing = [], [], []
    releases = ["1.0", "1.1", "1.2"]
    for number, release in enumerate(releases):
        for python in ("3.9", "3.11"):
            last = number == 2
            fails = number == 0

            def file(path, content):
                return {
                    "path": path,
                    "size": len(content),
                    "sha256": "sha256:" + hashlib.sha256(content).hexdigest(),
                    "content": folder.blob(content),
                }

            files = [
                file("../" + EVIL, output.encode()),
                file("a.svg", svg if not last else svg.replace(b"#fc0", b"#0cf")),
                file("page.html", EVIL.encode()),
                file("p.png", png(number / 2)),
                file("broken.png", png(0)[:90]),
            ]
            text = output if not last else "hello\n" * 30 + "same\n" * 20
            blob = folder.blob(text + long_line + "\nend\n")
            runs = [
                run(
                    attempt,
                    "failed" if fails else "passed",
                    0.1 * attempt,
                    text[:3000],
                    f"{EVIL}\n{ansi}\n",
                    output_blob=blob,
                    truncated=True,
                    reason=EVIL,
                    files=files,
                    measures={EVIL: float(attempt), "javascript:alert(9)": 1e308},
                )
                for attempt in (1, 2)
            ]
            outcomes = folder.blob(json.dumps({EVIL: "failed", "javascript:alert(5)": "passed"}))
            details = folder.blob(json.dumps([{"id": EVIL, "outcome": "failed", "message": EVIL + ansi}]))
            for one in runs:
                one["functions"] = {"counts": {"failed": 1, "passed": 1}, "outcomes": outcomes, "details": details}
            tests = [
                test(EVIL, ["python", "-c", EVIL, "\u202e"], runs),
                test("javascript:alert(3)", ["true"], [run(1, "passed", 0.2, ansi)]),
            ]
            one = record(
                release,
                python,
                {"flavour": "plain"},
                tests,
                [(EVIL, "1"), ("javascript:alert(6)", "\u202e2")],
                folder,
                f"{output}{long_line}\n",
            )
            cells.append(one)
            verdicts.append(
                judged(
                    cell_id(one),
                    EVIL,
                    "failed" if fails else "passed",
                    None if fails else "same" if last else "different",
                    None if fails else "1.2",
                )
            )
            verdicts.append(judged(cell_id(one), "javascript:alert(3)", "passed", "same", "1.2"))
            failing += [one] if fails else []
    causes = [cause(f"Error: {EVIL}", failing, [(f"{EVIL} in <module>", 2)])]
    rows = [
        {
            "test": EVIL,
            "python": python,
            "variant": {"flavour": "plain"},
            "transitions": [
                {"kind": "good_again", "from": "1.0", "to": "1.1", "where": "adjacent", "sure": {"by": "single_run"}}
            ],
            "unprobed": [],
            "monotone": True,
            "flaky": [],
        }
        for python in ("3.9", "3.11")
    ]
    return results(EVIL, cells, verdicts, causes, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--hostile", action="store_true")
    arguments = parser.parse_args()
    folder = Folder(arguments.folder)
    made = hostile(folder) if arguments.hostile else generated(folder, arguments.runs)
    for one in made["cells"]:
        one["id"] = cell_id(one)
    (folder.path / "results.json").write_text(json.dumps(made, separators=(",", ":")))
    runs = sum(len(test["runs"]) for one in made["cells"] for test in one["tests"])
    print(f"{len(made['cells']):,} cells, {runs:,} runs in {folder.path}")


if __name__ == "__main__":
    main()
