//! Whether two releases differ by more than a release differs from itself.
//!
//! A test that is run several times in a cell shows how much its result varies by itself. A permutation
//! test decides whether the results of two cells are further apart than that. If the release made no
//! difference, any other assignment of the runs to the two cells would have been equally likely. So p is
//! the share of all assignments whose statistic is at least as large as the observed one. Runs are
//! exchanged only within their batch: what was measured on another day may differ by the day.
//!
//! The statistic is the largest distance over all numbers and shapes: between the means of the two cells,
//! and between their standard deviations, so that a release after which a result varies more is found too.
//! Results that always repeat exactly need fewer runs: see [`constant`].
//!
//! Sources: the two-sample test is that of Fisher and Pitman (E. J. G. Pitman, "Significance tests
//! which may be applied to samples from any populations", 1937); many numbers at once are judged by
//! their largest statistic (P. H. Westfall and S. S. Young, "Resampling-based multiple testing", 1993,
//! the single-step maxT procedure); if not all assignments can be tried, the sample includes the
//! observed one (B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", 2010); and many
//! comparisons are corrected as a family by Y. Benjamini and Y. Hochberg, "Controlling the false
//! discovery rate", 1995, which also holds where, as here, all share one baseline (Y. Benjamini and D.
//! Yekutieli, 2001, positive dependence).

mod assignments;
mod axes;
pub(in crate::analysis) mod constant;

use assignments::Assignments;
use axes::Axes;
pub(super) use axes::Found;

/// The result of one run, as far as noise is concerned.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// Runs with equal numbers were measured under the same conditions.
    pub(super) batch: usize,
    /// The result without its numbers, as one digest for each part.
    pub(super) shapes: Vec<u64>,
    /// The numbers that have the same place in all runs, in order; all finite. Other numbers are part of
    /// a shape.
    pub(super) numbers: Vec<f64>,
}

/// The outcome of a permutation test.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evidence {
    /// The probability of results at least so far apart if the release makes no difference.
    pub(super) p: f64,
    /// How many assignments of runs to cells were tried.
    pub(super) permutations: u64,
    /// The smallest `p` that any assignment of these results can give.
    pub(super) smallest_p: f64,
    /// Whether there is a part of the result that never is twice the same, and so can be told apart from
    /// nothing.
    pub(super) untestable: bool,
    /// What is furthest apart; `None` if nothing differs.
    pub(super) found: Option<Found>,
    /// If it is a number: its mean in both cells, or their standard deviations.
    pub(super) furthest: Option<[f64; 2]>,
}

/// The most work for one test, in additions: a fraction of a second.
const WORK: u64 = 1_000_000_000;
/// The number of assignments in a sample, if there are too many to try all.
const DRAWN: u64 = 100_000;
/// The smallest size of a sample.
const FEWEST: u64 = 999;

/// Tests whether the runs of two cells can be told apart. All runs must be of batches that both cells
/// have runs of.
///
/// Numbers that are `close` in all runs are ignored. Each differing shape and each number is an axis of
/// its own, so that one that differs in every run does not hide another. A sample of assignments is
/// deterministic: it depends only on the number of runs.
///
/// With fewer than two runs on a side, or if all runs are equal, `p` is 1.
pub(super) fn evidence(
    baseline: &[Sample],
    candidate: &[Sample],
    close: impl Fn(usize, f64, f64) -> bool,
) -> Evidence {
    let none = Evidence {
        p: 1.0,
        permutations: 0,
        smallest_p: 1.0,
        untestable: false,
        found: None,
        furthest: None,
    };
    if baseline.len() < 2 || candidate.len() < 2 {
        return none;
    }
    let all: Vec<&Sample> = baseline.iter().chain(candidate).collect();
    let axes = Axes::of(&all, baseline.len(), close);
    if axes.is_empty() {
        // No shape and no number differs, so there is nothing to test.
        return none;
    }
    // The work of one statistic is proportional to the columns and the runs. From this follows how many
    // assignments can be afforded. If all of them can, p is exact. Otherwise assignments are drawn at
    // random, and the observed one is counted among them, because p must not be 0.
    let affordable = (WORK / axes.effort().max(1)).clamp(FEWEST, DRAWN);
    let batches: Vec<usize> = all.iter().map(|sample| sample.batch).collect();
    let assignments = Assignments::of(&batches, baseline.len(), affordable);
    let (statistics, found) = axes.statistics(&assignments);
    // Sums in another order differ by rounding; such statistics count as equal.
    let reaches = |statistic: f64, least: f64| statistic + 1e-10 * least.abs() >= least;
    let observed = statistics.first().copied().unwrap_or_default();
    let most = statistics.iter().copied().fold(observed, f64::max);
    #[expect(clippy::cast_precision_loss, reason = "at most 100,001")]
    let share = |least: f64| {
        let hits = statistics.iter().filter(|statistic| reaches(**statistic, least)).count();
        hits as f64 / statistics.len() as f64
    };
    Evidence {
        p: share(observed),
        permutations: assignments.count(),
        smallest_p: share(most),
        untestable: axes.has_untestable(),
        found: Some(found),
        furthest: match found {
            Found::Shape => None,
            Found::Number(number) => Some([baseline, candidate].map(|runs| mean(runs, number))),
            Found::Spread(number) => {
                Some([baseline, candidate].map(|runs| deviation(runs, number)))
            }
        },
    }
}

