//! By what results are judged.

use super::policy::Policy;
use crate::record::BlobRef;

/// How results are told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Criteria {
    /// What is looked past.
    pub policy: Policy,
    /// Whether what a test prints on standard error is part of its result.
    pub stderr: bool,
    /// How large a part of the results that are called different may be so by chance.
    pub alpha: f64,
}

impl Default for Criteria {
    /// The usual policy, without standard error, and one in twenty.
    fn default() -> Self {
        Self { policy: Policy::default(), stderr: false, alpha: 0.05 }
    }
}

/// Gives the long outputs that records name.
pub type Blobs<'a> = &'a dyn Fn(BlobRef) -> Option<Vec<u8>>;
