//! `caliper blame`: which packages are guilty.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use caliper_pypi::pack;
use serde_json::Value;

use crate::support::{World, has_uv, python};

/// Releases 1.0, 1.2, … 2.0 of each package, of which each module knows its version.
fn world(packages: &[&str]) -> World {
    let world = World::new();
    for name in packages {
        for tenth in [10, 12, 14, 16, 18, 20] {
            release(&world, name, tenth, &[]);
        }
    }
    world
}

fn release(world: &World, name: &str, tenth: u32, requires: &[&str]) {
    let version = format!("{}.{}", tenth / 10, tenth % 10);
    let module = format!("VERSION = {tenth}\n");
    pack::wheel(&world.packages(), name, &version, requires, &[(&format!("{name}.py"), &module)])
        .unwrap();
}

/// A requirements file with each package at one version.
fn lock(world: &World, file: &str, packages: &[&str], version: &str) {
    let lines: Vec<String> = packages.iter().map(|name| format!("{name}=={version}\n")).collect();
    world.write(file, &lines.concat());
}

const LOCKS: [&str; 9] =
    ["blame", "--from", "old.txt", "--to", "new.txt", "--", "python", "check.py", "-"];

fn arguments<'a>(python: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let (before, command) = LOCKS.split_at(5);
    let python = ["--python", python, "--progress", "plain"];
    [before, &python, more, &command[..3]].concat()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Each guilty package as `b 1.4 1.6`: the last good release and the first bad one.
fn guilty(report: &Value) -> Vec<String> {
    let each = report["guilty"].as_array().unwrap().iter();
    each.map(|one| {
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let found = &one["first_bad"];
        format!(
            "{} {} {}",
            text(&one["pin"]["name"]),
            text(&found["last_good"]),
            text(&found["first_bad"])
        )
    })
    .collect()
}

const SIX: [&str; 6] = ["aa", "bb", "cc", "dd", "ee", "ff"];

