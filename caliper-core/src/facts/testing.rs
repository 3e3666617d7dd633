//! Small records for tests.

use crate::facts::record::{BuildRecord, CellOutcome, Record, Run, TestOutcome, TestRecord};
use crate::names::{PythonVersion, Sha256, Timestamp};
use crate::question::grid::CellId;

/// A record of a cell in which nothing was run.
///
/// # Panics
///
/// If `version` is not a version, or `python` not one of Python.
pub fn record(version: &str, python: &str) -> Record {
    let python: PythonVersion = python.parse().expect("a Python");
    let moment = Timestamp::from_unix_seconds(1_600_000_000);
    let id = CellId::new(version.parse().expect("a version"), python);
    let key = Sha256::of(version.as_bytes());
    let mut record = Record::new(&id, key, "fake", CellOutcome::Tested, moment);
    record.abi = Some(python.usual_abi());
    record.build = Some(BuildRecord::new(None, 1_000_000_000));
    record
}

/// A test with one run that ended so and printed this.
pub fn test(name: &str, outcome: TestOutcome, output: &str) -> TestRecord {
    let mut test = TestRecord::new(name, ["python", name]);
    test.runs.push(run(outcome, output));
    test
}

/// A run that ended so and printed this.
pub fn run(outcome: TestOutcome, output: &str) -> Run {
    let mut run = Run::new(1, outcome);
    run.retval = Some(i32::from(outcome != TestOutcome::Passed));
    run.nanoseconds = 500_000_000;
    output.clone_into(&mut run.output);
    run
}

impl Record {
    /// Adds runs: those of one name become one test.
    #[must_use]
    pub fn with_runs(mut self, tests: impl IntoIterator<Item = TestRecord>) -> Self {
        for mut test in tests {
            for mut run in std::mem::take(&mut test.runs) {
                run.attempt = self.attempts(&test.name) + 1;
                self.add_run(&test, run);
            }
        }
        self
    }
}
