//! The summary of a run: `results.json`, which a person or a script reads first.

use std::collections::BTreeSet;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::analysis::causes::Cause;
use crate::analysis::compare::{Blind, Verdicts};
use crate::analysis::row::Evidence;
pub use crate::analysis::row_summary::RowSummary;
use crate::facts::record::Record;
use crate::names::{PackageName, Timestamp};

/// The version of the format that [`Results`] is written in.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// Every cell of a plan that has a record, and what follows from the records: facts and conclusions side
/// by side, never mixed.
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
    /// Why builds and tests fail, the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// What each test on each Python tells along the releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowSummary>,
    /// How the verdicts fare where there is nothing to find; `None` if no cell was measured twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<Blind>,
    /// The records, sorted by release, Python and variant.
    pub cells: Vec<Record>,
    /// What is concluded of each test in each cell.
    pub verdicts: Verdicts,
}

impl Results {
    /// The releases of which nothing was measured, as far as the rows tell.
    pub fn unmeasured(&self) -> BTreeSet<Version> {
        let measured: BTreeSet<&Version> =
            self.cells.iter().map(|record| &record.version).collect();
        let names = self.rows.iter().flat_map(|row| {
            let bracketed = row.transitions.iter().flat_map(|one| match &one.evidence {
                Evidence::Proven => &[][..],
                Evidence::Bracketed { unmeasured } => unmeasured,
            });
            bracketed.chain(row.unprobed.iter().flat_map(|stretch| &stretch.releases))
        });
        let versions = names.filter_map(|name| name.parse().ok());
        versions.filter(|version| !measured.contains(version)).collect()
    }

    /// The same with what its records say together, by the question of `analysis`: verdicts, rows,
    /// causes, and the blind check with the second measurements in `again`.
    #[must_use]
    pub fn read_through(mut self, analysis: &Analysis<'_>, again: &[Record]) -> Self {
        let analysis = analysis.with(&self.cells);
        let (rows, blind) = (analysis.rows(), analysis.blind(again));
        let causes = analysis.causes();
        let verdicts = analysis.into_verdicts();
        (self.rows, self.blind, self.causes, self.verdicts) = (rows, blind, causes, verdicts);
        self
    }

    /// A summary of `records`, without conclusions yet; `None` if `records` is empty.
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
            causes: Vec::new(),
            rows: Vec::new(),
            blind: None,
            cells: records,
            verdicts: Verdicts::default(),
        })
    }
}
