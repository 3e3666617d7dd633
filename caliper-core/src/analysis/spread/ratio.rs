//! The ratio of two standard deviations: its interval, its p, and how many runs would decide about it.

use serde::Serialize;

use super::fisher::Fisher;
use super::values::ALPHA;

/// How probable it shall be that [`RunsNeeded`] decide.
pub const POWER: f64 = 0.8;

/// No more runs than these are looked at.
const MOST_RUNS: usize = 100_000;

/// How many runs each of two groups needs so that an F test at 0.05, two-sided, finds the ratio that was seen with a
/// probability of 0.8, if that is the true one and numbers are normally distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RunsNeeded {
    /// These.
    Runs {
        /// In each group.
        each: usize,
    },
    /// More than these, and perhaps no number is enough.
    MoreThan {
        /// In each group.
        each: usize,
    },
}

/// What the F test says of a ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FTest {
    pub(super) p: f64,
    /// The ends of the interval of the ratio.
    pub(super) interval: [f64; 2],
}

/// Tests whether a ratio of standard deviations, of `n` runs over `m` runs, is 1. `None` where numbers are beyond the
/// range of floating point.
pub(super) fn f_test(ratio: f64, n: usize, m: usize) -> Option<FTest> {
    let f = distribution(n, m)?;
    let square = ratio * ratio;
    // A square that overflows or vanishes is as far out as can be.
    let p = if square > 0.0 && square.is_finite() {
        (2.0 * f.below(square).min(f.above(square))).min(1.0)
    } else {
        0.0
    };
    let interval = [1.0 - ALPHA / 2.0, ALPHA / 2.0].map(|share| ratio / f.quantile(share).sqrt());
    let is_known = !p.is_nan() && interval.iter().all(|end| end.is_finite());
    is_known.then_some(FTest { p, interval })
}

fn distribution(n: usize, m: usize) -> Option<Fisher> {
    Fisher::new(n.checked_sub(1)?, m.checked_sub(1)?)
}

/// The probability that the F test of two groups of `runs` each finds a true ratio.
fn power(ratio: f64, runs: usize) -> f64 {
    let Some(f) = distribution(runs, runs) else { return 0.0 };
    let upper = f.quantile(1.0 - ALPHA / 2.0);
    let square = ratio * ratio;
    // With equally many runs, the lower quantile is one over the upper one.
    f.above(upper / square) + f.below(1.0 / (upper * square))
}

/// How many runs would decide, if the ratio is what it seems.
pub(super) fn runs_needed(ratio: f64) -> RunsNeeded {
    // Of a ratio and its inverse the same is true, and one above 1 has squares that do not vanish.
    let ratio = ratio.max(1.0 / ratio).min(1e100);
    let decides = |runs: usize| power(ratio, runs) >= POWER;
    let mut enough = 2;
    while !decides(enough) {
        if enough >= MOST_RUNS {
            return RunsNeeded::MoreThan { each: MOST_RUNS };
        }
        enough = (enough * 2).min(MOST_RUNS);
    }
    let mut few = enough / 2;
    while enough - few > 1 {
        let middle = usize::midpoint(few, enough);
        if decides(middle) { enough = middle } else { few = middle }
    }
    RunsNeeded::Runs { each: enough.max(2) }
}
