//! What a test left in one cell, and how alike that is to what it left in another.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pep440_rs::Version;

use super::aligned::{Aligned, Numbers};
use super::comparer::Comparer;
use super::comparison::{Apart, Comparison, Extent, Format, PartComparison, Rung, Unlike, hashed};
use super::format as formats;
use super::items::Item;
use super::nearest::Nearest;
use super::noise::{self, Sample};
use super::number::close;
use super::rules::{Lens, Subject};
use crate::facts::record::{BlobRef, Record, RecordedResult, Run, TestOutcome};
use crate::facts::store::Content;
use crate::names::Sha256;
use crate::question::criteria::Tolerance;
use crate::question::plan::TestKind;

/// What a test left in one cell: of each run its parts by name.
#[expect(clippy::struct_field_names, reason = "they are the runs")]
pub(super) struct Runs {
    pub(super) version: Version,
    test: String,
    runs: Vec<BTreeMap<String, Part>>,
    /// For each run in which batch it was measured.
    batches: Vec<Option<String>>,
    is_constant: OnceCell<bool>,
}

/// What all runs of a test in a cell are results of.
struct Source {
    test: String,
    subject: Subject,
}

/// What is known of a part.
struct Part {
    source: Arc<Source>,
    digest: Sha256,
    /// In bytes, where it is known without reading it.
    size: Option<u64>,
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

impl Part {
    /// What was kept of it; `None` if it was too much, or is lost.
    fn read(&self, comparer: &Comparer<'_>) -> Option<Content> {
        match self.kept.as_ref()? {
            Kept::Text(text) => Some(Content::Memory(Arc::clone(text))),
            Kept::Blob(blob) => comparer.content(*blob),
        }
    }

