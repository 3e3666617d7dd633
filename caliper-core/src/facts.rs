//! What was measured: the record of each cell, the store that keeps records, the events of a run.
//!
//! Builds on [`question`](crate::question). No type here holds a conclusion: what a measurement means
//! depends on other measurements, and is the job of [`analysis`](crate::analysis).

pub mod allowed_files;
pub mod asked;
pub mod event;
pub mod identity;
pub mod legacy;
pub mod lock;
pub mod record;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
