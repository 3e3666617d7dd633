mod texts;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use caliper_core::analysis::Analysis;
use caliper_core::analysis::compare::{Judged, Verdicts};
use caliper_core::analysis::results::Results;
use caliper_core::facts::functions::FunctionDetails;
use caliper_core::facts::lock;
use caliper_core::facts::record::{
    CellOutcome, Record, RecordedFunctions, Run, TestRecord, test_names,
};
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::names::Bytes;
use caliper_core::question::criteria::Criteria;
use caliper_core::question::grid::CellId;
use caliper_core::report::details::{command_line, facts, lines, single_line};
use caliper_core::report::measures::{self, Measure, three_digits};
use pep440_rs::Version;

use super::no_such_test;
use super::recorded::{make_again, recorded, say_of_run};
use crate::args::{FormatName, MeasureName};
use crate::exit::{Exit, Failure, Outcome};
use crate::setting;
use crate::terminal::{Terminal, printable};
use texts::Texts;

/// What of the results is shown.
pub(super) struct View<'a> {
    /// Only this test; `None` for all.
    pub(super) test: Option<&'a str>,
    /// A number for each cell in place of its mark.
    pub(super) measure: Option<MeasureName>,
    /// The lock of the cell.
    pub(super) lock: bool,
}

pub(super) fn run(
    what: &[String],
    view: &View<'_>,
    anew: bool,
    format: FormatName,
    terminal: Terminal,
) -> Outcome {
    let (config, cell) = subject(what)?;
    if view.measure.is_some() && (cell.is_some() || format == FormatName::Json) {
        let problem =
            "`--measure` is for the grid as text; a cell and `--format json` tell all measures";
        return Err(Failure::question(problem));
    }
    if view.lock && cell.is_none() {
        return Err(Failure::question(
            "`--lock` is for one cell, such as `caliper show 2.10.1/3.11 --lock`",
        ));
    }
    if anew {
        make_again(&config, terminal)?;
    }
    let (store, mut results) = recorded(&config, terminal)?;
    say_of_run(&store, &results, terminal)?;
    if let Some(test) = view.test {
        results = of_test(results, test, &store)?;
    }
    if let Some(id) = cell {
        return show_cell(&id, &results, &store, view.lock, format, terminal);
    }
    match (format, view.measure) {
        (FormatName::Json, _) => super::print_json(&results, terminal)?,
        (FormatName::Text, measure) => {
            let test = view.test.map(|test| format!(" · test {test}")).unwrap_or_default();
            terminal.data(&printable(&format!(
                "{} · {} on {} · {}{test}\n\n",
                results.analysis, results.dependency, results.backend, results.finished
            )));
            match measure {
                None => super::print::results(&results, &config, terminal),
                Some(measure) => {
                    terminal.lines(&measures::lines(&results, measure.into(), terminal.width()));
                }
            }
        }
    }
    Ok(Exit::Done)
}

fn show_cell(
    id: &CellId,
    results: &Results,
    store: &DirStore,
    is_lock: bool,
    format: FormatName,
    terminal: Terminal,
) -> Outcome {
    let (record, is_stale) = find(id, results)?;
    if is_lock {
        // Which needs another measurement or another cell.
        let lock = lock::of(record).map_err(Failure::question)?;
        terminal.data(&lock.to_toml());
        for overlay in &record.environment.overlays {
            terminal.note(&printable(&format!(
                "note: the overlay of {} {} is no part of the lock; `caliper replay` lays it",
                overlay.package, overlay.version
            )));
        }
        return Ok(Exit::Done);
    }
    match format {
        FormatName::Json => super::print_json(record, terminal)?,
        FormatName::Text => {
            let texts = Texts { store, whole: terminal.is_verbose() };
            let details = details(record, is_stale, &results.verdicts, &texts)?;
            terminal.data(&printable(&details));
            super::print::stages_of(&record.id(), results, terminal);
        }
    }
    Ok(Exit::Done)
}

/// The record of a cell, and whether it is stale. Without its variant a cell is named as long as there is one alone.
pub(super) fn find<'a>(id: &CellId, results: &'a Results) -> Result<(&'a Record, bool), Failure> {
    let all = || results.cells.iter().chain(&results.stale);
    let named = || {
        let mut found = all().filter(|record| is_of_place(record, id));
        found.next().filter(|_| id.variant.is_empty() && found.next().is_none())
    };
    let record = all().find(|record| record.id() == *id).or_else(named);
    let record = record.ok_or_else(|| no_such_cell(id, &all().collect::<Vec<_>>()))?;
    Ok((record, results.stale.iter().any(|stale| stale.id() == record.id())))
}

