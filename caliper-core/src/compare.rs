//! How results compare.
//!
//! [`compare`] holds one result against another and says how alike they are. [`judge`] does so for all
//! records, and says what that means.

pub mod blind;
pub mod ladder;
pub mod noise;
pub mod policy;
pub mod rules;
pub mod steps;
pub mod verdicts;

mod json;
mod judge;
mod npy;
mod npz;
mod number;
mod runs;
mod show;
mod table;
mod text;
mod tokens;

pub use crate::record::Verdict;
pub use blind::Blind;
pub use ladder::{Comparison, Divergence, Format, Numbers, Place, ReadAs, Rung, compare};
pub use policy::{Nan, Policy, Tolerance, ToleranceError};
pub use rules::Rule;
pub use steps::Steps;
pub use verdicts::{Blobs, Criteria, Evidence, Noise, judge, repeats_to_decide, same_results};
