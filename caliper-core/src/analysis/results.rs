//! The summary of a run: `results.json`, which a person or a script reads first.

mod row_summary;

use std::collections::BTreeSet;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::analysis::causes::{Cause, cluster_with};
pub use row_summary::RowSummary;

use crate::analysis::compare::{Blind, Blobs, Steps, Verdicts, judge};
use crate::analysis::row::{Evidence, TestRow};
use crate::facts::record::{BlobRef, Record};
use crate::names::{PackageName, Timestamp};
use crate::question::criteria::Criteria;

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

    /// The same with what the records say together: verdicts against `baseline`, causes, and rows over
    /// `releases`, which are all that there are.
    #[must_use]
    pub fn read_through(
        mut self,
        releases: &[Version],
        baseline: Option<&Version>,
        criteria: &Criteria,
        blobs: Blobs<'_>,
    ) -> Self {
        self.verdicts = judge(&self.cells, baseline, criteria, blobs);
        let logs = |blob: &BlobRef| Some(String::from_utf8_lossy(&blobs(*blob)?).into_owned());
        self.causes = cluster_with(&self.cells, &logs);
        let rows = TestRow::all(releases, &self.cells);
        let steps = Steps::of(&rows, &self.cells, criteria, blobs);
        let summary = |TestRow { test, python, variant, row }: &TestRow<'_>| {
            let alike = |one: usize, other: usize| steps.alike(test, row, one, other);
            let drifts = steps.drifts(test, row, &self.cells, criteria, blobs);
            let named = |version: Version| version.to_string();
            let drifts = drifts.into_iter().map(|drift| drift.map(named)).collect();
            RowSummary { drifts, ..RowSummary::of(row, test, *python, variant, &alike) }
        };
        self.rows = rows.iter().map(summary).collect();
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