#[test]
fn a_package_of_two_locks_is_blamed_and_bisected() {
    if !has_uv() {
        return;
    }
    let (world, python) = (world(&SIX), python());
    lock(&world, "old.txt", &SIX, "1.0");
    // The other one is of another tool.
    let packages = SIX.map(|name| format!("[[packages]]\nname = '{name}'\nversion = '2.0'\n"));
    world.write(
        "new.txt",
        &format!("lock-version = '1.0'\ncreated-by = 'test'\n{}", packages.concat()),
    );
    world.write("check.py", "import dd\nassert dd.VERSION < 16, 'dd is too new'\n");
    let said = world.caliper(&arguments(&python, &[])).expect(0);
    insta::assert_snapshot!(said.out, @"
    `python check.py` fails with dd 1.6; with 1.4, the release before it, it passes; 33 runs in 9 builds
    fails with: AssertionError: dd is too new (check.py in <module>)
    proven: of 6 packages that differ, dd is needed, and fresh runs agree; with all others as in new.txt it passes
    next: try `dd<1.6` as a constraint
    ");
    let said = world.caliper(&arguments(&python, &["--format", "json"])).expect(0);
    assert!(said.err.contains("\n0 measured, "), "{}", said.err);
    world.follows("blame", &said.out);
    assert_eq!(guilty(&json(&said.out)), ["dd 1.4 1.6"]);

    // Held back, nothing is left; and a package that does not differ cannot be.
    let held = world.caliper(&arguments(&python, &["--except", "dd"])).error(2);
    assert!(held.contains("there is nothing to blame: the test passes with both"), "{held}");
    let held = world.caliper(&arguments(&python, &["--except", "zz"])).error(2);
    assert!(held.contains("`--except zz`: it does not differ"), "{held}");
}

#[test]
fn a_pair_is_blamed_together_though_mixtures_cannot_be_installed() {
    if !has_uv() {
        return;
    }
    let (world, python) = (world(&["aa", "bb", "dd", "ee"]), python());
    for tenth in [10, 20] {
        // It needs its neighbour of the same age.
        release(&world, "cc", tenth, &[if tenth == 10 { "bb<2" } else { "bb>=2" }]);
    }
    let all = ["aa", "bb", "cc", "dd", "ee"];
    lock(&world, "old.txt", &all, "1.0");
    lock(&world, "new.txt", &all, "2.0");
    world.write(
        "check.py",
        "import bb, ee\nif bb.VERSION > 12 and ee.VERSION > 14: raise ValueError('both')\n",
    );
    let said = world.caliper(&arguments(&python, &["--format", "json"])).expect(0);
    let report = json(&said.out);
    world.follows("blame", &said.out);
    let names: Vec<String> = guilty(&report);
    // `bb` cannot be moved without `cc`, which may be needed for all that is known.
    assert!(names.iter().any(|one| one == "ee 1.4 1.6"), "{names:?}\n{}", said.err);
    assert!(names.iter().any(|one| one.starts_with("bb")), "{names:?}");
    assert!(!names.iter().any(|one| one.starts_with("aa") || one.starts_with("dd")), "{names:?}");
    assert_eq!(report["evidence"]["signature"], "ValueError: both");
    assert_eq!(report["confirmed"], true);
}

#[test]
fn a_flaky_test_is_told_and_blames_nobody() {
    if !has_uv() {
        return;
    }
    let (world, python) = (world(&["aa", "bb"]), python());
    lock(&world, "old.txt", &["aa", "bb"], "1.0");
    lock(&world, "new.txt", &["aa", "bb"], "2.0");
    // Every second run fails, whatever is installed.
    let place = world.packages().parent().unwrap().join("count");
    let program = format!(
        "import os\nwith open({:?}, 'a') as file:\n    file.write('x')\nassert os.path.getsize({:?}) % 2\n",
        place.display().to_string(),
        place.display().to_string()
    );
    world.write("check.py", &program);
    let said = world.caliper(&arguments(&python, &["--jobs", "1"])).error(3);
    insta::assert_snapshot!(said, @"error: there is nothing to blame: the test is flaky with at least one of them");
}

#[test]
fn what_was_measured_is_kept_when_blame_is_stopped() {
    if !has_uv() {
        return;
    }
    let (world, python) = (world(&SIX), python());
    lock(&world, "old.txt", &SIX, "1.0");
    lock(&world, "new.txt", &SIX, "2.0");
    world.write("check.py", "import cc, time\ntime.sleep(0.2)\nassert cc.VERSION < 14\n");
    let arguments = arguments(&python, &["--format", "json"]);
    let mut started = world.command(&arguments);
    let child = started.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let records = world.project().join(".caliper/blame/records");
    let begun = Instant::now();
    while kept(&records) < 3 {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing is measured");
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let said = world.said(child.wait_with_output().unwrap()).expect(130);
    assert!(said.err.contains("the same command goes on from there"), "{}", said.err);
    assert_eq!(said.out, "");
    let before = kept(&records);
    let said = world.caliper(&arguments).expect(0);
    assert_eq!(guilty(&json(&said.out)), ["cc 1.2 1.4"]);
    // The two ends were not built again.
    let built = u64::try_from(kept(&records) - before).unwrap();
    let builds = json(&said.out)["builds"].as_u64().unwrap();
    assert!(built + 2 <= builds, "{built} of {builds}: {}", said.err);
}

fn kept(records: &Path) -> usize {
    fs::read_dir(records).map_or(0, Iterator::count)
}

#[test]
fn a_package_that_comes_is_guilty_and_the_folder_itself_is_installed() {
    if !has_uv() {
        return;
    }
    let (world, python) = (world(&["aa", "plugin"]), python());
    lock(&world, "old.txt", &["aa"], "1.0");
    lock(&world, "new.txt", &["aa", "plugin"], "2.0");
    world.write(
        "check.py",
        "import importlib.util as util\nassert util.find_spec('plugin') is None\n",
    );
    let said = world.caliper(&arguments(&python, &[])).expect(0);
    let first = said.out.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("`python check.py` fails with plugin 2.0, which old.txt does not have; "),
        "{first}"
    );
    // In the other direction it is what goes.
    let mut turned = arguments(&python, &[]);
    turned.swap(2, 4);
    assert_eq!(world.caliper(&turned).expect(0).out.lines().next().unwrap_or_default(), first);
}

#[test]
fn wrong_questions_about_locks_are_told() {
    if !has_uv() {
        return;
    }
    let (world, python) = (world(&["aa"]), python());
    lock(&world, "old.txt", &["aa"], "1.0");
    let blame = |to: &str, more: &[&str]| {
        let arguments =
            [&["blame", "--from", "old.txt", "--to", to, "--python", &python], more].concat();
        world.caliper(&arguments)
    };
    let mut told = Vec::new();
    told.push(blame("nosuch.lock", &[]).error(2));
    world.write("broken.txt", "aa>=1\n");
    told.push(blame("broken.txt", &[]).error(2));
    world.write("pdm.lock", "[metadata]\nlock_version = '4.5'\n");
    told.push(blame("pdm.lock", &[]).error(2));
    let same = blame("old.txt", &["--", "true"]).error(2);
    assert!(
        same.starts_with("error: old.txt and old.txt have the same packages on Python "),
        "{same}"
    );
    lock(&world, "new.txt", &["aa"], "2.0");
    told.push(blame("new.txt", &[]).error(2));
    world.write("check.py", "raise SystemExit(3)\n");
    told.push(blame("new.txt", &["--progress", "none", "--", "python", "check.py"]).error(2));
    world.write("old.lock", "version = 1\nrequires-python = '<3'\n");
    let narrow = ["blame", "--from", "old.lock", "--to", "new.txt", "--", "true"];
    let narrow = world.caliper(&narrow).error(2);
    assert!(narrow.contains("`old.lock` is for <3"), "{narrow}");
    assert!(world.caliper(&["blame"]).error(2).contains("required arguments"));
    insta::assert_snapshot!(told.concat(), @"
    error: `nosuch.lock`: No such file or directory (os error 2)
    error: `broken.txt`: line 1: `aa>=1` is not pinned to one release; `pip freeze`, `pip-compile` and `uv pip compile` write pins
    error: `pdm.lock`: it is neither a `uv.lock`, a `pylock.toml`, a `poetry.lock` nor a requirements file; most tools export one, such as `pdm export --format pylock` or `pipenv requirements`
    error: neither lock has pytest, which is the default; write the command that tests the project, such as `-- python -m unittest`
    error: there is nothing to blame: the test passes with neither
      old.txt: exit status 3, no output
      new.txt: exit status 3, no output
    ");
}

/// Two recorded cells, of which only other packages differ.
fn recorded(check: &str) -> (World, String) {
    let world = World::with_config(
        "  axes:\n    bb: {releases: ['1.0', '2.0']}\n    cc: {releases: ['1.0', '2.0']}\n  tests: [check.py]\n",
    );
    for name in ["bb", "cc"] {
        for tenth in [10, 12, 14, 16, 18, 20] {
            release(&world, name, tenth, &[]);
        }
    }
    release(&world, "demo", 10, &["bb", "cc"]);
    world.write("check.py", check);
    let python = python();
    world.caliper(&["run", "--python", &python, "--progress", "none"]).expect(0);
    (world, python)
}

#[test]
fn two_recorded_cells_are_blamed() {
    if !has_uv() {
        return;
    }
    let (world, python) = recorded("import demo, cc\nassert cc.VERSION < 18, 'cc'\n");
    let cell = |bb: &str, cc: &str| format!("1.0/{python}[bb={bb},cc={cc}]");
    let blame = |one: &str, other: &str| {
        world.caliper(&["blame", one, "--against", other, "--progress", "plain"])
    };
    let said = blame(&cell("2.0", "2.0"), &cell("1.0", "1.0")).expect(0);
    insta::assert_snapshot!(said.out.replace(&python, "X.Y"), @"
    `check.py` fails with cc 1.8; with 1.6, the release before it, it passes; 27 runs in 7 builds
    fails with: AssertionError: cc (check.py in <module>)
    proven: of 2 packages that differ, cc is needed, and fresh runs agree; with all others as in 1.0/X.Y[bb=2.0,cc=2.0] it passes
    next: try `cc<1.8` as a constraint
    ");
    // The order of the two does not matter, and what was measured is kept.
    let again = blame(&cell("1.0", "1.0"), &cell("2.0", "2.0")).expect(0);
    assert_eq!(again.out, said.out);
    assert!(again.err.contains("\n0 measured, "), "{}", again.err);

    // The bug report has the guilty package alone on its bad side.
    let (bad, good) = (cell("2.0", "2.0"), cell("1.0", "1.0"));
    let witness = ["blame", &bad, "--against", &good, "--progress", "none", "--witness", "found"];
    world.caliper(&witness).expect(0);
    let read = |path: &str| fs::read_to_string(world.project().join("found").join(path)).unwrap();
    assert!(read("bad/requirements.txt").ends_with("bb==1.0\ncc==2.0\ndemo==1.0\n"));
    assert!(read("README.md").contains("| cc | 1.0 | 2.0 |\n\n"), "{}", read("README.md"));
    let taken = world.caliper(&witness).error(2);
    assert!(taken.contains("`found` is there already and not empty"), "{taken}");

    // The records of the run are as they were.
    let kept = fs::read_dir(world.project().join(".caliper/records")).unwrap().count();
    assert_eq!(kept, 4);
    let same = blame(&cell("2.0", "2.0"), &cell("1.0", "2.0")).error(2);
    assert!(same.contains("do not differ: the test passes with neither"), "{same}");
    let same = blame(&cell("2.0", "1.0"), &cell("2.0", "1.0")).error(2);
    assert!(same.contains("are the same cell"), "{same}");
    let unknown = blame("9.9/3.11", &cell("2.0", "1.0")).error(2);
    assert!(unknown.contains("there is no cell `9.9/3.11`"), "{unknown}");
}

#[test]
fn another_result_of_recorded_cells_is_blamed() {
    if !has_uv() {
        return;
    }
    let (world, python) = recorded("import bb, cc\nprint('value', bb.VERSION >= 14)\n");
    let cells = ["2.0", "1.0"].map(|version| format!("1.0/{python}[bb={version},cc={version}]"));
    let arguments = ["blame", &cells[0], "--against", &cells[1], "--format", "json"];
    let said = world.caliper(&arguments).expect(0);
    let report = json(&said.out);
    assert_eq!(
        (guilty(&report), &report["symptom"]),
        (vec!["bb 1.2 1.4".to_owned()], &"other_result".into())
    );
}
