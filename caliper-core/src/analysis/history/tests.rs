use super::*;
use crate::facts::record::TestOutcome::{self, Failed, Passed};
use crate::facts::record::tests::{record, test};
use crate::facts::record::{CellOutcome, Installed};

fn results(day: i64, cells: &[(&str, TestOutcome, &str)]) -> Results {
    let moment = Timestamp::from_unix_seconds(1_600_000_000 + day * 86_400);
    let cell = |(version, outcome, other): &(&str, TestOutcome, &str)| {
        let mut cell = record(version, "3.11").with_runs([test("t", *outcome, "")]);
        cell.environment.installed = vec![Installed::new("other", *other)];
        cell.finished = moment;
        cell
    };
    let cells = cells.iter().map(cell).collect();
    Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap()
}

#[test]
fn a_change_says_what_moved_with_it() {
    let first = results(0, &[("1.0", Passed, "1"), ("1.1", Passed, "1"), ("1.2", Failed, "1")]);
    let second = results(30, &[("1.0", Passed, "1"), ("1.1", Failed, "2")]);
    let mut third = results(60, &[("1.0", Passed, "2"), ("1.2", Failed, "1")]);
    third.cells[1].outcome = CellOutcome::BuildFailed;
    third.cells[1].key = Sha256::of(b"an edit");
    // The order in which they are gathered does not matter.
    let all = [&third, &first, &second].map(Snapshot::of);
    let history = StudyHistory::of("demo", "a", all.into());
    let line = |change: &VerdictChange| {
        let VerdictChange { cell, from, to, measured_anew, question_changed, packages, .. } =
            change;
        format!(
            "{cell}: {} -> {}, anew {measured_anew}, other question {question_changed}, {packages:?}",
            from.state, to.state
        )
    };
    let lines: Vec<String> = history.changes.iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    1.1/3.11: passes -> fails, anew true, other question false, [PackageChange { name: "other", from: Some("1"), to: Some("2") }]
    1.2/3.11: fails -> cannot be built, anew true, other question true, []
    "#);
    assert_eq!((history.unchanged, history.snapshots.len()), (1, 3));
}

#[test]
fn the_same_results_change_nothing() {
    let one = Snapshot::of(&results(0, &[("1.0", Passed, "1")]));
    let history = StudyHistory::of("demo", "a", vec![one.clone(), one]);
    assert_eq!((history.changes.len(), history.unchanged), (0, 1));
}