/// What the results say of one test, which must be one of theirs.
fn of_test(results: Results, test: &str, store: &DirStore) -> Result<Results, Failure> {
    let names = test_names(results.cells.iter().chain(&results.stale).flat_map(|one| &one.tests));
    if !names.contains(&test) {
        return Err(no_such_test(test, " in the results", &names));
    }
    let criteria = Criteria::default();
    let blobs = |blob| store.content(blob).ok();
    let analysis = Analysis::new(&[], None, &criteria, &blobs);
    Ok(results.of_test(test, &|records| analysis.with(records).causes()))
}

impl From<MeasureName> for Measure {
    fn from(name: MeasureName) -> Self {
        match name {
            MeasureName::Time => Self::Time,
            MeasureName::Cpu => Self::Cpu,
            MeasureName::Memory => Self::Memory,
            MeasureName::Build => Self::Build,
        }
    }
}

/// Which configuration and which cell. One word alone is a cell if it reads as one and no such file
/// exists.
fn subject(what: &[String]) -> Result<(PathBuf, Option<CellId>), Failure> {
    let default = || PathBuf::from(setting::FILE);
    let cell =
        |text: &str| text.parse::<CellId>().map_err(|error| Failure::question(error.to_string()));
    Ok(match what {
        [] => (default(), None),
        [one] if !Path::new(one).exists() && (one.contains('[') || cell(one).is_ok()) => {
            (default(), Some(cell(one)?))
        }
        [one] if !Path::new(one).exists() && one.parse::<Version>().is_ok() => {
            return Err(Failure::question(format!(
                "`{one}` is a release; a cell has a Python too, such as `{one}/3.11`, and `caliper show` without it \
                 lists the cells"
            )));
        }
        [one] => (PathBuf::from(one), None),
        [one, other] if !Path::new(one).exists() && cell(one).is_ok() && cell(other).is_ok() => {
            return Err(Failure::question(format!(
                "`show` takes one cell; `caliper compare {one} {other}` compares two"
            )));
        }
        [config, name, ..] => (PathBuf::from(config), Some(cell(name)?)),
    })
}

/// Whether a record is of the release and Python of a cell, in any variant.
fn is_of_place(record: &Record, id: &CellId) -> bool {
    record.version == id.version && record.python == id.python
}

/// The error for a cell without a record. It names the variants that were measured of that release and
/// Python, if there are any.
fn no_such_cell(id: &CellId, records: &[&Record]) -> Failure {
    let variants = records.iter().filter(|record| is_of_place(record, id));
    let names: Vec<String> = variants.take(5).map(|record| record.id().to_string()).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        return Failure::question(format!(
            "there is no cell `{id}` in the results; of that release and Python there are {names}"
        ));
    }
    let names: Vec<String> = records.iter().take(3).map(|record| record.id().to_string()).collect();
    Failure::question(format!(
        "there is no cell `{id}` in the results; there are {}, such as {}",
        records.len(),
        names.join(", ")
    ))
}

fn details(
    record: &Record,
    is_stale: bool,
    verdicts: &Verdicts,
    texts: &Texts<'_>,
) -> Result<String, Failure> {
    let mut text = String::new();
    let _ = writeln!(text, "{}: {}", record.id(), record.outcome);
    for (name, value) in facts(record, is_stale) {
        let _ = writeln!(text, "  {name:<12} {value}");
    }
    if let Some(dockerfile) = &record.environment.dockerfile {
        let _ = writeln!(text, "\nDockerfile:\n{}", texts.indented(dockerfile));
    }
    let is_whole = texts.whole;
    for overlay in &record.environment.overlays {
        let Some(diff) = overlay.diff else { continue };
        let name = format!("{} {}", overlay.package, overlay.version);
        if is_whole {
            let cut = if overlay.is_diff_cut { ", the beginning" } else { "" };
            let diff = texts.blob(diff)?;
            let _ = writeln!(text, "\noverlay of {name}{cut}:\n{}", texts.indented(&diff));
        } else {
            let _ = writeln!(text, "\noverlay of {name}: `-v` shows the diff");
        }
    }
    for (test, run) in record.runs() {
        let judged = verdicts.of(&record.id(), &test.name);
        text += &run_details(test, run, judged, texts)?;
    }
    let log = record.build.as_ref().and_then(|build| build.log);
    if let Some(log) = log.filter(|_| record.outcome != CellOutcome::Tested) {
        let _ = writeln!(text, "\nbuild log:\n{}", texts.indented(&texts.blob(log)?));
    }
    Ok(text)
}

