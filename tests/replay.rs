//! `caliper replay`, `caliper bundle` and `caliper run --from`: environments that are rebuilt from their locks.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{World, cells, has_uv, python, skip};

/// `demo` needs `helper`, of which more releases may come out.
fn world(rest: &str) -> World {
    let python = python();
    let world =
        World::with_config(&format!("  python_versions: ['{python}']\n  tests: [t.py]\n{rest}"));
    world.write("t.py", "import demo, helper\nprint(demo.VALUE, helper.VALUE)\n");
    for version in ["1.0", "1.1"] {
        let text = format!("VALUE = '{version}'\n");
        wheel(&world, "demo", version, &["helper"], &text, "2020-01-01");
    }
    wheel(&world, "helper", "1.0", &[], "VALUE = 1\n", "2019-01-01");
    world
}

fn wheel(world: &World, name: &str, version: &str, requires: &[&str], text: &str, uploaded: &str) {
    let file = format!("{name}.py");
    let files = [(file.as_str(), text)];
    let path =
        caliper_pypi::pack::wheel(&world.packages(), name, version, requires, &files).unwrap();
    fs::write(format!("{}.uploaded", path.display()), uploaded).unwrap();
}

/// The index deletes the release of `helper` that was measured, and offers another.
fn the_world_moves(world: &World) {
    wheel(world, "helper", "2.0", &[], "VALUE = 2\n", "2021-01-01");
    fs::remove_file(world.packages().join("helper-1.0-py3-none-any.whl")).unwrap();
}

/// Every record and its bytes.
fn records(world: &World) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(world.project().join(".caliper/records")).unwrap();
    let mut all: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), fs::read(&path).unwrap())
        })
        .collect();
    all.sort();
    all
}

const QUIET: [&str; 2] = ["--progress", "none"];

#[test]
fn cells_are_rebuilt_from_their_locks_whatever_the_index_says_now() {
    if !has_uv() {
        return;
    }
    let world = world("");
    world.caliper(&[&["run"][..], &QUIET].concat()).expect(0);
    let before = records(&world);
    the_world_moves(&world);
    let said = world.caliper(&[&["replay", "all"][..], &QUIET].concat()).expect(0);
    insta::assert_snapshot!(said.out, @"2 of 2 cells rebuilt from their locks (4 packages): 2 the same in files and results, 0 not");
    assert_eq!(records(&world), before, "records stay as they are");
    // Without any request, and without what was kept of the environments.
    fs::remove_dir_all(world.project().join(".caliper/cache/environments")).unwrap();
    let requests = world.requests();
    let offline = ["replay", "1.1/*", "--offline", "--rerun", "all", "--format", "json"];
    let said = world.caliper(&[&offline[..], &QUIET].concat()).expect(0);
    assert_eq!(world.requests(), requests);
    world.follows("replay", &said.out);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&told["same"], &told["cells"][0]["same"]), (&1.into(), &true.into()));
    assert_eq!(told["cells"][0]["cell"], format!("1.1/{}", python()));

    // What is nowhere any more is named.
    fs::remove_dir_all(world.project().join(".caliper/cache")).unwrap();
    let arguments = ["replay", "1.0/*", "--rerun", "all", "--retries", "0"];
    let said = world.caliper(&[&arguments[..], &QUIET].concat()).expect(3);
    assert!(said.out.starts_with("0 of 1 cells rebuilt"), "{}", said.out);
    let warning = said.err.lines().find(|line| line.contains("could not be rebuilt")).unwrap();
    assert!(warning.contains("helper"), "{warning}");
    assert_eq!(records(&world), before);
}

