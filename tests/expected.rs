//! `expect: values`: numbers that tests must give, by where they hold.

use crate::support::{World, has_uv, python};

const CONFIG: &str = "  import: false
  axes: {mode: {env: MODE, values: [eager, graph]}}
  tests:
    - {name: draw, run: python draw.py}
  expect:
    values:
      - {metric: mean, value: 1.25, where: {version: '<2', mode: eager}}
      - {metric: mean, value: 2.25, where: {version: '<2', mode: graph}, absolute: 1e-6}
";

#[test]
fn golden_values_hold_where_they_are_named_and_nowhere_else() {
    if !has_uv() {
        return;
    }
    let world = World::with_config(CONFIG);
    for version in ["1.0", "2.0"] {
        world.wheel("demo", version, &[("demo.py", &format!("x = {version}"))]);
    }
    world.write(
        "draw.py",
        "import os, demo\nprint('mean', demo.x + {'eager': 0.25, 'graph': 1.25}[os.environ['MODE']])\n",
    );
    let python = python();
    let run = |more: &[&str], code: i32| {
        let all = [&["run", "--python", &python, "--progress", "plain"], more].concat();
        let said = world.caliper(&all).expect(code);
        said.err.replace(&python, "X.YZ")
    };
    let of_values = |said: String| -> String {
        let lines = said.lines().filter(|line| line.contains("expected"));
        lines.collect::<Vec<_>>().join("\n")
    };
    // The release 2.0 is not known to the table, which is no pass.
    insta::assert_snapshot!(of_values(run(&[], 1)), @"
    expected values: 2 as expected, 0 different, 2 of an unknown combination, 0 missing
    not as expected: 2.0/X.YZ[mode=eager]: `mean` of `draw` has no expected value here: `expect` does not know this combination
    not as expected: 2.0/X.YZ[mode=graph]: `mean` of `draw` has no expected value here: `expect` does not know this combination
    ");
    run(&["--fail-on", "different"], 1);
    assert!(!run(&["--fail-on", "never"], 0).contains("expected values"));
    assert!(!run(&["--fail-on", "failed"], 0).contains("expected values"));
    let config = |from: &str, to: &str| {
        let text = format!(
            "analysis:\n  dependency: demo\n  versions: '<2'\n{}",
            CONFIG.replace(from, to)
        );
        world.write("caliper.yaml", &text);
    };
    // Nothing is measured again for another table.
    config("value: 2.25", "value: 2.5");
    let said = run(&[], 1);
    assert!(said.contains("`mean` of `draw` is 2.25 in run 1, and 2.5 is expected"), "{said}");
    assert!(said.contains("0 measured"), "{said}");
    config("metric: mean, value: 2.25", "metric: median, value: 2.25");
    let said = run(&[], 1);
    assert!(said.contains("`median` of `draw` is missing: run 1 does not have it"), "{said}");
    config("value: 2.25, where: {version: '<2', mode: graph}", "value: 2.25, where: {mode: graph}");
    let said = run(&[], 0);
    assert!(said.contains("expected values: 2 as expected, 0 different"), "{said}");
}
