//! How a result compares with another.

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
    /// It printed the same bytes.
    Same,
    /// It printed other bytes.
    Different,
    /// There is no passing result to hold it against.
    NoBaseline,
}
