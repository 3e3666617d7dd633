//! The summary of a run: `results.json`, which a person or a script reads first.

use serde::{Deserialize, Serialize};

use crate::names::{PackageName, Timestamp};
use crate::record::Record;

/// The version of the format that [`Results`] is written in.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// Every cell of a plan that has a record, with verdicts against the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Results {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The title of the analysis.
    pub analysis: String,
    /// The package that was measured.
    pub dependency: PackageName,
    /// The name of the backend of the last run.
    pub backend: String,
    /// When the first of these cells was begun.
    pub started: Timestamp,
    /// When the last of these cells ended.
    pub finished: Timestamp,
    /// The version of Caliper that wrote this.
    pub caliper: String,
    /// The records, sorted by release, Python and variant.
    pub cells: Vec<Record>,
}

impl Results {
    /// Sums up `records`; verdicts are filled in already. `None` if there are none.
    pub fn new(
        analysis: impl Into<String>,
        dependency: PackageName,
        backend: impl Into<String>,
        mut records: Vec<Record>,
    ) -> Option<Self> {
        records.sort_by_key(Record::id);
        Some(Self {
            schema: SCHEMA,
            analysis: analysis.into(),
            dependency,
            backend: backend.into(),
            started: records.iter().map(|record| record.started).min()?,
            finished: records.iter().map(|record| record.finished).max()?,
            caliper: env!("CARGO_PKG_VERSION").to_owned(),
            cells: records,
        })
    }
}