fn run_details(
    test: &TestRecord,
    run: &Run,
    judged: Option<&Judged>,
    texts: &Texts<'_>,
) -> Result<String, Failure> {
    let mut text = String::new();
    let attempt =
        if run.attempt > 1 { format!(", attempt {}", run.attempt) } else { String::new() };
    let seed = run.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let reason = run.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let status = run.retval.map(|status| format!(", exit status {status}")).unwrap_or_default();
    let reused = if run.reused { ", taken up from an earlier run" } else { "" };
    let verdict = judged
        .and_then(|judged| judged.verdict)
        .map(|verdict| format!(", {verdict}"))
        .unwrap_or_default();
    let _ = writeln!(
        text,
        "\n{}{attempt}{seed}: {}{reason}{status} in {} s{reused}{verdict}",
        test.name,
        run.outcome,
        three_digits(run.seconds())
    );
    let _ = writeln!(text, "  $ {}", command_line(test));
    let used = [
        run.cpu_nanoseconds.map(|time| {
            // What no process waited for is in no account, unless a control group counts.
            let time = three_digits(Duration::from_nanos(time).as_secs_f64());
            format!("at least {time} s of processor time")
        }),
        run.peak_memory.map(|bytes| format!("{} of memory", Bytes(bytes))),
    ];
    let used: Vec<String> = used.into_iter().flatten().collect();
    if !used.is_empty() {
        let _ = writeln!(text, "  used {}", used.join(", "));
    }
    // Said once, with the first run.
    if let Some(evidence) = judged.and_then(|judged| judged.evidence.as_ref())
        && run.attempt == 1
    {
        for line in lines(evidence) {
            let _ = writeln!(text, "  {line}");
        }
    }
    if let Some(functions) = &run.functions {
        text += &functions_details(functions, texts)?;
    }
    for file in &run.files {
        let path = single_line(&file.path);
        let _ = writeln!(text, "  left {path} ({}, {})", Bytes(file.size), file.sha256);
    }
    for (name, shown, whole) in
        [("output", &run.output, run.output_blob), ("error", &run.error, run.error_blob)]
    {
        let all = match whole {
            Some(whole) => texts.blob(whole)?,
            None => shown.clone(),
        };
        if !all.is_empty() {
            let _ = writeln!(text, "{name}:\n{}", texts.indented(&all));
        }
    }
    Ok(text)
}

/// How the functions of a test ended, and why those that fail do.
fn functions_details(functions: &RecordedFunctions, texts: &Texts<'_>) -> Result<String, Failure> {
    let mut text = String::new();
    let problem = functions.problem.as_ref().map(|problem| format!(" ({problem})"));
    let problem = problem.unwrap_or_default();
    let _ = writeln!(text, "  functions: {functions}{problem}");
    let Some(details) = functions.details else { return Ok(text) };
    let details = serde_json::from_str::<Vec<FunctionDetails>>(&texts.blob(details)?);
    let details = details.map_err(|error| {
        Failure::infrastructure("could not read what is recorded of functions", error)
    })?;
    let failing: Vec<&FunctionDetails> =
        details.iter().filter(|details| details.outcome.is_failure()).collect();
    let most = if texts.whole { failing.len() } else { MOST_FUNCTIONS };
    for FunctionDetails { id, outcome, message, .. } in failing.iter().take(most) {
        let message = if message.is_empty() { String::new() } else { format!(": {message}") };
        let _ = writeln!(text, "    {outcome} {id}{message}");
    }
    if failing.len() > most {
        let _ = writeln!(text, "    … and {} more; `-v` shows all", failing.len() - most);
    }
    Ok(text)
}

/// How many functions that fail in a cell are shown.
const MOST_FUNCTIONS: usize = 20;
