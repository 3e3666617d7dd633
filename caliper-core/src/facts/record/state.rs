use std::fmt;

use serde::{Deserialize, Serialize};

use super::TestOutcome;

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
    /// The user's own requirements exclude the release.
    Excluded,
    /// The environment could not be made.
    BuildFailed,
    /// It did not pass.
    Failed,
    /// It passed and failed although nothing that determines it differs.
    Flaky,
    /// It passed.
    Passed,
    /// An infrastructure failure prevented the measurement.
    NotMeasured,
}

impl State {
    /// Joins the outcomes of repeats; `None` without any.
    pub fn over(outcomes: impl IntoIterator<Item = TestOutcome>) -> Option<Self> {
        let (mut passed, mut failed, mut spurious) = (false, false, false);
        for outcome in outcomes {
            match outcome {
                TestOutcome::Passed => passed = true,
                TestOutcome::Failed
                | TestOutcome::TimedOut
                | TestOutcome::Idle
                | TestOutcome::OutOfMemory
                | TestOutcome::ResultsOverLimit
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
            Self::Excluded => "excluded by your requirements",
            Self::BuildFailed => "cannot be built",
            Self::Failed => "fails",
            Self::Flaky => "flaky",
            Self::Passed => "passes",
            Self::NotMeasured => "could not be measured",
        })
    }
}
