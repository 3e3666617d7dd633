//! Every comparison of results that is told on one screen: of each cell with the baseline, and of each
//! release with the one before.
//!
//! They are one family, judged once and corrected together, so that a grid of noise has a false word at
//! most at the stated rate, and a step and a verdict that compare the same two cells cannot contradict each
//! other.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::cells::Cells;
use super::evidence::{Evidence, Method, Noise};
use super::judged::{Judged, Verdicts};
use super::judgement::{Compared, Judgement, decide};
use super::noise::constant;
use super::verdict::Verdict;
use crate::analysis::row::{Alike, Drift, Row, State as RowState, Sure, TestRow};
use crate::facts::record::State;

/// A comparison: the test, the record that is compared, and the one that it is compared with.
type Pair = (String, usize, usize);

/// All comparisons of the results of a grid.
#[derive(Default)]
pub(in crate::analysis) struct Family {
    found: BTreeMap<Pair, Judgement>,
    /// The record with which a cell is compared, by test and record.
    baselines: BTreeMap<(String, usize), usize>,
}

impl Family {
    /// Compares the results in `rows`, which were read from the records of `cells`: within each row with the
    /// release `baseline`, or else with the newest at which the test passes, and with the release before.
    pub(in crate::analysis) fn of(
        rows: &[TestRow<'_>],
        cells: &Cells<'_>,
        baseline: Option<&Version>,
    ) -> Self {
        let mut family = Self::default();
        for TestRow { test, row, .. } in rows {
            family.add_row(test, row, cells, baseline);
        }
        decide(family.found.values_mut(), cells.comparer.criteria.alpha);
        family
    }

    fn add_row(&mut self, test: &str, row: &Row, cells: &Cells<'_>, baseline: Option<&Version>) {
        let passing: Vec<usize> = (0..row.states().len())
            .filter(|release| row.states()[*release] == RowState::Passed)
            .filter_map(|release| row.record(release))
            .collect();
        let is_baseline = |record: &&usize| {
            baseline.is_none_or(|baseline| cells.records[**record].version == *baseline)
        };
        let base = passing.iter().rfind(is_baseline).copied();
        let with_base = passing.iter().filter_map(|cell| Some((*cell, base?)));
        let steps = passing.windows(2).map(|pair| (pair[1], pair[0]));
        let mut pairs: BTreeSet<(usize, usize)> = BTreeSet::new();
        for (cell, against) in with_base {
            self.baselines.insert((test.to_owned(), cell), against);
            pairs.insert((cell, against));
        }
        for (cell, against) in steps {
            // The comparison with the baseline is there already, from its other side.
            if !pairs.contains(&(against, cell)) {
                pairs.insert((cell, against));
            }
        }
        let variation = Variation::of(test, &passing, cells);
        let mut found: Vec<((usize, usize), Judgement)> = Vec::new();
        for (cell, against) in pairs.into_iter().filter(|(cell, against)| cell != against) {
            let (Some(runs), Some(others)) = (cells.runs(cell, test), cells.runs(against, test))
            else {
                continue;
            };
            let beside = variation.constant_beside([cell, against]);
            let judgement = Judgement::of(runs, others, &beside, &cells.comparer);
            found.push(((cell, against), judgement));
        }
        let open = found.iter().filter(|(_, judgement)| judgement.is_open());
        let open: BTreeSet<usize> = open.flat_map(|((one, other), _)| [*one, *other]).collect();
        let beside = u32::try_from(open.len().saturating_sub(2)).unwrap_or(u32::MAX);
        for ((cell, against), mut judgement) in found {
            judgement.beside(beside);
            self.found.insert((test.to_owned(), cell, against), judgement);
        }
    }

    /// The conclusion about each test in each cell, in the order of the records.
    pub(in crate::analysis) fn verdicts(&self, cells: &Cells<'_>) -> Verdicts {
        let mut judged = Vec::new();
        for (index, record) in cells.records.iter().enumerate() {
            for test in record.judged() {
                let Some(state) = record.state_of(Some(&test.name)) else { continue };
                let (verdict, evidence) = match state {
                    State::Passed => self.verdict(&test.name, index),
                    State::Flaky => (Some(Verdict::Flaky), None),
                    State::Unavailable
                    | State::Excluded
                    | State::BuildFailed
                    | State::Failed
                    | State::NotMeasured => (None, None),
                };
                judged.push(Judged {
                    cell: record.id().to_string(),
                    test: test.name.clone(),
                    state,
                    verdict,
                    evidence,
                });
            }
        }
        judged.into_iter().collect()
    }

    fn verdict(&self, test: &str, cell: usize) -> (Option<Verdict>, Option<Box<Evidence>>) {
        let Some(base) = self.baselines.get(&(test.to_owned(), cell)) else {
            return (Some(Verdict::NoBaseline), None);
        };
        if *base == cell {
            return (Some(Verdict::Same), None);
        }
        match self.found.get(&(test.to_owned(), cell, *base)) {
            Some(Judgement { verdict, evidence, .. }) => (*verdict, evidence.clone().map(Box::new)),
            None => (None, None),
        }
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
        let undecided = |needed| Alike::Undecided { needed };
        let Some((verdict, noise)) = self.verdict_between(test, from, to) else {
            return undecided(None);
        };
        match (verdict, noise) {
            (Some(Verdict::Same | Verdict::SameWithinNoise), _) => Alike::Same,
            (Some(Verdict::Different), Some(noise)) => Alike::Different(Sure::from(noise)),
            (_, noise) => undecided(noise.and_then(|noise| noise.needed)),
        }
    }

    /// Whether a cell is the baseline, or the same as it, be it within noise.
    fn is_as_baseline(&self, test: &str, cell: usize) -> bool {
        self.baselines.get(&(test.to_owned(), cell)).is_some_and(|base| {
            *base == cell
                || self.between(test, cell, *base).is_some_and(|found| {
                    matches!(found.verdict, Some(Verdict::Same | Verdict::SameWithinNoise))
                })
        })
    }

    /// Whether one of two cells is the baseline, or is different from it. A step between two cells that both
    /// are the same as the baseline is not claimed: the screen would contradict itself.
    fn is_supported(&self, test: &str, from: usize, to: usize) -> bool {
        [from, to].into_iter().any(|cell| match self.baselines.get(&(test.to_owned(), cell)) {
            Some(base) if *base == cell => true,
            Some(base) => self
                .between(test, cell, *base)
                .is_some_and(|found| found.verdict == Some(Verdict::Different)),
            None => true,
        })
    }

    /// The verdict on two cells, and what is known of noise there; `None` if they are not compared here.
    ///
    /// It does not contradict the verdicts of the two on the baseline, which stand on the same screen: two cells
    /// that are as the baseline are the same within noise, a difference between two of which neither differs
    /// from the baseline is not claimed, and neither is that two are the same of which one differs from it.
    pub(in crate::analysis) fn verdict_between(
        &self,
        test: &str,
        one: usize,
        other: usize,
    ) -> Option<(Option<Verdict>, Option<&Noise>)> {
        let found = self.between(test, one, other);
        let are_as_baseline = [one, other].into_iter().all(|cell| self.is_as_baseline(test, cell));
        if found.is_none() && !are_as_baseline {
            return None;
        }
        let verdict = found.and_then(|found| found.verdict);
        let noise = found.and_then(|found| found.evidence.as_ref()?.noise.as_ref());
        let verdict = match verdict {
            Some(Verdict::Same) => verdict,
            _ if are_as_baseline => Some(Verdict::SameWithinNoise),
            Some(Verdict::Different) if !self.is_supported(test, one, other) => {
                Some(Verdict::Undecided)
            }
            Some(Verdict::SameWithinNoise) if self.differs_from_one(test, one, other) => {
                Some(Verdict::Undecided)
            }
            _ => verdict,
        };
        Some((verdict, noise))
    }

    /// Whether one of two cells is different from the baseline, and the other is as the baseline.
    fn differs_from_one(&self, test: &str, one: usize, other: usize) -> bool {
        let differs = |cell| {
            let base = self.baselines.get(&(test.to_owned(), cell));
            base.and_then(|base| self.between(test, cell, *base))
                .is_some_and(|found| found.verdict == Some(Verdict::Different))
        };
        (differs(one) && self.is_as_baseline(test, other))
            || (differs(other) && self.is_as_baseline(test, one))
    }

    fn between(&self, test: &str, one: usize, other: usize) -> Option<&Judgement> {
        let pair = |cell, against| self.found.get(&(test.to_owned(), cell, against));
        pair(one, other).or_else(|| pair(other, one))
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
            if let Some(found) = self.between(test, from, to) {
                return found.verdict == Some(Verdict::Same);
            }
            let (Some(from), Some(to)) = (cells.runs(from, test), cells.runs(to, test)) else {
                return true;
            };
            Compared::of(to, from, &cells.comparer).is_same()
        })
    }

    /// The comparisons that more runs would decide: test, the two records, and how many more runs on each
    /// side.
    pub(in crate::analysis) fn open(&self) -> impl Iterator<Item = (&str, [usize; 2], u32)> {
        self.found.iter().filter_map(|((test, cell, against), judgement)| {
            Some((test.as_str(), [*cell, *against], judgement.more()?))
        })
    }
}

