//! What results mean, held against those of the baseline.
//!
//! Results that are the same, by [`Comparison`], are the same whatever their noise. Others are
//! different only where that can be told from how much a release differs from itself, at a stated
//! error rate over all comparisons at once ([`noise`]). Until a test was run often enough for that,
//! nobody knows.

use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::ladder::{Comparison, Rung};
use super::noise;
use super::policy::Policy;
use super::runs::Runs;
use super::steps::Steps;
use crate::changes::State;
use crate::grid::{CellId, Variant};
use crate::names::PythonVersion;
use crate::record::{BlobRef, Record, Verdict};

/// How results are told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Criteria {
    /// What is looked past.
    pub policy: Policy,
    /// Whether what a test prints on standard error is part of its result.
    pub stderr: bool,
    /// How large a part of the results that are called different may be so by chance.
    pub alpha: f64,
}

impl Default for Criteria {
    /// The usual policy, without standard error, and one in twenty.
    fn default() -> Self {
        Self { policy: Policy::default(), stderr: false, alpha: 0.05 }
    }
}

/// Gives the long outputs that records name.
pub type Blobs<'a> = &'a dyn Fn(BlobRef) -> Option<Vec<u8>>;

/// Why a result has its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Evidence {
    /// The release that it was held against.
    #[schemars(with = "String")]
    pub baseline: Version,
    /// What of the result is least alike: `stdout`, `stderr`, or the path of a file.
    pub part: String,
    /// How that compares.
    pub comparison: Comparison,
    /// Whether that is more than noise, where it is not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
}

/// What is known of noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Noise {
    /// How often the test was run here, and at the baseline.
    pub runs: [u32; 2],
    /// How likely results so far apart are if the release makes no difference; `None` where the runs
    /// are too few to say.
    pub p: Option<f64>,
    /// The same, corrected for the number of comparisons (Benjamini and Hochberg).
    pub adjusted: Option<f64>,
    /// How many ways to deal out the runs were tried.
    pub permutations: u64,
    /// How many comparisons were corrected for.
    pub comparisons: u32,
    /// The error rate.
    pub alpha: f64,
    /// How many runs on each side would decide; `None` where it is decided, or no number would.
    pub needed: Option<u32>,
}

