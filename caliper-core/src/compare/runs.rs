//! What a test left in one cell, and how alike that is to what it left in another.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use pep440_rs::Version;

use super::ladder::{self, Apart, Comparison, Format, Rung};
use super::noise::{self, Sample};
use super::number::close;
use super::policy::{Policy, Tolerance};
use super::verdicts::{Blobs, Criteria};
use crate::record::{BlobRef, Record, RecordedResult, TestRecord};

/// What a test left in one cell: of each run its parts by name.
pub(super) struct Runs {
    pub(super) version: Version,
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
/// The name of what it says beside that.
const STDERR: &str = "stderr";

impl Runs {
    pub(super) fn of(record: &Record, test: &str, criteria: &Criteria, blobs: Blobs<'_>) -> Self {
        let runs = record.tests.iter().filter(|run| run.name == test);
        let printed = |text: &str, blob: Option<BlobRef>| match blob {
            None => Content::Whole(text.as_bytes().to_vec()),
            Some(blob) => Content::read(Some(blob), blob.to_string(), blobs),
        };
        let file = |file: &RecordedResult| {
            let content = Content::read(file.content, file.sha256.to_string(), blobs);
            // A file may be named like a stream.
            let dot = if [STDOUT, STDERR].contains(&file.path.as_str()) { "./" } else { "" };
            (format!("{dot}{}", file.path), content)
        };
        let parts = |run: &TestRecord| {
            let mut parts: BTreeMap<String, Content> = run.files.iter().map(file).collect();
            parts.insert(STDOUT.to_owned(), printed(&run.output, run.output_blob));
            if criteria.stderr {
                parts.insert(STDERR.to_owned(), printed(&run.error, run.error_blob));
            }
            parts
        };
        Self { version: record.version.clone(), runs: runs.map(parts).collect() }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.runs.len()).unwrap_or(u32::MAX)
    }

    /// The part that is least alike in all of `runs`, held against the first run here.
    pub(super) fn worst(&self, runs: &Self, policy: &Policy) -> (String, Comparison) {
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
    pub(super) fn test(&self, others: &Self, policy: &Policy) -> noise::Evidence {
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
    if [STDOUT, STDERR].contains(&part) { Format::Text } else { Format::of_name(part) }
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
