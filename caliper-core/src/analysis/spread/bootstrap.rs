//! An interval of a ratio of standard deviations that assumes no distribution.

use serde::Serialize;

use super::values::{ALPHA, Values, count, deviation, quantile};

/// The percentile interval of a ratio of standard deviations (`ddof` 1) over resampled groups.
///
/// It is the same each time: the seed is fixed. With fewer than some ten runs in a group it is too narrow.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct BootstrapInterval {
    /// The lower end.
    pub low: Option<f64>,
    /// The upper end; `None` if it is not finite, because in many resamples the reference is constant.
    pub high: Option<f64>,
    /// How many resamples were drawn.
    pub resamples: usize,
    /// How many of them were left out, because both groups were constant in them.
    pub dropped: usize,
    /// The seed of the generator.
    pub seed: u64,
}

/// Two equal questions get equal answers.
const SEED: u64 = 20_211_121;

/// How many resamples are drawn.
const RESAMPLES: usize = 9_999;

/// Of large groups fewer are drawn, so that no more numbers than these are.
const WORK: usize = 20_000_000;

/// But not fewer than these: the ends are the 25th from either side.
const FEWEST: usize = 999;

/// Resamples both groups, and returns the interval of the ratio of `group` to `reference`. Neither is constant.
pub(super) fn bootstrap(group: &Values, reference: &Values) -> BootstrapInterval {
    let work = (group.count() + reference.count()).max(1);
    let resamples = (WORK / work).clamp(FEWEST, RESAMPLES);
    let mut random = fastrand::Rng::with_seed(SEED);
    let units = group.unit() / reference.unit();
    let [mut one, mut other] = [group, reference].map(|values| Vec::with_capacity(values.count()));
    let mut ratios = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        let above = resampled(group, &mut random, &mut one);
        let below = resampled(reference, &mut random, &mut other);
        // Over a constant reference the ratio is infinite, and counts as that.
        let ratio = above / below * units;
        if !ratio.is_nan() {
            ratios.push(ratio);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let end = |share| Some(quantile(&ratios, share)).filter(|end| end.is_finite());
    let dropped = resamples - ratios.len();
    // Of what is left of few, the ends say nothing.
    let is_known = count(dropped) < 0.5 * count(resamples);
    BootstrapInterval {
        low: end(ALPHA / 2.0).filter(|_| is_known),
        high: end(1.0 - ALPHA / 2.0).filter(|_| is_known),
        resamples,
        dropped,
        seed: SEED,
    }
}

/// The standard deviation of as many numbers, each drawn from all; 0 if the same one was drawn each time.
fn resampled(values: &Values, random: &mut fastrand::Rng, drawn: &mut Vec<f64>) -> f64 {
    let sorted = values.sorted();
    drawn.clear();
    drawn.extend((0..sorted.len()).map(|_| sorted[random.usize(..sorted.len())]));
    let first = drawn.first().copied().unwrap_or_default();
    if drawn.iter().all(|number| number.total_cmp(&first).is_eq()) {
        return 0.0;
    }
    deviation(drawn, 1)
}
