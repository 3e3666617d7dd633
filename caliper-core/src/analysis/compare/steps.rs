//! Whether a test's result changes from one release at which it passes to the next.
//!
//! That is asked as carefully as whether it differs from the baseline's: all such steps of all rows are
//! one family, corrected together, and a step that cannot be told from noise with so few runs is
//! [`Alike::Undecided`].

use std::collections::BTreeMap;

use super::cells::Cells;
use super::judgement::{Compared, Judgement, decide};
use super::runs::Runs;
use super::verdict::Verdict;
use crate::analysis::row::{Alike, Drift, Row, State, TestRow};

/// All steps of all rows.
#[derive(Debug, Default)]
pub(in crate::analysis) struct Steps {
    /// By test, and the indices of the two records.
    found: BTreeMap<(String, usize, usize), Found>,
}

#[derive(Debug)]
struct Found {
    verdict: Option<Verdict>,
    /// How many runs on each side would decide.
    needed: Option<u32>,
}

impl Steps {
    /// Judges every step within `rows`, which were read from the records of `cells`.
    pub(in crate::analysis) fn of(rows: &[TestRow<'_>], cells: &Cells<'_>) -> Self {
        let comparer = &cells.comparer;
        let mut steps: Vec<((String, usize, usize), Judgement)> = Vec::new();
        for TestRow { test, row, .. } in rows {
            let passing = (0..row.states().len())
                .filter(|release| row.states()[*release] == State::Passed)
                .filter_map(|release| row.record(release));
            // Each is held against the one before, and is the one before of the next.
            let mut before: Option<(usize, &Runs)> = None;
            for to in passing {
                let Some(runs) = cells.runs(to, test) else { continue };
                if let Some((from, against)) = before {
                    let judgement = Judgement::of(runs, against, comparer);
                    steps.push((((*test).to_owned(), from, to), judgement));
                }
                before = Some((to, runs));
            }
        }
        decide(steps.iter_mut().map(|(_, judgement)| judgement), comparer.criteria.alpha);
        let found = |Judgement { verdict, evidence, .. }: Judgement| {
            let noise = evidence.and_then(|evidence| evidence.noise);
            Found { verdict, needed: noise.and_then(|noise| noise.needed) }
        };
        Self { found: steps.into_iter().map(|(step, one)| (step, found(one))).collect() }
    }

    /// Whether the results of `test` are the same at two releases of its row, of which the second is the
    /// next at which it passes.
    pub(in crate::analysis) fn alike(
        &self,
        test: &str,
        row: &Row,
        from: usize,
        to: usize,
    ) -> Alike {
        let (Some(from), Some(to)) = (row.record(from), row.record(to)) else { return Alike::Same };
        let found = self.found.get(&(test.to_owned(), from, to));
        match found.and_then(|found| found.verdict) {
            Some(Verdict::Same | Verdict::SameWithinNoise) => Alike::Same,
            Some(Verdict::Different) => Alike::Different,
            Some(Verdict::Undecided | Verdict::Flaky | Verdict::NoBaseline) | None => {
                Alike::Undecided
            }
        }
    }

    /// The stretches of a row over which the result of `test` changes in steps that are each within their
    /// tolerance. Where a step is beyond it, by noise or not, none is claimed.
    pub(in crate::analysis) fn drifts(
        &self,
        test: &str,
        row: &Row,
        cells: &Cells<'_>,
    ) -> Vec<Drift> {
        row.drifts(&|from, to| {
            let (Some(from), Some(to)) = (row.record(from), row.record(to)) else { return true };
            if let Some(step) = self.found.get(&(test.to_owned(), from, to)) {
                return step.verdict == Some(Verdict::Same);
            }
            let (Some(from), Some(to)) = (cells.runs(from, test), cells.runs(to, test)) else {
                return true;
            };
            Compared::of(to, from, &cells.comparer).is_same()
        })
    }

    /// The steps that more runs would decide: test, records, and how many runs on each side.
    pub(super) fn open(&self) -> impl Iterator<Item = (&str, [usize; 2], u32)> {
        self.found.iter().filter_map(|((test, from, to), found)| {
            Some((test.as_str(), [*from, *to], found.needed?))
        })
    }
}
