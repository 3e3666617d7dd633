use super::*;
use crate::facts::record::TestOutcome::{Failed, Passed};
use crate::facts::record::tests::{record, run, test};

fn events(results: &Results) -> Vec<String> {
    let document: Value = serde_json::from_str(&trace(results)).unwrap();
    let events = document["traceEvents"].as_array().unwrap().iter();
    let line = |event: &Value| {
        let text = |key: &str| event[key].to_string();
        let estimated = event["args"]["estimated"] == json!(true);
        format!(
            "{} {} {} {}+{}{}",
            text("pid"),
            text("tid"),
            text("name"),
            text("ts"),
            text("dur"),
            if estimated { " estimated" } else { "" }
        )
    };
    events.filter(|event| event["ph"] == "X").map(line).collect()
}

#[test]
fn what_ran_at_once_is_in_lanes_of_its_own() {
    let at = |outcome, batch: &str, seconds: i64| {
        let mut run = run(outcome, "");
        run.batch = Some(batch.to_owned());
        run.started = Some(Timestamp::from_unix_seconds(1_600_000_000 + seconds));
        run
    };
    let of = |version: &str, runs: Vec<Run>| {
        let mut tested = test("t", Passed, "");
        tested.runs = runs;
        let mut record = record(version, "3.11").with_runs([tested]);
        if let Some(build) = &mut record.build {
            build.started = Some(record.started);
        }
        record
    };
    // The builds of both last a second, and the runs half a second.
    let cells = vec![
        of("1.0", vec![at(Passed, "b", 1), at(Failed, "c", 60)]),
        of("1.1", vec![at(Passed, "b", 2)]),
    ];
    let results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
    insta::assert_snapshot!(events(&results).join("\n"), @r#"
    1 1 "build 1.0/3.11" 0+1000000
    1 2 "build 1.1/3.11" 0+1000000
    1 1 "t 1.0/3.11" 1000000+500000
    1 1 "t 1.1/3.11" 2000000+500000
    2 1 "t 1.0/3.11" 60000000+500000
    "#);
}

#[test]
fn without_moments_runs_follow_each_other() {
    let cells =
        vec![record("1.0", "3.11").with_runs([test("a", Passed, ""), test("b", Failed, "")])];
    let results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
    insta::assert_snapshot!(events(&results).join("\n"), @r#"
    1 1 "build 1.0/3.11" 0+1000000 estimated
    1 1 "a 1.0/3.11" 1000000+500000 estimated
    1 1 "b 1.0/3.11" 1500000+500000 estimated
    "#);
}
