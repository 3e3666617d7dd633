//! Why a result has its verdict.

use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::comparison::{Comparison, PartComparison};
use crate::analysis::is_zero;

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

impl Evidence {
    /// How the listed parts compare, the least alike first.
    pub fn comparisons(&self) -> impl Iterator<Item = &Comparison> {
        std::iter::once(&self.comparison).chain(self.others.iter().map(|other| &other.comparison))
    }
}

/// What is known of noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Noise {
    /// How often the test was run here, and at the baseline, in batches in which both were run. Only these
    /// runs are compared: what was measured at another time may differ by the time.
    pub runs: [u32; 2],
    /// How many runs of other batches there are here, and at the baseline.
    #[serde(default, skip_serializing_if = "is_none")]
    pub runs_of_other_batches: [u32; 2],
    /// How they were compared; `None` where the runs are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// How likely results so far apart are if the release makes no difference; `None` where the runs
    /// are too few to say.
    pub p: Option<f64>,
    /// The same, corrected for the number of comparisons (Benjamini and Hochberg).
    pub adjusted: Option<f64>,
    /// How many ways to deal out the runs were tried.
    pub permutations: u64,
    /// What sets the two apart most, if it is a number: its mean at the baseline and here, or for
    /// [`Method::Spread`] its standard deviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub furthest: Option<[f64; 2]>,
    /// Whether a part of the result never is twice the same, or has no counterpart in the other runs, so
    /// that it cannot be compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untestable: bool,
    /// How many comparisons were corrected for.
    pub comparisons: u32,
    /// The error rate.
    pub alpha: f64,
    /// How many runs on each side would decide; `None` where it is decided, or no number would.
    pub needed: Option<u32>,
}

/// How runs were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// All runs on each side have the same result, and p is the chance of that for a test that varies.
    Repeats,
    /// By a permutation test, which found the means furthest apart.
    Permutation,
    /// By a permutation test, which found the variation from run to run furthest apart.
    Spread,
    /// The other releases of the row have the same result in all their runs, and this one has not.
    Determinism,
    /// All runs that were measured together have the same result; only runs of other times have another.
    Together,
}

impl Noise {
    /// Nothing is known yet.
    pub(super) fn of_none(alpha: f64) -> Self {
        Self {
            runs: [0; 2],
            runs_of_other_batches: [0; 2],
            method: None,
            p: None,
            adjusted: None,
            permutations: 0,
            furthest: None,
            untestable: false,
            comparisons: 0,
            alpha,
            needed: None,
        }
    }
}

/// Numbers with four digits.
fn rounded(numbers: [f64; 2]) -> [f64; 2] {
    numbers.map(|number| format!("{number:.3e}").parse().unwrap_or(number))
}

impl fmt::Display for Noise {
    /// How sure it is, on one line: `5 runs here, 5 at the baseline: p = 0.008, 0.024 over 3 comparisons at a
    /// rate of 0.05`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs: [here, there], runs_of_other_batches: [more_here, more_there], .. } = self;
        let runs =
            |count: u32| if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
        write!(formatter, "{} here, {there} at the baseline", runs(*here))?;
        if *more_here > 0 || *more_there > 0 {
            write!(
                formatter,
                " that were measured together ({more_here} and {more_there} of other batches are not \
                 compared, because results may depend on the time)"
            )?;
        }
        match self.method {
            None => {}
            Some(Method::Repeats) => formatter.write_str("; each side repeats itself exactly")?,
            Some(Method::Permutation) => {
                if let Some([there, here]) = self.furthest.map(rounded) {
                    write!(formatter, "; furthest apart is a mean, {there} there and {here} here")?;
                }
                write!(formatter, "; {} permutations", self.permutations)?;
            }
            Some(Method::Spread) => {
                formatter.write_str("; it varies more or less than there")?;
                if let Some([there, here]) = self.furthest.map(rounded) {
                    write!(
                        formatter,
                        ", by a standard deviation of {there} there and {here} here"
                    )?;
                }
                write!(formatter, " ({} permutations)", self.permutations)?;
            }
            Some(Method::Determinism) => {
                formatter.write_str("; all other releases repeat themselves exactly")?;
            }
            Some(Method::Together) => {
                formatter
                    .write_str("; all of these are the same, only the time sets others apart")?;
            }
        }
        if let (Some(p), Some(adjusted)) = (self.p, self.adjusted) {
            write!(
                formatter,
                ": p = {p:.4}, {adjusted:.4} over {} at a rate of {}",
                if self.comparisons == 1 {
                    "1 comparison".to_owned()
                } else {
                    format!("{} comparisons", self.comparisons)
                },
                self.alpha
            )?;
        }
        if self.untestable {
            formatter.write_str(
                "; a part of the result never is twice the same and cannot be compared: leave its lines or \
                 fields out with `compare: ignore`, or its file out of `results`",
            )?;
        }
        match self.needed.filter(|_| !self.untestable) {
            Some(needed) => write!(formatter, "; {} of each would decide", runs(needed)),
            None => Ok(()),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(runs: &[u32; 2]) -> bool {
    *runs == [0; 2]
}
