//! A different result: comparing, confirming, searching, suggesting, on the `local` backend.

use crate::support::{self, World, has_uv, python};

/// Twenty releases: before 1.4 the test fails, from 1.12 on the result is another, and each run prints
/// another time and a loss with noise, of which a file is written too.
fn world() -> World {
    let world = World::with_config("  tests: [train.py]\n  results: ['out/*.csv']\n");
    for minor in 0..20 {
        let works = if minor >= 4 { "" } else { "raise RuntimeError('no')" };
        let loss = if minor >= 12 { 0.25 } else { 0.5 };
        let module = format!("LOSS = {loss}\ndef train():\n    {works}\n    return LOSS\n");
        world.wheel("demo", &format!("1.{minor}"), &[("demo.py", &module)]);
    }
    world.write(
        "train.py",
        "import os, random, time\nimport demo\nloss = demo.train() + random.gauss(0, 1e-4)\n\
         print('done in %.6f s' % time.perf_counter(), object())\nos.makedirs('out')\n\
         open('out/loss.csv', 'w').write('epoch,loss\\n1,%r\\n' % loss)\n",
    );
    world
}

fn verdicts(world: &World) -> Vec<String> {
    let results = world.results();
    let test = results["cells"][0]["tests"][1]["name"].as_str().unwrap();
    support::verdicts(&results, test)
}

#[test]
fn a_result_is_different_when_it_can_be_told_from_noise() {
    if !has_uv() {
        return;
    }
    let world = world();
    let python = python();
    let only = "1.1[0-9]/*".replace("[0-9]", "{0,1,2,3,9}");
    let arguments = ["run", "--python", &python, "--only", &only, "--progress", "none"];
    let said = world.caliper(&arguments).expect(0);
    assert!(said.out.contains("4 results are not those of the baseline"), "{}", said.out);
    assert_eq!(verdicts(&world), ["undecided", "undecided", "undecided", "undecided", "same"]);

    let mut confirm = arguments.to_vec();
    confirm.extend(["--confirm", "--fail-on", "different"]);
    let said = world.caliper(&confirm).expect(1);
    assert!(said.err.contains("1.10/"), "{}", said.err);
    let confirmed = ["different", "different", "same_within_noise", "same_within_noise", "same"];
    // One in twenty of what is called different may be by chance: only those that truly differ are sure.
    assert_eq!(verdicts(&world)[..2], confirmed[..2]);
    let shown = world.caliper(&["show", &format!("1.10/{python}")]).expect(0).out;
    for part in [
        "different result",
        "compared with 1.19",
        "out/loss.csv: 1 of 2 numbers differs by ",
        ": loss ",
        " runs here, ",
        ": p = ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // Nothing is run again for being asked again.
    let again = world.caliper(&arguments).expect(0);
    assert_eq!(verdicts(&world)[..2], confirmed[..2], "{}", again.out);

    // Measured twice, cells are the same within noise, or the method is wrong.
    let mut blind = arguments.to_vec();
    blind.extend(["--blind", "40%"]);
    let said = world.caliper(&blind).expect(0);
    assert!(said.out.contains("blind check: 2 results of 2 cells measured twice"), "{}", said.out);
    let told = world.results()["blind"].clone();
    assert_eq!((&told["cells"], &told["tests_for_noise"]), (&2.into(), &2.into()), "{told}");
    // It does not take what it finds there for a verdict, and what was measured stays known.
    assert_eq!(verdicts(&world)[..2], confirmed[..2]);
    world.caliper(&arguments).expect(0);
    assert_eq!(world.results()["blind"], told);
    assert!(world.caliper(&["show"]).expect(0).out.contains("blind check: 2 results"));
    validate(&world);
    let refused = world.caliper(&["run", "--blind", "0"]).expect(2);
    assert!(refused.err.contains("above 0% and at most 100%"), "{}", refused.err);
}

fn validate(world: &World) {
    let schema = world.caliper(&["schema", "results"]).expect(0).out;
    let schema = serde_json::from_str(&schema).unwrap();
    jsonschema::validate(&schema, &world.results()).unwrap();
}

#[test]
fn standard_error_is_a_result_when_asked() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [test.py]\n");
    for version in ["1.0", "1.1"] {
        world.wheel("demo", version, &[("demo.py", &format!("VERSION = {version:?}\n"))]);
    }
    world.write("test.py", "import sys, demo\nprint('done')\nsys.stderr.write(demo.VERSION)\n");
    let python = python();
    let run = ["run", "--python", &python, "--progress", "none"];
    world.caliper(&run).expect(0);
    assert_eq!(verdicts(&world), ["same", "same"]);
    world.write(
        "caliper.yaml",
        "analysis: {dependency: demo, tests: [test.py], compare: {stderr: true}}\n",
    );
    // Judged anew, and not measured anew.
    world.caliper(&run).expect(0);
    assert_eq!(verdicts(&world), ["undecided", "same"]);
    let shown = world.caliper(&["show", &format!("1.0/{python}")]).expect(0).out;
    assert!(shown.contains("stderr: 1 of 1 number differs by 9.1 %"), "{shown}");
}

