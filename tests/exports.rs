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
        5
    );
    let text = world.caliper(&["export", "--to", "junit"]).expect(0).out;
    assert!(text.contains("<failure message=\"failed\"/>"), "{text}");
    let error = world.caliper(&["export", "--to", "csv", "--against", "../before"]).error(2);
    insta::assert_snapshot!(error, @"error: `--against` is for `--to markdown`, which tells what is new");
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
