//! `caliper spread`: groups from tables, and from recorded results.

use crate::support::{World, has_uv, python};

/// Rows as `numpy.savetxt` writes them: a number of the first metric for each of `values`, and a second metric.
fn saved(values: impl IntoIterator<Item = f64>) -> String {
    let row = |value: f64| format!("{value:.18e},{:.18e}", value * value);
    values.into_iter().map(row).collect::<Vec<_>>().join("\n") + "\n"
}

fn numbers(count: u32, wide: f64) -> impl Iterator<Item = f64> {
    // Spread over the whole range in an order that is not sorted.
    (0..count).map(move |run| 2.0 + wide * f64::from(run * 7 % count) / f64::from(count))
}

#[test]
fn tables_are_compared_when_they_are_as_planned() {
    let world = World::new();
    world.write("same.csv", &saved(numbers(50, 0.01)));
    world.write("different.csv", &saved(numbers(50, 0.1)));
    world.write("short.csv", &saved(numbers(36, 0.1)));
    let spread = |more: &[&str]| world.caliper(&[&["spread", "same=same.csv"], more].concat());
    let names = ["--columns", "loss,square", "--planned", "50"];
    let fine = [&["different=different.csv"], &names[..]].concat();
    let said = spread(&fine).expect(0);
    assert!(said.out.contains("sd of `different` / sd of `same`: 10.00"), "{}", said.out);
    assert_eq!(said.out.matches("`different` varies more than `same`").count(), 2, "{}", said.out);
    assert!(said.err.is_empty(), "{}", said.err);
    let json = spread(&[&fine[..], &["--format", "json"]].concat()).expect(0).out;
    world.follows("spread", &json);

    // An expectation.
    spread(&[&fine[..], &["--expect-larger", "different"]].concat()).expect(0);
    let said = spread(&[&fine[..], &["--expect-larger", "same"]].concat()).expect(1);
    insta::assert_snapshot!(said.err, @"`same` is not shown to vary more in every metric");

    // 36 rows of 50: told, and no ratio until it is allowed.
    let short = [&["different=short.csv"], &names[..]].concat();
    let said = spread(&short).expect(3);
    assert!(said.out.starts_with("not as planned:\n  `different` has 36 runs of 50 planned\n"));
    assert!(!said.out.contains("sd of `") && !said.out.contains(" p if"), "{}", said.out);
    let json = spread(&[&short[..], &["--format", "json"]].concat()).expect(3).out;
    world.follows("spread", &json);
    assert!(!json.contains("\"ratio\""), "{json}");
    let said = spread(&[&short[..], &["--incomplete"]].concat()).expect(0);
    assert!(said.out.contains("has 36 runs of 50") && said.out.contains("sd of `different`"));

    // Columns without names are a mistake in the question, even where rows are missing too.
    spread(&["different=short.csv"]).expect(2);
    let only = spread(&[&fine[..], &["--metric", "lo*"]].concat()).expect(0).out;
    assert!(!only.contains("square"), "{only}");
}

#[test]
fn a_wrong_question_says_what_is_wrong() {
    let world = World::new();
    world.write("a.csv", "loss\n1\n2\n");
    world.write("empty.csv", "");
    let error = |arguments: &[&str], code: i32| {
        world.caliper(&[&["spread"], arguments].concat()).error(code).trim().to_owned()
    };
    let lines = [
        error(&["a=a.csv", "b=none.csv"], 2),
        error(&["a=a.csv", "b=."], 2),
        error(&["a=a.csv", "a=a.csv"], 2),
        error(&["a=a.csv", "study.yaml"], 2),
        error(&["a=a.csv", "b=a.csv", "--columns", "x,y"], 2),
        error(&["a=a.csv", "b=a.csv", "--metric", "acc*"], 2),
        error(&["a=a.csv", "b=a.csv", "--metric", "["], 2),
        error(&["a=a.csv", "b=a.csv", "--by", "seed"], 2),
        error(&["a=a.csv", "b=a.csv", "--expect-larger", "c"], 2),
        error(&[], 2),
        error(&["--columns", "loss"], 2),
    ];
    insta::assert_snapshot!(lines.join("\n"));
    world.write("semicolons.csv", "loss;accuracy\n1,5;2\n");
    let said = error(&["a=a.csv", "b=semicolons.csv"], 2);
    assert!(said.contains("`semicolons.csv`: its values have semicolons between them"), "{said}");
    // A file without a row is no mistake in the question.
    let said = world.caliper(&["spread", "a=a.csv", "b=empty.csv"]).expect(3);
    assert!(said.out.contains("`b` has no run"), "{}", said.out);
}

#[test]
fn recorded_runs_are_groups_by_an_axis() {
    if !has_uv() {
        return;
    }
    let python = python();
    let world = World::with_config(&format!(
        "  python_versions: [\"{python}\"]
  tests: [{{name: train, run: python train.py, repeat: 6}}]
  axes: {{group: {{same: {{env: {{SEED: \"0\"}}}}, different: {{env: {{SEED: \"\"}}}}}}}}
"
    ));
    world.write(
        "train.py",
        "import os, random\nrandom.seed(os.environ['SEED'] or None)\nprint('epoch 1 of 1')\nprint('loss', random.random())\n",
    );
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.caliper(&["run", "--progress", "none"]).expect(0);
    let said = world.caliper(&["spread"]).expect(0);
    assert!(said.out.starts_with(&format!("train in 1.0/{python}\n")), "{}", said.out);
    let title = said.out.lines().find(|line| line.starts_with("loss")).unwrap();
    // In the order of the configuration.
    assert!(title.find("same") < title.find("different"), "{title}");
    assert!(said.out.contains("every run of `same` has the same number (sd 0)"), "{}", said.out);
    let json = world.caliper(&["spread", "--format", "json", "--metric", "loss"]).expect(0).out;
    world.follows("spread", &json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["places"][0]["spread"]["groups"][1]["planned"], 6);
    // More runs are planned than recorded.
    let said = world.caliper(&["spread", "--planned", "50"]).expect(3);
    assert!(said.out.contains("`same` has 6 runs of 50 planned"), "{}", said.out);
    let error = world.caliper(&["spread", "--by", "seed"]).error(2);
    insta::assert_snapshot!(error, @"error: the results have no axis `seed`; there is `group`");
}
