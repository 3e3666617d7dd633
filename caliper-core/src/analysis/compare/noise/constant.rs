//! Results that always repeat exactly.
//!
//! A test whose result is the same in every run of each cell is most likely deterministic, and then two
//! results that differ are different for sure. What if it is not? Suppose that the runs of two cells come
//! from one distribution. That all k runs of one cell give x, and all k of the other give another result y,
//! has a probability of at most 2 · 4^-k, for two results that are equally likely. That is a p-value, and
//! it holds without any assumption about the noise: 0.031 for k = 3.
//!
//! The other cells of the row say more. If the chance of a run to repeat the one before is a property of
//! the test and not of the release, each cell that repeats itself exactly makes it less likely that the
//! test is noisy at all. This is the assumption of [`p_of_two`] and [`p_of_one_that_varies`] where they are
//! given other cells.

/// How many runs each of some cells has, and how many cells have so many.
pub(in crate::analysis) type Runs = std::collections::BTreeMap<u32, u32>;

/// How many shares of the more frequent result are tried.
const STEPS: u32 = 500;

/// The probability, at most, that two cells of `first` and `second` runs repeat themselves exactly and
/// differ from each other, and that the `others` repeat themselves exactly too, if the release makes no
/// difference between the two.
///
/// With two possible results, of which the one has the probability p and the other q, that is
/// (p^k q^l + q^k p^l) · Π (p^n + q^n). The largest value over all p is returned. More possible results
/// make it less likely.
pub(in crate::analysis) fn p_of_two(first: u32, second: u32, others: &Runs) -> f64 {
    let at = |step: u32| {
        let p = 0.5 + 0.5 * f64::from(step) / f64::from(STEPS);
        let q = 1.0 - p;
        let [first, second] = [first, second].map(f64::from);
        let both = p.powf(first) * q.powf(second) + q.powf(first) * p.powf(second);
        let each = |(runs, cells): (&u32, &u32)| {
            let runs = f64::from(*runs);
            (p.powf(runs) + q.powf(runs)).powf(f64::from(*cells))
        };
        both * others.iter().map(each).product::<f64>()
    };
    (0..STEPS).map(at).fold(0.0, f64::max).min(1.0)
}

/// The probability that all `odd` runs that do not repeat others of their cell fall into one cell of
/// `runs` runs, if all runs of the row are equally likely to be odd; `others` are cells without any.
///
/// Source: R. A. Fisher's exact test, one-sided.
pub(in crate::analysis) fn p_of_one_that_varies(odd: u32, runs: u32, others: &Runs) -> f64 {
    let all = runs + others.iter().map(|(runs, cells)| runs * cells).sum::<u32>();
    // The combinations of `odd` out of `runs` over those out of `all`.
    (0..odd).map(|one| f64::from(runs - one.min(runs)) / f64::from((all - one).max(1))).product()
}

/// How many runs on each side [`p_of_two`] needs to be at most `wanted`, if `cells` others have as many
/// and the two have `present` runs already. `None` if more than a few are.
pub(in crate::analysis) fn more_needed(
    wanted: f64,
    present: (u32, u32),
    cells: u32,
) -> Option<u32> {
    const MOST: u32 = 8;
    let enough = |more: &u32| {
        let (first, second) = (present.0 + more, present.1 + more);
        let runs = first.min(second);
        runs >= 2 && p_of_two(first, second, &Runs::from([(runs, cells)])) <= wanted
    };
    (1..=MOST).find(enough)
}
