use super::*;
use crate::facts::record::Machine;
use crate::facts::record::TestOutcome::{self, Failed, Passed};
use crate::facts::record::tests::{record, test};
use crate::question::axes::{Condition, Rule};
use crate::question::criteria::Tolerance;

/// A cell with these labels whose test printed these lines.
fn cell(version: &str, mode: &str, runs: &[(TestOutcome, &str)]) -> Record {
    let mut cell = record(version, "3.11");
    cell.variant = [("mode", mode)].into_iter().collect();
    cell.with_runs(runs.iter().map(|(outcome, output)| test("draw", *outcome, output)))
}

fn value(metric: &str, value: f64, conditions: &[(&str, &str)]) -> ExpectedValue {
    let condition = |(part, text): &(&str, &str)| {
        let condition = text
            .parse()
            .map_or_else(|_| Condition::Labels(vec![(*text).to_owned()]), Condition::Specifiers);
        ((*part).to_owned(), condition)
    };
    ExpectedValue {
        test: "draw".to_owned(),
        metric: metric.to_owned(),
        place: Rule(conditions.iter().map(condition).collect()),
        machine: None,
        value,
        tolerance: Tolerance::new(1e-6, 0.0).unwrap(),
    }
}

fn verdicts(records: &[Record], expected: &[ExpectedValue]) -> Vec<ValueVerdict> {
    expected_values(records, expected, &Criteria::default(), &|_| None)
}

fn told(verdicts: &[ValueVerdict]) -> String {
    let lines = verdicts.iter().map(|verdict| format!("{}: {verdict}", verdict.cell));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_combination_has_its_value_and_an_unknown_one_is_never_a_pass() {
    let golden = [
        value("mean", 0.25, &[("version", "<2"), ("mode", "eager")]),
        value("mean", 0.5, &[("version", "<2"), ("mode", "graph")]),
        value("mean", 0.75, &[("version", ">=2"), ("mode", "eager")]),
        // What applies first counts, so that this is for the rest of the releases before 2.
        value("mean", 9.0, &[("version", "<2")]),
    ];
    let records = [
        cell("2.0", "graph", &[(Passed, "mean 0.75")]),
        cell("1.0", "eager", &[(Passed, "mean 0.2500001")]),
        cell("1.0", "graph", &[(Passed, "mean 0.5"), (Passed, "mean 0.6"), (Passed, "mean 0.7")]),
        cell("2.0", "eager", &[(Passed, "mean 0.75"), (Failed, "mean 0.1")]),
        cell("1.0", "other", &[(Passed, "mean 9")]),
    ];
    let found = verdicts(&records, &golden);
    insta::assert_snapshot!(told(&found), @"
    1.0/3.11[mode=eager]: `mean` of `draw` is as expected
    1.0/3.11[mode=graph]: `mean` of `draw` is 0.6 in run 2, and 0.5 is expected (2 of 3 runs differ)
    1.0/3.11[mode=other]: `mean` of `draw` is as expected
    2.0/3.11[mode=eager]: `mean` of `draw` is as expected
    2.0/3.11[mode=graph]: `mean` of `draw` has no expected value here: `expect` does not know this combination
    ");
    insta::assert_snapshot!(ValueCounts::of(&found), @"3 as expected, 1 different, 1 of an unknown combination, 0 missing");
    let Held { new, known } = violations_of_values(&found, &[]);
    assert_eq!((new.len(), known.len()), (2, 0));
    assert!(new.iter().all(|violation| violation.is_of_result));
}

#[test]
fn a_number_that_is_not_there_is_no_pass_either() {
    let golden = [value("mean", 0.25, &[])];
    let runs: [&[(TestOutcome, &str)]; 6] = [
        &[(Failed, "mean 0.25")],
        &[(Passed, "mean 0.25"), (Passed, "")],
        &[(Passed, "mean 0.25\nmean 0.25")],
        &[(Passed, "mean 9007199254740993")],
        &[(Passed, "mean nan")],
        &[],
    ];
    let records: Vec<Record> =
        (1..).zip(runs).map(|(number, runs)| cell(&format!("{number}.0"), "m", runs)).collect();
    // Where the test was not run, there is nothing to say.
    insta::assert_snapshot!(told(&verdicts(&records, &golden)), @"
    1.0/3.11[mode=m]: `mean` of `draw` is missing: no run passed
    2.0/3.11[mode=m]: `mean` of `draw` is missing: run 2 does not have it
    3.0/3.11[mode=m]: `mean` of `draw` is missing: it occurs several times in run 1
    4.0/3.11[mode=m]: `mean` of `draw` is missing: in run 1 it is a whole number of more than 53 bits, about 9007199254740992
    5.0/3.11[mode=m]: `mean` of `draw` is NaN in run 1, and 0.25 is expected
    ");
    assert!(verdicts(&records, &[]).is_empty());
}

#[test]
fn a_value_may_hold_on_some_machines_only() {
    let machine = Machine {
        cpu: Some("Neoverse-N1".to_owned()),
        os: Some("Debian 12".to_owned()),
        ..Machine::default()
    };
    let mut arm = cell("1.0", "m", &[(Passed, "mean 0.25")]);
    arm.machine = Some(machine);
    let unknown = cell("2.0", "m", &[(Passed, "mean 0.25")]);
    let mut golden = value("mean", 0.25, &[]);
    golden.machine = Some("*Neoverse*".to_owned());
    insta::assert_snapshot!(told(&verdicts(&[arm.clone(), unknown], &[golden.clone()])), @"
    1.0/3.11[mode=m]: `mean` of `draw` is as expected
    2.0/3.11[mode=m]: `mean` of `draw` has no expected value here: `expect` does not know this combination
    ");
    golden.machine = Some("*Xeon*".to_owned());
    let found = verdicts(&[arm], &[golden]);
    assert_eq!(found[0].outcome, ValueOutcome::UnknownCombination);
}

#[test]
fn what_was_so_before_is_not_new() {
    let golden = [value("mean", 0.25, &[("version", "<2")])];
    let before = [
        cell("1.0", "m", &[(Passed, "mean 0.25")]),
        cell("1.1", "m", &[(Passed, "mean 0.5")]),
        cell("2.0", "m", &[(Passed, "mean 0.5")]),
    ];
    let now = [
        cell("1.0", "m", &[(Passed, "mean 0.5")]),
        cell("1.1", "m", &[(Passed, "mean 0.75")]), // differs as before
        cell("2.0", "m", &[(Passed, "mean 0.5")]),  // unknown as before
        cell("1.2", "m", &[(Passed, "mean 0.5")]),  // was not measured before
    ];
    let held = violations_of_values(&verdicts(&now, &golden), &verdicts(&before, &golden));
    let cells = |found: &[Violation]| {
        found.iter().map(|one| one.cell.version.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (cells(&held.new), cells(&held.known)),
        (vec!["1.0".to_owned(), "1.2".to_owned()], vec!["1.1".to_owned(), "2.0".to_owned()])
    );
}
