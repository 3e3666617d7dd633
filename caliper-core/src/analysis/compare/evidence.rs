//! Why a result has its verdict.

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::comparison::{Comparison, PartComparison};

/// Why a result has its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Evidence {
    /// The release that it was held against.
    #[schemars(with = "String")]
    pub baseline: Version,
    /// Whether the comparison is of two runs of that release: the result is like its first run, and
    /// another of its runs is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_baseline: bool,
    /// What of the result is least alike: `stdout`, `stderr`, or the path of a file.
    pub part: String,
    /// How that compares.
    pub comparison: Comparison,
    /// The other parts that do not have the same bytes, the least alike first; 20 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<PartComparison>,
    /// How many parts with other bytes are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub others_left_out: usize,
    /// Whether that is more than noise, where it is not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
}

/// How many parts an [`Evidence`] lists besides the one that is least alike.
pub(super) const MOST_OTHERS: usize = 20;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Evidence {
    /// How the listed parts compare, the least alike first.
    pub fn comparisons(&self) -> impl Iterator<Item = &Comparison> {
        std::iter::once(&self.comparison).chain(self.others.iter().map(|other| &other.comparison))
    }
}

/// What is known of noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Noise {
    /// How often the test was run here, and at the baseline.
    pub runs: [u32; 2],
    /// How likely results so far apart are if the release makes no difference; `None` where the runs
    /// are too few to say.
    pub p: Option<f64>,
    /// The same, corrected for the number of comparisons (Benjamini and Hochberg).
    pub adjusted: Option<f64>,
    /// How many ways to deal out the runs were tried.
    pub permutations: u64,
    /// How many comparisons were corrected for.
    pub comparisons: u32,
    /// The error rate.
    pub alpha: f64,
    /// How many runs on each side would decide; `None` where it is decided, or no number would.
    pub needed: Option<u32>,
}
