//! A group by itself: where its numbers lie, and how far apart.

use serde::Serialize;

use super::values::{Values, deviation, mean, median, quantile};

/// The numbers of a group for one metric, in the unit of the metric. Only finite numbers count for the statistics; a
/// statistic that has no value is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Description {
    /// How many finite numbers there are.
    pub n: usize,
    /// How many are NaN.
    pub nan: usize,
    /// How many are infinite.
    pub infinite: usize,
    /// Whether there are at least two, all of them the same.
    pub constant: bool,
    /// The mean.
    pub mean: Option<f64>,
    /// The standard deviation with the divisor n; 0 for a single number.
    pub sd_ddof_0: Option<f64>,
    /// The standard deviation with the divisor n - 1; `None` for a single number.
    pub sd_ddof_1: Option<f64>,
    /// The median.
    pub median: Option<f64>,
    /// The median of the distances from the median. It is raw: not scaled to estimate a standard deviation.
    pub mad_raw: Option<f64>,
    /// The first quartile, by linear interpolation, as `numpy.quantile` has it.
    pub q1: Option<f64>,
    /// The third quartile, likewise.
    pub q3: Option<f64>,
    /// The smallest number.
    pub min: Option<f64>,
    /// The largest number.
    pub max: Option<f64>,
}

impl Description {
    /// Describes numbers in any order.
    pub fn of(numbers: &[f64]) -> Self {
        let values = Values::of(numbers);
        let sorted = values.sorted();
        let middle = median(sorted);
        let mut distances: Vec<f64> = sorted.iter().map(|number| (number - middle).abs()).collect();
        distances.sort_by(f64::total_cmp);
        // What is not finite has no value, or is beyond the range of floating point numbers.
        let told = |number: f64| Some(number * values.unit()).filter(|number| number.is_finite());
        // The mean of equal numbers may be rounded, and then they would seem to vary.
        let is_constant = values.is_constant();
        let spread = |ddof: usize| if is_constant { 0.0 } else { deviation(sorted, ddof) };
        Self {
            n: values.count(),
            nan: numbers.iter().filter(|number| number.is_nan()).count(),
            infinite: numbers.iter().filter(|number| number.is_infinite()).count(),
            constant: values.count() > 1 && is_constant,
            mean: told(mean(sorted)),
            sd_ddof_0: told(spread(0)).filter(|_| values.count() > 0),
            sd_ddof_1: told(spread(1)).filter(|_| values.count() > 1),
            median: told(middle),
            mad_raw: told(median(&distances)),
            q1: told(quantile(sorted, 0.25)),
            q3: told(quantile(sorted, 0.75)),
            min: told(sorted.first().copied().unwrap_or(f64::NAN)),
            max: told(sorted.last().copied().unwrap_or(f64::NAN)),
        }
    }
}
