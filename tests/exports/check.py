#!/usr/bin/env python3
"""Exports results in every format, and reads them with validators and readers that are not Caliper's.

    tests/exports/check.py --program target/debug/caliper [--runs 100000]

Needs jsonschema, xmlschema and markdown-it-py; pyarrow only if the program writes Parquet. The results are those of tests/frozen, the same
with hostile names and outputs, and, with --runs, as many runs as that: then sizes and times are printed.
"""

import argparse
import collections
import copy
import csv
import gzip
import io
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

import jsonschema
import markdown_it
import xmlschema

HERE = pathlib.Path(__file__).parent
FROZEN = HERE.parent / "frozen" / "1"
HOSTILE = "=1+1]]>\0\x1b[2J\r\n<script>alert(1)</script>&amp;'\"`|@you\u202e\ufffe\\{{}}';-- [x](https://x.example)"
TEXTS = [
    "markdown", "markdown-table", "badge", "junit", "sarif", "csv", "ndjson", "trace",
]


class Caliper:
    def __init__(self, program: str):
        self.program = str(pathlib.Path(program).resolve())

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        ran = subprocess.run([self.program, *map(str, arguments)], capture_output=True)
        if (ran.returncode != 0) != fails:
            sys.exit(f"caliper {' '.join(map(str, arguments))}: {ran.returncode}\n{ran.stderr.decode()}")
        return (ran.stderr if fails else ran.stdout).decode("utf-8")

    def has(self, name: str, folder: pathlib.Path, out: pathlib.Path) -> bool:
        ran = subprocess.run([self.program, "export", folder, "--to", name, "-o", out], capture_output=True)
        if ran.returncode and b"build it with `--features" not in ran.stderr:
            sys.exit(ran.stderr.decode())
        return ran.returncode == 0


def hostile(results: dict) -> dict:
    """The same results with texts that are markup, commands or nothing printable to somebody."""
    results = copy.deepcopy(results)
    results["analysis"] = HOSTILE
    for record in results["cells"] + results.get("stale", []):
        for test in record["tests"][1:]:
            test["name"] += HOSTILE
            for run in test["runs"]:
                run |= {"output": HOSTILE, "error": HOSTILE, "reason": HOSTILE, "measures": {HOSTILE: 0.5}, "batch": HOSTILE}
        record["environment"]["installed"].append({"name": HOSTILE, "version": HOSTILE})
    for one in results["verdicts"]:
        if one["test"] != "import":
            one["test"] += HOSTILE
    for cause in results.get("causes", []):
        cause["signature"] += HOSTILE
        for place in cause["places"]:
            place["at"] = HOSTILE
    return results


def many(results: dict, runs: int) -> dict:
    """As many runs as that: a flaky test with ten runs in each of many cells."""
    results = copy.deepcopy(results)
    record = next(one for one in results["cells"] if one["outcome"] == "tested" and one["tests"])
    test = record["tests"][-1]
    test["runs"] = [copy.deepcopy(test["runs"][0]) | {"attempt": number + 1} for number in range(10)]
    test["runs"][3] |= {"outcome": "failed", "retval": 1, "error": "Traceback\nValueError: no\n"}
    record["tests"] = [test]
    results["cells"] = []
    for number in range(runs // 10):
        cell = copy.deepcopy(record)
        cell["version"] = f"1.{number // 8}"
        cell["python"] = f"3.{6 + number % 8}"
        cell["id"] = f"{cell['version']}/{cell['python']}"
        cell["variant"] = {}
        results["cells"].append(cell)
    results["verdicts"] = [
        {"cell": cell["id"], "test": test["name"], "state": "flaky", "verdict": None} for cell in results["cells"]
    ]
    results["stale"], results["rows"], results["causes"] = [], [], []
    return results


def junit(text: str, rows: list[dict]) -> None:
    schema = xmlschema.XMLSchema(HERE / "junit-10.xsd")
    errors = list(schema.iter_errors(text))
    assert not errors, errors[0]
    root = ElementTree.fromstring(text)
    for suite in root:
        for attribute, tag in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]:
            assert int(suite.get(attribute)) == len(suite.findall(f"testcase/{tag}")), suite.attrib
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
    flaky = {(row["cell"], row["test"]) for row in rows if row["state"] == "flaky" and not row["stale"]}
    assert bool(flaky) == bool(root.findall(".//flakyFailure")), "flaky tests"


