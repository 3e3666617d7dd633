//! Whether a test's result changes from one release at which it passes to the next.
//!
//! That is asked as carefully as whether it differs from the baseline's: all such steps of all rows are
//! one family, corrected together, and a step that cannot be told from noise with so few runs is
//! [`Alike::Undecided`].

use std::collections::BTreeMap;

use super::criteria::{Blobs, Criteria};
use super::judgement::{Judgement, decide};
use super::runs::Runs;
use crate::record::{Record, Verdict, test_names};
use crate::row::{Alike, Drift, Row, State};

/// All steps of all rows.
#[derive(Debug, Default)]
pub struct Steps {
    /// By test, and the indices of the two records.
    found: BTreeMap<(String, usize, usize), Found>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    alike: Alike,
    /// Whether they are the same without any word of noise.
    plainly: bool,
    /// How many runs on each side would decide.
    needed: Option<u32>,
}

impl Steps {
    /// Judges every step within `records`.
    pub fn of(records: &[Record], criteria: &Criteria, blobs: Blobs<'_>) -> Self {
        let mut steps: Vec<((String, usize, usize), Judgement)> = Vec::new();
        for (test, row) in rows(records) {
            let passing: Vec<usize> = (0..row.states().len())
                .filter(|release| row.states()[*release] == State::Passed)
                .filter_map(|release| row.record(release))
                .collect();
            // Each is held against the one before, and is the one before of the next.
            let mut before: Option<(usize, Runs)> = None;
            for to in passing {
                let runs = Runs::of(&records[to], test, criteria, blobs);
                if let Some((from, against)) = &before {
                    let judgement = Judgement::of(&runs, against, criteria);
                    steps.push(((test.to_owned(), *from, to), judgement));
                }
                before = Some((to, runs));
            }
        }
        decide(steps.iter_mut().map(|(_, judgement)| judgement), criteria.alpha);
        let found = |judgement: Judgement| {
            let alike = match judgement.verdict {
                Some(Verdict::Same | Verdict::SameWithinNoise) => Alike::Same,
                Some(Verdict::Different) => Alike::Different,
                Some(Verdict::Undecided | Verdict::Flaky | Verdict::NoBaseline) | None => {
                    Alike::Undecided
                }
            };
            let plainly = judgement.verdict == Some(Verdict::Same);
            let noise = judgement.evidence.and_then(|evidence| evidence.noise);
            Found { alike, plainly, needed: noise.and_then(|noise| noise.needed) }
        };
        Self { found: steps.into_iter().map(|(step, one)| (step, found(one))).collect() }
    }

    /// Whether the results of `test` are the same in the records of these indices, of which the second is
    /// that of the next release at which the test passes.
    pub fn alike(&self, test: &str, from: usize, to: usize) -> Alike {
        let found = self.found.get(&(test.to_owned(), from, to));
        found.map_or(Alike::Undecided, |found| found.alike)
    }

    /// The stretches of a row over which the result of `test` changes in steps that are each within their
    /// tolerance. Where there is noise, none is claimed.
    pub fn drifts(
        &self,
        row: &Row,
        test: &str,
        records: &[Record],
        criteria: &Criteria,
        blobs: Blobs<'_>,
    ) -> Vec<Drift> {
        row.drifts(&|from, to| {
            let (Some(from), Some(to)) = (row.record(from), row.record(to)) else { return true };
            if let Some(step) = self.found.get(&(test.to_owned(), from, to)) {
                return step.plainly;
            }
            let runs = |record: usize| Runs::of(&records[record], test, criteria, blobs);
            Judgement::of(&runs(to), &runs(from), criteria).verdict == Some(Verdict::Same)
        })
    }

    /// The steps that more runs would decide: test, records, and how many runs on each side.
    pub(super) fn open(&self) -> impl Iterator<Item = (&str, [usize; 2], u32)> {
        self.found.iter().filter_map(|((test, from, to), found)| {
            Some((test.as_str(), [*from, *to], found.needed?))
        })
    }
}

/// The row of each test on each Python and variant.
fn rows(records: &[Record]) -> Vec<(&str, Row)> {
    let mut columns: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for record in records {
        let tests = columns.entry((record.python, &record.variant)).or_default();
        tests.extend(test_names(&record.tests));
        tests.sort_unstable();
        tests.dedup();
    }
    let row = |((python, variant), tests): (_, Vec<_>)| {
        tests.into_iter().map(move |test| (test, Row::read(&[], records, python, variant, test)))
    };
    columns.into_iter().flat_map(row).collect()
}
