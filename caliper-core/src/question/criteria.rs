//! How results are compared: which differences are ignored, and at which error rate.

mod policy;
mod rule;

pub use policy::{Nan, Policy, Tolerance, ToleranceError};
pub use rule::Rule;

/// How results are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Criteria {
    /// Which differences are ignored.
    pub policy: Policy,
    /// Whether standard error is part of a test's result.
    pub stderr: bool,
    /// The accepted share of false positives among the results that are called different.
    pub alpha: f64,
}

impl Default for Criteria {
    /// The default policy, without standard error, at an error rate of 0.05.
    fn default() -> Self {
        Self { policy: Policy::default(), stderr: false, alpha: 0.05 }
    }
}
