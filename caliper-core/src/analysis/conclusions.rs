//! What records say together.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use pep440_rs::Version;

use super::causes::{Cause, cluster_with, notes};
use super::compare::cells::Cells;
use super::compare::comparer::Comparer;
use super::compare::repeats::repeats_to_decide;
use super::compare::steps::Steps;
use super::compare::verdicts::{judge, same_results};
use super::compare::{Blind, Blobs, Outputs, Verdicts};
use super::row::TestRow;
use super::row_summary::RowSummary;
use crate::facts::record::{BlobRef, Record};
use crate::question::criteria::Criteria;
use crate::question::grid::CellId;

/// All conclusions from a set of records. Each is drawn when it is asked for, and each output is read
/// once, however many of them need it.
///
/// ```
/// use caliper_core::analysis::Analysis;
/// use caliper_core::question::criteria::Criteria;
///
/// let criteria = Criteria::default();
/// let analysis = Analysis::new(&[], None, &criteria, &|_| None);
/// assert_eq!(analysis.verdicts().iter().count(), 0);
/// assert_eq!(analysis.repeats_to_decide().len(), 0);
/// ```
pub struct Analysis<'a> {
    cells: Cells<'a>,
    releases: &'a [Version],
    baseline: Option<&'a Version>,
    verdicts: OnceCell<Verdicts>,
    steps: OnceCell<Steps>,
}

impl<'a> Analysis<'a> {
    /// Over `records`, which are compared by `criteria` with those of the release `baseline`, or else
    /// with the newest at which a test passes. `blobs` finds their long outputs and logs.
    pub fn new(
        records: &'a [Record],
        baseline: Option<&'a Version>,
        criteria: &'a Criteria,
        blobs: Blobs<'a>,
    ) -> Self {
        let comparer = Comparer { criteria, outputs: Arc::default(), blobs };
        Self::of(Cells::new(records, comparer), &[], baseline)
    }

    fn of(cells: Cells<'a>, releases: &'a [Version], baseline: Option<&'a Version>) -> Self {
        Self { cells, releases, baseline, verdicts: OnceCell::new(), steps: OnceCell::new() }
    }

    /// The same with these releases, in any order, in its rows. Of those without a record nothing is
    /// known.
    #[must_use]
    pub fn along(self, releases: &'a [Version]) -> Self {
        Self { releases, ..self }
    }

    /// The same, which reads nothing that `outputs` holds, and adds to it what it reads. `blobs` is asked
    /// again for what was lost.
    #[must_use]
    pub fn sharing(self, outputs: &Arc<Outputs>) -> Self {
        outputs.forget_the_lost();
        let comparer = Comparer { outputs: Arc::clone(outputs), ..self.cells.comparer };
        Self::of(Cells::new(self.cells.records, comparer), self.releases, self.baseline)
    }

    /// The same question about other records. What was read is not read again.
    #[must_use]
    pub fn with<'b>(&self, records: &'b [Record]) -> Analysis<'b>
    where
        'a: 'b,
    {
        let cells = Cells::new(records, self.cells.comparer.clone());
        Analysis::of(cells, self.releases, self.baseline)
    }

    /// Whether a test gives the same result in two records, which need not be among those of the
    /// analysis: the same but for what is looked past, or, where they have runs enough to tell, not to
    /// be told apart from noise.
    pub fn same(&self, one: &Record, other: &Record, test: &str) -> bool {
        same_results(one, other, test, &self.cells.comparer)
    }

    /// How every test of every cell compares with the baseline.
    pub fn verdicts(&self) -> &Verdicts {
        self.verdicts.get_or_init(|| judge(&self.cells, self.baseline))
    }

    /// As [`verdicts`](Self::verdicts), for a caller that needs nothing else of the analysis.
    pub fn into_verdicts(self) -> Verdicts {
        self.verdicts();
        self.verdicts.into_inner().unwrap_or_default()
    }

    /// What each test on each Python tells along the releases.
    pub fn rows(&self) -> Vec<RowSummary> {
        let rows = self.test_rows();
        let steps = self.steps.get_or_init(|| Steps::of(&rows, &self.cells));
        let summary = |TestRow { test, python, variant, row }: TestRow<'_>| {
            let alike = |one: usize, other: usize| steps.alike(test, &row, one, other);
            let drifts = steps.drifts(test, &row, &self.cells).into_iter();
            let drifts = drifts.map(|drift| drift.map(|version| version.to_string())).collect();
            RowSummary { drifts, ..RowSummary::of(&row, test, python, variant, &alike) }
        };
        rows.into_iter().map(summary).collect()
    }

    fn test_rows(&self) -> Vec<TestRow<'_>> {
        TestRow::all(self.releases, self.cells.records)
    }

    fn steps(&self) -> &Steps {
        self.steps.get_or_init(|| Steps::of(&self.test_rows(), &self.cells))
    }

    /// Why builds and tests fail, the most frequent first.
    pub fn causes(&self) -> Vec<Cause> {
        let log = |log: &BlobRef| {
            let content = self.cells.comparer.blob(*log)?;
            Some(String::from_utf8_lossy(&content).into_owned())
        };
        cluster_with(self.cells.records, &log)
    }

    /// Why imports fail in cells whose tests all pass, the most frequent first. No verdict, row or
    /// specifier depends on them.
    pub fn notes(&self) -> Vec<Cause> {
        notes(self.cells.records)
    }

    /// How the verdicts fare where there is nothing to find: on cells that were measured twice, and whose
    /// second records are in `again`. `None` if `again` has no record of these cells.
    pub fn blind(&self, again: &[Record]) -> Option<Blind> {
        Blind::of(&self.cells, again)
    }

    /// How often each test is to be run, cell by cell, until what is undecided can be decided: there, and
    /// at the baseline, or at the release before, from which its result differs. And where a test fails
    /// that passes at a neighbouring release, whether it always does.
    pub fn repeats_to_decide(&self) -> BTreeMap<CellId, BTreeMap<String, u32>> {
        repeats_to_decide(self.cells.records, self.verdicts(), self.steps())
    }
}

#[cfg(test)]
mod tests;
