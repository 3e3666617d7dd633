//! The folder of a project as people have it, and why cells must be measured again.

use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::support::{World, has_uv, python};

#[test]
fn what_is_no_part_of_the_project_is_listed() {
    let world = World::with_config("  tests: [show.py]\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.write("show.py", "");
    world.write(".venv/pyvenv.cfg", "home = /usr/bin\n");
    symlink("/usr/bin/python3", world.project().join(".venv/python3")).unwrap();
    world.write(".gitignore", "*.csv\n");
    world.write("big.csv", &"x".repeat(2048));
    world.write("other.yaml", "analysis:\n  dependency: demo\n");
    symlink("/nowhere/at/all", world.project().join("link")).unwrap();
    let said = world.caliper(&["check"]).expect(0);
    insta::assert_snapshot!(said.err, @"
    caliper.yaml: fine; all final releases of demo, an import and 1 test; the project has 1 KiB
    left out of the project: `.venv`, `big.csv`, `link`, `other.yaml`; `caliper plan` says why
    ");
    let said = world.caliper(&["plan", "--python", &python(), "--jobs", "2"]).expect(0);
    let list = said.out.find("left out").map(|start| &said.out[start..]);
    insta::assert_snapshot!(list.unwrap(), @"
    left out of the project, where the `files` of a test do not name it:
         2.0 KiB  big.csv  git ignores it: `*.csv` in .gitignore
            29 B  other.yaml  a configuration of Caliper
            16 B  .venv/  a Python environment
             0 B  link  a link to `/nowhere/at/all`, which does not exist
    ");
    let json = world.caliper(&["plan", "--python", &python(), "--format", "json"]).expect(0).out;
    world.follows("plan", &json);
    let ignored = world.project().join(".caliper/.gitignore");
    assert_eq!(std::fs::read_to_string(ignored).unwrap(), "*\n");
    assert!(world.project().join(".caliper/cache/CACHEDIR.TAG").exists());

    world.write(
        "caliper.yaml",
        "analysis:\n  dependency: demo\n  tests: [{run: python show.py big.csv, name: show}]\n",
    );
    insta::assert_snapshot!(world.caliper(&["check"]).error(2), @"error: the test `show` names `big.csv`, which is not part of the project (git ignores it: `*.csv` in .gitignore); give the test `files: [., big.csv]` if it reads it, and remove it if the test writes it");
}

#[test]
fn plan_says_why_a_cell_must_be_measured_again() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [show.py]\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.write("show.py", "import demo\n");
    let python = python();
    let plan = || {
        let said = world.caliper(&["plan", "--python", &python, "--jobs", "1"]).expect(0).out;
        let lines = said.lines().skip(2).take(3);
        lines
            .map(str::trim)
            .filter(|line| !line.contains("download"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    // What a run prints into the project is no part of it, neither now nor later.
    let out = std::fs::File::create(world.project().join("out.txt")).unwrap();
    let mut run = world.command(&["run", "--python", &python, "--progress", "none"]);
    assert!(run.stdout(Stdio::from(out)).status().unwrap().success());
    insta::assert_snapshot!(plan(), @"
    1  recorded already
    0  to measure, 1 at once
    left out of the project, where the `files` of a test do not name it:
    ");
    world.write("notes.txt", "");
    insta::assert_snapshot!(plan(), @"
    0  recorded already
    1  to measure, 1 at once
    1: `notes.txt` is new
    ");
    std::fs::remove_file(world.project().join("notes.txt")).unwrap();
    world.write("show.py", "import demo  # changed\n");
    insta::assert_snapshot!(plan(), @"
    0  recorded already
    1  to measure, 1 at once
    1: `show.py` changed
    ");
    world.write("show.py", "import demo\n");
    world.write(
        "caliper.yaml",
        "analysis:\n  dependency: demo\n  requirements: [demo]\n  tests: [show.py]\n",
    );
    insta::assert_snapshot!(plan(), @"
    0  recorded already
    1  to measure, 1 at once
    1: `demo` in `requirements` is new
    ");
}

/// All releases would pass, whatever they hold.
#[test]
fn a_module_of_the_project_that_hides_the_release_is_told() {
    let world = World::with_config("  tests: [{run: python t.py, env: {PYTHONPATH: src}}]\n");
    world.write("t.py", "import demo\n");
    assert!(!world.caliper(&["check"]).expect(0).err.contains("module"));
    world.write("src/demo/__init__.py", "");
    let said = world.caliper(&["check"]).expect(0).err;
    assert!(said.contains("warning: the project has a module `src/demo`: tests"), "{said}");
}
