//! What a test left in one cell, and how alike that is to what it left in another.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pep440_rs::Version;

use super::comparer::Comparer;
use super::comparison::{Apart, Comparison, Extent, Format, PartComparison, Rung, Unlike, hashed};
use super::format as formats;
use super::noise::{self, Sample};
use super::number::close;
use super::rules::{Lens, Subject};
use crate::facts::record::{BlobRef, Record, RecordedResult, Run};
use crate::names::Sha256;
use crate::question::criteria::Tolerance;

/// What a test left in one cell: of each run its parts by name.
#[expect(clippy::struct_field_names, reason = "they are the runs")]
pub(super) struct Runs {
    pub(super) version: Version,
    test: String,
    runs: Vec<BTreeMap<String, Content>>,
}

/// What all runs of a test in a cell are results of.
struct Source {
    test: String,
    subject: Subject,
}

/// What is known of a part.
struct Content {
    source: Arc<Source>,
    digest: Sha256,
    /// Where it is; `None` if it was too much to keep.
    kept: Option<Kept>,
    /// Whether that is all of it.
    is_whole: bool,
}

/// Where a part is kept. What equals another by its digest is never read.
enum Kept {
    Text(Arc<[u8]>),
    Blob(BlobRef),
}

impl Content {
    /// What was kept of it; `None` if it was too much, or is lost.
    fn read(&self, comparer: &Comparer<'_>) -> Option<Arc<[u8]>> {
        match self.kept.as_ref()? {
            Kept::Text(text) => Some(Arc::clone(text)),
            Kept::Blob(blob) => comparer.blob(*blob),
        }
    }
}

impl Source {
    fn of(record: &Record, test: &str) -> Self {
        let file = record.environment.file.as_ref();
        let name = file.map_or("", |file| project_of(&file.filename));
        Self { test: test.to_owned(), subject: Subject::new(name, &record.version) }
    }

    fn lens<'a>(&'a self, comparer: &Comparer<'a>) -> Lens<'a> {
        Lens::new(&comparer.criteria.of(&self.test).policy, Some(&self.subject))
    }
}

