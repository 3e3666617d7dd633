//! The F distribution.

use statrs::distribution::{ContinuousCDF as _, FisherSnedecor};

use super::values::count;

/// The distribution of a ratio of two variances, with these degrees of freedom.
///
/// Both tails are lower tails: what lies above x in F(n, m) lies below 1/x in F(m, n). `sf` of statrs 0.19 takes the
/// difference from 1 instead, and has four digits left at x = 1e12.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fisher {
    forward: FisherSnedecor,
    backward: FisherSnedecor,
}

impl Fisher {
    /// `None` if one of the degrees of freedom is 0.
    pub(super) fn new(above: usize, below: usize) -> Option<Self> {
        let (above, below) = (count(above), count(below));
        let forward = FisherSnedecor::new(above, below).ok()?;
        Some(Self { forward, backward: FisherSnedecor::new(below, above).ok()? })
    }

    /// The probability of less than `x`, which is not negative.
    pub(super) fn below(&self, x: f64) -> f64 {
        self.forward.cdf(x)
    }

    /// The probability of more than `x`, which is positive.
    pub(super) fn above(&self, x: f64) -> f64 {
        self.backward.cdf(1.0 / x)
    }

    /// Where the probability of less is `share`, by bisection: `inverse_cdf` of statrs 0.19 stops early.
    ///
    /// The logarithm is bisected, because with one degree of freedom the usual quantiles lie between 0.001 and 1,000.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let (mut low, mut high) = (-40.0_f64, 40.0_f64);
        for _ in 0..70 {
            let middle = f64::midpoint(low, high);
            let x = middle.exp();
            // The upper tail has more digits than what is left of 1.
            let is_below =
                if share > 0.5 { self.above(x) > 1.0 - share } else { self.below(x) < share };
            if is_below { low = middle } else { high = middle }
        }
        f64::midpoint(low, high).exp()
    }
}