    /// What was kept of it with its format, if it can be held in memory.
    fn readable(&self, part: &str, comparer: &Comparer<'_>) -> Option<(Format, Arc<[u8]>)> {
        let content = self.read(comparer)?;
        Some((format(part, &content, &content), content.memory()?))
    }
}

impl Source {
    fn of(record: &Record, test: &str) -> Self {
        let file = record.environment.file.as_ref();
        let name = file.map_or("", |file| project_of(&file.filename));
        let subject = Subject::new(name, &record.version);
        // What was read from elsewhere has the time at which it was read, and reused runs are older.
        let is_reused =
            || record.test(test).is_some_and(|test| test.runs.iter().any(|run| run.reused));
        let subject = match record.environment.key {
            Some(_) if !is_reused() => subject.measured_between(record.started, record.finished),
            Some(_) | None => subject,
        };
        Self { test: test.to_owned(), subject }
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

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// The name of what a test prints.
pub(super) const STDOUT: &str = "stdout";
/// The name of all that is compared of a test of which nothing else is.
const EXIT_STATUS: &str = "exit status";
/// The name of what it says beside that.
const STDERR: &str = "stderr";
/// The name of how its functions ended.
const FUNCTIONS: &str = "functions";

impl Runs {
    pub(super) fn of(record: &Record, test: &str, comparer: &Comparer<'_>) -> Self {
        Self::of_some(record, test, &|_| true, comparer)
    }

    /// The runs that passed.
    pub(super) fn of_passed(record: &Record, test: &str, comparer: &Comparer<'_>) -> Self {
        Self::of_some(record, test, &|run| run.outcome == TestOutcome::Passed, comparer)
    }

    fn of_some(
        record: &Record,
        test: &str,
        take: &dyn Fn(&Run) -> bool,
        comparer: &Comparer<'_>,
    ) -> Self {
        let kind = record.test(test).map_or(TestKind::Command, |test| test.kind);
        let runs = record.test(test).into_iter().flat_map(|test| &test.runs);
        let runs = runs.filter(|run| take(run));
        let source = Arc::new(Source::of(record, test));
        let criteria = comparer.criteria.of(test);
        let printed = |text: &str, blob: Option<BlobRef>, all: Option<Sha256>| {
            let (of_kept, size, kept) = if let Some(blob) = blob {
                (blob.0, None, Kept::Blob(blob))
            } else {
                let (digest, text) = comparer.outputs.text(text);
                (digest, u64::try_from(text.len()).ok(), Kept::Text(text))
            };
            let (digest, is_whole) = (all.unwrap_or(of_kept), all.is_none());
            Part { source: Arc::clone(&source), digest, size, kept: Some(kept), is_whole }
        };
        let file = |file: &RecordedResult| {
            let kept = file.content.map(Kept::Blob);
            let (source, digest) = (Arc::clone(&source), file.sha256);
            let content = Part { source, digest, size: Some(file.size), kept, is_whole: true };
            // A file may be named like a stream.
            let dot =
                if [STDOUT, STDERR, FUNCTIONS].contains(&file.path.as_str()) { "./" } else { "" };
            (format!("{dot}{}", file.path), content)
        };
        let parts = |run: &Run| {
            if criteria.exit_status {
                return BTreeMap::new();
            }
            let mut parts: BTreeMap<String, Part> = run.files.iter().map(file).collect();
            if let Some(outcomes) = run.functions.as_ref().and_then(|known| known.outcomes) {
                let kept = Some(Kept::Blob(outcomes));
                let (source, digest) = (Arc::clone(&source), outcomes.0);
                let content = Part { source, digest, size: None, kept, is_whole: true };
                parts.insert(FUNCTIONS.to_owned(), content);
            }
            if criteria.stdout.unwrap_or(kind.compares_output()) {
                parts.insert(
                    STDOUT.to_owned(),
                    printed(&run.output, run.output_blob, run.output_digest),
                );
            }
            if criteria.stderr {
                parts.insert(
                    STDERR.to_owned(),
                    printed(&run.error, run.error_blob, run.error_digest),
                );
            }
            parts
        };
        let (batches, runs) = runs.map(|run| (run.batch.clone(), parts(run))).unzip();
        Self {
            version: record.version.clone(),
            test: test.to_owned(),
            runs,
            batches,
            is_constant: OnceCell::new(),
        }
    }

    /// What a result of which no part differs is called.
    pub(super) fn whole(&self, comparer: &Comparer<'_>) -> &'static str {
        let has = |part: &str| self.runs.iter().any(|run| run.contains_key(part));
        if comparer.criteria.of(&self.test).exit_status {
            EXIT_STATUS
        } else if has(FUNCTIONS) && !has(STDOUT) {
            FUNCTIONS
        } else {
            STDOUT
        }
    }

    /// The same runs, taken as measured under the same conditions as all others.
    pub(super) fn of_one_batch(mut self) -> Self {
        self.batches.fill(None);
        self
    }

    /// Whether all runs have the same result.
    pub(super) fn is_constant(&self, comparer: &Comparer<'_>) -> bool {
        let alike = |first| self.runs.iter().all(|run| is_same(first, run, comparer));
        *self.is_constant.get_or_init(|| self.runs.first().is_none_or(alike))
    }

    /// Whether all runs have the same bytes, whatever is looked past.
    pub(super) fn has_equal_bytes(&self) -> bool {
        self.runs.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// How many runs do not have the result that most of them have.
    pub(super) fn odd(&self, comparer: &Comparer<'_>) -> u32 {
        let agreeing = |one| self.runs.iter().filter(|other| is_same(one, other, comparer)).count();
        let most = self.runs.iter().map(agreeing).max().unwrap_or(0);
        u32::try_from(self.runs.len() - most).unwrap_or(u32::MAX)
    }

    /// How many runs these and `others` have in each batch in which both have some.
    pub(super) fn shared(&self, others: &Self) -> Vec<(usize, usize)> {
        let batches: BTreeSet<&Option<String>> = self.batches.iter().collect();
        let count = |runs: &Self, batch| runs.batches.iter().filter(|one| *one == batch).count();
        let both = batches.into_iter().map(|batch| (count(self, batch), count(others, batch)));
        both.filter(|(_, others)| *others > 0).collect()
    }

    /// Whether in each batch in which these and `others` have runs all of them have the same result.
    pub(super) fn agree_in_batches(&self, others: &Self, comparer: &Comparer<'_>) -> bool {
        let of = |runs: &'_ Self, batch: &Option<String>| -> Vec<usize> {
            (0..runs.runs.len()).filter(|run| runs.batches[*run] == *batch).collect()
        };
        let batches: BTreeSet<&Option<String>> = self.batches.iter().collect();
        let shared = batches.into_iter().filter(|batch| others.batches.contains(batch));
        shared.into_iter().all(|batch| {
            let here = of(self, batch).into_iter().map(|run| &self.runs[run]);
            let there = of(others, batch).into_iter().map(|run| &others.runs[run]);
            let mut all = here.chain(there);
            let Some(first) = all.next() else { return true };
            all.all(|run| is_same(first, run, comparer))
        })
    }

    /// Goes through the numbers with names in a run, with the part that each is in. Returns whether the run was kept
    /// whole.
    pub(super) fn labelled(
        &self,
        run: usize,
        comparer: &Comparer<'_>,
        found: &mut dyn FnMut(&str, &str, Nearest),
    ) -> bool {
        let mut is_whole = true;
        for (part, content) in self.runs.get(run).into_iter().flatten() {
            // How functions ended has no numbers but counts.
            if part == FUNCTIONS {
                continue;
            }
            is_whole &= content.is_whole;
            let Some((format, bytes)) = content.readable(part, comparer) else {
                is_whole = false;
                continue;
            };
            let lens = content.source.lens(comparer);
            formats::labelled(format, &bytes, &lens, &mut |name, number| found(part, name, number));
        }
        is_whole
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
                let found = compare_part(part, self.runs.first(), run, comparer);
                let before = worst.get(part).map_or(Rung::SameBytes, |(_, before)| before.rung);
                if found.0.rung > before {
                    worst.insert(part, (index, found.0.clone()));
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

    /// The names of the parts of a run, by its place.
    pub(super) fn parts_of(&self, run: usize) -> impl Iterator<Item = &str> {
        self.runs.get(run).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// For each run behind the first, the parts that do not have the bytes that they have in the first, of those that are
    /// `wanted`.
    pub(super) fn against_first<'a>(
        &'a self,
        comparer: &'a Comparer<'_>,
        wanted: &'a dyn Fn(&str) -> bool,
    ) -> impl Iterator<Item = Vec<PartComparison>> + 'a {
        self.runs.iter().skip(1).map(move |run| {
            let parts = self.parts(run).into_iter().filter(|part| wanted(part));
            let differing = parts.filter_map(|part| {
                let found = compare_part(part, self.runs.first(), run, comparer);
                let differs = found.0.rung > Rung::SameBytes;
                differs.then(|| PartComparison { part: part.clone(), comparison: found.0.clone() })
            });
            differing.collect()
        })
    }

    fn parts<'a>(&'a self, run: &'a BTreeMap<String, Part>) -> Vec<&'a String> {
        let first = self.runs.first().into_iter().flat_map(BTreeMap::keys);
        let mut parts: Vec<&String> = first.chain(run.keys()).collect();
        parts.sort_by_key(|part| (part.as_str() != STDOUT, part.as_str()));
        parts.dedup();
        parts
    }

    /// Whether these runs and `others` can be told apart, by those of the batches that both have runs of.
    pub(super) fn test(&self, others: &Self, comparer: &Comparer<'_>) -> noise::Evidence {
        let batches: Vec<&Option<String>> = {
            let of_others: BTreeSet<&Option<String>> = others.batches.iter().collect();
            self.batches.iter().filter(|batch| of_others.contains(batch)).collect()
        };
        let of_these = |runs: &'_ Self| -> Vec<(usize, usize)> {
            let place = |batch| batches.iter().position(|known| *known == batch);
            let all = runs.batches.iter().enumerate();
            all.filter_map(|(run, batch)| Some((run, place(batch)?))).collect()
        };
        let (here, there) = (of_these(self), of_these(others));
        let all: Vec<&BTreeMap<String, Part>> = here
            .iter()
            .map(|(run, _)| &self.runs[*run])
            .chain(there.iter().map(|(run, _)| &others.runs[*run]))
            .collect();
        let mut aligned = Aligned::default();
        let parts: BTreeSet<&String> = all.iter().flat_map(|run| run.keys()).collect();
        for part in parts {
            let of_part = side_by_side(part, &all, comparer);
            aligned.shapes.extend(of_part.shapes);
            aligned.numbers.extend(of_part.numbers);
        }
        let Aligned { shapes, numbers: Numbers { tolerances, mut of_runs } } = aligned;
        of_runs.resize_with(all.len(), Vec::new);
        let samples = here.iter().chain(&there).zip(of_runs).enumerate();
        let samples = samples.map(|(run, ((_, batch), numbers))| Sample {
            batch: *batch,
            shapes: shapes.iter().map(|shapes| shapes[run]).collect(),
            numbers,
        });
        let samples: Vec<Sample> = samples.collect();
        let (first, second) = samples.split_at(here.len());
        noise::evidence(first, second, |number, one, other| close(one, other, &tolerances[number]))
    }
}

/// Whether two runs have the same result.
fn is_same(
    one: &BTreeMap<String, Part>,
    other: &BTreeMap<String, Part>,
    comparer: &Comparer<'_>,
) -> bool {
    let mut parts = one.keys().chain(other.keys());
    parts.all(|part| compare_part(part, Some(one), other, comparer).0.rung <= Rung::WithinTolerance)
}

/// One part of several runs, as what corresponds in them.
fn side_by_side(part: &str, runs: &[&BTreeMap<String, Part>], comparer: &Comparer<'_>) -> Aligned {
    let mut found = Vec::new();
    for content in runs {
        let compared = compare_part(part, runs.first().copied(), content, comparer);
        if compared.0.rung == Rung::OtherText {
            return other_text(part, runs, comparer);
        }
        found.push(compared);
    }
    let unlike = || found.iter().map(|compared| &compared.1);
    let rest = unlike().map(|unlike| unlike.rest.unwrap_or_default()).collect();
    // Only numbers that are not written as in the first run are told. So here is each that any run tells, by place.
    let mut numbers: Vec<(&Apart, Tolerance)> = Vec::new();
    for Unlike { apart, tolerances, .. } in unlike() {
        let known = numbers.len();
        let mut before = None;
        for apart in apart {
            match find(&numbers[..known], apart, before) {
                Some(found) => before = Some(found),
                None => numbers.push((apart, tolerances[apart.tolerance as usize])),
            }
        }
        if numbers.len() > known {
            numbers.sort_by_key(|(apart, _)| apart.place);
        }
    }
    let values = |unlike: &Unlike| {
        let mut values: Vec<f64> = numbers.iter().map(|(apart, _)| apart.expected).collect();
        let mut before = None;
        for apart in &unlike.apart {
            before = find(&numbers, apart, before);
            if let Some(found) = before {
                values[found] = apart.actual;
            }
        }
        values
    };
    let of_runs = unlike().map(values).collect();
    let tolerances = numbers.iter().map(|(_, tolerance)| *tolerance).collect();
    Aligned { shapes: vec![rest], numbers: Numbers { tolerances, of_runs } }
}

/// Where a number is in a list in order of place. Most often it is the next one behind the number that was
/// looked for `before`.
fn find(numbers: &[(&Apart, Tolerance)], wanted: &Apart, before: Option<usize>) -> Option<usize> {
    let next = before.map_or(0, |before| before + 1);
    if numbers.get(next).is_some_and(|(apart, _)| apart.place == wanted.place) {
        return Some(next);
    }
    numbers.binary_search_by_key(&wanted.place, |(apart, _)| apart.place).ok()
}

/// The same where runs differ in more than numbers.
fn other_text(part: &str, runs: &[&BTreeMap<String, Part>], comparer: &Comparer<'_>) -> Aligned {
    let items = |run: &&BTreeMap<String, Part>| {
        let content = run.get(part).filter(|content| content.is_whole)?;
        let (format, bytes) = content.readable(part, comparer)?;
        formats::items(format, &bytes, &content.source.lens(comparer))
    };
    let known: Option<Vec<Vec<Item>>> = runs.iter().map(items).collect();
    let mut aligned = known.map(|items| Aligned::of(&items)).unwrap_or_default();
    if aligned == Aligned::default() {
        // They differ in something else, such as the order of fields, or nothing can be read of them.
        let digest = |run: &&BTreeMap<String, Part>| hashed(&run.get(part).map(|one| one.digest));
        aligned.shapes.push(runs.iter().map(digest).collect());
    }
    aligned
}

/// What a test prints is text, whatever it is.
fn format(part: &str, expected: &Content, actual: &Content) -> Format {
    match part {
        STDOUT | STDERR => Format::Text,
        FUNCTIONS => Format::Json,
        _ => Format::of_both(part, expected, actual),
    }
}

/// How long two outputs are together, in bytes, so that their comparison is worth being kept.
const LARGE: u64 = 64 << 10;

/// A digest over the criteria: other questions may share what was read.
fn hashed_policy(lenses: &[Lens<'_>; 2]) -> u64 {
    hashed(&format!("{:?}", lenses[0].policy))
}

fn compare_part(
    part: &str,
    expected: Option<&BTreeMap<String, Part>>,
    actual: &BTreeMap<String, Part>,
    comparer: &Comparer<'_>,
) -> Arc<(Comparison, Unlike)> {
    let (expected, actual) = (expected.and_then(|expected| expected.get(part)), actual.get(part));
    if expected == actual {
        return Arc::new((Comparison::alike(), Unlike::default()));
    }
    let shown = |content: Option<&Part>| {
        let Some(content) = content else { return "no such file".to_owned() };
        match content.read(comparer).filter(|_| content.is_whole) {
            Some(bytes) => format!("{} bytes", bytes.length()),
            None => format!("more than was kept, {}", content.digest),
        }
    };
    let by_name = || {
        Arc::new((Comparison::of_names(part, shown(expected), shown(actual)), Unlike::default()))
    };
    let (Some(expected), Some(actual)) = (expected, actual) else { return by_name() };
    let lenses = [expected.source.lens(comparer), actual.source.lens(comparer)];
    let compare = || {
        let (left, right) = (expected.read(comparer)?, actual.read(comparer)?);
        let format = format(part, &left, &right);
        Some(formats::compare_numbers(format, [&left, &right], lenses))
    };
    let size = |part: &Part| part.size.unwrap_or(u64::MAX);
    let found = if size(expected).saturating_add(size(actual)) < LARGE {
        compare().map(Arc::new)
    } else {
        let sides = [&expected.source, &actual.source];
        let decides = (part, sides.map(|side| (&side.test, &side.subject)), hashed_policy(&lenses));
        comparer.outputs.compared((expected.digest, actual.digest, hashed(&decides)), compare)
    };
    let Some(found) = found else { return by_name() };
    // They differ in what was not kept.
    let is_whole = expected.is_whole && actual.is_whole;
    if found.0.rung <= Rung::WithinTolerance && !is_whole { by_name() } else { found }
}
