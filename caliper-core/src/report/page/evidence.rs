//! What a reader sees of one cell: how its environment was made, what its tests printed and left, and what that was
//! compared with.

use serde::Serialize;

use super::data::{Data, four_digits, sorted};
use super::pack;
use super::texts::{Number, Texts, is_readable};
use crate::analysis::compare::{Judged, Verdict};
use crate::analysis::results::Results;
use crate::facts::functions::FunctionDetails;
use crate::facts::record::{
    BlobRef, FunctionOutcome, Record, RecordedFunctions, RecordedResult, Run, TestRecord,
};
use crate::question::grid::CellId;
use crate::report::details::{self, shell_word};
use crate::report::model::{Mark, Tone};

/// How many functions that fail are told of one run.
const MOST_FUNCTIONS: usize = 50;

/// How many bytes of cells a piece holds before compression, about.
const PIECE: usize = 128 << 10;

/// The cells, in the order of [`Data`].
pub(super) struct Evidence(Vec<Cell>);

#[derive(Serialize)]
struct Cell {
    id: String,
    state: String,
    facts: Vec<(&'static str, String)>,
    installed: Vec<(String, String)>,
    dockerfile: Option<Number>,
    log: Option<Number>,
    replay: String,
    show: String,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    #[serde(rename = "test")]
    number: usize,
    command: String,
    verdict: Option<&'static str>,
    why: Vec<String>,
    against: Option<Baseline>,
    runs: Vec<RunText>,
}

/// Which texts to hold against each other.
#[derive(Serialize)]
struct Baseline {
    cell: usize,
    part: String,
    here: Option<Number>,
    there: Option<Number>,
}

#[derive(Serialize)]
struct RunText {
    attempt: u32,
    outcome: String,
    exit: Option<i32>,
    seconds: f64,
    cpu: Option<f64>,
    memory: Option<u64>,
    output: Option<Number>,
    error: Option<Number>,
    problem: Option<String>,
    functions: Vec<Function>,
    files: Vec<File>,
}

#[derive(Serialize)]
struct Function {
    id: String,
    outcome: FunctionOutcome,
    message: String,
}

#[derive(Serialize)]
struct File {
    path: String,
    size: u64,
    sha256: String,
    text: Option<Number>,
    image: Option<Number>,
}

impl Evidence {
    /// Everything there is to open. What fails or has another result takes its room among the texts first.
    pub(super) fn of(data: &Data, results: &Results, texts: &mut Texts<'_>) -> Self {
        let records = sorted(results);
        let mut order: Vec<usize> = (0..records.len()).collect();
        let tone = |(record, is_stale): &(&Record, bool)| {
            if *is_stale { Tone::Dim } else { Mark::of(record, &results.verdicts).tone() }
        };
        order.sort_by_key(|place| std::cmp::Reverse(tone(&records[*place])));
        let gathering = Gathering { data, results, records: &records };
        let mut cells: Vec<(usize, Cell)> =
            order.into_iter().map(|place| (place, gathering.cell(place, texts))).collect();
        cells.sort_by_key(|(place, _)| *place);
        Self(cells.into_iter().map(|(_, cell)| cell).collect())
    }

    /// The index of the first cell of each piece, and the pieces.
    pub(super) fn into_chunks(self) -> (Vec<usize>, Vec<String>) {
        let (mut starts, mut pieces) = (Vec::new(), Vec::new());
        let mut open: Vec<&Cell> = Vec::new();
        let mut size = 0;
        for (place, cell) in self.0.iter().enumerate() {
            if open.is_empty() {
                starts.push(place);
            }
            open.push(cell);
            size += cell.size();
            if size >= PIECE {
                pieces.push(pack::packed(&open));
                open.clear();
                size = 0;
            }
        }
        if !open.is_empty() {
            pieces.push(pack::packed(&open));
        }
        (starts, pieces)
    }
}

impl Cell {
    /// How many bytes it takes, about.
    fn size(&self) -> usize {
        let runs: usize = self.tests.iter().map(|test| 200 + 160 * test.runs.len()).sum();
        500 + 40 * self.installed.len() + runs
    }
}

struct Gathering<'a> {
    data: &'a Data,
    results: &'a Results,
    records: &'a [(&'a Record, bool)],
}