#[test]
fn what_is_not_the_same_is_told() {
    if !has_uv() {
        return;
    }
    let world = world("");
    world.caliper(&[&["run"][..], &QUIET].concat()).expect(0);
    world.write("t.py", "import demo\nassert demo.VALUE == '1.0'\nprint('other')\n");
    let said = world.caliper(&[&["replay", "all"][..], &QUIET].concat()).expect(1);
    let python = python();
    insta::assert_snapshot!(said.out.replace(&python, "X.Y"), @"
    1.0/X.Y: not the same
      `t.py`: undecided: not the same result, which may be noise
    1.1/X.Y: not the same
      `t.py`: passes, then fails
    2 of 2 cells rebuilt from their locks (4 packages): 0 the same in files and results, 2 not
    ");
    insta::assert_snapshot!(said.err, @"note: not as recorded, in 2 of 2 cells: `t.py` changed");
    let error = world.caliper(&["replay", "3.*/*"]).error(2);
    insta::assert_snapshot!(error.replace(&python, "X.Y"), @"error: no recorded cell matches; there are 2, such as 1.0/X.Y, 1.1/X.Y");
}

#[test]
fn a_lock_is_printed_for_uv_and_pip() {
    if !has_uv() {
        return;
    }
    let world = world("");
    world.caliper(&[&["run"][..], &QUIET].concat()).expect(0);
    let python = python();
    let lock = world.caliper(&["show", &format!("1.1/{python}"), "--lock"]).expect(0).out;
    let lines = lock.lines().filter(|line| !line.starts_with("recorded = "));
    let shown: Vec<String> = lines
        .map(|line| {
            let (start, rest) = line.split_once("sha256 = \"").unwrap_or((line, ""));
            let rest = rest.get(64..).map(|rest| format!("sha256 = \"…{rest}")).unwrap_or_default();
            format!("{start}{rest}").replace(&python, "X.Y")
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    lock-version = "1.0"
    requires-python = "==X.Y.*"
    created-by = "caliper"

    [[packages]]
    name = "demo"
    version = "1.1"
    index = "http://[INDEX]/simple/"
    wheels = [{ name = "demo-1.1-py3-none-any.whl", upload-time = 2020-01-01T00:00:00Z, url = "http://[INDEX]/files/demo-1.1-py3-none-any.whl", size = 709, hashes = { sha256 = "…" } }]

    [[packages]]
    name = "helper"
    version = "1.0"
    index = "http://[INDEX]/simple/"
    wheels = [{ name = "helper-1.0-py3-none-any.whl", upload-time = 2019-01-01T00:00:00Z, url = "http://[INDEX]/files/helper-1.0-py3-none-any.whl", size = 702, hashes = { sha256 = "…" } }]

    [tool.caliper]
    index = "http://[INDEX]/simple/"
    "#);
    // uv makes the environment of it.
    let path = world.project().join("pylock.toml");
    fs::write(&path, world.unmasked(&lock)).unwrap();
    let target = world.project().join("target");
    let mut command = Command::new(std::env::var_os("CALIPER_TEST_UV").unwrap_or("uv".into()));
    command.args(["pip", "install", "--no-config", "--python", "python3", "--target"]);
    command.arg(&target).arg("-r").arg(&path).env("UV_CACHE_DIR", world.project().join("uv"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_to_string(target.join("helper.py")).unwrap(), "VALUE = 1\n");
    let error = world.caliper(&["show", "--lock"]).error(2);
    insta::assert_snapshot!(error, @"error: `--lock` is for one cell, such as `caliper show 2.10.1/3.11 --lock`");
}

#[test]
fn builds_on_an_engine_get_the_files_of_the_lock() {
    let inspect = Command::new("docker").args(["image", "inspect", "python:3.11"]).output();
    if !inspect.is_ok_and(|output| output.status.success()) {
        skip("there is no engine with the image python:3.11; tests/images/build.sh makes it");
        return;
    }
    let world = world("  dockerfile: Dockerfile\n  axes:\n    as_of: [2020-06-01]\n");
    let config = fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    world.write("caliper.yaml", &config.replace(&format!("['{}']", python()), "['3.11']"));
    // The template names neither an index nor a date nor a lock.
    world.write(
        "Dockerfile",
        "FROM {{ base }}\nCOPY {{ basename }} /tmp/\n\
         RUN PIP_BREAK_SYSTEM_PACKAGES=1 python -m pip install --no-cache-dir /tmp/{{ basename }}\n",
    );
    world.caliper(&[&["run"][..], &QUIET].concat()).expect(0);
    let installed = world.results()["cells"][0]["environment"]["installed"].clone();
    let of = |name: &str| {
        installed.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
    };
    assert_eq!(of("helper")["file"]["filename"], "helper-1.0-py3-none-any.whl");
    assert_eq!(of("helper")["file"]["upload_time"], "2019-01-01T00:00:00Z");
    // What the base image has is no part of a lock.
    assert_eq!((&of("pip")["of_image"], of("pip").get("file")), (&true.into(), None));
    the_world_moves(&world);
    for more in [&[][..], &["--offline", "--rerun", "all"]] {
        let requests = world.requests();
        let said = world.caliper(&[&["replay", "all"][..], more, &QUIET].concat()).expect(0);
        assert!(said.out.ends_with("2 the same in files and results, 0 not\n"), "{}", said.out);
        assert!(more.is_empty() || world.requests() == requests);
    }
}

#[test]
fn a_bundle_is_measured_on_another_machine() {
    if !has_uv() {
        return;
    }
    let world = world("");
    world.caliper(&[&["run"][..], &QUIET].concat()).expect(0);
    let arguments = ["bundle", "-o", "study.zip", "--files", "--license", "CC-BY-4.0"];
    let first = world.caliper(&arguments).expect(0);
    assert!(first.out.contains("2 locks and 3 files of these"), "{}", first.out);
    let bytes = fs::read(world.project().join("study.zip")).unwrap();
    world.caliper(&arguments).expect(0);
    assert!(bytes == fs::read(world.project().join("study.zip")).unwrap(), "equal bytes");
    // It is no part of what is measured.
    let again = world.caliper(&["run", "--progress", "plain"]).expect(0);
    assert!(again.err.contains("0 measured, 2 reused"), "{}", again.err);

    // A machine that has nothing but the bundle.
    let other = World::new();
    fs::copy(world.project().join("study.zip"), other.project().join("study.zip")).unwrap();
    let from = ["run", "--from", "study.zip", "--into", "again", "--offline"];
    let said = other.caliper(&[&from[..], &QUIET].concat()).expect(0);
    insta::assert_snapshot!(said.out, @"2 of 2 cells rebuilt from their locks (4 packages): 2 the same in files and results, 0 not");
    insta::assert_snapshot!(said.err, @"
    again: unpacked 11 files, and 3 of the locks
    note: the tests of a bundle are programs of whoever made it; `local` runs them without a sandbox
    ");
    assert_eq!(other.requests(), 0);
    let results = fs::read(other.project().join("again/.caliper/results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    assert_eq!(cells(&results), cells(&world.results()));
    // Once more goes on where it was, and does not unpack.
    let said = other.caliper(&[&from[..], &["--progress", "plain"]].concat()).expect(0);
    assert!(said.err.contains("0 measured, 2 reused"), "{}", said.err);
    assert!(!said.err.contains("unpacked"), "{}", said.err);
    let shown = other.caliper(&["show", "again/caliper.yaml"]).expect(0);
    assert!(shown.out.contains("2 cells"), "{}", shown.out);
}

#[test]
fn what_is_not_a_bundle_is_refused_with_the_reason() {
    let world = World::new();
    world.write("a.zip", "no zip");
    let error = world.caliper(&["run", "--from", "a.zip"]).error(2);
    insta::assert_snapshot!(error, @"error: `a.zip` is not a bundle of `caliper bundle`: invalid Zip archive: Could not find EOCD");
    let error = world.caliper(&["run", "--from", "b.zip"]).error(2);
    insta::assert_snapshot!(error, @"
    error: could not read `b.zip`
      caused by: No such file or directory (os error 2)
    ");
    let mut archive = zip::ZipWriter::new(fs::File::create(world.project().join("c.zip")).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("ro-crate-metadata.json", options).unwrap();
    std::io::Write::write_all(&mut archive, br#"{"@graph": [{"@id": "./"}]}"#).unwrap();
    archive.finish().unwrap();
    let error = world.caliper(&["run", "--from", "c.zip"]).error(2);
    insta::assert_snapshot!(error, @"
    error: `c.zip` is not a bundle of `caliper bundle`
      caused by: it is an RO-Crate, and not one of Caliper: it lacks the number of its arrangement
    ");
    let error = world.caliper(&["run", "--from", "c.zip", "--only", "1.0/*"]).err;
    assert!(error.contains("cannot be used with"), "{error}");
    assert_eq!(fs::read_dir(world.project()).unwrap().count(), 2, "nothing was unpacked");
}
