//! Whether two releases differ by more than a release differs from itself.
//!
//! A test that is run several times in a cell shows how much its result varies by itself. A permutation
//! test decides whether the results of two cells are further apart than that. If the release made no
//! difference, any other assignment of the runs to the two cells would have been equally likely. So p is
//! the share of all assignments whose statistic is at least as large as the observed one.
//!
//! Sources: the two-sample test is that of Fisher and Pitman (E. J. G. Pitman, "Significance tests
//! which may be applied to samples from any populations", 1937); many numbers at once are judged by
//! their largest statistic (P. H. Westfall and S. S. Young, "Resampling-based multiple testing", 1993,
//! the single-step maxT procedure); if not all assignments can be tried, the sample includes the
//! observed one (B. Phipson and G. K. Smyth, "Permutation p-values should never be zero", 2010); and many
//! comparisons are corrected as a family by Y. Benjamini and Y. Hochberg, "Controlling the false
//! discovery rate", 1995, which also holds where, as here, all share one baseline (Y. Benjamini and D.
//! Yekutieli, 2001, positive dependence).

use std::collections::BTreeSet;

/// The result of one run, as far as noise is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The result without its numbers, as one digest for each part.
    pub shapes: Vec<u64>,
    /// The numbers that have the same place in all runs, in order; all finite. Other numbers are part of
    /// a shape.
    pub numbers: Vec<f64>,
}

/// The outcome of a permutation test.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The probability of results at least so far apart if the release makes no difference.
    pub p: f64,
    /// How many assignments of runs to cells were tried.
    pub permutations: u64,
    /// Whether these are all assignments.
    pub exact: bool,
    /// The smallest `p` that any assignment of these results can give.
    pub smallest_p: f64,
    /// The index of the number with the largest statistic; `None` if it is a shape, or nothing differs.
    pub number: Option<usize>,
}

/// The most work for one test, in additions: about a second.
const WORK: u64 = 400_000_000;
/// The number of assignments in a sample, if there are too many to try all.
const DRAWN: u64 = 100_000;
/// The smallest size of a sample.
const FEWEST: u64 = 999;

