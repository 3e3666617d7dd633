//! How a result compares with another.
//!
//! Today a result is what a passing test printed on its standard output, byte for byte, and nothing
//! is known of noise: `different` means other bytes, whatever the reason.
//!
//! What the difference is, and whether it is one to a person, tells [`compare`].

pub mod ladder;
pub mod policy;
pub mod rules;

mod json;
mod judge;
mod npy;
mod npz;
mod number;
mod show;
mod table;
mod text;
mod tokens;

use std::collections::BTreeMap;

use pep440_rs::Version;

pub use crate::record::Verdict;
pub use ladder::{Comparison, Divergence, Format, Numbers, Place, ReadAs, Rung, compare};
pub use policy::{Nan, Policy, Tolerance, ToleranceError};
pub use rules::Rule;

use crate::grid::Variant;
use crate::names::PythonVersion;
use crate::record::{Record, TestOutcome, TestRecord};

/// Compares one run of a test with the baseline's.
///
/// `None` where there is no result: a test that did not pass has an outcome, and that says it all.
pub fn verdict(test: &TestRecord, baseline: Option<&TestRecord>) -> Option<Verdict> {
    match (test.outcome, baseline.map(|baseline| baseline.outcome)) {
        (TestOutcome::Passed, Some(TestOutcome::Passed)) => {
            let printed = |record: &TestRecord| (record.output_blob, record.output.clone());
            let same = baseline.is_some_and(|baseline| printed(baseline) == printed(test));
            Some(if same { Verdict::Same } else { Verdict::Different })
        }
        (
            TestOutcome::Passed,
            None
            | Some(
                TestOutcome::Failed
                | TestOutcome::TimedOut
                | TestOutcome::Idle
                | TestOutcome::OutOfMemory
                | TestOutcome::Killed
                | TestOutcome::NotRun
                | TestOutcome::NotMeasured,
            ),
        ) => Some(Verdict::NoBaseline),
        (
            TestOutcome::Failed
            | TestOutcome::TimedOut
            | TestOutcome::Idle
            | TestOutcome::OutOfMemory
            | TestOutcome::Killed
            | TestOutcome::NotRun
            | TestOutcome::NotMeasured,
            _,
        ) => None,
    }
}

/// Fills in the verdict of every test: within each Python and variant, against the release
/// `baseline`, or else against the newest release at which that test passes.
pub fn judge(records: &mut [Record], baseline: Option<&Version>) {
    type Row = (PythonVersion, Variant, String);
    let row = |record: &Record, test: &TestRecord| -> Row {
        (record.python, record.variant.clone(), test.name.clone())
    };
    let mut baselines: BTreeMap<Row, (Version, TestRecord)> = BTreeMap::new();
    for record in records.iter() {
        for test in record.tests.iter().filter(|test| test.outcome == TestOutcome::Passed) {
            let eligible = baseline.is_none_or(|baseline| *baseline == record.version);
            let row = row(record, test);
            // The first repeat of the newest release.
            let newer = baselines.get(&row).is_none_or(|(version, _)| record.version > *version);
            if eligible && newer {
                baselines.insert(row, (record.version.clone(), test.clone()));
            }
        }
    }
    for record in records {
        let mut tests = std::mem::take(&mut record.tests);
        for test in &mut tests {
            let baseline = baselines.get(&row(record, test)).map(|(_, test)| test);
            test.verdict = verdict(test, baseline);
        }
        record.tests = tests;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::{record, test};

    #[test]
    fn every_pair_has_its_verdict() {
        use TestOutcome::{Failed, Passed, TimedOut};
        let cases = [
            ((Passed, "a"), Some((Passed, "a")), Some(Verdict::Same)),
            ((Passed, "a"), Some((Passed, "b")), Some(Verdict::Different)),
            ((Passed, "a"), Some((Failed, "a")), Some(Verdict::NoBaseline)),
            ((Passed, "a"), None, Some(Verdict::NoBaseline)),
            ((Failed, "a"), Some((Passed, "a")), None),
            ((TimedOut, "a"), Some((TimedOut, "a")), None),
        ];
        for ((outcome, output), baseline, expected) in cases {
            let baseline = baseline.map(|(outcome, output)| test("t", outcome, output));
            let candidate = test("t", outcome, output);
            assert_eq!(verdict(&candidate, baseline.as_ref()), expected, "{candidate:?}");
        }
    }

    #[test]
    fn the_baseline_is_the_newest_release_that_passes() {
        let with = |version, outcome, output| {
            let mut record = record(version, "3.11");
            record.tests = vec![test("t", outcome, output)];
            record
        };
        let mut records = [
            with("1.9", TestOutcome::Passed, "old"),
            with("1.10", TestOutcome::Passed, "new"),
            with("1.11", TestOutcome::Failed, ""),
        ];
        let verdicts =
            |records: &[Record]| records.iter().map(|r| r.tests[0].verdict).collect::<Vec<_>>();
        judge(&mut records, None);
        assert_eq!(verdicts(&records), [Some(Verdict::Different), Some(Verdict::Same), None]);
        judge(&mut records, Some(&"1.9".parse().unwrap()));
        assert_eq!(verdicts(&records), [Some(Verdict::Same), Some(Verdict::Different), None]);
        judge(&mut records, Some(&"1.11".parse().unwrap()));
        assert_eq!(
            verdicts(&records),
            [Some(Verdict::NoBaseline), Some(Verdict::NoBaseline), None]
        );
    }
}