/// Fills in the verdict of every test, and the evidence for it with its first run: within each Python and
/// variant, against the release `baseline`, or else against the newest release at which that test
/// passes.
pub fn judge(
    records: &mut [Record],
    baseline: Option<&Version>,
    criteria: &Criteria,
    blobs: Blobs<'_>,
) {
    let rows = rows(records);
    let mut found: Vec<(usize, &str, Judgement)> = Vec::new();
    for ((_, _, test), cells) in &rows {
        let state = |cell: usize| State::of(&records[cell], Some(test));
        let base = cells
            .iter()
            .copied()
            .filter(|cell| state(*cell) == Some(State::Passed))
            .filter(|cell| baseline.is_none_or(|baseline| records[*cell].version == *baseline))
            .max_by(|one, other| records[*one].version.cmp(&records[*other].version));
        let against = base.map(|base| Runs::of(&records[base], test, criteria, blobs));
        for cell in cells.iter().copied() {
            let judgement = match (state(cell), &against) {
                (Some(State::Passed), None) => Verdict::NoBaseline.into(),
                (Some(State::Passed), Some(_)) if base == Some(cell) => Verdict::Same.into(),
                (Some(State::Passed), Some(against)) => {
                    let runs = Runs::of(&records[cell], test, criteria, blobs);
                    Judgement::of(&runs, against, criteria)
                }
                (Some(State::Flaky), _) => Verdict::Flaky.into(),
                (
                    Some(
                        State::Unavailable
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
    decide(found.iter_mut().map(|(_, _, judgement)| judgement), criteria.alpha);
    for record in records.iter_mut() {
        for test in &mut record.tests {
            (test.verdict, test.evidence) = (None, None);
        }
    }
    for (cell, name, Judgement { verdict, mut evidence, .. }) in found {
        for test in records[cell].tests.iter_mut().filter(|test| test.name == name) {
            test.verdict = verdict;
            test.evidence = evidence.take().map(Box::new);
        }
    }
}

/// What is found of a test in a cell.
#[derive(Default)]
pub(super) struct Judgement {
    /// `None` where there is none, and as long as it is open.
    pub(super) verdict: Option<Verdict>,
    pub(super) evidence: Option<Evidence>,
    /// What a test for noise says, where there was one.
    pub(super) said: Option<noise::Evidence>,
}

impl From<Verdict> for Judgement {
    fn from(verdict: Verdict) -> Self {
        Self { verdict: Some(verdict), ..Self::default() }
    }
}

impl Judgement {
    /// Holds `runs` against others. It is open unless they are the same.
    pub(super) fn of(runs: &Runs, against: &Runs, criteria: &Criteria) -> Self {
        let (part, comparison) = against.worst(runs, &criteria.policy);
        let same = comparison.rung <= Rung::WithinTolerance;
        let noise = (!same).then(|| Noise {
            runs: [runs.count(), against.count()],
            p: None,
            adjusted: None,
            permutations: 0,
            comparisons: 0,
            alpha: criteria.alpha,
            needed: None,
        });
        let enough = runs.count() > 1 && against.count() > 1;
        Self {
            verdict: same.then_some(Verdict::Same),
            evidence: Some(Evidence { baseline: against.version.clone(), part, comparison, noise }),
            said: (!same && enough).then(|| against.test(runs, &criteria.policy)),
        }
    }

    fn open(&mut self) -> Option<(&mut Option<Verdict>, &mut Noise, Option<&noise::Evidence>)> {
        let noise = self.evidence.as_mut()?.noise.as_mut()?;
        Some((&mut self.verdict, noise, self.said.as_ref()))
    }
}

/// Whether a test gives the same result in two records: the same but for what is looked past, or, where
/// both ran it more than once, not to be told apart from noise.
pub fn same_results(
    one: &Record,
    other: &Record,
    test: &str,
    criteria: &Criteria,
    blobs: Blobs<'_>,
) -> bool {
    let runs = |record| Runs::of(record, test, criteria, blobs);
    let (one, other) = (runs(one), runs(other));
    let (_, comparison) = one.worst(&other, &criteria.policy);
    let noisy = || {
        let enough = one.count() > 1 && other.count() > 1;
        enough && one.test(&other, &criteria.policy).p > criteria.alpha
    };
    comparison.rung <= Rung::WithinTolerance || noisy()
}

/// How often a test is run that fails where it passes at a neighbouring release.
const RUNS_OF_SUSPECTS: u32 = 3;

/// How often each test is to be run, cell by cell, until what is undecided can be decided: there, and
/// at the baseline, or at the release before, from which its result differs. And where a test fails that
/// passes at a neighbouring release, whether it always does.
pub fn repeats_to_decide(
    records: &[Record],
    criteria: &Criteria,
    blobs: Blobs<'_>,
) -> BTreeMap<CellId, BTreeMap<String, u32>> {
    let mut wanted: BTreeMap<CellId, BTreeMap<String, u32>> = BTreeMap::new();
    for ((_, _, test), mut cells) in rows(records) {
        cells.sort_by(|one, other| records[*one].version.cmp(&records[*other].version));
        let state = |cell: usize| State::of(&records[cell], Some(&test));
        for pair in cells.windows(2) {
            let suspect = match (state(pair[0]), state(pair[1])) {
                (Some(State::Passed), Some(State::Failed)) => pair[1],
                (Some(State::Failed), Some(State::Passed)) => pair[0],
                _ => continue,
            };
            let cell = wanted.entry(records[suspect].id()).or_default();
            cell.insert(test.clone(), RUNS_OF_SUSPECTS);
        }
    }
    for record in records {
        for test in &record.tests {
            let Some(evidence) = &test.evidence else { continue };
            let Some(needed) = evidence.noise.as_ref().and_then(|noise| noise.needed) else {
                continue;
            };
            let base = CellId { version: evidence.baseline.clone(), ..record.id() };
            for cell in [record.id(), base] {
                want(&mut wanted, cell, &test.name, needed);
            }
        }
    }
    for (test, step, needed) in Steps::of(records, criteria, blobs).open() {
        for cell in step {
            want(&mut wanted, records[cell].id(), test, needed);
        }
    }
    wanted
}

fn want(wanted: &mut BTreeMap<CellId, BTreeMap<String, u32>>, cell: CellId, test: &str, runs: u32) {
    let known = wanted.entry(cell).or_default().entry(test.to_owned()).or_default();
    *known = runs.max(*known);
}

/// The cells of each test on each Python.
fn rows(records: &[Record]) -> BTreeMap<(PythonVersion, Variant, String), Vec<usize>> {
    let mut rows: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (cell, record) in records.iter().enumerate() {
        for test in &record.tests {
            let row = (record.python, record.variant.clone(), test.name.clone());
            let cells = rows.entry(row).or_default();
            if cells.last() != Some(&cell) {
                cells.push(cell);
            }
        }
    }
    rows
}

/// Decides what is open, all at once.
pub(super) fn decide<'a>(judgements: impl Iterator<Item = &'a mut Judgement>, alpha: f64) {
    let open: Vec<_> = judgements.filter_map(Judgement::open).collect();
    let p: Vec<f64> = open.iter().map(|(_, _, said)| said.map_or(1.0, |said| said.p)).collect();
    let adjusted = noise::adjusted(&p);
    let count = open.len();
    let needed = noise::repeats_needed(alpha, count);
    #[expect(clippy::cast_precision_loss, reason = "no grid has so many cells")]
    let comparisons = count as f64;
    for ((verdict, noise, said), adjusted) in open.into_iter().zip(adjusted) {
        noise.comparisons = u32::try_from(count).unwrap_or(u32::MAX);
        let Some(said) = said else {
            (*verdict, noise.needed) = (Some(Verdict::Undecided), needed);
            continue;
        };
        (noise.p, noise.adjusted) = (Some(said.p), Some(adjusted));
        noise.permutations = said.permutations;
        *verdict = Some(if adjusted <= alpha {
            Verdict::Different
        } else if said.smallest_p * comparisons <= alpha {
            Verdict::SameWithinNoise
        } else {
            // However far apart they were, so few runs could not have shown it.
            noise.needed = needed;
            Verdict::Undecided
        });
    }
}

#[cfg(test)]
mod tests;
