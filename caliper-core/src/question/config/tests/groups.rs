//! The key `groups`.

use super::*;
use crate::question::axes::AxisValue;
use crate::question::group::{Group, Seeds, SeedsOfRuns};

fn groups(config: &Config) -> Vec<(String, Group)> {
    let axis = config.axes.axes.iter().find(|axis| axis.name == "group").unwrap();
    let of = |value: &AxisValue| (value.label.clone(), value.overlay.group.clone().unwrap());
    axis.listed().iter().map(of).collect()
}

fn read_with(text: &str, files: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let read = |path: &str| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, content)| content.as_bytes().to_vec()).ok_or(io::ErrorKind::NotFound.into())
    };
    Config::from_yaml("caliper.yaml", text, &read)
}

#[test]
fn groups_are_an_axis() {
    let config = read_with(
        "analysis:
  dependency: demo
  groups:
    same_seed: {seed: 0, repeat: 50}
    different_seeds: {seeds: 0..49, env: {A: b}}
    some: {seeds: [3, 1], variable: PYTHONHASHSEED}
    plain: {repeat: 5}
  tests:
    - {name: t, run: python t.py}
",
        &[],
    );
    let config = config.unwrap();
    let seeds = |variable: &str, of_runs| Some(Seeds { variable: variable.into(), of_runs });
    assert_eq!(
        groups(&config),
        [
            ("same_seed".into(), Group { repeat: 50, seeds: seeds("SEED", SeedsOfRuns::Same(0)) }),
            (
                "different_seeds".into(),
                Group { repeat: 50, seeds: seeds("SEED", SeedsOfRuns::From(0)) }
            ),
            (
                "some".into(),
                Group {
                    repeat: 2,
                    seeds: seeds("PYTHONHASHSEED", SeedsOfRuns::Listed(vec![3, 1]))
                }
            ),
            ("plain".into(), Group { repeat: 5, seeds: None }),
        ]
    );
    assert_eq!(config.axes.axes[0].listed()[1].overlay.env["A"], "b");
}

#[test]
fn two_lines_are_groups() {
    let text = "analysis:
  dependency: demo
  groups: params.txt
  tests:
    - {name: t, run: 'python t.py {{ seed }}'}
";
    for lines in ["50\n200\n", "50\r\n200\r\n", "50\r200".replace('\r', "\n").as_str(), "50\n200"] {
        let config = read_with(text, &[("params.txt", lines)]).unwrap();
        let found = groups(&config);
        assert_eq!(found.len(), 2);
        assert_eq!((&*found[0].0, found[0].1.repeat), ("same_seed", 50));
        assert_eq!((&*found[1].0, found[1].1.repeat), ("different_seeds", 50));
        assert_eq!(config.axes.axes[0].listed()[0].overlay.env["EPOCHS"], "200");
    }
    for lines in ["", "50\n", "50\n200\n3\n", "a\nb\n", "0\n200\n", "5000\n1\n"] {
        let error = read_with(text, &[("params.txt", lines)]).unwrap_err().to_string();
        assert!(error.contains("params.txt"), "{error}");
    }
    insta::assert_snapshot!(read_with(text, &[("params.txt", "50\n")]).unwrap_err());
    insta::assert_snapshot!(read_with(text, &[]).unwrap_err());
}

#[test]
fn mistakes_in_groups_are_told() {
    let error = read_with(
        "analysis:
  dependency: demo
  groups:
    one: {seed: 0}
    two: {seed: 0, seeds: 0..3}
    three: {seeds: 0..3, repeat: 5}
    four: {seeds: 5}
    five: {seed: -1, repeat: 2}
    six: {repeat: 0}
    seven: {seeds: 0..5000}
    eight: {sed: 0}
    nine: {}
",
        &[],
    );
    insta::assert_snapshot!(error.unwrap_err());
}

#[test]
fn a_command_with_a_seed_needs_groups_with_seeds() {
    let of = |groups: &str| {
        let text = format!(
            "analysis:\n  dependency: demo\n{groups}  tests:\n    - {{name: t, run: 'python t.py {{{{ seed }}}}'}}\n"
        );
        read_with(&text, &[])
    };
    assert!(of("  groups: {a: {seed: 1, repeat: 2}}\n").is_ok());
    insta::assert_snapshot!(of("").unwrap_err());
    insta::assert_snapshot!(
        of("  groups: {a: {seed: 1, repeat: 2}, b: {repeat: 2}}\n").unwrap_err()
    );
}

#[test]
fn results_may_be_stages() {
    let of = |results: &str| {
        read_with(&format!("analysis:\n  dependency: demo\n  results: {results}\n"), &[])
    };
    let config = of("{init: ['a*', b], final: [c, 'a*']}").unwrap();
    assert_eq!(config.results, ["a*", "b", "c"]);
    let names: Vec<&str> = config.compare.stages.iter().map(|stage| &*stage.name).collect();
    assert_eq!(names, ["init", "final"]);
    assert!(of("[a]").unwrap().compare.stages.is_empty());
    insta::assert_snapshot!(of("{output: [a], x: [../b], y: c}").unwrap_err());
}

#[test]
fn what_is_exported_takes_the_place_of_its_file() {
    let config = parse(
        "analysis:\n  dependency: demo\n  results: {init: [a.csv], final: ['out/*.pt']}\n  export: ['out/*.pt']\n  \
         tests: [{name: t, run: python test.py}]\n",
    )
    .unwrap();
    assert_eq!(config.results, ["a.csv", "out/*.pt.export.npz"]);
    assert_eq!(config.compare.stages[1].files, ["out/*.pt.export.npz"]);
    let command = &config.tests[0].command;
    assert_eq!(command[..3], ["python", "-E", "-c"]);
    assert_eq!(command[4..], [r#"["out/*.pt"]"#, "python", "test.py"]);
}
