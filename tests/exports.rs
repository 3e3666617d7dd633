//! Results held against others, and results for other tools.

use crate::support::{World, python};

/// The demo passes in 1.0 and fails in 1.1. Its results are in the folder `before` beside the project.
fn measured() -> (World, String) {
    let python = python();
    let config = format!("  python_versions: [\"{python}\"]\n  tests: [t.py]\n");
    let world = World::with_config(&config);
    world.write("t.py", "import demo\ndemo.works()\n");
    world.wheel("demo", "1.0", &[("demo.py", "def works(): pass\n")]);
    world.wheel("demo", "1.1", &[("demo.py", "")]);
    world.caliper(&["run", "--fail-on", "failed"]).expect(1);
    let before = world.project().join("../before");
    std::fs::create_dir(&before).unwrap();
    std::fs::copy(world.project().join(".caliper/results.json"), before.join("results.json"))
        .unwrap();
    (world, python)
}

fn read(world: &World, path: &str) -> String {
    std::fs::read_to_string(world.project().join(path)).unwrap()
}

#[test]
fn only_what_did_not_fail_before_counts() {
    let (world, python) = measured();
    let said = world.caliper(&["run", "--against", "../before"]).expect(0);
    let note = "1 failure is in the results in `../before` too, and does not count\n";
    assert!(said.err.ends_with(note), "{}", said.err);
    world.wheel("demo", "1.2", &[("demo.py", "")]);
    let said = world.caliper(&["run", "--against", "../before"]).expect(1);
    let line = format!("not as expected: 1.2/{python}: `t.py` failed\n");
    assert!(said.err.ends_with(&format!("{note}{line}")), "{}", said.err);
    // What fails now and did not before is new.
    world.write("t.py", "1/0\n");
    let said = world.caliper(&["run", "--against", "../before"]).expect(1);
    assert!(
        said.err.contains(&format!("not as expected: 1.0/{python}: `t.py` failed\n")),
        "{}",
        said.err
    );
    assert!(!said.err.contains(&format!("1.1/{python}: `t.py` failed")), "{}", said.err);
    insta::assert_snapshot!(world.caliper(&["run", "--against", "nothing"]).error(2), @"error: there is no `nothing` to hold the results against: name a folder with `results.json`, or a configuration");
}

