use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CellOutcome, Record, TestOutcome};

/// How a test ended in a cell, over all of its repeats.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There was nothing to install.
    Unavailable,
    /// The environment could not be made.
    BuildFailed,
    /// It did not pass.
    Failed,
    /// It passed and failed under one key.
    Flaky,
    /// It passed.
    Passed,
    /// The world kept it from being measured.
    NotMeasured,
}

impl State {
    /// How the test `name` ended in the cell of `record`; without a name, how the cell itself did.
    /// `None` if the record has no such test, but others.
    pub fn of(record: &Record, name: Option<&str>) -> Option<Self> {
        Some(match record.outcome {
            CellOutcome::Unavailable => Self::Unavailable,
            CellOutcome::BuildFailed => Self::BuildFailed,
            CellOutcome::NotMeasured => Self::NotMeasured,
            CellOutcome::Tested => match name {
                None => Self::Passed,
                Some(name) => {
                    let attempts = record.tests.iter().filter(|test| test.name == name);
                    return Self::over(attempts.map(|test| test.outcome));
                }
            },
        })
    }

    /// How repeats that ended so ended together; `None` if there are none.
    pub fn over(outcomes: impl IntoIterator<Item = TestOutcome>) -> Option<Self> {
        let (mut passed, mut failed, mut spurious) = (false, false, false);
        for outcome in outcomes {
            match outcome {
                TestOutcome::Passed => passed = true,
                TestOutcome::Failed
                | TestOutcome::TimedOut
                | TestOutcome::Idle
                | TestOutcome::OutOfMemory
                | TestOutcome::NotRun => failed = true,
                TestOutcome::Killed | TestOutcome::NotMeasured => spurious = true,
            }
        }
        match (passed, failed, spurious) {
            (true, true, _) => Some(Self::Flaky),
            (_, _, true) => Some(Self::NotMeasured),
            (true, false, false) => Some(Self::Passed),
            (false, true, false) => Some(Self::Failed),
            (false, false, false) => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unavailable => "nothing to install",
            Self::BuildFailed => "cannot be built",
            Self::Failed => "fails",
            Self::Flaky => "flaky",
            Self::Passed => "passes",
            Self::NotMeasured => "not measured",
        })
    }
}