def sarif(text: str) -> None:
    document = json.loads(text)
    schema = json.loads((HERE / "sarif-schema-2.1.0.json").read_text())
    jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)
    # docs.github.com: "SARIF support for code scanning"
    assert len(gzip.compress(text.encode())) <= 10 << 20
    [run] = document["runs"]
    assert len(run["results"]) <= 25_000 and len(run["tool"]["driver"]["rules"]) <= 25_000
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    prints = set()
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert 1 <= len(result["locations"]) <= 1_000
        for location in result["locations"]:
            place = location["physicalLocation"]
            assert place["region"]["startLine"] >= 1 and not place["artifactLocation"]["uri"].startswith("/")
        prints.add(result["partialFingerprints"]["primaryLocationLineHash"])
        assert "](" not in result["message"]["text"]
    assert len(prints) == len(run["results"]), "each result has a fingerprint of its own"


def rows_of(text: str, schema: dict) -> list[dict]:
    validator = jsonschema.Draft202012Validator(schema)
    rows = [json.loads(line) for line in text.split("\n") if line]
    for row in rows[:2_000]:
        validator.validate(row)
    return rows


def table(text: str, rows: list[dict]) -> None:
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(found) == len(rows) and list(found[0]) == list(rows[0])
    for line, row in zip(found, rows):
        for name, value in row.items():
            said = line[name]
            if value is None:
                assert said == "", (name, said)
            elif isinstance(value, bool):
                assert said == str(value).lower()
            elif isinstance(value, float):
                assert abs(float(said) - value) < 1e-6, (name, said, value)
            elif isinstance(value, int):
                assert int(said) == value
            elif isinstance(value, str):
                plain = "".join("\ufffd" if ord(one) < 32 or 127 <= ord(one) < 160 else one for one in value)
                assert said in (plain, "'" + plain), (name, said, value)
                assert not said.startswith(("=", "@")), said


def database(path: pathlib.Path, rows: list[dict], results: dict) -> None:
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        found = [dict(row) for row in connection.execute("SELECT * FROM runs")]
        same(found, rows, booleans=int)
        for name, count in [
            ("cells", len(results["cells"]) + len(results.get("stale", []))),
            ("verdicts", len(results["verdicts"])),
            ("causes", len(results.get("causes", []))),
            ("transitions", sum(len(row["transitions"]) for row in results.get("rows", []))),
        ]:
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] == count, name
    connection.close()


def same(found: list[dict], rows: list[dict], booleans=bool) -> None:
    assert len(found) == len(rows)
    for one, row in zip(found, rows):
        assert list(one) == list(row)
        for name, value in row.items():
            said = json.loads(one[name]) if isinstance(value, dict) else one[name]
            assert said == (booleans(value) if isinstance(value, bool) else value), (name, said, value)


def parquet(path: pathlib.Path, rows: list[dict]) -> None:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    found = table.to_pylist()
    for one in found:
        for name, value in one.items():
            one[name] = value.decode() if isinstance(value, bytes) else value
    same(found, rows)


