//! What reports say, as values. A renderer turns them into text, and `--format json` prints them.
//!
//! Every type that a command prints as JSON stands here or beside what it describes, and has a schema
//! in [`super::schema`].

mod advice;
mod blame;
mod bounds;
mod comparison;
mod diagnosis;
mod forecast;
mod grid_view;
mod looked_past;
mod mark;
mod open_questions;
mod probe;
mod replays;
mod selftest;
mod spread;

pub use advice::{Advice, Checked, VariantAdvice};
pub use blame::{BlameEvidence, BlameReport, Guilty};
pub use bounds::{
    BoundsReport, DependencyBounds, PinnedRelease, PythonToday, RaisedOn, Together, TogetherEnd,
};
pub use comparison::Comparison;
pub use diagnosis::{Diagnosis, EngineFacts, EnginePlace, Gpus, LimitSupport};
pub use forecast::{Forecast, WhyMeasured};
pub use grid_view::{Column, GridView, RowView, Total, Totals};
pub use looked_past::LookedPast;
pub use mark::{CellMark, Legend, Mark, Tone};
pub use open_questions::OpenQuestions;
pub use probe::{ChangesTogether, NeededChange, NotTried, ProbeReport, ProbedChange, ProbedTest};
pub use replays::{NotRebuilt, Replays};
pub use selftest::{ScenarioResult, SelftestReport};
pub use spread::{SpreadAt, SpreadReport};

/// The version of the formats of this module.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;
