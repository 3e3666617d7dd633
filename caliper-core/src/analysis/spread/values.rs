//! The numbers of a group for one metric.

use serde::Serialize;

/// A smaller p decides; intervals cover the rest.
pub const ALPHA: f64 = 0.05;

/// Why a statistic has no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Undefined {
    /// The group has no run with a finite number.
    NoRun {
        /// The group.
        group: String,
    },
    /// The group has one such run, and one number does not vary.
    OneRun {
        /// The group.
        group: String,
    },
    /// All runs of the group have the same number.
    Constant {
        /// The group.
        group: String,
    },
    /// All runs of both groups have the same number.
    AllEqual,
    /// In each group all numbers are equally far from the median, so that Levene's test has nothing to compare with. It
    /// is always so with two runs in each group.
    EquallyFar,
    /// The ratio is too large or too small for a floating point number.
    OutOfRange,
}

/// The finite numbers of a group for one metric, sorted; in units of a power of two, so that squares neither overflow
/// nor vanish.
#[derive(Debug, Clone)]
pub(super) struct Values {
    sorted: Vec<f64>,
    unit: f64,
}

impl Values {
    /// Of numbers in any order. Those that are not finite are left out.
    pub(super) fn of(numbers: &[f64]) -> Self {
        let mut sorted: Vec<f64> =
            numbers.iter().copied().filter(|number| number.is_finite()).collect();
        let largest = sorted.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
        let unit = unit(largest);
        for number in &mut sorted {
            *number /= unit;
        }
        sorted.sort_by(f64::total_cmp);
        Self { sorted, unit }
    }

    /// The numbers in units of [`Values::unit`].
    pub(super) fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    pub(super) fn unit(&self) -> f64 {
        self.unit
    }

    pub(super) fn count(&self) -> usize {
        self.sorted.len()
    }

    /// Whether all numbers are the same; the zeros of both signs are.
    #[expect(clippy::float_cmp, reason = "the same number, not a close one")]
    pub(super) fn is_constant(&self) -> bool {
        self.sorted.first().zip(self.sorted.last()).is_none_or(|(first, last)| first == last)
    }

    /// The sample standard deviation (`ddof` 1), in units.
    ///
    /// # Errors
    ///
    /// Without two different numbers.
    pub(super) fn deviation(&self, group: &str) -> Result<f64, Undefined> {
        let group = || group.to_owned();
        match self.count() {
            0 => Err(Undefined::NoRun { group: group() }),
            1 => Err(Undefined::OneRun { group: group() }),
            _ if self.is_constant() => Err(Undefined::Constant { group: group() }),
            _ => Ok(deviation(&self.sorted, 1)),
        }
    }
}

/// The power of two below a positive number, unless its square and those of its neighbours are in range anyway.
fn unit(largest: f64) -> f64 {
    const USUAL: std::ops::Range<f64> = 1e-60..1e60;
    if largest > 0.0 && !USUAL.contains(&largest) {
        // Not beyond: the unit itself must be a normal number.
        largest.log2().floor().clamp(-1000.0, 1000.0).exp2()
    } else {
        1.0
    }
}

/// The mean; NaN without a number. As a distance from the first number, so that it is exact for equal ones.
pub(super) fn mean(numbers: &[f64]) -> f64 {
    let Some(first) = numbers.first() else { return f64::NAN };
    let sum: f64 = numbers.iter().map(|number| number - first).sum();
    first + sum / count(numbers.len())
}

/// The standard deviation with the divisor n - `ddof`; NaN if that is not positive.
pub(super) fn deviation(numbers: &[f64], ddof: usize) -> f64 {
    let mean = mean(numbers);
    let squares: f64 = numbers.iter().map(|number| (number - mean) * (number - mean)).sum();
    (squares / count(numbers.len().saturating_sub(ddof))).sqrt()
}

/// A quantile of sorted numbers, by linear interpolation; NaN without a number. The same as the default of
/// `numpy.quantile`: method 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", 1996.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * count(last);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the last place"
    )]
    let below = (place.floor() as usize).min(last);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    let part = place - count(below);
    // Not `low + part * (high - low)` for all: that is no number between two infinities.
    if part > 0.0 && low.total_cmp(&high).is_lt() { low + part * (high - low) } else { low }
}

/// The middle of sorted numbers; NaN without one.
pub(super) fn median(sorted: &[f64]) -> f64 {
    quantile(sorted, 0.5)
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
pub(super) fn count(count: usize) -> f64 {
    count as f64
}