#[test]
fn results_are_printed_for_other_tools() {
    let (world, python) = measured();
    let text =
        world.caliper(&["export", "--to", "markdown", "--against", "../before"]).expect(0).out;
    insta::assert_snapshot!(text.replace(&python, "[PYTHON]"), @"
    ### demo

    What do the releases of `demo` do? 2 cells on `local`: 1 same result, 1 fails.

    **Nothing fails that did not fail before.** 1 failure is in the other results too.

    | | [PYTHON] |
    |---|---|
    | 1.0 | ✓ |
    | 1.1 | ✗ |

    ✓ same result · ✗ fails: no test passes

    **Why it fails**

    ```text
    1x AttributeError: module 'demo' has no attribute 'works' (t.py in <module>) in 1.1
    ```

    **What changes along the releases**

    ```text
    t.py on [PYTHON]
      breaks between 1.0 and 1.1 (adjacent; a single run)
    ```

    **Suggested:** `demo<1.1`; it allows what passes everywhere, and nothing that fails somewhere.
    ");
    assert_eq!(
        world.caliper(&["export", "--to", "csv", "../before"]).expect(0).out.lines().count(),
        5 // a heading, and two tests in two cells
    );
    let text = world.caliper(&["export", "--to", "junit"]).expect(0).out;
    assert!(text.contains("<failure message=\"failed\"/>"), "{text}");
    let error = world.caliper(&["export", "--to", "csv", "--against", "../before"]).error(2);
    insta::assert_snapshot!(error, @"error: `--against` is for `--to markdown`, which tells what is new");
}

#[test]
fn files_are_written_and_nothing_is_lost() {
    let (world, _) = measured();
    world.write("old.csv", "old");
    world.caliper(&["export", "--to", "csv", "-o", "old.csv"]).expect(0);
    assert!(read(&world, "old.csv").starts_with("cell,release,python,"));
    for name in ["markdown-table", "badge", "junit", "sarif", "ndjson", "trace"] {
        let printed = world.caliper(&["export", "--to", name]).expect(0).out;
        world.caliper(&["export", "--to", name, "-o", "file"]).expect(0);
        assert_eq!(read(&world, "file"), printed, "{name}");
    }
    world.caliper(&["export", "--to", "sqlite", "-o", "runs.sqlite"]).expect(0);
    let bytes = std::fs::read(world.project().join("runs.sqlite")).unwrap();
    assert!(bytes.starts_with(b"SQLite format 3\0"));
    let refused: Vec<String> = ["caliper.yaml", ".caliper/results.json", "."]
        .iter()
        .map(|file| world.caliper(&["export", "--to", "csv", "-o", file]).error(2))
        .chain([
            world.caliper(&["export", "--to", "sqlite"]).error(2),
            world.caliper(&["export", "--to", "legacy", "-o", ".caliper"]).error(2),
        ])
        .collect();
    insta::assert_snapshot!(refused.join("\n"), @"
    error: `caliper.yaml` is the configuration; name another file

    error: `.caliper/results.json` is in the folder of the results; name another file

    error: `.` is a folder; name another file

    error: this format is not for a terminal; name a file with `-o`

    error: `.caliper` is not empty; name a folder that does not exist
    ");
    // What was written is no part of the project: nothing is measured again.
    let said = world.caliper(&["run"]).expect(0);
    assert!(said.err.contains("0 measured, 2 reused"), "{}", said.err);
}

#[test]
fn a_failure_is_told_at_its_line_and_reads_back_from_the_format_of_the_original() {
    let (world, python) = measured();
    std::fs::create_dir(world.project().join("../.git")).unwrap();
    let text = world.caliper(&["export", "--to", "sarif"]).expect(0).out;
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let [result] = &document["runs"][0]["results"].as_array().unwrap()[..] else {
        panic!("{text}")
    };
    let place = &result["locations"][0]["physicalLocation"];
    let folder = world.project();
    let folder = folder.file_name().unwrap().to_string_lossy();
    assert_eq!(place["artifactLocation"]["uri"], format!("{folder}/t.py"));
    assert_eq!(place["region"]["startLine"], 2);
    world.caliper(&["export", "--to", "legacy", "-o", "../old"]).expect(0);
    world.caliper(&["import", "../old", "--into", "../again"]).expect(0);
    let text = world.caliper(&["show", "../again"]).expect(0).out;
    assert!(text.contains("1 fails") && text.contains(&python), "{text}");
    // Each run says when it was started, and the trace has builds and tests.
    let text = world.caliper(&["export", "--to", "trace"]).expect(0).out;
    assert!(text.contains("\"estimated\":false") && !text.contains("\"estimated\":true"), "{text}");
}

#[test]
fn a_history_tells_what_changed_between_runs() {
    let (world, python) = measured();
    let first = world.caliper(&["history"]).expect(0);
    assert!(
        first.err.contains("1 set of results added to `./.caliper/history.sqlite`"),
        "{}",
        first.err
    );
    assert!(!world.caliper(&["history"]).expect(0).err.contains("added"));
    world.write("t.py", "1/0\n");
    world.caliper(&["run"]).expect(0);
    let text = world.caliper(&["history"]).expect(0).out;
    let line = text.lines().nth(1).unwrap_or_default();
    assert!(line.starts_with(&format!("  t.py in 1.0/{python}: fails (")), "{text}");
    assert!(line.ends_with("; the test, or what it runs in, was changed"), "{text}");
    // Elsewhere, and from elsewhere.
    let both =
        ["history", "../before", "caliper.yaml", "--db", "../all.sqlite", "--format", "json"];
    let found: serde_json::Value =
        serde_json::from_str(&world.caliper(&both).expect(0).out).unwrap();
    assert_eq!(found["studies"][0]["changes"].as_array().unwrap().len(), 1, "{found:#}");
    world.write("no.sqlite", "text");
    let refused = [
        world.caliper(&["history", "../before"]).error(2),
        world.caliper(&["history", "--db", "no.sqlite"]).error(2),
        world.caliper(&["history", "--db", "caliper.yaml"]).error(2),
    ];
    insta::assert_snapshot!(refused.join("\n"), @"
    error: a folder of results alone has no history of its own; name a database with `--db`

    error: `no.sqlite` cannot be used: it is no history that Caliper wrote

    error: `caliper.yaml` is the configuration; name another file
    ");
}

#[test]
fn several_configurations_are_checked_and_manual_pages_are_written() {
    let world = World::new();
    world.write("a.yaml", "analysis: {}\n");
    world.write("b.yaml", "analysis: {dependency: demo, tests: [lost.py]}\n");
    world.write("c.yaml", "analysis: {dependency: demo}\n");
    let said = world.caliper(&["check", "a.yaml", "c.yaml", "b.yaml"]).expect(2);
    insta::assert_snapshot!(said.err, @"
    c.yaml: fine; all final releases of demo, an import and 0 tests; the project has 1 KiB
    left out of the project: `b.yaml`; `caliper plan` says why
    error: there is no `dependency`
     --> a.yaml:1:1
      |
    1 | analysis: {}
      | ^^^^^^^^
      |
      = help: name a package: `dependency: jinja2`
    error: there is no file `lost.py`
     --> b.yaml:1:38
      |
    1 | analysis: {dependency: demo, tests: [lost.py]}
      |                                      ^^^^^^^
      |
      = help: paths are relative to the folder of the configuration
    ");
    world.caliper(&["man", "pages"]).expect(0);
    for page in ["caliper.1", "caliper-run.1", "caliper-index-serve.1"] {
        let text = std::fs::read_to_string(world.project().join("pages").join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}: {text}");
    }
}