#[test]
fn a_search_finds_what_changes_and_the_rest_follows() {
    if !has_uv() {
        return;
    }
    let world = world();
    world.write("train.py", "import demo\nprint('loss', demo.train())\n");
    let python = python();
    let said = world
        .caliper(&["run", "--python", &python, "--search", "--probes", "3", "--progress", "none"])
        .expect(0);
    for part in [
        "train.py on ",
        "is fixed between 1.3 and 1.4 (adjacent; a single run)",
        "result is not the same between 1.11 and 1.12 (adjacent; may be noise)",
        "which give the same result (",
        "RuntimeError: no",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let cells = world.results()["cells"].as_array().unwrap().len();
    assert!(cells < 16, "{cells} of 20 cells were measured");
    validate(&world);
    // What is confirmed is what was found, and not what was left out.
    let said = world
        .caliper(&[
            "run",
            "--python",
            &python,
            "--search",
            "--probes",
            "3",
            "--confirm",
            "--progress",
            "none",
        ])
        .expect(0);
    let sure = "result changes between 1.11 and 1.12 (adjacent; 2 runs on each side agree)";
    assert!(said.out.contains(sure), "{}", said.out);
    assert_eq!(world.results()["cells"].as_array().unwrap().len(), cells);

    let said = world.caliper(&["suggest"]).expect(0);
    assert!(said.out.starts_with("demo>=1.4\n"), "{}", said.out);
    let rests_on = "is fixed between 1.3 and 1.4 (adjacent; 3 runs on each side agree)";
    assert!(said.out.contains(rests_on), "{}", said.out);
    world.write(
        "pyproject.toml",
        "[project]\nname = 'x'\nversion = '1'\ndependencies = ['demo>=1.2']\n",
    );
    let said = world.caliper(&["suggest", "--check", "pyproject.toml"]).expect(1);
    assert!(said.out.contains(">=1.2: refuted, it allows"), "{}", said.out);

    let said = world.caliper(&["suggest", "--check", "pyproject.toml", "--format", "json"]);
    world.follows("suggest", &said.expect(1).out);

    let said = world.caliper(&["compare", "1.3", "1.19", "--format", "json"]).expect(0);
    world.follows("compare", &said.out);
    let said = world.caliper(&["compare", "1.3", "1.19"]).expect(0);
    assert!(said.out.contains("fixed (1)\n  1.19/"), "{}", said.out);
    let error = world.caliper(&["compare", "1.3", "9"]).error(2);
    insta::assert_snapshot!(error, @"error: there is nothing of `9` in the results in `./.caliper`");
    let said = world.caliper(&["compare", ".caliper", "."]).expect(0);
    assert!(said.out.contains("the same\n"), "{}", said.out);
}

#[test]
fn results_of_the_original_are_imported() {
    let world = World::new();
    let cell = |version: &str, rest: &str| {
        let file = format!(
            r#"{{"inputs": {{"dependency": "demo", "dockerfile": "FROM python:2.7", "name":
               "pypi-demo-{version}-python-cp27", "tests": "a.py"}}, {rest}}}"#
        );
        world.write(&format!("old/.caliper/data/pypi-demo-{version}-python-cp27.json"), &file);
    };
    let ran = |retval: i32, output: &str, error: &str| {
        format!(
            r#""tests": {{"build": {{"retval": 0}}, "a.py": {{"retval": {retval}, "seconds": 1.5,
               "output": ["{output}\n"], "error": ["{error}\n"]}}}}, "requirements.txt": ["demo==1\n"]"#
        )
    };
    cell("1.2", &ran(0, "w = 0.25", ""));
    cell("1.10", &ran(0, "w = 0.25000000001", ""));
    cell(
        "1.3",
        &ran(
            1,
            "",
            "Traceback (most recent call last):\\n  File \\\"a.py\\\", line 1\\nKeyError: 3",
        ),
    );
    cell("1.4", r#""build_retval": 1"#);
    world.write("old/.caliper/data/other.json", "{}");
    let said = world.caliper(&["import", "old"]).expect(0);
    insta::assert_snapshot!(said.out, @"
          2.7
    1.2   ✓
    1.3   ✗
    1.4   ·
    1.10  ✓

    · nothing to install   ✓ same result   ✗ fails: no test passes
    4 cells · 2 same result · 1 fails · 1 nothing to install

    why tests fail
    1x KeyError: N (a.py) in 1.3

    what changes along the releases
    a.py on 2.7
      breaks between 1.2 and 1.3 (adjacent; a single run)
      is fixed between 1.3 and 1.10 (adjacent; a single run)
      goes back and forth: a bisection would have been wrong here

    a.py: 1 result is the same by looking past distances of numbers of up to 4.0e-11 of their value
    `keep` under `compare` in the configuration looks past less

    suggestion: demo!=1.3 (it allows what passes everywhere, and nothing that fails somewhere, and 1 release that was not measured)

    look further
      caliper show imported 1.3/2.7  # a cell that fails, with its output
      caliper suggest imported       # what the suggestion rests on
      caliper report imported        # all of it as a page
    ");
    insta::assert_snapshot!(said.err, @"
    warning: `old/.caliper/data/other.json`: this is no result of caliper 0.0: missing field `inputs` at line 1 column 2
    4 results imported into `imported`, 0 were there already; `caliper show imported` shows them
    which other releases there were is not in them: releases that are called adjacent may have others between
    ");
    let again = world.caliper(&["import", "old/.caliper/data", "--into", "imported"]).expect(0);
    assert!(again.err.contains("0 results imported"), "{}", again.err);
    assert_eq!(
        world.caliper(&["show", "imported"]).expect(0).out.lines().last(),
        said.out.lines().last()
    );
    for (schema, arguments) in [
        ("results", &["show", "imported"][..]),
        ("suggest", &["suggest", "imported"]),
        ("compare", &["compare", "imported", "imported"]),
        ("record", &["show", "imported", "1.3/2.7"]),
    ] {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
        world.follows(schema, &world.caliper(&arguments).expect(0).out);
    }
    let error = world.caliper(&["import", "imported"]).error(2);
    insta::assert_snapshot!(error, @"error: none of the 1 files in `imported` is a result of caliper 0.0");
}

#[test]
fn a_summary_is_made_again_from_records_that_were_merged() {
    let world = World::with_config("");
    assert!(world.caliper(&["show", "--rebuild"]).error(2).contains("there is no complete record"));
    let file = |version: &str| {
        format!(
            r#"{{"inputs": {{"dependency": "demo", "dockerfile": "FROM python:2.7", "name":
               "pypi-demo-{version}-python-cp27", "tests": "a.py"}}, "tests": {{"build":
               {{"retval": 0}}, "a.py": {{"retval": 0, "seconds": 1.5, "output": ["5\n"],
               "error": []}}}}, "requirements.txt": ["demo==1\n"]}}"#
        )
    };
    for (folder, version) in [("here", "1.0"), ("there", "1.1")] {
        let path = format!("{folder}/pypi-demo-{version}-python-cp27.json");
        world.write(&path, &file(version));
        world.caliper(&["import", folder, "--into", &format!("{folder}-imported")]).expect(0);
    }
    let project = world.project();
    std::fs::rename(project.join("here-imported"), project.join(".caliper")).unwrap();
    for entry in std::fs::read_dir(project.join("there-imported/records")).unwrap() {
        let from = entry.unwrap().path();
        let to = project.join(".caliper/records").join(from.file_name().unwrap());
        std::fs::copy(from, to).unwrap();
    }
    let summary = || world.results()["cells"].as_array().unwrap().len();
    assert_eq!(summary(), 1);
    let said = world.caliper(&["show", "--rebuild"]).expect(0);
    assert!(said.out.contains("\n2 cells · 2 same result"), "{}", said.out);
    let shown = world.caliper(&["show"]).expect(0);
    assert_eq!((shown.out, summary()), (said.out, 2), "it is kept");
}

/// What is decided when an environment is made is told as the release's doing; this shows how often.
#[test]
fn a_blind_check_measures_in_another_environment() {
    if !has_uv() {
        return;
    }
    let world = World::with_config("  tests: [{name: inode, run: python inode.py, repeat: 3}]\n");
    world.write("inode.py", "import demo, os\nprint(os.stat(demo.__file__).st_ino)\n");
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.wheel("demo", "1.1", &[("demo.py", "")]);
    let python = python();
    let arguments = ["run", "--python", &python, "--blind", "100%", "--progress", "none"];
    world.caliper(&arguments).expect(0);
    let blind = world.results()["blind"].clone();
    assert_eq!((&blind["results"], &blind["different"]), (&2.into(), &2.into()), "{blind}");
}
