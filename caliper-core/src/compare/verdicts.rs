//! What results mean, held against those of the baseline.
//!
//! Results that are the same, by [`Comparison`], are the same whatever their noise. Others are
//! different only where that can be told from how much a release differs from itself, at a stated
//! error rate over all comparisons at once ([`noise`]). Until a test was run often enough for that,
//! nobody knows.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::ladder::{self, Apart, Comparison, Format, Rung};
use super::noise::{self, Sample};
use super::number::close;
use super::policy::{Policy, Tolerance};
use crate::changes::State;
use crate::grid::{CellId, Variant};
use crate::names::PythonVersion;
use crate::record::{BlobRef, Record, RecordedResult, TestRecord, Verdict};

/// How results are told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Criteria {
    /// What is looked past.
    pub policy: Policy,
    /// How large a part of the results that are called different may be so by chance.
    pub alpha: f64,
}

impl Default for Criteria {
    /// The usual policy, and one in twenty.
    fn default() -> Self {
        Self { policy: Policy::default(), alpha: 0.05 }
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
    /// What of the result is least alike: `stdout`, or the path of a file.
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
    let mut found: Vec<Judged> = Vec::new();
    // Those that are not the same, with what a test for noise says of them.
    let mut open: Vec<(usize, Option<noise::Evidence>)> = Vec::new();
    for ((_, _, test), cells) in &rows {
        let state = |cell: usize| State::of(&records[cell], Some(test));
        let base = cells
            .iter()
            .copied()
            .filter(|cell| state(*cell) == Some(State::Passed))
            .filter(|cell| baseline.is_none_or(|baseline| records[*cell].version == *baseline))
            .max_by(|one, other| records[*one].version.cmp(&records[*other].version));
        let against = base.map(|base| Runs::of(&records[base], test, blobs));
        for cell in cells.iter().copied() {
            let mut push = |verdict, evidence| {
                found.push(Judged { cell, test: test.clone(), verdict, evidence });
            };
            match (state(cell), &against) {
                (Some(State::Passed), None) => push(Some(Verdict::NoBaseline), None),
                (Some(State::Passed), Some(_)) if base == Some(cell) => {
                    push(Some(Verdict::Same), None);
                }
                (Some(State::Passed), Some(against)) => {
                    let runs = Runs::of(&records[cell], test, blobs);
                    let (part, comparison) = against.worst(&runs, &criteria.policy);
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
                    let version = against.version.clone();
                    push(
                        same.then_some(Verdict::Same),
                        Some(Evidence { baseline: version, part, comparison, noise }),
                    );
                    if !same {
                        let enough = runs.count() > 1 && against.count() > 1;
                        let said = enough.then(|| against.test(&runs, &criteria.policy));
                        open.push((found.len() - 1, said));
                    }
                }
                (Some(State::Flaky), _) => push(Some(Verdict::Flaky), None),
                (
                    Some(
                        State::Unavailable
                        | State::BuildFailed
                        | State::Failed
                        | State::NotMeasured,
                    )
                    | None,
                    _,
                ) => push(None, None),
            }
        }
    }
    decide(&mut found, &open, criteria.alpha);
    for record in records.iter_mut() {
        for test in &mut record.tests {
            (test.verdict, test.evidence) = (None, None);
        }
    }
    for Judged { cell, test: name, verdict, mut evidence } in found {
        for test in records[cell].tests.iter_mut().filter(|test| test.name == name) {
            test.verdict = verdict;
            test.evidence = evidence.take().map(Box::new);
        }
    }
}

/// What is found of a test in a cell.
struct Judged {
    /// The index of its record.
    cell: usize,
    test: String,
    /// `None` where there is none, and as long as it is open.
    verdict: Option<Verdict>,
    evidence: Option<Evidence>,
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
    let (one, other) = (Runs::of(one, test, blobs), Runs::of(other, test, blobs));
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
/// at the baseline. And where a test fails that passes at a neighbouring release, whether it always
/// does.
pub fn repeats_to_decide(records: &[Record]) -> BTreeMap<CellId, BTreeMap<String, u32>> {
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
                let runs = wanted.entry(cell).or_default().entry(test.name.clone()).or_default();
                *runs = needed.max(*runs);
            }
        }
    }
    wanted
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
fn decide(found: &mut [Judged], open: &[(usize, Option<noise::Evidence>)], alpha: f64) {
    let p: Vec<f64> =
        open.iter().map(|(_, said)| said.as_ref().map_or(1.0, |said| said.p)).collect();
    let adjusted = noise::adjusted(&p);
    let needed = noise::repeats_needed(alpha, open.len());
    #[expect(clippy::cast_precision_loss, reason = "no grid has so many cells")]
    let comparisons = open.len() as f64;
    for ((index, said), adjusted) in open.iter().zip(adjusted) {
        let Judged { verdict, evidence, .. } = &mut found[*index];
        let Some(noise) = evidence.as_mut().and_then(|evidence| evidence.noise.as_mut()) else {
            continue;
        };
        noise.comparisons = u32::try_from(open.len()).unwrap_or(u32::MAX);
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

/// What a test left in one cell: of each run its parts by name.
struct Runs {
    version: Version,
    runs: Vec<BTreeMap<String, Content>>,
}

/// What is known of a part.
#[derive(PartialEq)]
enum Content {
    Whole(Vec<u8>),
    /// Too long to be kept, or lost; what is known is its digest.
    Digest(String),
}

/// The numbers of a run that are not those of the first, by part and place.
type Actual = BTreeMap<(String, u64), f64>;

/// The name of what a test prints.
const STDOUT: &str = "stdout";

impl Runs {
    fn of(record: &Record, test: &str, blobs: Blobs<'_>) -> Self {
        let runs = record.tests.iter().filter(|run| run.name == test);
        let parts = |run: &TestRecord| {
            let output = match run.output_blob {
                None => Content::Whole(run.output.clone().into_bytes()),
                Some(blob) => Content::read(Some(blob), blob.to_string(), blobs),
            };
            let file = |file: &RecordedResult| {
                let content = Content::read(file.content, file.sha256.to_string(), blobs);
                (file.path.clone(), content)
            };
            [(STDOUT.to_owned(), output)].into_iter().chain(run.files.iter().map(file)).collect()
        };
        Self { version: record.version.clone(), runs: runs.map(parts).collect() }
    }

    fn count(&self) -> u32 {
        u32::try_from(self.runs.len()).unwrap_or(u32::MAX)
    }

    /// The part that is least alike in all of `runs`, held against the first run here.
    fn worst(&self, runs: &Self, policy: &Policy) -> (String, Comparison) {
        let mut worst: Option<(String, Comparison)> = None;
        for run in &runs.runs {
            for part in self.parts(run) {
                let (comparison, _) = compare_part(part, self.runs.first(), run, policy);
                if worst.as_ref().is_none_or(|(_, before)| comparison.rung > before.rung) {
                    worst = Some((part.clone(), comparison));
                }
            }
        }
        worst.unwrap_or_else(|| (STDOUT.to_owned(), Comparison::alike()))
    }

    fn parts<'a>(&'a self, run: &'a BTreeMap<String, Content>) -> Vec<&'a String> {
        let first = self.runs.first().into_iter().flat_map(BTreeMap::keys);
        let mut parts: Vec<&String> = first.chain(run.keys()).collect();
        parts.sort_by_key(|part| (part.as_str() != STDOUT, part.as_str()));
        parts.dedup();
        parts
    }

    /// Whether these runs and `others` can be told apart.
    fn test(&self, others: &Self, policy: &Policy) -> noise::Evidence {
        let all: Vec<&BTreeMap<String, Content>> = self.runs.iter().chain(&others.runs).collect();
        // The numbers that are not the same in all runs, each with its tolerance: what the first run
        // says, and what the others do.
        let mut numbers: BTreeMap<(String, u64), (f64, Tolerance)> = BTreeMap::new();
        let mut said: Vec<(u64, Actual)> = Vec::new();
        for run in &all {
            let mut shape = DefaultHasher::new();
            let mut actual = Actual::new();
            for part in self.parts(run) {
                let (comparison, apart) = compare_part(part, self.runs.first(), run, policy);
                if comparison.rung == Rung::OtherText {
                    part.hash(&mut shape);
                    run.get(part).map(|content| content.shape(part, policy)).hash(&mut shape);
                }
                for Apart { number, expected, actual: value, tolerance } in apart {
                    if expected.is_finite() && value.is_finite() {
                        numbers.insert((part.clone(), number), (expected, tolerance));
                        actual.insert((part.clone(), number), value);
                    } else {
                        (part, number, expected.to_bits(), value.to_bits()).hash(&mut shape);
                    }
                }
            }
            said.push((shape.finish(), actual));
        }
        let sample = |(shape, actual): &(u64, Actual)| Sample {
            shape: *shape,
            numbers: numbers
                .iter()
                .map(|(place, (expected, _))| actual.get(place).copied().unwrap_or(*expected))
                .collect(),
        };
        let samples: Vec<Sample> = said.iter().map(sample).collect();
        let tolerances: Vec<Tolerance> =
            numbers.values().map(|(_, tolerance)| *tolerance).collect();
        let (here, there) = samples.split_at(self.runs.len());
        noise::evidence(here, there, |number, one, other| close(one, other, &tolerances[number]))
    }
}

impl Content {
    fn read(blob: Option<BlobRef>, digest: String, blobs: Blobs<'_>) -> Self {
        blob.and_then(blobs).map_or(Self::Digest(digest), Self::Whole)
    }

    fn shape(&self, part: &str, policy: &Policy) -> u64 {
        match self {
            Self::Whole(bytes) => ladder::shape(format(part), bytes, policy),
            Self::Digest(digest) => {
                let mut hasher = DefaultHasher::new();
                digest.hash(&mut hasher);
                hasher.finish()
            }
        }
    }
}

fn format(part: &str) -> Format {
    if part == STDOUT { Format::Text } else { Format::of_name(part) }
}

fn compare_part(
    part: &str,
    expected: Option<&BTreeMap<String, Content>>,
    actual: &BTreeMap<String, Content>,
    policy: &Policy,
) -> (Comparison, Vec<Apart>) {
    match (expected.and_then(|expected| expected.get(part)), actual.get(part)) {
        (Some(Content::Whole(expected)), Some(Content::Whole(actual))) => {
            ladder::compare_numbers(format(part), expected, actual, policy)
        }
        (expected, actual) if expected == actual => (Comparison::alike(), Vec::new()),
        (expected, actual) => {
            let shown = |content: Option<&Content>| match content {
                None => "no such file".to_owned(),
                Some(Content::Whole(bytes)) => format!("{} bytes", bytes.len()),
                Some(Content::Digest(digest)) => digest.clone(),
            };
            (Comparison::of_names(part, shown(expected), shown(actual)), Vec::new())
        }
    }
}

#[cfg(test)]
mod tests;
