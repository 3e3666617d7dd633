//! What results mean, held against those of the baseline.
//!
//! Results that are the same, by the ladder, are the same whatever their noise. Others are
//! different only where that can be told from how much a release differs from itself, at a stated
//! error rate over all comparisons at once ([`super::noise`]). Until a test was run often enough for
//! that, nobody knows.

use std::collections::BTreeMap;

use pep440_rs::Version;

use super::cells::Cells;
use super::comparer::Comparer;
use super::judged::{Judged, Verdicts};
use super::judgement::{Judgement, decide};
use super::runs::Runs;
use super::verdict::Verdict;
use crate::facts::record::Record;
use crate::facts::record::State;
use crate::names::PythonVersion;
use crate::question::grid::Variant;

/// Judges every test of every cell: within each Python and variant, against the release `baseline`, or
/// else against the newest release at which that test passes.
pub(in crate::analysis) fn judge(cells: &Cells<'_>, baseline: Option<&Version>) -> Verdicts {
    let Cells { records, comparer, .. } = cells;
    let rows = rows(records);
    let mut found: Vec<(usize, &str, Judgement)> = Vec::new();
    for ((_, _, test), row) in &rows {
        let state = |cell: usize| records[cell].state_of(Some(test));
        let base = row
            .iter()
            .copied()
            .filter(|cell| state(*cell) == Some(State::Passed))
            .filter(|cell| baseline.is_none_or(|baseline| records[*cell].version == *baseline))
            .max_by(|one, other| records[*one].version.cmp(&records[*other].version));
        let against = base.and_then(|base| cells.runs(base, test));
        for cell in row.iter().copied() {
            let judgement = match (state(cell), against) {
                (Some(State::Passed), None) => Verdict::NoBaseline.into(),
                (Some(State::Passed), Some(_)) if base == Some(cell) => Verdict::Same.into(),
                (Some(State::Passed), Some(against)) => {
                    let runs = cells.runs(cell, test);
                    runs.map(|runs| Judgement::of(runs, against, comparer)).unwrap_or_default()
                }
                (Some(State::Flaky), _) => Verdict::Flaky.into(),
                (
                    Some(
                        State::Unavailable
                        | State::Excluded
                        | State::BuildFailed
                        | State::Failed
                        | State::NotMeasured,
                    )
                    | None,
                    _,
                ) => Judgement::default(),
            };
            found.push((cell, test, judgement));
        }
    }
    decide(found.iter_mut().map(|(_, _, judgement)| judgement), comparer.criteria.alpha);
    // The rows hold the cells by Python; the verdicts stand in the order of the records.
    let mut by_cell: BTreeMap<(usize, &str), Judgement> =
        found.into_iter().map(|(cell, test, judgement)| ((cell, test), judgement)).collect();
    let mut judged = Vec::new();
    for (cell, record) in records.iter().enumerate() {
        for test in record.judged() {
            let Some(state) = record.state_of(Some(&test.name)) else { continue };
            let Judgement { verdict, evidence, .. } =
                by_cell.remove(&(cell, test.name.as_str())).unwrap_or_default();
            judged.push(Judged {
                cell: record.id().to_string(),
                test: test.name.clone(),
                state,
                verdict,
                evidence: evidence.map(Box::new),
            });
        }
    }
    judged.into_iter().collect()
}

/// Whether a test gives the same result in two records: the same but for what is looked past, or, where
/// they have runs enough to tell, not to be told apart from noise.
pub(in crate::analysis) fn same_results(
    one: &Record,
    other: &Record,
    test: &str,
    comparer: &Comparer<'_>,
) -> bool {
    let runs = |record| Runs::of(record, test, comparer);
    let mut judgement = Judgement::of(&runs(other), &runs(one), comparer);
    decide(std::iter::once(&mut judgement), comparer.criteria.alpha);
    matches!(judgement.verdict, Some(Verdict::Same | Verdict::SameWithinNoise))
}

/// The cells of each test on each Python.
pub(super) fn rows(records: &[Record]) -> BTreeMap<(PythonVersion, Variant, String), Vec<usize>> {
    let mut rows: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (cell, record) in records.iter().enumerate() {
        for test in record.judged() {
            let row = (record.python, record.variant.clone(), test.name.clone());
            let cells = rows.entry(row).or_default();
            if cells.last() != Some(&cell) {
                cells.push(cell);
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests;
