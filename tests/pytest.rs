//! Tests that consist of functions: pytest, unittest, doctest.
//!
//! The index of these tests has no pytest. In its place stands a program of the same name that takes the same arguments and
//! leaves the same report; `live_pytest` runs the real one.

use std::fs;

use crate::support::{World, cells, has_uv, python};

/// Runs functions `test_…` of files `test_….py`, and leaves a report as pytest does.
const STAND_IN: &str = r#"
import glob, os, sys, traceback
from xml.sax.saxutils import escape, quoteattr
args, paths = sys.argv[1:], []
report, skip = None, False
for word in args:
    if skip: skip = False
    elif word in ("-p", "-o", "-k"): skip = True
    elif word.startswith("--junitxml="): report = os.path.expandvars(word[11:])
    elif not word.startswith("-"): paths.append(word)
    elif word == "--foo":
        sys.stderr.write("ERROR: usage: __main__.py [options]\n__main__.py: error: unrecognized arguments: --foo\n")
        sys.exit(4)
cases, failed = [], 0
sys.path.insert(0, paths[0])
for path in sorted(glob.glob(paths[0] + "/test_*.py")):
    path = path.replace("//", "/")
    module = path[:-3].replace("/", ".")
    def told(name, end):
        cases.append("<testcase classname=%s name=%s file=%s time=\"%s\">%s</testcase>" % (
            quoteattr(module if name else ""), quoteattr(name or module), quoteattr(path), os.getpid(), end))
    def failure(kind, message, error):
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = "%s:%d: %s" % (os.path.relpath(last[0]), last[1], type(error).__name__)
        text = "E   %s: %s\n\n%s" % (type(error).__name__, error, place)
        return "<%s message=%s>%s</%s>" % (kind, quoteattr(message), escape(text), kind)
    try:
        found = __import__(os.path.basename(path)[:-3])
    except Exception as error:
        failed += 1
        told("", failure("error", "collection failure", error))
        continue
    for name in [name for name in vars(found) if name.startswith("test_")]:
        try:
            getattr(found, name)()
            told(name, "")
        except Exception as error:
            failed += 1
            told(name, failure("failure", "%s: %s" % (type(error).__name__, error), error))
print("%d in %d s" % (len(cases), os.getpid()))
with open(report, "w") as file:
    file.write("<testsuites><testsuite>%s</testsuite></testsuites>" % "".join(cases))
sys.exit(1 if failed else 0 if cases else 5)
"#;

/// A project whose tests fare differently with the releases of `demo`.
fn world(tests: &str) -> World {
    let python = python();
    let world = World::with_config(&format!(
        "  python_versions: [\"{python}\"]\n  requirements: [pytest]\n  tests:\n{tests}"
    ));
    world.wheel("pytest", "8.0", &[("pytest/__init__.py", ""), ("pytest/__main__.py", STAND_IN)]);
    for (version, text) in [
        ("1.0", "def old(): return 1\ndef new(): return 1\nvalue = 1\n"),
        ("1.1", "def old(): return 1\ndef new(): return 1\nvalue = 1\n"),
        ("2.0", "def new(): return 1\nvalue = 2\n"),
        ("2.1", "def new(): return 1\nvalue = 2\n"),
    ] {
        world.wheel("demo", version, &[("demo.py", text)]);
    }
    world.write(
        "tests/test_a.py",
        "import demo\ndef test_new(): demo.new()\ndef test_old(): demo.old()\ndef test_value(): assert demo.value == 1, 'value'\n\
         def test_older(): demo.old()\n",
    );
    world
        .write("tests/test_b.py", "from demo import old\ndef test_b(): pass\ndef test_c(): pass\n");
    world
}