/// Tests whether the runs of two cells can be told apart.
///
/// Numbers that are `close` in all runs are ignored. Each differing shape and each number is an axis of
/// its own, so that one that differs in every run does not hide another. A sample of assignments is
/// deterministic: it depends only on the number of runs.
///
/// With fewer than two runs on a side, or if all runs are equal, `p` is 1.
pub fn evidence(
    baseline: &[Sample],
    candidate: &[Sample],
    close: impl Fn(usize, f64, f64) -> bool,
) -> Evidence {
    let (first, second) = (baseline.len(), candidate.len());
    let ways = ways(first + second, first);
    let none = Evidence { p: 1.0, permutations: 0, exact: true, smallest_p: 1.0, number: None };
    if first < 2 || second < 2 {
        return none;
    }
    let all: Vec<&Sample> = baseline.iter().chain(candidate).collect();
    let axes = axes(&all, close);
    if axes.is_empty() {
        // No shape and no number differs, so there is nothing to test.
        return none;
    }
    let dealt: Vec<usize> = (0..first).collect();
    let (observed, at) = statistic(&axes, &dealt, first, second);
    let mut tally = Tally::new(observed);
    let of = |dealt: &[usize]| statistic(&axes, dealt, first, second).0;
    let effort = axes.iter().map(|axis| axis.columns.len() as u64).sum::<u64>() * first as u64;
    let affordable = (WORK / effort.max(1)).max(FEWEST);
    // The work of one statistic is proportional to the columns and the runs. From this follows how many
    // assignments can be afforded. If all of them can, p is exact. Otherwise assignments are drawn at
    // random (a partial Fisher-Yates shuffle), and the observed one is counted among them, because p
    // must not be 0.
    let exact = ways.is_some_and(|ways| ways <= affordable.min(DRAWN));
    if exact {
        each_way(first + second, first, |dealt| tally.add(of(dealt)));
    } else {
        let mut random = fastrand::Rng::with_seed(1);
        let mut order: Vec<usize> = (0..first + second).collect();
        tally.add(observed);
        for _ in 0..affordable.min(DRAWN) {
            for place in 0..first {
                let other = random.usize(place..order.len());
                order.swap(place, other);
            }
            tally.add(of(&order[..first]));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let share = |of: u64| of as f64 / tally.tried as f64;
    Evidence {
        p: share(tally.hits),
        permutations: tally.tried,
        exact,
        smallest_p: share(tally.furthest),
        number: axes[at].number,
    }
}

/// Counts over the assignments that were tried.
struct Tally {
    observed: f64,
    tried: u64,
    /// How many had a statistic at least as large as the observed one.
    hits: u64,
    most: f64,
    /// How many had the largest statistic of all. Results that all differ from each other are equally
    /// far apart in every assignment, so this number is large, and no p can be small.
    furthest: u64,
}

impl Tally {
    fn new(observed: f64) -> Self {
        Self { observed, tried: 0, hits: 0, most: f64::NEG_INFINITY, furthest: 0 }
    }

    fn add(&mut self, statistic: f64) {
        // Sums in another order differ by rounding; such statistics count as equal.
        let slack = 1e-10 * statistic.abs();
        self.tried += 1;
        self.hits += u64::from(statistic + slack >= self.observed);
        if statistic > self.most + slack {
            (self.most, self.furthest) = (statistic, 0);
        }
        self.furthest += u64::from(statistic + slack >= self.most);
    }
}

/// The smallest `p` that a test with these numbers of runs can give.
pub fn smallest_p(first: usize, second: usize) -> f64 {
    // With equally many runs on both sides, swapping the sides gives the same statistic.
    let alike = if first == second { 2.0 } else { 1.0 };
    match ways(first + second, first) {
        #[expect(clippy::cast_precision_loss, reason = "compared with an error rate")]
        Some(ways) if ways <= DRAWN => (alike / ways as f64).min(1.0),
        #[expect(clippy::cast_precision_loss, reason = "100,000")]
        _ => 1.0 / (DRAWN + 1) as f64,
    }
}

/// How many runs in each cell are needed for a significant result at the error rate `alpha`, if this is
/// the only one of `comparisons` that finds a difference. `None` if no number of runs is enough.
pub fn repeats_needed(alpha: f64, comparisons: usize) -> Option<u32> {
    #[expect(clippy::cast_precision_loss, reason = "no grid has so many cells")]
    let wanted = alpha / comparisons.max(1) as f64;
    (2..=16_u32).find(|runs| smallest_p(*runs as usize, *runs as usize) <= wanted)
}

/// Benjamini and Hochberg's adjusted p-values: for each `p`, the smallest false discovery rate at which
/// it would be significant.
///
/// The p-values are visited from the largest to the smallest. Each is multiplied by the number of all
/// p-values over its rank, and the running minimum keeps the results monotone.
pub fn adjusted(p: &[f64]) -> Vec<f64> {
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

/// One way in which runs can differ: a number (one column), or a shape (a column for each variant).
struct Axis {
    number: Option<usize>,
    columns: Vec<Column>,
}

struct Column {
    /// The value of every run, divided by the average distance over all pairs of runs of both cells.
    values: Vec<f64>,
    sum: f64,
}

impl Column {
    fn new(values: Vec<f64>) -> Self {
        let sum = values.iter().sum();
        Self { values, sum }
    }
}

fn axes(all: &[&Sample], close: impl Fn(usize, f64, f64) -> bool) -> Vec<Axis> {
    let parts = all.iter().map(|sample| sample.shapes.len()).max().unwrap_or(0);
    // Only which runs agree in a part matters. Many parts have the same pattern, so the set removes
    // duplicates.
    let alike: BTreeSet<Vec<usize>> = (0..parts).map(|part| kinds(all, part)).collect();
    let by_shape = alike.iter().filter_map(|kinds| of_kinds(kinds));
    let count = all.iter().map(|sample| sample.numbers.len()).min().unwrap_or(0);
    let axis = |number: usize| {
        let values: Vec<f64> = all.iter().map(|sample| sample.numbers[number]).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if least >= most || (close(number, least, most) && close(number, most, least)) {
            return None;
        }
        // Relative to the least value, so that a drift in the last digits is not lost in the sums. Halved
        // first, because the difference of two large numbers may overflow.
        let apart = average_over_pairs(values.len(), |one, other| {
            (values[one] / 2.0 - values[other] / 2.0).abs()
        });
        let scaled = |value: &f64| (value / 2.0 - least / 2.0) / apart;
        let column: Vec<f64> = values.iter().map(scaled).collect();
        column
            .iter()
            .all(|value| value.is_finite())
            .then(|| Axis { number: Some(number), columns: vec![Column::new(column)] })
    };
    by_shape.chain((0..count).filter_map(axis)).collect()
}

/// For each run the first one that has the same shape in a part.
fn kinds(all: &[&Sample], part: usize) -> Vec<usize> {
    let shape = |run: usize| all[run].shapes.get(part);
    let first = |run: usize| (0..run).find(|other| shape(*other) == shape(run)).unwrap_or(run);
    (0..all.len()).map(first).collect()
}

/// The axis of a shape; `None` if all runs agree.
fn of_kinds(kinds: &[usize]) -> Option<Axis> {
    let different: BTreeSet<usize> = kinds.iter().copied().collect();
    if different.len() < 2 {
        return None;
    }
    let apart = average_over_pairs(kinds.len(), |one, other| {
        f64::from(u8::from(kinds[one] != kinds[other]))
    });
    // The sum over all kinds of |share here - share there|, halved: the total variation distance.
    let column = |kind: usize| {
        let is = |of_run: &usize| f64::from(u8::from(*of_run == kind)) / (2.0 * apart);
        Column::new(kinds.iter().map(is).collect())
    };
    Some(Axis { number: None, columns: different.into_iter().map(column).collect() })
}

fn average_over_pairs(count: usize, apart: impl Fn(usize, usize) -> f64) -> f64 {
    let mut sum = 0.0;
    let mut pairs = 0_u32;
    for one in 0..count {
        for other in 0..one {
            sum += apart(one, other);
            pairs += 1;
        }
    }
    sum / f64::from(pairs.max(1))
}

/// The largest distance between the means of the two groups over all axes, in units of the average
/// distance between runs; and the index of that axis.
fn statistic(axes: &[Axis], dealt: &[usize], first: usize, second: usize) -> (f64, usize) {
    #[expect(clippy::cast_precision_loss, reason = "a few runs")]
    let (first, second) = (first as f64, second as f64);
    let mut furthest = (f64::NEG_INFINITY, 0);
    for (index, axis) in axes.iter().enumerate() {
        let mut apart = 0.0;
        for column in &axis.columns {
            let here: f64 = dealt.iter().map(|run| column.values[*run]).sum();
            apart += (here / first - (column.sum - here) / second).abs();
        }
        if apart > furthest.0 {
            furthest = (apart, index);
        }
    }
    furthest
}

/// The binomial coefficient `all` over `chosen`; `None` on overflow.
fn ways(all: usize, chosen: usize) -> Option<u64> {
    let mut ways: u64 = 1;
    for step in 0..chosen.min(all - chosen) as u64 {
        ways = ways.checked_mul(all as u64 - step)? / (step + 1);
    }
    Some(ways)
}

/// Calls `take` with every combination of `chosen` out of `all`, in lexicographic order.
fn each_way(all: usize, chosen: usize, mut take: impl FnMut(&[usize])) {
    let mut choice: Vec<usize> = (0..chosen).collect();
    loop {
        take(&choice);
        let Some(place) = (0..chosen).rev().find(|place| choice[*place] < all - chosen + place)
        else {
            return;
        };
        choice[place] += 1;
        for later in place + 1..chosen {
            choice[later] = choice[later - 1] + 1;
        }
    }
}

#[cfg(test)]
mod tests;
