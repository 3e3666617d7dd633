//! What records say together.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use pep440_rs::Version;

use super::causes::{Cause, Failing, Logs, cluster_by, fail_alike, notes};
use super::clocks::{Clocks, clocks};
use super::compare::cells::Cells;
use super::compare::comparer::Comparer;
use super::compare::family::Family;
use super::compare::repeats::repeats_to_decide;
use super::compare::same::{judge_pairs, same_results};
use super::compare::{Blind, Blobs, Evidence, Outputs, Pair, StagesOfRuns, Verdict, Verdicts};
use super::functions::{self, FunctionsSummary};
use super::row::{AlsoDiffers, State, TestRow};
use super::row_summary::{Known, RowSummary};
use super::suspects::{Suspects, suspects};
use crate::facts::record::{BlobRef, Record};
use crate::names::PackageName;
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
    family: OnceCell<Family>,
    verdicts: OnceCell<Verdicts>,
    failing: Failing,
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
        Self {
            cells,
            releases,
            baseline,
            family: OnceCell::new(),
            verdicts: OnceCell::new(),
            failing: Failing::default(),
        }
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

    /// Whether a test ends in the same way in two records, which need not be among those of the analysis. If
    /// it fails in both, or both could not be built: from the same cause. Else with the same result: the same
    /// but for what is looked past, or, where they have runs enough to tell, not to be told apart from noise.
    pub fn same(&self, one: &Record, other: &Record, test: &str) -> bool {
        if [one, other].map(|record| State::of(record, test)) == [State::Failed; 2] {
            return self.with_logs(|logs| fail_alike(one, other, test, logs));
        }
        same_results(one, other, test, &self.cells.comparer)
    }

    /// By what its results are compared.
    pub(in crate::analysis) fn comparer(&self) -> &Comparer<'a> {
        &self.cells.comparer
    }

    /// What the functions of each test tell along the releases, where a test says how its functions ended.
    pub fn functions(&self) -> Vec<FunctionsSummary> {
        self.with_logs(|logs| functions::summaries(&self.cells, self.releases, logs))
    }

    fn with_logs<T>(&self, read: impl FnOnce(&Logs<'_>) -> T) -> T {
        read(&Logs { read: &|log| self.log(log), failing: &self.failing })
    }

    /// The log of a build, or what a test says of its functions.
    fn log(&self, log: &BlobRef) -> Option<String> {
        let content = self.cells.comparer.blob(*log)?;
        Some(String::from_utf8_lossy(&content).into_owned())
    }

    /// How the results of tests compare in pairs of records, of which the second is compared with the first:
    /// the verdict, and what it rests on.
    ///
    /// Of two records of this analysis, the verdict is the one that [`verdicts`](Self::verdicts) and
    /// [`rows`](Self::rows) rest on, if they compare these two. Other records were measured at other times,
    /// and the question is whether anything changed, so all of their runs are compared.
    pub fn compare(&self, pairs: &[Pair<'_>]) -> Vec<(Option<Verdict>, Option<Evidence>)> {
        let place = |record: &Record| {
            let is_it = |known: &Record| known.key == record.key && known.id() == record.id();
            self.cells.records.iter().position(is_it)
        };
        let places: Vec<Option<(usize, usize)>> =
            pairs.iter().map(|(one, other, _)| place(one).zip(place(other))).collect();
        let is_one_batch = places.iter().any(Option::is_none);
        let mut judged = judge_pairs(pairs, is_one_batch, &self.cells.comparer);
        for ((places, (before, after, test)), (verdict, evidence)) in
            places.into_iter().zip(pairs).zip(&mut judged)
        {
            // Each row has a baseline of its own, so that two cells of different rows may both be as theirs and yet
            // differ.
            let is_one_row = before.python == after.python && before.variant == after.variant;
            let Some((one, other)) = places.filter(|_| is_one_row) else { continue };
            if let Some((known, noise)) = self.family().verdict_between(test, one, other) {
                *verdict = known;
                if let (Some(evidence), Some(noise)) = (evidence, noise) {
                    evidence.noise = Some(noise.clone());
                }
            }
        }
        judged
    }

    /// How every test of every cell compares with the baseline.
    pub fn verdicts(&self) -> &Verdicts {
        self.verdicts.get_or_init(|| self.family().verdicts(&self.cells))
    }

    /// As [`verdicts`](Self::verdicts), for a caller that needs nothing else of the analysis.
    pub fn into_verdicts(self) -> Verdicts {
        self.verdicts();
        self.verdicts.into_inner().unwrap_or_default()
    }

    /// What each test on each Python tells along the releases.
    pub fn rows(&self) -> Vec<RowSummary> {
        let (rows, family, records) = (self.test_rows(), self.family(), self.cells.records);
        let summary = |TestRow { test, python, variant, row }: TestRow<'_>| {
            let record = |release: usize| Some(&records[row.record(release)?]);
            let also_differs = |one: usize, other: usize| match (record(one), record(other)) {
                (Some(one), Some(other)) => AlsoDiffers::between(one, other),
                _ => Vec::new(),
            };
            let known = Known {
                alike: &|one, other| family.alike(test, &row, one, other),
                fail_alike: &|one, other| match (record(one), record(other)) {
                    (Some(one), Some(other)) => self.same(one, other, test),
                    _ => true,
                },
                runs: &|release| record(release).map_or(0, |record| record.attempts(test)),
                is_withdrawn: &|release| record(release).is_some_and(Record::is_yanked),
                also_differs: &also_differs,
            };
            let drifts = family.drifts(test, &row, &self.cells).into_iter();
            let drifts = drifts.map(|drift| drift.map(|version| version.to_string())).collect();
            RowSummary { drifts, ..RowSummary::of(&row, test, python, variant, &known) }
        };
        rows.into_iter().map(summary).collect()
    }

    fn test_rows(&self) -> Vec<TestRow<'_>> {
        TestRow::all(self.releases, self.cells.records)
    }

    fn family(&self) -> &Family {
        self.family.get_or_init(|| Family::of(&self.test_rows(), &self.cells, self.baseline))
    }

    /// Why builds and tests fail, the most frequent first.
    pub fn causes(&self) -> Vec<Cause> {
        self.with_logs(|logs| cluster_by(self.cells.records, logs))
    }

    /// How each release fared at its own date and at others, where the date of the index is an axis.
    pub fn clocks(&self) -> Vec<Clocks> {
        let verdicts = |pairs: &[Pair<'_>]| {
            self.compare(pairs).into_iter().map(|(verdict, _)| verdict).collect()
        };
        clocks(self.cells.records, &verdicts)
    }

    /// In which stage the runs of each cell part, where the criteria name stages.
    pub fn stages(&self) -> Vec<StagesOfRuns> {
        StagesOfRuns::all(&self.cells)
    }

    /// What failing of each test goes with, over all cells of the releases of `dependency`: versions of other packages,
    /// or the release itself, or the Python. Tests of which nothing can be said are left out.
    pub fn suspects(&self, dependency: &PackageName) -> Vec<Suspects> {
        suspects(self.cells.records, dependency)
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

    /// How often each test is to be run, cell by cell, until what is undecided can be decided: on both sides
    /// of each comparison. And on both sides of each change between passing and failing, whether the test
    /// always ends like that there.
    pub fn repeats_to_decide(&self) -> BTreeMap<CellId, BTreeMap<String, u32>> {
        repeats_to_decide(self.cells.records, &self.test_rows(), self.family())
    }
}

#[cfg(test)]
mod tests;
