//! How results compare.
//!
//! [`compare`] holds one result against another and says how alike they are.
//! [`Analysis`](super::Analysis) does so for all records, and says what that means.

pub mod blind;
pub mod rules;

pub(super) mod cells;
pub(super) mod comparer;
pub(super) mod family;
pub(super) mod repeats;
pub(super) mod same;

mod aligned;
mod arrays;
mod collector;
mod comparison;
mod divergence;
mod evidence;
mod format;
mod items;
mod judged;
mod judgement;
mod labelled;
mod named;
mod nearest;
pub(super) mod noise;
mod number;
mod outputs;
mod run_by_run;
mod runs;
mod show;
pub(super) mod stages;
mod tokens;
mod told;
mod verdict;

use crate::facts::record::BlobRef;
use crate::facts::store::Content;
pub use arrays::{ArrayComparison, ArrayKind};
pub use blind::Blind;
pub use comparison::{
    Comparison, Divergence, Extent, Format, Numbers, PartComparison, Place, ReadAs, Rung,
};
pub use evidence::{Evidence, Method, Noise};
pub use format::compare;
pub use judged::{Judged, Verdicts};
pub use labelled::{Labelled, LabelledRun, labelled};
pub use named::named_numbers;
pub(in crate::analysis) use nearest::Nearest;
pub(in crate::analysis) use number::close as is_close;
pub use outputs::Outputs;
pub(in crate::analysis) use run_by_run::{FilesOfStage, RunOfStages, run_by_run};
pub use same::Pair;
pub use stages::{Agreement, StageVerdict, StagesOfRuns};
pub use verdict::Verdict;

/// Returns the content of a blob that a record refers to; `None` if it is lost.
pub type Blobs<'a> = &'a dyn Fn(BlobRef) -> Option<Content>;