impl From<&Noise> for Sure {
    fn from(noise: &Noise) -> Self {
        match (noise.method, noise.p, noise.adjusted) {
            (Some(Method::Repeats), ..) => Self::Repeats { runs: noise.runs[0].min(noise.runs[1]) },
            (
                Some(Method::Permutation | Method::Spread | Method::Determinism),
                Some(p),
                Some(adjusted),
            ) => Self::Test { p, adjusted, rate: noise.alpha },
            (Some(_) | None, ..) => Self::Undecided { needed: noise.needed },
        }
    }
}

/// How much the results of a row vary within its cells.
pub(super) struct Variation {
    /// For each record that passes: its runs, and whether they all have the same result.
    pub(super) cells: BTreeMap<usize, (u32, bool)>,
}

impl Variation {
    fn of(test: &str, passing: &[usize], cells: &Cells<'_>) -> Self {
        let known = |cell: &usize| {
            let runs = cells.runs(*cell, test)?;
            Some((*cell, (runs.count(), runs.is_constant(&cells.comparer))))
        };
        Self { cells: passing.iter().filter_map(known).collect() }
    }

    /// The cells beside these two that have two runs or more, if no cell beside them varies; else none.
    pub(super) fn constant_beside(&self, pair: [usize; 2]) -> constant::Runs {
        let beside = || self.cells.iter().filter(|(cell, _)| !pair.contains(cell));
        let mut constant = constant::Runs::new();
        if beside().all(|(_, (_, is_constant))| *is_constant) {
            for (_, (runs, _)) in beside().filter(|(_, (runs, _))| *runs > 1) {
                *constant.entry(*runs).or_default() += 1;
            }
        }
        constant
    }
}

#[cfg(test)]
mod tests;
