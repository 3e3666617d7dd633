use super::*;
use crate::analysis::Analysis;
use crate::facts::record::TestOutcome::{Failed, Passed};
use crate::facts::record::tests::{record, test};
use crate::question::criteria::Criteria;

fn results(cells: Vec<Record>) -> Results {
    let criteria = Criteria::default();
    let results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
    results.read_through(&Analysis::new(&[], None, &criteria, &|_| None), &[])
}

fn failing(version: &str, error: &str) -> Record {
    let mut failing = test("t", Failed, "");
    failing.command = vec!["python".to_owned(), "sub/t.py".to_owned()];
    error.clone_into(&mut failing.runs[0].error);
    record(version, "3.11").with_runs([failing])
}

const TRACEBACK: &str = "Traceback (most recent call last):
  File \"/tmp/x/sub/t.py\", line 3, in <module>
ImportError: cannot import name 'x' from 'demo' [click](https://evil.example)";

#[test]
fn a_cause_is_a_result_at_the_line_that_it_came_through() {
    let mut unbuilt = record("0.9", "3.11");
    unbuilt.outcome = CellOutcome::BuildFailed;
    let mut lost = record("1.3", "3.11");
    (lost.outcome, lost.reason) = (CellOutcome::NotMeasured, Some("no network".to_owned()));
    let flaky = record("1.2", "3.11").with_runs([test("t", Passed, ""), test("t", Failed, "")]);
    let cells = vec![unbuilt, failing("1.0", TRACEBACK), failing("1.1", TRACEBACK), flaky, lost];
    let has = |path: &str| path == "sub/t.py";
    let tree = SourceTree { prefix: "study/".to_owned(), has: &has, ..SourceTree::default() };
    let text = sarif(&results(cells), &tree);
    let document: Value = serde_json::from_str(&text).unwrap();
    let found = document["runs"][0]["results"].as_array().unwrap();
    let line = |one: &Value| {
        let place = &one["locations"][0]["physicalLocation"];
        format!(
            "{} {} {}:{} {} {}",
            one["level"],
            one["ruleId"],
            place["artifactLocation"]["uri"],
            place["region"]["startLine"],
            one["properties"]["cells"],
            one["message"]["text"]
        )
    };
    insta::assert_snapshot!(found.iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
    "error" "fails" "study/sub/t.py":3 ["1.0/3.11","1.1/3.11"] "ImportError: cannot import name 'x' from 'demo' [click] (https://evil.example)\nIn 2 cells of demo, 2 releases from 1.0 to 1.1 (tests: t).\nIt surfaces at t.py in <module>."
    "error" "fails" "study/caliper.yaml":1 ["1.2/3.11"] "exit status 1, no output\nIn 1 cell of demo, release 1.2 (tests: t)."
    "error" "cannot-be-built" "study/caliper.yaml":1 ["0.9/3.11"] "build: unknown, see the log\nIn 1 cell of demo, release 0.9."
    "warning" "flaky" "study/caliper.yaml":1 ["1.2/3.11"] "`t` passes in some runs and fails in others\nIn 1 cell of demo, release 1.2 (tests: t)."
    "note" "could-not-be-measured" "study/caliper.yaml":1 ["1.3/3.11"] "no network\nIn 1 cell of demo, release 1.3."
    "#);
    for one in found {
        let rule = usize::try_from(one["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(document["runs"][0]["tool"]["driver"]["rules"][rule]["id"], one["ruleId"]);
    }
}

#[test]
fn a_fingerprint_outlives_other_cells_and_lines() {
    let prints = |cells: Vec<Record>| -> Vec<Value> {
        let document: Value =
            serde_json::from_str(&sarif(&results(cells), &SourceTree::default())).unwrap();
        let found = document["runs"][0]["results"].as_array().unwrap().clone();
        found.into_iter().map(|one| one["partialFingerprints"].clone()).collect()
    };
    let moved = TRACEBACK.replace("line 3", "line 33");
    let one = prints(vec![failing("1.0", TRACEBACK)]);
    assert_eq!(one, prints(vec![failing("1.0", &moved), failing("1.1", &moved)]));
    assert_ne!(one, prints(vec![failing("1.0", "ValueError: x")]));
}

#[test]
fn more_results_than_are_shown_are_left_out_and_counted() {
    let cells = (0..MOST_RESULTS + 7).map(|number| {
        let mut lost = record(&format!("1.{number}"), "3.11");
        lost.outcome = CellOutcome::NotMeasured;
        lost.reason = Some(format!("reason {number}"));
        lost
    });
    let text = sarif(&results(cells.collect()), &SourceTree::default());
    let document: Value = serde_json::from_str(&text).unwrap();
    let run = &document["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), MOST_RESULTS);
    let told = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert!(told.as_str().unwrap().starts_with("7 more results"), "{told}");
}
