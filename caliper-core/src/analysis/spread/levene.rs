//! Levene's test of equal spreads, with distances from the medians (Brown and Forsythe), for two groups.

use super::fisher::Fisher;
use super::values::{Undefined, Values, count, mean, median};

/// What the test says of two groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levene {
    /// The probability of distances at least so different if both groups vary alike.
    pub(super) p: f64,
    /// Whether the numbers of the second group are further from their median on average.
    pub(super) second_is_wider: bool,
}

/// Compares how far the numbers of two groups are from their medians. A group may be constant.
///
/// # Errors
///
/// If the test has no value.
pub(super) fn levene(first: &Values, second: &Values) -> Result<Levene, Undefined> {
    let unit = first.unit().max(second.unit());
    let distances = |values: &Values| -> Vec<f64> {
        let middle = median(values.sorted());
        let scale = values.unit() / unit;
        values.sorted().iter().map(|number| (number - middle).abs() * scale).collect()
    };
    let [first, second] = [distances(first), distances(second)];
    let (here, there) = (mean(&first), mean(&second));
    let (n, m) = (count(first.len()), count(second.len()));
    let within = |distances: &[f64], mean: f64| -> f64 {
        distances.iter().map(|distance| (distance - mean) * (distance - mean)).sum()
    };
    let (inside, between) = (within(&first, here) + within(&second, there), here - there);
    let between = n * m / (n + m) * between * between;
    let rounding = f64::EPSILON * f64::EPSILON * (n * here * here + m * there * there);
    // Distances that only differ by rounding are equal: dividing by their squares would give any p.
    if inside.is_nan() || inside <= 16.0 * rounding {
        return Err(Undefined::EquallyFar);
    }
    let free = first.len() + second.len() - 2;
    let w = count(free) * between / inside;
    // No distance between the means is below every distribution.
    let p = if w > 0.0 { Fisher::new(1, free).map_or(f64::NAN, |f| f.above(w)) } else { 1.0 };
    if p.is_nan() {
        return Err(Undefined::OutOfRange);
    }
    Ok(Levene { p, second_is_wider: there > here })
}
