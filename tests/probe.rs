//! Which changes of its surroundings change what a test does.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{World, has_uv, python};

const CONFIG: &str = "  import: false
  compare: {keep: [sets]}
  results: ['out/*']
  tests: [sets.py, clock.py, listing.py, place.py, plain.py, pair.py, broken.py, {name: shell, run: sh shell.sh}]
";

/// Each test with what acts on it.
const TESTS: [(&str, &str, &[&str]); 7] = [
    ("sets.py", "print({'alpha', 'beta', 'gamma', 'delta', 'epsilon'})\n", &["hash-seed"]),
    (
        "clock.py",
        "import datetime, time\n\
         assert type(datetime.date(2020, 1, 1)) is datetime.date\n\
         print(datetime.datetime.now().year, time.gmtime(time.clock_gettime(0)).tm_year)\n",
        &["clock"],
    ),
    (
        "listing.py",
        "import os\nprint([name for name in os.listdir('.') if name.endswith('.py')])\n",
        &["file-order"],
    ),
    (
        "place.py",
        "import os, socket\nprint(os.path.basename(os.getcwd()), socket.gethostname(), os.environ.get('USER'))\n",
        &["folder", "host-name", "user"],
    ),
    ("plain.py", "print(sum(range(10)))\n", &[]),
    // Neither of the two does anything alone.
    (
        "pair.py",
        "import os, socket\n\
         utc = os.environ.get('TZ') == '<-11>11'\n\
         print('odd' if utc and socket.gethostname() == 'another-host' else 'even')\n",
        &[],
    ),
    (
        "broken.py",
        "import os\nassert len(os.environ.get('CALIPER_PADDING', '')) < 1000, 'so many bytes'\n",
        &["environment-size"],
    ),
];

fn world() -> World {
    let world = World::with_config(CONFIG);
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    for (name, text, _) in TESTS {
        world.write(name, text);
    }
    // What a shell sees of signals, and what is removed and made in the folder, is as usual with each change.
    world.write("out/old.txt", "old");
    world.write("shell.sh", "rm out/old.txt\nmkfifo out/pipe\ndate +%Z > /dev/null\necho new > out/new.txt\n(trap - PIPE; yes; echo $? >&3) 3>out/status | head -1\n");
    world
}

/// The names of the factors that act on a test.
fn acting(report: &Value, test: &str) -> Vec<String> {
    let tests = report["tests"].as_array().unwrap();
    let test = tests.iter().find(|one| one["test"] == test).unwrap();
    assert_eq!(test["instrument"]["kind"], "nothing", "{test:#}");
    let changes = test["changes"].as_array().unwrap().iter();
    let acts = |change: &&Value| {
        let kind = change["effect"]["kind"].as_str().unwrap();
        assert!(kind != "not_measured", "{change:#}");
        ["ends_otherwise", "other_result", "unsettles"].contains(&kind)
    };
    let names: BTreeSet<String> =
        changes.filter(acts).map(|one| one["factor"].as_str().unwrap().to_owned()).collect();
    names.into_iter().collect()
}

#[test]
fn a_factor_that_changes_the_output_is_named() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    let probe = |more: &[&str]| {
        let mut arguments = vec!["probe", "--python", &python, "--progress", "plain"];
        arguments.extend(more);
        world.caliper(&arguments)
    };
    let said = probe(&["--format", "json"]).expect(0);
    world.follows("probe", &said.out);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    for (test, _, expected) in TESTS {
        assert_eq!(acting(&report, test), expected, "{test}");
    }
    assert_eq!(acting(&report, "shell"), [""; 0]);
    let together = |test: &str| {
        let tests = report["tests"].as_array().unwrap();
        tests.iter().find(|one| one["test"] == test).unwrap()["together"].clone()
    };
    assert_eq!(together("plain.py")["found"], "nothing");
    let pair = together("pair.py");
    let names: Vec<&str> = pair["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["factor"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["time-zone", "host-name"]);
    assert_eq!(together("sets.py"), Value::Null);

    // What was measured is there.
    let again = probe(&["--check"]);
    assert_eq!(again.code, 1, "{}", again.err);
    assert!(again.err.contains("0 measured"), "{}", again.err);
    assert!(again.out.contains("ends otherwise  environment-size"), "{}", again.out);
    assert!(
        again.out.contains("but together: time-zone: UTC-11 and host-name: another-host"),
        "{}",
        again.out
    );
    let one = probe(&["--tests", "plain.py", "--factor", "clock", "--check"]).expect(0);
    assert!(one.out.contains("no effect seen: clock\n"), "{}", one.out);
    // The records of `run` are kept apart from these.
    assert!(!world.project().join(".caliper/results.json").exists());
    assert!(!world.project().join(".caliper/records").exists());
}

#[test]
fn a_test_that_fails_now_and_then_is_no_effect() {
    if !has_uv() {
        return;
    }
    // A coin: with the usual hash seed three runs pass, and with another one three fail.
    let world =
        World::with_config("  import: false\n  limits: {cpuset: '0'}\n  tests: [coin.py]\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let turns = world.project().join("../turns");
    std::fs::write(&turns, "").unwrap();
    world.write(
        "coin.py",
        &format!(
            "import hashlib, sys\nwith open({turns:?}, 'r+') as f:\n    turn = len(f.read())\n    f.write('x')\n\
             sys.exit(int(hashlib.md5(b'%d' % turn).hexdigest(), 16) % 2)\n"
        ),
    );
    let python = python();
    let said = world.caliper(&[
        "probe",
        "--python",
        &python,
        "--check",
        "--jobs",
        "1",
        "--factor",
        "hash-seed",
        "--factor",
        "processors",
    ]);
    assert_eq!(said.code, 3, "{}{}", said.out, said.err);
    assert!(!said.out.contains("ends otherwise"), "{}", said.out);
    assert!(said.out.contains("undecided"), "{}", said.out);
    let already = "not tried: processors: the configuration says so already (1)";
    assert!(said.out.contains(already), "{}", said.out);
}

#[test]
fn what_cannot_be_probed_is_said() {
    let world = World::with_config("  tests: []\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let python = python();
    let said = world.caliper(&["probe", "--python", &python]).expect(2);
    assert!(said.err.contains("has no tests, so there is nothing to probe"), "{}", said.err);
    let said = world.caliper(&["probe", "--factor", "moon"]).expect(2);
    assert!(said.err.contains("`moon` is no factor; there are hash-seed, threads"), "{}", said.err);
}
