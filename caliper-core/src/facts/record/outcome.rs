use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a cell ended.
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
pub enum CellOutcome {
    /// There is nothing to install for this Python.
    Unavailable,
    /// The environment could not be made, and the subject is at fault.
    BuildFailed,
    /// The environment was made and the tests were run.
    Tested,
    /// It could not be measured, because of an infrastructure failure.
    NotMeasured,
}

impl CellOutcome {
    /// Whether this is an infrastructure failure, so that the cell must be measured again.
    pub fn is_spurious(self) -> bool {
        match self {
            Self::Unavailable | Self::BuildFailed | Self::Tested => false,
            Self::NotMeasured => true,
        }
    }
}

impl fmt::Display for CellOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unavailable => "nothing to install",
            Self::BuildFailed => "cannot be built",
            Self::Tested => "tested",
            Self::NotMeasured => "could not be measured",
        })
    }
}

/// How one run of a test ended.
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
pub enum TestOutcome {
    /// It exited with status 0.
    Passed,
    /// It exited with another status, or crashed by itself.
    Failed,
    /// It ran longer than it may.
    TimedOut,
    /// It neither printed nor computed for longer than it may.
    Idle,
    /// It, or a child of it, wanted more memory than it may have.
    OutOfMemory,
    /// It exited with status 0 and left more result files than it may, so that its result is not known.
    ResultsOverLimit,
    /// It was killed from outside.
    Killed,
    /// Its program does not exist or cannot be executed: the test or the image is at fault.
    NotRun,
    /// It could not be measured, because of an infrastructure failure.
    NotMeasured,
}

impl TestOutcome {
    /// Whether this is an infrastructure failure, so that the cell must be measured again.
    pub fn is_spurious(self) -> bool {
        match self {
            Self::Passed
            | Self::Failed
            | Self::TimedOut
            | Self::Idle
            | Self::OutOfMemory
            | Self::ResultsOverLimit
            | Self::NotRun => false,
            Self::Killed | Self::NotMeasured => true,
        }
    }
}

impl fmt::Display for TestOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Idle => "idle",
            Self::OutOfMemory => "out of memory",
            Self::ResultsOverLimit => "results over the limit",
            Self::Killed => "killed",
            Self::NotRun => "not run",
            Self::NotMeasured => "not measured",
        })
    }
}

/// What a backend saw at the end of one run of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestEnd {
    /// The program exited with this status.
    Exited(i32),
    /// This signal ended the program, and neither Caliper nor a memory limit sent it.
    Signalled(i32),
    /// Caliper killed it at its limit on wall-clock time.
    TimedOut,
    /// Caliper killed it at its limit on time without output and without use of the processor.
    Idle,
    /// A memory limit that was asked for killed it or a child of it, whatever its exit status was.
    OutOfMemory {
        /// The exit status all the same, if the program itself went on.
        status: Option<i32>,
    },
    /// The program exited with status 0, and its result files exceed a limit.
    ResultsOverLimit {
        /// Which limit, and by what.
        reason: String,
    },
    /// The program could not be started.
    NotRun {
        /// Why, as the system reports it.
        reason: String,
    },
}

impl TestEnd {
    /// The end of a program of which a shell, an init program or an engine tells the status: there,
    /// 128 + n stands for signal n.
    pub fn of_status(status: i32) -> Self {
        match status {
            129..=159 => Self::Signalled(status - 128),
            _ => Self::Exited(status),
        }
    }

    /// The outcome that this end stands for.
    pub fn outcome(&self) -> TestOutcome {
        match self {
            Self::Exited(0) => TestOutcome::Passed,
            // SIGKILL that Caliper did not send: the host ran out of memory, or an operator stepped in.
            Self::Signalled(9) => TestOutcome::Killed,
            Self::Exited(_) | Self::Signalled(_) => TestOutcome::Failed,
            Self::TimedOut => TestOutcome::TimedOut,
            Self::Idle => TestOutcome::Idle,
            Self::OutOfMemory { .. } => TestOutcome::OutOfMemory,
            Self::ResultsOverLimit { .. } => TestOutcome::ResultsOverLimit,
            Self::NotRun { .. } => TestOutcome::NotRun,
        }
    }

    /// The exit status, where the program ended by itself.
    pub fn status(&self) -> Option<i32> {
        match self {
            Self::Exited(status) => Some(*status),
            Self::OutOfMemory { status } => *status,
            Self::ResultsOverLimit { .. } => Some(0),
            Self::Signalled(_) | Self::TimedOut | Self::Idle | Self::NotRun { .. } => None,
        }
    }

    /// The signal that ended the program.
    pub fn signal(&self) -> Option<i32> {
        match self {
            Self::Signalled(signal) => Some(*signal),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_outcome() {
        for (end, outcome) in [
            (TestEnd::Exited(0), TestOutcome::Passed),
            (TestEnd::Exited(1), TestOutcome::Failed),
            (TestEnd::Signalled(11), TestOutcome::Failed), // a crash is the program's own doing
            (TestEnd::Signalled(9), TestOutcome::Killed),
            (TestEnd::TimedOut, TestOutcome::TimedOut),
            (TestEnd::Idle, TestOutcome::Idle),
            // Only a child was killed and the program exited 0: the flag is the evidence.
            (TestEnd::OutOfMemory { status: Some(0) }, TestOutcome::OutOfMemory),
            (TestEnd::ResultsOverLimit { reason: String::new() }, TestOutcome::ResultsOverLimit),
            (TestEnd::NotRun { reason: String::new() }, TestOutcome::NotRun),
        ] {
            assert_eq!(end.outcome(), outcome, "{end:?}");
        }
    }
}
