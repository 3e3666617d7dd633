use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::BlobRef;

/// How a function of a test ended.
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
pub enum FunctionOutcome {
    /// It passed.
    Passed,
    /// It was expected to fail, and did.
    Xfailed,
    /// It was not run.
    Skipped,
    /// It failed.
    Failed,
    /// What it needs failed: a fixture, or the import of its module.
    Error,
}

impl FunctionOutcome {
    /// Whether it is one of the two ways to fail.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Passed | Self::Xfailed | Self::Skipped => false,
            Self::Failed | Self::Error => true,
        }
    }
}

impl fmt::Display for FunctionOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Passed => "passed",
            Self::Xfailed => "xfailed",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Error => "error",
        })
    }
}

/// What is known of the functions of a test from one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordedFunctions {
    /// How many ended in each way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<FunctionOutcome, u32>,
    /// How each ended: a JSON object of [`FunctionOutcome`]s by the ids of the functions. Runs that end alike share
    /// one blob. `None` if there was no report that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<BlobRef>,
    /// What is said of those that did not pass: a JSON list of
    /// [`FunctionDetails`](crate::facts::functions::FunctionDetails). `None` if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<BlobRef>,
    /// Why nothing, or not all, is known of the functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl RecordedFunctions {
    /// How many functions there are.
    pub fn count(&self) -> u32 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// `198 passed, 2 failed`.
impl fmt::Display for RecordedFunctions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.counts.is_empty() {
            formatter.write_str("none")?;
        }
        for (place, (outcome, count)) in self.counts.iter().enumerate() {
            let between = if place == 0 { "" } else { ", " };
            let plural = if *outcome == FunctionOutcome::Error && *count != 1 { "s" } else { "" };
            write!(formatter, "{between}{count} {outcome}{plural}")?;
        }
        Ok(())
    }
}