def trace(text: str) -> None:
    lanes = collections.defaultdict(list)
    for event in json.loads(text)["traceEvents"]:
        assert event["ph"] in "XM" and isinstance(event["pid"], int) and isinstance(event["tid"], int)
        if event["ph"] == "X":
            assert event["ts"] >= 0 and event["dur"] >= 0
            lanes[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for spans in lanes.values():
        for (_, end), (start, _) in zip(spans, spans[1:]):
            assert start >= end, "what is in a lane does not overlap"


def markdown(texts: dict) -> None:
    assert len(texts["markdown"]) < 65_536, "the most that a comment on GitHub may have"
    assert len(texts["markdown-table"]) < 8_000
    for text in (texts["markdown"], texts["markdown-table"]):
        assert not any(ord(one) < 32 and one != "\n" for one in text)
        page = markdown_it.MarkdownIt("commonmark").enable("table").render(text)
        assert "<table>" in page and not any(tag in page for tag in ("<script", "<a ", "<img")), page


def badge(text: str) -> None:
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and root[0].tag.endswith("title") and root[0].text
    assert text.count("http") == 1 and "@" not in text, "no other file is fetched"


def legacy(caliper: Caliper, results: dict, folder: pathlib.Path) -> None:
    """What is written, and imported again, ended as it did before."""
    results = copy.deepcopy(results)
    plain = {}
    for cell in results["cells"]:
        plain.setdefault(f"{cell['version']}/{cell['python']}", cell)
    for name, cell in plain.items():
        cell["id"], cell["variant"] = name, {}
    results["cells"] = list(plain.values())
    results["verdicts"] = []
    before = folder / "plain"
    before.mkdir()
    (before / "results.json").write_text(json.dumps(results))
    caliper("export", before, "--to", "legacy", "-o", folder / "data")
    caliper("import", folder / "data", "--into", folder / "again")
    again = json.loads((folder / "again" / "results.json").read_text())

    def ends(results):
        return {
            (cell["id"], test["name"].replace("\n", " ")): {run["outcome"] for run in test["runs"]} == {"passed"}
            for cell in results["cells"]
            if cell["outcome"] == "tested"
            for test in cell["tests"]
        }

    assert ends(again) == ends(results) and ends(again)
    assert {cell["id"]: cell["outcome"] for cell in again["cells"]} == {
        name: cell["outcome"] for name, cell in plain.items() if cell["outcome"] != "not_measured"
    }
    assert {cell["id"]: cell["finished"] for cell in again["cells"]} == {name: cell["finished"] for name, cell in plain.items()}


def history(caliper: Caliper, results: dict, folder: pathlib.Path) -> None:
    first, second = folder / "first", folder / "second"
    later = copy.deepcopy(results)
    later["finished"] = "2999-01-01T00:00:00Z"
    changed = next(one for one in later["verdicts"] if one["verdict"] == "same" and one["test"] != "import")
    changed["verdict"] = "different"
    for path, content in [(first, results), (second, later)]:
        path.mkdir()
        (path / "results.json").write_text(json.dumps(content))
    file = folder / "history.sqlite"
    caliper("history", first, second, first, "--db", file)
    text = caliper("history", "--db", file, "--format", "json")
    document = json.loads(text)
    jsonschema.Draft202012Validator(json.loads(caliper("schema", "history"))).validate(document)
    [study] = document["studies"]
    assert len(study["snapshots"]) == 2 and len(study["changes"]) == 1, study
    [change] = study["changes"]
    assert (change["cell"], change["test"]) == (changed["cell"], changed["test"]) and not change["measured_anew"]
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


def check(caliper: Caliper, name: str, results: dict, verbose: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        source = folder / "source"
        source.mkdir()
        (source / "results.json").write_text(json.dumps(results))
        texts, took = {}, {}
        for format in TEXTS:
            begun = time.monotonic()
            texts[format] = caliper("export", source, "--to", format)
            took[format] = (time.monotonic() - begun, len(texts[format].encode()))
        rows = rows_of(texts["ndjson"], json.loads(caliper("schema", "row")))
        junit(texts["junit"], rows)
        sarif(texts["sarif"])
        table(texts["csv"], rows)
        trace(texts["trace"])
        markdown(texts)
        badge(texts["badge"])
        checked = len(TEXTS)
        for format, reader in [
            ("sqlite", lambda path: database(path, rows, results)),
            ("parquet", lambda path: parquet(path, rows)),
        ]:
            begun = time.monotonic()
            path = folder / f"file.{format}"
            if caliper.has(format, source, path):
                took[format] = (time.monotonic() - begun, path.stat().st_size)
                reader(path)
                checked += 1
                if format == "sqlite" and len(rows) < 1_000:
                    history(caliper, results, folder)
                    checked += 1
        if name == "frozen":
            jsonschema.Draft202012Validator(json.loads(caliper("schema", "results"))).validate(results)
            legacy(caliper, results, folder)
            checked += 1
        if verbose:
            for format, (seconds, size) in took.items():
                print(f"  {format:15} {seconds:6.2f} s {size:12,} bytes")
        print(f"{name}: {checked} formats, {len(rows)} rows")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="target/debug/caliper")
    parser.add_argument("--runs", type=int, default=0)
    arguments = parser.parse_args()
    caliper = Caliper(arguments.program)
    frozen = json.loads((FROZEN / "results.json").read_text())
    check(caliper, "frozen", frozen, False)
    check(caliper, "hostile", hostile(frozen), False)
    check(caliper, "repeated", many(frozen, 1_000), False)
    if arguments.runs:
        check(caliper, f"{arguments.runs} runs", many(frozen, arguments.runs), True)


if __name__ == "__main__":
    main()