#[test]
fn each_function_of_pytest_has_a_row() {
    if !has_uv() {
        return;
    }
    let world = world("    - {name: suite, pytest: tests/}\n");
    let said = world.caliper(&["run", "--progress", "none"]).expect(0);
    insta::assert_snapshot!(said.out.replace(&python(), "[PYTHON]"), @"
              [PYTHON]
    1.0, 1.1  ✓
    2.0, 2.1  ✗

    ✓ same result   ✗ fails: no test passes
    4 cells · 2 same result · 2 fails

    suite: 6 functions, 1 passes everywhere
      2 fail from 2.0 on: AttributeError: module 'demo' has no attribute 'old' (tests/test_a.py::test_old, tests/test_a.py::test_older)
      2 fail from 2.0 on: ImportError: cannot import name 'old' from 'demo' (tests/test_b.py::test_b, tests/test_b.py::test_c)
      1 fails from 2.0 on: AssertionError: value (tests/test_a.py::test_value)

    why tests fail
    2x AssertionError: value (tests/test_a.py) in 2.0, 2.1
    2x AttributeError: module 'demo' has no attribute 'old' (tests/test_a.py) in 2.0, 2.1
    2x ImportError: cannot import name 'old' from 'demo' (tests/test_b.py) in 2.0, 2.1

    what changes along the releases
    suite on [PYTHON]
      breaks between 1.1 and 2.0 (adjacent; a single run)

    suggestion: demo<2 (it allows what passes everywhere, and nothing that fails somewhere)

    look further
      caliper show 2.0/[PYTHON]  # a cell that fails, with its output
      caliper suggest        # what the suggestion rests on
      caliper report         # all of it as a page
    ");
    let results = world.results();
    world.follows("results", &results.to_string());
    assert_eq!(results["functions"][0]["count"], 6);
    let shown = world.caliper(&["show", &format!("2.0/{}", python())]).expect(0).out;
    let start = shown.find("\nsuite: ").unwrap();
    let told = shown[start..].lines().take_while(|line| !line.starts_with("output:"));
    let told = told.filter(|line| line.starts_with("  ") && !line.starts_with("  used"));
    let told = told.collect::<Vec<_>>().join("\n").replace(&python(), "[PYTHON]");
    insta::assert_snapshot!(told, @r"
      $ python -m pytest -p no:cacheprovider -p no:randomly --color=no --continue-on-collection-errors -o junit_family=xunit1 --junitxml=$CALIPER_REPORT tests/
      functions: 1 passed, 3 failed, 1 error
        failed tests/test_a.py::test_old: AttributeError: module 'demo' has no attribute 'old'
        failed tests/test_a.py::test_older: AttributeError: module 'demo' has no attribute 'old'
        failed tests/test_a.py::test_value: AssertionError: value
        error tests/test_b.py: ImportError: cannot import name 'old' from 'demo' (/environment/lib/python[PYTHON]/site-packages/demo.py)
    ");
    // What is the same in cells is kept once, although the times differ.
    let blobs = |version: &str| {
        let cells = results["cells"].as_array().unwrap();
        let cell = cells.iter().find(|cell| cell["version"] == version).unwrap();
        cell["tests"][1]["runs"][0]["functions"].clone()
    };
    assert_eq!(blobs("2.0"), blobs("2.1"));
    assert_eq!(blobs("1.0")["counts"], serde_json::json!({"passed": 6}));
    // The report is no file of the project, and nothing that a run leaves.
    let again = world.caliper(&["run", "--progress", "none"]).expect(0);
    assert_eq!(again.out, said.out);
}

#[test]
fn a_suite_that_runs_nothing_does_not_pass() {
    if !has_uv() {
        return;
    }
    let world =
        world("    - {name: nothing, pytest: empty}\n    - {name: usage, pytest: tests --foo}\n");
    world.write("empty/readme", "");
    world.caliper(&["run", "--progress", "none", "--versions", "1.0"]).expect(0);
    let reasons: Vec<String> = world.results()["cells"][0]["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| {
            let run = &test["runs"][0];
            format!("{} {} {}", test["name"], run["outcome"], run["reason"])
        })
        .collect();
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    "import" "passed" null
    "nothing" "not_run" "no test was found: look at the path, at `-k` and at `-m`"
    "usage" "not_run" "pytest could not start: unrecognized arguments: --foo"
    "#);
}

#[test]
fn reports_that_are_lost_or_forged_are_told() {
    if !has_uv() {
        return;
    }
    let world = world("    - {name: suite, pytest: tests}\n");
    // A test of the project is the one that can do this.
    let ends = [
        ("gone", "os._exit(0)"),
        (
            "link",
            "os.rmdir(os.path.dirname(path)); os.symlink('/etc', os.path.dirname(path)); os._exit(0)",
        ),
        ("pipe", "os.mkfifo(path); os._exit(0)"),
        ("text", "open(path, 'w').write('<testsuite>\\x00<'); os._exit(0)"),
        ("large", "open(path, 'w').truncate(1 << 30); os._exit(0)"),
        (
            "forged",
            "open(path, 'w').write('<testsuite><testcase name=\"a&#27;[2J&#8238;b\"/></testsuite>'); os._exit(0)",
        ),
    ];
    let mut told = Vec::new();
    for (name, end) in ends {
        world.write(
            "tests/test_a.py",
            &format!("import os\npath = os.environ['CALIPER_REPORT']\ndef test_x():\n    {end}\n"),
        );
        world.caliper(&["run", "--progress", "none", "--versions", "1.0"]).expect(0);
        let results = world.results();
        let run = &results["cells"][0]["tests"][1]["runs"][0];
        told.push(format!("{name}: {} {} {}", run["outcome"], run["reason"], run["functions"]));
        world.caliper(&["show"]).expect(0);
    }
    let told = told.join("\n");
    let mut parts = told.split("blob:sha256:");
    let first = parts.next().unwrap().to_owned();
    let masked = parts.fold(first, |text, part| text + "[BLOB]" + &part[64..]);
    insta::assert_snapshot!(masked, @r#"
    gone: "failed" "it exited with status 0, and it left no report of its functions: nobody knows what was run" {"problem":"it left no report of its functions"}
    link: "failed" "it exited with status 0, and it left no report of its functions: nobody knows what was run" {"problem":"it left no report of its functions"}
    pipe: "failed" "it exited with status 0, and it left no report of its functions: nobody knows what was run" {"problem":"it left no report of its functions"}
    text: "failed" "it exited with status 0, and its report of its functions is damaged, at byte 12: syntax error: tag not closed: `>` not found before end of input: nobody knows what was run" {"problem":"its report of its functions is damaged, at byte 12: syntax error: tag not closed: `>` not found before end of input"}
    large: "failed" "it exited with status 0, and its report of its functions is larger than 32 MiB: nobody knows what was run" {"problem":"its report of its functions is larger than 32 MiB"}
    forged: "passed" null {"counts":{"passed":1},"outcomes":"[BLOB]"}
    "#);
}

#[test]
fn pytest_that_is_not_installed_is_asked_for() {
    if !has_uv() {
        return;
    }
    let world = world("    - pytest: tests\n");
    let config = fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    fs::write(world.project().join("caliper.yaml"), config.replace("[pytest]", "[]")).unwrap();
    world.caliper(&["run", "--progress", "none", "--versions", "1.0"]).expect(0);
    let results = world.results();
    assert_eq!(cells(&results), ["1.0: tested [import passed, pytest tests not_run]"]);
    insta::assert_snapshot!(results["causes"][0]["signature"].as_str().unwrap(), @"not run: `pytest` is not installed in this environment: add it to `requirements`");
}

#[test]
fn unittest_and_doctest_have_functions_too() {
    if !has_uv() {
        return;
    }
    let world = world("    - unittest: unit\n    - doctest: README.rst docs\n");
    world.write("unit/__init__.py", "");
    world.write(
        "unit/test_u.py",
        "import unittest, demo\nclass TestU(unittest.TestCase):\n    def test_new(self): demo.new()\n    def test_old(self): demo.old()\n    \
         @unittest.expectedFailure\n    def test_x(self): self.fail('x')\n    @unittest.skip('not now')\n    def test_s(self): pass\n    \
         def test_sub(self):\n        for i in range(3):\n            with self.subTest(i=i): self.assertLess(i, 2 + demo.value % 2)\n",
    );
    world.write("unit/test_m.py", "from demo import old\nimport unittest\nclass TestM(unittest.TestCase):\n    def test_m(self): pass\n");
    let configuration = fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    let configuration = configuration.replace("unittest: unit", "unittest: discover -s unit -t .");
    fs::write(world.project().join("caliper.yaml"), configuration).unwrap();
    world.write("README.rst", ">>> import demo\n>>> demo.value\n1\n");
    world.write("docs/__init__.py", "");
    world.write("docs/guide.py", "'''\n>>> 1 + 1\n2\n'''\nimport demo\ndef f():\n    '''\n    >>> demo.old()\n    1\n    '''\n");
    let said = world.caliper(&["run", "--progress", "none"]).expect(0);
    let start = said.out.find("unittest discover -s unit -t .: ").unwrap();
    insta::assert_snapshot!(said.out[start..].replace(&python(), "[PYTHON]"), @"
    unittest discover -s unit -t .: 6 functions, 2 pass everywhere
      1 fails from 2.0 on: ImportError: cannot import name 'old' from 'demo' (unit.test_m.TestM.test_m)
      1 fails from 2.0 on: AttributeError: module 'demo' has no attribute 'old' (unit.test_u.TestU.test_old)
      1 fails from 2.0 on: AssertionError: N not less than N (unit.test_u.TestU.test_sub)
      1 never fails, and is skipped or absent in some cells
    doctest README.rst docs: 3 functions, 1 passes everywhere
      1 fails from 2.0 on: expected N, got N (README.rst)
      1 fails from 2.0 on: AttributeError: module 'demo' has no attribute 'old' (docs/guide.py::docs.guide.f)

    why tests fail
    2x AssertionError: N not less than N (unit/test_u.py in test_sub) in 2.0, 2.1
    2x AttributeError: module 'demo' has no attribute 'old' in 2.0, 2.1
      2x docs/guide.py in docs.guide.f
      2x unit/test_u.py in test_old
    2x ImportError: cannot import name 'old' from 'demo' (unit/test_m.py in <module>) in 2.0, 2.1
    2x expected N, got N (README.rst in README.rst) in 2.0, 2.1

    what changes along the releases
    doctest README.rst docs, unittest discover -s unit -t . on [PYTHON]
      breaks between 1.1 and 2.0 (adjacent; a single run)

    suggestion: demo<2 (it allows what passes everywhere, and nothing that fails somewhere)

    look further
      caliper show 2.0/[PYTHON]  # a cell that fails, with its output
      caliper suggest        # what the suggestion rests on
      caliper report         # all of it as a page
    ");
    let shown = world.caliper(&["show", &format!("2.0/{}", python())]).expect(0).out;
    let told: Vec<&str> = shown
        .lines()
        .filter(|line| {
            line.starts_with("  functions")
                || line.starts_with("    failed")
                || line.starts_with("    error")
        })
        .collect();
    insta::assert_snapshot!(told.join("\n").replace(&python(), "[PYTHON]"), @"
    functions: 1 passed, 1 xfailed, 1 skipped, 1 failed, 2 errors
      error unit.test_m: ImportError: cannot import name 'old' from 'demo' (/environment/lib/python[PYTHON]/site-packages/demo.py)
      error unit.test_u.TestU.test_old: AttributeError: module 'demo' has no attribute 'old'
      failed unit.test_u.TestU.test_sub: AssertionError: 2 not less than 2
    functions: 1 passed, 2 failed
      failed README.rst: expected 1, got 2
      failed docs/guide.py::docs.guide.f: AttributeError: module 'demo' has no attribute 'old'
    ");
}

/// The real pytest, old and new.
#[test]
#[ignore = "asks the real package index"]
fn live_pytest() {
    if !has_uv() {
        return;
    }
    let world = World::new();
    let python = python();
    world.write(
        "caliper.yaml",
        &format!(
            "analysis:\n  dependency: iniconfig\n  versions: [2.0.0, 2.1.0]\n  python_versions: [\"{python}\"]\n  \
             axes: {{pytest: {{plain: {{requirements: [pytest]}}, random: {{requirements: [pytest, pytest-randomly, pytest-xdist]}}, old: {{requirements: [\"pytest<7\"]}}}}}}\n  \
             tests: [{{name: suite, pytest: tests/ -q}}]\n"
        ),
    );
    world.write("tests/test_a.py", "import pytest\n@pytest.mark.parametrize('x', [1, 2])\ndef test_a(x): assert x == 1\nclass TestB:\n    def test_b(self): pass\n");
    world.write("tests/test_syntax.py", "def f(:\n");
    let mut command = world.command(&["run", "--progress", "none"]);
    command.env_remove("CALIPER_INDEX_URL");
    for name in ["SSL_CERT_FILE", "HTTPS_PROXY", "PIP_INDEX_URL"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    world.said(command.output().unwrap()).expect(0);
    let results = world.results();
    let functions = &results["functions"][0];
    let groups: Vec<String> = functions["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            format!(
                "{} {} {}",
                group["functions"],
                group["causes"],
                group["failing"].as_array().unwrap().len()
            )
        })
        .collect();
    insta::assert_snapshot!(groups.join("\n"), @r#"
    ["tests/test_a.py::test_a[2]"] ["AssertionError: assert N == N"] 6
    ["tests/test_syntax.py"] ["SyntaxError: invalid syntax"] 6
    "#);
    assert_eq!((&functions["count"], &functions["passing"]), (&4.into(), &2.into()));
}