impl Gathering<'_> {
    fn cell(&self, place: usize, texts: &mut Texts<'_>) -> Cell {
        let (record, is_stale) = self.records[place];
        let id = record.id().to_string();
        let command = |name: &str| format!("caliper {name} {}", shell_word(&id));
        // They have a list of their own.
        let mut facts = details::facts(record, is_stale);
        facts.retain(|(name, _)| *name != "installed");
        let installed = record.environment.installed.iter();
        Cell {
            state: record.outcome.to_string(),
            facts,
            installed: installed.map(|one| (one.name.clone(), one.version.clone())).collect(),
            dockerfile: record.environment.dockerfile.as_ref().and_then(|text| texts.text(text)),
            log: record.build.as_ref().and_then(|build| build.log).map(|log| texts.blob(log)),
            replay: command("replay"),
            show: command("show"),
            tests: record
                .tests
                .iter()
                .filter_map(|test| self.test(record, is_stale, test, texts))
                .collect(),
            id,
        }
    }

    fn test(
        &self,
        record: &Record,
        is_stale: bool,
        test: &TestRecord,
        texts: &mut Texts<'_>,
    ) -> Option<Test> {
        let name = &test.name;
        let judged = self.results.verdicts.of(&record.id(), name).filter(|_| !is_stale);
        let evidence = judged.and_then(|judged| judged.evidence.as_ref());
        Some(Test {
            number: self.data.tests.iter().position(|known| known == name)?,
            command: details::command_line(test),
            verdict: judged.and_then(|judged| judged.verdict).map(word),
            why: evidence.map(|evidence| details::lines(evidence)).unwrap_or_default(),
            against: judged.and_then(|judged| self.baseline(record, test, judged, texts)),
            runs: test.runs.iter().map(|run| of_run(run, texts)).collect(),
        })
    }

    /// What this result was held against. Images have no text, so both may be `None`.
    fn baseline(
        &self,
        record: &Record,
        test: &TestRecord,
        judged: &Judged,
        texts: &mut Texts<'_>,
    ) -> Option<Baseline> {
        let evidence = judged.evidence.as_ref()?;
        let id = CellId { version: evidence.baseline.clone(), ..record.id() };
        let cell = *self.data.places.get(&id.to_string())?;
        let there = self.records[cell].0.test(&test.name)?;
        // Of runs that differ, the first of each side are shown.
        let mut part = |test: &TestRecord| of_part(test.runs.first()?, &evidence.part, texts);
        let (here, there) = (part(test), part(there));
        Some(Baseline { cell, part: evidence.part.clone(), here, there })
    }
}

/// The word for a verdict that the script knows: `same`, `different`, `undecided`, …
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "same",
        Verdict::SameWithinNoise => "same within noise",
        Verdict::Different => "different",
        Verdict::Undecided => "undecided",
        Verdict::Flaky => "flaky",
        Verdict::NoBaseline => "nothing to compare with",
    }
}

/// The number of the text of a part: `stdout`, `stderr`, or the path of a file.
fn of_part(run: &Run, part: &str, texts: &mut Texts<'_>) -> Option<Number> {
    match part {
        "stdout" => texts.output(&run.output, run.output_blob),
        "stderr" => texts.output(&run.error, run.error_blob),
        path => {
            let file = run.files.iter().find(|file| file.path == path)?;
            of_file(file, texts).0
        }
    }
}

fn of_run(run: &Run, texts: &mut Texts<'_>) -> RunText {
    let files = run.files.iter().map(|file| {
        let (text, image) = of_file(file, texts);
        let RecordedResult { path, size, sha256, .. } = file;
        File { path: path.clone(), size: *size, sha256: sha256.to_string(), text, image }
    });
    RunText {
        files: files.collect(),
        attempt: run.attempt,
        outcome: run.outcome.to_string(),
        exit: run.retval,
        seconds: four_digits(run.seconds()),
        #[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
        cpu: run.cpu_nanoseconds.map(|time| four_digits(time as f64 / 1e9)),
        memory: run.peak_memory,
        output: texts.output(&run.output, run.output_blob),
        error: texts.output(&run.error, run.error_blob),
        problem: run.reason.clone(),
        functions: run
            .functions
            .as_deref()
            .map(|known| functions(known, texts))
            .unwrap_or_default(),
    }
}

/// The numbers of a file as a text and as an image, if it can be shown so.
fn of_file(file: &RecordedResult, texts: &mut Texts<'_>) -> (Option<Number>, Option<Number>) {
    let Some(content) = file.content else { return (None, None) };
    let Some(bytes) = texts.bytes(content) else { return (None, None) };
    if let Some(image) = texts.image(content.0, &bytes) {
        return (None, Some(image));
    }
    (is_readable(&bytes).then(|| texts.blob(content)), None)
}

/// The functions that fail, as far as it is known.
fn functions(recorded: &RecordedFunctions, texts: &Texts<'_>) -> Vec<Function> {
    let read = |details: BlobRef| {
        serde_json::from_slice::<Vec<FunctionDetails>>(&texts.bytes(details)?).ok()
    };
    let details = recorded.details.and_then(read).unwrap_or_default();
    let failing = details.into_iter().filter(|one| one.outcome.is_failure());
    let told = failing
        .take(MOST_FUNCTIONS)
        .map(|FunctionDetails { id, outcome, message, .. }| Function { id, outcome, message });
    told.collect()
}