/// The project that a file is of: what stands before its version.
fn project_of(filename: &str) -> &str {
    let mut signs = filename.match_indices('-');
    let version =
        signs.find(|(at, _)| filename[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    version.map_or("", |(at, _)| &filename[..at])
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// A number: in which part, and where.
type Spot = (String, (u64, u64));

/// The name of what a test prints.
pub(super) const STDOUT: &str = "stdout";
/// The name of all that is compared of a test of which nothing else is.
const EXIT_STATUS: &str = "exit status";
/// The name of what it says beside that.
const STDERR: &str = "stderr";

impl Runs {
    pub(super) fn of(record: &Record, test: &str, comparer: &Comparer<'_>) -> Self {
        let runs = record.test(test).into_iter().flat_map(|test| &test.runs);
        let source = Arc::new(Source::of(record, test));
        let criteria = comparer.criteria.of(test);
        let printed = |text: &str, blob: Option<BlobRef>, all: Option<Sha256>| {
            let (of_kept, kept) = if let Some(blob) = blob {
                (blob.0, Kept::Blob(blob))
            } else {
                let (digest, text) = comparer.outputs.text(text);
                (digest, Kept::Text(text))
            };
            let (digest, is_whole) = (all.unwrap_or(of_kept), all.is_none());
            Content { source: Arc::clone(&source), digest, kept: Some(kept), is_whole }
        };
        let file = |file: &RecordedResult| {
            let kept = file.content.map(Kept::Blob);
            let (source, digest) = (Arc::clone(&source), file.sha256);
            let content = Content { source, digest, kept, is_whole: true };
            // A file may be named like a stream.
            let dot = if [STDOUT, STDERR].contains(&file.path.as_str()) { "./" } else { "" };
            (format!("{dot}{}", file.path), content)
        };
        let parts = |run: &Run| {
            if criteria.exit_status {
                return BTreeMap::new();
            }
            let mut parts: BTreeMap<String, Content> = run.files.iter().map(file).collect();
            parts.insert(
                STDOUT.to_owned(),
                printed(&run.output, run.output_blob, run.output_digest),
            );
            if criteria.stderr {
                parts.insert(
                    STDERR.to_owned(),
                    printed(&run.error, run.error_blob, run.error_digest),
                );
            }
            parts
        };
        Self {
            version: record.version.clone(),
            test: test.to_owned(),
            runs: runs.map(parts).collect(),
        }
    }

    /// What a result of which no part differs is called.
    pub(super) fn whole(&self, comparer: &Comparer<'_>) -> &'static str {
        if comparer.criteria.of(&self.test).exit_status { EXIT_STATUS } else { STDOUT }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.runs.len()).unwrap_or(u32::MAX)
    }

    /// The parts of `runs` that do not have the bytes that they have in the first run here, the least alike
    /// first; each as it is in the run in which it is least alike.
    pub(super) fn differing(&self, runs: &Self, comparer: &Comparer<'_>) -> Vec<PartComparison> {
        let mut worst: BTreeMap<&String, (usize, Comparison)> = BTreeMap::new();
        for (index, run) in runs.runs.iter().enumerate() {
            for part in self.parts(run) {
                let (comparison, _) = compare_part(part, self.runs.first(), run, comparer);
                let before = worst.get(part).map_or(Rung::SameBytes, |(_, before)| before.rung);
                if comparison.rung > before {
                    worst.insert(part, (index, comparison));
                }
            }
        }
        let mut parts: Vec<_> = worst.into_iter().collect();
        // Of bytes there is nothing to tell but that they are others, so they come last of what differs.
        let opaque =
            |comparison: &Comparison| matches!(comparison.extent, Some(Extent::Bytes { .. }));
        parts.sort_by_key(|(part, (run, comparison))| {
            let alike = comparison.rung <= Rung::WithinTolerance;
            let rung = Reverse(comparison.rung);
            (alike, opaque(comparison), rung, *run, part.as_str() != STDOUT, *part)
        });
        let named = |(part, (_, comparison)): (&String, _)| PartComparison {
            part: part.clone(),
            comparison,
        };
        parts.into_iter().map(named).collect()
    }

    fn parts<'a>(&'a self, run: &'a BTreeMap<String, Content>) -> Vec<&'a String> {
        let first = self.runs.first().into_iter().flat_map(BTreeMap::keys);
        let mut parts: Vec<&String> = first.chain(run.keys()).collect();
        parts.sort_by_key(|part| (part.as_str() != STDOUT, part.as_str()));
        parts.dedup();
        parts
    }

    /// Whether these runs and `others` can be told apart.
    pub(super) fn test(&self, others: &Self, comparer: &Comparer<'_>) -> noise::Evidence {
        let all: Vec<&BTreeMap<String, Content>> = self.runs.iter().chain(&others.runs).collect();
        // The numbers that are not the same in all runs, each with its tolerance: what the first run
        // says, and what the others do.
        let mut numbers: BTreeMap<Spot, (f64, Tolerance)> = BTreeMap::new();
        let mut actual: Vec<BTreeMap<Spot, f64>> = vec![BTreeMap::new(); all.len()];
        let mut shapes: Vec<Vec<u64>> = vec![Vec::new(); all.len()];
        let parts: BTreeSet<&String> = all.iter().flat_map(|run| run.keys()).collect();
        for part in parts {
            let mut is_other = false;
            for (run, content) in all.iter().enumerate() {
                let (comparison, unlike) = compare_part(part, self.runs.first(), content, comparer);
                is_other |= comparison.rung == Rung::OtherText;
                shapes[run].push(unlike.rest.unwrap_or_default());
                for Apart { place, expected, actual: value, tolerance } in unlike.apart {
                    let spot = (part.clone(), place);
                    numbers.insert(spot.clone(), (expected, tolerance));
                    actual[run].insert(spot, value);
                }
            }
            if is_other {
                let contents: Vec<Option<&Content>> = all.iter().map(|run| run.get(part)).collect();
                let found = Shapes::of(part, &contents, comparer);
                numbers.retain(|(of_part, place), _| of_part != part || found.keeps(place.0));
                for (of_run, shape) in shapes.iter_mut().zip(found.of_runs) {
                    of_run.extend(shape);
                }
            }
        }
        let sample = |(shapes, actual): (Vec<u64>, BTreeMap<Spot, f64>)| Sample {
            shapes,
            numbers: numbers
                .iter()
                .map(|(spot, (expected, _))| actual.get(spot).copied().unwrap_or(*expected))
                .collect(),
        };
        let samples: Vec<Sample> = shapes.into_iter().zip(actual).map(sample).collect();
        let tolerances: Vec<Tolerance> =
            numbers.values().map(|(_, tolerance)| *tolerance).collect();
        let (here, there) = samples.split_at(self.runs.len());
        noise::evidence(here, there, |number, one, other| close(one, other, &tolerances[number]))
    }
}

/// What a part looks like in each run, but for its numbers: line by line where all have as many, so that a
/// line that never is the same twice hides no other.
struct Shapes {
    of_runs: Vec<Vec<u64>>,
    /// In which lines numbers can be compared; `None` if in none.
    alike: Option<Vec<bool>>,
}

impl Shapes {
    fn of(part: &str, contents: &[Option<&Content>], comparer: &Comparer<'_>) -> Self {
        let mut are_text = true;
        let mut lines = |content: Option<&Content>| {
            let (source, content) = (&content?.source, content?.read(comparer)?);
            let format = format(part, &content, &content);
            are_text &= format == Format::Text;
            Some(formats::shapes(format, &content, &source.lens(comparer)))
        };
        let known: Option<Vec<Vec<u64>>> = contents.iter().copied().map(&mut lines).collect();
        let digests = || -> Vec<Vec<u64>> {
            let digest = |content: Option<&Content>| hashed(&content.map(|content| content.digest));
            contents.iter().copied().map(|content| vec![digest(content)]).collect()
        };
        let Some(of_runs) = known else { return Self { of_runs: digests(), alike: None } };
        if of_runs.iter().any(|lines| lines.len() != of_runs[0].len()) {
            let of_runs = of_runs.iter().map(|lines| vec![hashed(lines)]).collect();
            return Self { of_runs, alike: None };
        }
        let same = |line: usize| of_runs.iter().all(|lines| lines[line] == of_runs[0][line]);
        let alike: Vec<bool> = (0..of_runs[0].len()).map(same).collect();
        if alike.iter().all(|alike| *alike) {
            // They differ in something that is no shape: the names of fields may be numbers.
            return Self { of_runs: digests(), alike: None };
        }
        Self { of_runs, alike: are_text.then_some(alike) }
    }

    /// Whether the numbers of a line, from 1, stand in the same places in all runs.
    fn keeps(&self, line: u64) -> bool {
        let line = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
        let alike = self.alike.as_ref().zip(line);
        alike.and_then(|(alike, line)| alike.get(line).copied()).unwrap_or(false)
    }
}

/// What a test prints is text, whatever it is.
fn format(part: &str, expected: &[u8], actual: &[u8]) -> Format {
    let is_stream = [STDOUT, STDERR].contains(&part);
    if is_stream { Format::Text } else { Format::of_both(part, expected, actual) }
}

/// How long two outputs are together, in bytes, so that their comparison is worth being kept.
const LARGE: usize = 64 << 10;

/// A digest over the criteria: other questions may share what was read.
fn hashed_policy(lenses: &[Lens<'_>; 2]) -> u64 {
    hashed(&format!("{:?}", lenses[0].policy))
}

fn compare_part(
    part: &str,
    expected: Option<&BTreeMap<String, Content>>,
    actual: &BTreeMap<String, Content>,
    comparer: &Comparer<'_>,
) -> (Comparison, Unlike) {
    let (expected, actual) = (expected.and_then(|expected| expected.get(part)), actual.get(part));
    if expected == actual {
        return (Comparison::alike(), Unlike::default());
    }
    let shown = |content: Option<&Content>| {
        let Some(content) = content else { return "no such file".to_owned() };
        match content.read(comparer).filter(|_| content.is_whole) {
            Some(bytes) => format!("{} bytes", bytes.len()),
            None => format!("more than was kept, {}", content.digest),
        }
    };
    let by_name =
        || (Comparison::of_names(part, shown(expected), shown(actual)), Unlike::default());
    let (Some(expected), Some(actual)) = (expected, actual) else { return by_name() };
    let (Some(left), Some(right)) = (expected.read(comparer), actual.read(comparer)) else {
        return by_name();
    };
    let lenses = [expected.source.lens(comparer), actual.source.lens(comparer)];
    let format = format(part, &left, &right);
    let compare = || formats::compare_numbers(format, [&left, &right], lenses);
    let found = if left.len() + right.len() < LARGE {
        compare()
    } else {
        let sides = [&expected.source, &actual.source];
        let decides = (part, sides.map(|side| (&side.test, &side.subject)), hashed_policy(&lenses));
        comparer.outputs.compared((expected.digest, actual.digest, hashed(&decides)), compare)
    };
    // They differ in what was not kept.
    let is_whole = expected.is_whole && actual.is_whole;
    if found.0.rung <= Rung::WithinTolerance && !is_whole { by_name() } else { found }
}