/// The mean of a number.
fn mean(runs: &[Sample], number: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few runs")]
    let count = runs.len() as f64;
    // Divided first, because the sum of large numbers may overflow.
    runs.iter().map(|run| run.numbers[number] / count).sum()
}

/// The standard deviation of a number among these runs.
fn deviation(runs: &[Sample], number: usize) -> f64 {
    let mean = mean(runs, number);
    #[expect(clippy::cast_precision_loss, reason = "a few runs")]
    let count = runs.len() as f64;
    let squares = runs.iter().map(|run| (run.numbers[number] - mean).powi(2) / count);
    squares.sum::<f64>().sqrt()
}

/// The smallest `p` that a test can give with so many runs on each side, batch by batch.
pub(super) fn smallest_p(batches: &[(usize, usize)]) -> f64 {
    // With equally many runs on both sides, swapping the sides gives the same statistic.
    let alike = if batches.iter().all(|(one, other)| one == other) { 2.0 } else { 1.0 };
    match assignments::ways(batches) {
        #[expect(clippy::cast_precision_loss, reason = "compared with an error rate")]
        Some(ways) if ways <= DRAWN => (alike / ways as f64).min(1.0),
        #[expect(clippy::cast_precision_loss, reason = "100,000")]
        _ => 1.0 / (DRAWN + 1) as f64,
    }
}

/// The most runs that are asked for at once.
const MOST_MORE: u32 = 16;

/// How many more runs on each side, in one new batch, a significant result needs at the error rate
/// `alpha`, if this is the only one of `comparisons` that finds a difference. `None` if no number of runs
/// is enough.
pub(super) fn more_needed(
    alpha: f64,
    comparisons: usize,
    batches: &[(usize, usize)],
) -> Option<u32> {
    #[expect(clippy::cast_precision_loss, reason = "no grid has so many cells")]
    let wanted = alpha / comparisons.max(1) as f64;
    let enough = |more: &u32| {
        let more = *more as usize;
        let with: Vec<_> = batches.iter().copied().chain([(more, more)]).collect();
        let runs: usize = with.iter().map(|(one, other)| one.min(other)).sum();
        runs >= 2 && smallest_p(&with) <= wanted
    };
    (1..=MOST_MORE).find(enough)
}

/// Benjamini and Hochberg's adjusted p-values: for each `p`, the smallest false discovery rate at which
/// it would be significant.
///
/// The p-values are visited from the largest to the smallest. Each is multiplied by the number of all
/// p-values over its rank, and the running minimum keeps the results monotone.
pub(in crate::analysis) fn adjusted(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|one, other| p[*other].total_cmp(&p[*one]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least = 1.0_f64;
    for (from_above, index) in order.into_iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "no grid has so many cells")]
        let factor = p.len() as f64 / (p.len() - from_above) as f64;
        least = least.min(p[index] * factor);
        adjusted[index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests;
