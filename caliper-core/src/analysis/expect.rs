//! What must hold of a set of results, and what does not.

use std::collections::BTreeMap;
use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};

use crate::analysis::compare::{Verdict, Verdicts};
use crate::facts::record::State;
use crate::facts::record::{CellOutcome, Record};
use crate::names::PythonVersion;
use crate::question::grid::{CellId, Variant};

/// What counts against a set of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// A release that is expected to pass does not; and where nothing is expected, a build or a test
    /// that fails at a release although it works at an older one.
    Regressed,
    /// A build or a test that fails.
    Failed,
    /// As [`FailOn::Failed`], and a result that differs from the baseline's.
    Different,
    /// Nothing.
    Never,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// In which cell.
    pub cell: CellId,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.cell, self.what)
    }
}

/// What does not hold of `records`, of which an [`Analysis`](crate::analysis::Analysis) made
/// `verdicts`.
pub fn violations(
    records: &[Record],
    verdicts: &Verdicts,
    fail_on: FailOn,
    expect: Option<&VersionSpecifiers>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut seen_passing: BTreeMap<(PythonVersion, Variant, String), Version> = BTreeMap::new();
    let mut seen_built: BTreeMap<(PythonVersion, Variant), Version> = BTreeMap::new();
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by_key(|record| record.id());
    for record in sorted {
        let expected = expect.is_some_and(|expect| expect.contains(&record.version));
        let counts_failures = match fail_on {
            FailOn::Never => false,
            FailOn::Regressed => expected,
            FailOn::Failed | FailOn::Different => true,
        };
        let mut push = |what: String| found.push(Violation { cell: record.id(), what });
        let column = (record.python, record.variant.clone());
        match record.outcome {
            CellOutcome::BuildFailed if record.is_excluded() => {}
            CellOutcome::BuildFailed if counts_failures => {
                push(CellOutcome::BuildFailed.to_string());
            }
            CellOutcome::BuildFailed if fail_on == FailOn::Regressed && expect.is_none() => {
                if let Some(version) = seen_built.get(&column) {
                    push(format!("{}, and could at {version}", CellOutcome::BuildFailed));
                }
            }
            CellOutcome::Tested => {
                seen_built.entry(column).or_insert_with(|| record.version.clone());
            }
            _ => {}
        }
        for (name, state) in record.states() {
            let row = (record.python, record.variant.clone(), name.to_owned());
            match state {
                // Flaky is not failed: the release is not what made it fail.
                State::Passed | State::Flaky => {
                    seen_passing.entry(row).or_insert_with(|| record.version.clone());
                    let verdict = verdicts.verdict(&record.id(), name);
                    if fail_on == FailOn::Different && verdict == Some(Verdict::Different) {
                        push(format!("`{name}` gives a different result"));
                    }
                }
                State::NotMeasured | State::Unavailable | State::Excluded | State::BuildFailed => {}
                State::Failed => {
                    let run = record.test(name).and_then(|test| test.runs.first());
                    let outcome = run.map(|run| run.outcome);
                    let outcome = outcome.map(|outcome| outcome.to_string()).unwrap_or_default();
                    if counts_failures {
                        push(format!("`{name}` {outcome}"));
                    } else if fail_on == FailOn::Regressed
                        && expect.is_none()
                        && let Some(version) = seen_passing.get(&row)
                    {
                        push(format!("`{name}` {outcome}, and passed at {version}"));
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::TestOutcome;
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

    #[test]
    fn each_level_counts_what_it_says() {
        let with = |version, outcome, output| {
            // Often enough to tell another result from noise.
            record(version, "3.11").with_runs(vec![test("t", outcome, output); 5])
        };
        let mut records = [
            with("1.0", TestOutcome::Failed, ""),
            with("1.1", TestOutcome::Passed, "a"),
            with("1.2", TestOutcome::Failed, ""),
            with("1.3", TestOutcome::Passed, "b"),
            with("1.4", TestOutcome::Killed, ""),
            record("1.5", "3.11"),
        ];
        records[5].outcome = CellOutcome::BuildFailed;
        let verdicts =
            crate::analysis::Analysis::new(&records, None, &Criteria::default(), &|_| None)
                .into_verdicts();
        let expect: VersionSpecifiers = ">=1.1,<1.5".parse().unwrap();
        let found = |fail_on, expect| -> Vec<String> {
            violations(&records, &verdicts, fail_on, expect)
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(found(FailOn::Never, Some(&expect)), Vec::<String>::new());
        let built = "cannot be built";
        assert_eq!(
            found(FailOn::Regressed, None),
            [
                "1.2/3.11: `t` failed, and passed at 1.1".to_owned(),
                format!("1.5/3.11: {built}, and could at 1.0")
            ]
        );
        assert_eq!(found(FailOn::Regressed, Some(&expect)), ["1.2/3.11: `t` failed"]);
        assert_eq!(found(FailOn::Failed, None).len(), 3);
        assert_eq!(
            found(FailOn::Different, None),
            [
                "1.0/3.11: `t` failed",
                "1.1/3.11: `t` gives a different result",
                "1.2/3.11: `t` failed",
                "1.5/3.11: cannot be built"
            ]
        );
    }
}
