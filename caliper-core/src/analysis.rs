//! What the measurements mean: comparisons, changes along the releases, causes, suggestions.
//!
//! Builds on [`facts`](crate::facts) and [`question`](crate::question), and never changes a record.

pub mod blame;
pub mod bounds;
pub mod causes;
pub mod changes;
pub mod clocks;
pub mod compare;
pub mod expect;
pub mod expected_values;
pub mod functions;
pub mod heal;
pub mod history;
pub mod morin;
pub mod probe;
pub mod replay;
pub mod results;
pub mod row;
pub mod search;
pub mod spread;
pub mod suggest;
pub mod survey;
pub mod suspects;

mod conclusions;
pub(crate) mod row_summary;

pub use conclusions::Analysis;

/// Whether a count is left out of JSON.
fn is_zero<N: Default + PartialEq>(count: &N) -> bool {
    *count == N::default()
}
