use caliper_core::facts::record::{CellOutcome, TestOutcome};

use super::super::state::tests::record;
use super::*;

fn told(told: &mut Told, record: &Record) -> Vec<String> {
    told.take(record, &|_| None).into_iter().map(|new| new.text).collect()
}

fn fails(cell: &str, why: &str) -> Record {
    let error =
        format!("Traceback (most recent call last):\n  File \"t.py\", line 3, in f\n{why}\n");
    record(cell, TestOutcome::Failed, &error)
}

#[test]
fn a_cause_is_told_once() {
    let mut all = Told::default();
    let mut lines = Vec::new();
    for record in [
        record("1.0/3.11", TestOutcome::Passed, ""),
        fails("1.1/3.11", "ImportError: cannot import name 'x'"),
        fails("1.2/3.11", "ImportError: cannot import name 'x'"),
        fails("1.3/3.11", "ValueError: got 17"),
        // Numbers differ from run to run.
        fails("1.4/3.11", "ValueError: got 18"),
        fails("1.5/3.11", "ImportError: cannot import name 'x'"),
    ] {
        lines.extend(told(&mut all, &record));
    }
    lines.extend(all.again());
    insta::assert_snapshot!(lines.join("\n"), @"
    1.1/3.11 unit: ImportError: cannot import name 'x' (t.py in f)
    1.3/3.11 unit: ValueError: got N (t.py in f)
    … and 2 more cells: ImportError: cannot import name 'x'
    … and 1 more cell: ValueError: got N
    ");
    assert!(all.again().is_empty());
}

#[test]
fn what_cannot_be_measured_is_told_once_too() {
    let mut all = Told::default();
    let mut lost = record("1.0/3.11", TestOutcome::Passed, "");
    lost.outcome = CellOutcome::NotMeasured;
    lost.reason = Some("1.0/3.11 got no answer\nmore".to_owned());
    assert_eq!(told(&mut all, &lost), ["1.0/3.11 could not be measured: … got no answer"]);
    let mut other = record("2.0/3.11", TestOutcome::Passed, "");
    (other.outcome, other.reason) =
        (CellOutcome::NotMeasured, Some("2.0/3.11 got no answer".to_owned()));
    assert!(told(&mut all, &other).is_empty());
}

#[test]
fn many_causes_do_not_fill_the_screen() {
    let mut all = Told::default();
    let lines: usize = ('a'..='z')
        .chain('A'..='Z')
        .map(|name| told(&mut all, &fails("1.0/3.11", &format!("ImportError: no {name}"))).len())
        .sum();
    assert_eq!(lines, MOST);
    assert_eq!(all.again(), ["… and 22 more failures of other causes"]);
}
