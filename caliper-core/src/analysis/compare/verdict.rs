use std::fmt;

use serde::{Deserialize, Serialize};

/// How the result of a test compares with the baseline's.
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
#[non_exhaustive]
pub enum Verdict {
    /// It is the same, apart from ignored differences.
    Same,
    /// It is not the same, and no further off than a release is from itself.
    SameWithinNoise,
    /// It is further off than a release is from itself.
    Different,
    /// It is not the same, and the test was run too few times to tell whether that is noise.
    Undecided,
    /// The test passes and fails in this very cell.
    Flaky,
    /// There is no passing result to compare it with.
    NoBaseline,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Same => "same result",
            Self::SameWithinNoise => "same result, within noise",
            Self::Different => "different result",
            Self::Undecided => "undecided: not the same result, which may be noise",
            Self::Flaky => "flaky",
            Self::NoBaseline => "nothing to compare with",
        })
    }
}
