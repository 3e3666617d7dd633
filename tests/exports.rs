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
    let note = "1 failures are in the results in `../before` too, and do not count\n";
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
    insta::assert_snapshot!(world.caliper(&["run", "--against", "nothing"]).error(2), @"");
}

#[test]
fn results_are_printed_for_other_tools() {
    let (world, python) = measured();
    let text =
        world.caliper(&["export", "--to", "markdown", "--against", "../before"]).expect(0).out;
    insta::assert_snapshot!(text.replace(&python, "[PYTHON]"), @"");
    assert_eq!(
        world.caliper(&["export", "--to", "csv", "../before"]).expect(0).out.lines().count(),
        5
    );
    let text = world.caliper(&["export", "--to", "junit"]).expect(0).out;
    assert!(text.contains("<failure message=\"failed\"/>"), "{text}");
    let error = world.caliper(&["export", "--to", "csv", "--against", "../before"]).error(2);
    insta::assert_snapshot!(error, @"");
}

#[test]
fn several_configurations_are_checked_and_manual_pages_are_written() {
    let world = World::new();
    world.write("a.yaml", "analysis: {}\n");
    world.write("b.yaml", "analysis: {dependency: demo, tests: [lost.py]}\n");
    world.write("c.yaml", "analysis: {dependency: demo}\n");
    let said = world.caliper(&["check", "a.yaml", "c.yaml", "b.yaml"]).expect(2);
    insta::assert_snapshot!(said.err, @"");
    world.caliper(&["man", "pages"]).expect(0);
    for page in ["caliper.1", "caliper-run.1", "caliper-index-serve.1"] {
        let text = std::fs::read_to_string(world.project().join("pages").join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}: {text}");
    }
}
