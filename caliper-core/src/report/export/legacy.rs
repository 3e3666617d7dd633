use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::analysis::results::Results;
use crate::facts::record::{
    BlobRef, BuildRecord, CellOutcome, Record, Run, State, TestOutcome, TestRecord,
};
use crate::names::Timestamp;

/// Results in the format of caliper 0.0, the Python program: what goes into its folder `.caliper/data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyFiles {
    /// A file for each cell.
    pub files: Vec<LegacyFile>,
    /// What that format cannot say, and so is lost.
    pub lost: Vec<String>,
}

/// The file of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyFile {
    /// Its name, such as `pypi-jinja2-2.8-python-cp39.json`.
    pub name: String,
    /// JSON.
    pub content: String,
    /// When the cell was measured. The format does not say it: the original's only sign of it is the time of the file.
    pub measured: Timestamp,
}

/// Writes what [`facts::legacy`](crate::facts::legacy) reads. `logs` reads the logs of builds and long outputs from where
/// they are kept.
///
/// The original knows releases and Pythons, one run of each test, and exit statuses. Cells of further axes, stale cells and
/// cells that could not be measured are left out, of several runs the first is kept that ended as the test did, and limits
/// become exit statuses: how each test ended (it passed, it failed, it did not run) stays.
pub fn legacy(results: &Results, logs: &dyn Fn(&BlobRef) -> Option<String>) -> LegacyFiles {
    let (mut files, mut counts) = (Vec::new(), Counts::default());
    for record in &results.cells {
        if !record.variant.is_empty() {
            counts.variants += 1;
        } else if record.outcome == CellOutcome::NotMeasured {
            counts.not_measured += 1;
        } else {
            files.push(file(results, record, logs, &mut counts));
        }
    }
    counts.stale = results.stale.len();
    LegacyFiles { files, lost: counts.lines() }
}

/// What is lost, by how often.
#[derive(Default)]
struct Counts {
    variants: usize,
    not_measured: usize,
    stale: usize,
    repeats: usize,
    limits: usize,
    builds: usize,
}

impl Counts {
    fn lines(&self) -> Vec<String> {
        let all = [
            (self.variants, "cells of further axes are left out: the original has none"),
            (self.not_measured, "cells that could not be measured are left out"),
            (self.stale, "stale cells are left out"),
            (self.repeats, "tests had several runs, of which one is kept"),
            (self.limits, "tests that broke a limit are written as failures with an exit status"),
            (
                self.builds,
                "tests are called `build`, as the original calls its build, and are left out",
            ),
        ];
        let counted = all.iter().filter(|(count, _)| *count > 0);
        counted.map(|(count, what)| format!("{count} {what}")).collect()
    }
}

/// By this name the original recorded the build.
const BUILD: &str = "build";

fn file(
    results: &Results,
    record: &Record,
    logs: &dyn Fn(&BlobRef) -> Option<String>,
    counts: &mut Counts,
) -> LegacyFile {
    let dependency = results.dependency.to_string();
    let abi = record.python.tag();
    let name = format!("pypi-{dependency}-{}-python-{abi}", record.version);
    let tests: Vec<&TestRecord> = record.tests.iter().filter(|test| test.name != BUILD).collect();
    counts.builds += record.tests.len() - tests.len();
    // A line break in a name would make two of it.
    let names: Vec<String> = tests.iter().map(|test| test.name.replace('\n', " ")).collect();
    let mut content = json!({"inputs": {
        "dependency": dependency,
        "outfile": format!(".caliper/data/{name}.json"),
        "dockerfile": dockerfile(record),
        "force": false,
        "exists": true,
        "name": name,
        "tests": names.join("\n"),
        "cleanup": false,
        "outdir": ".caliper/data",
    }});
    let log = |record: &Record| {
        let blob = record.build.as_ref()?.log?;
        logs(&blob)
    };
    match record.outcome {
        CellOutcome::Unavailable | CellOutcome::NotMeasured => content["build_retval"] = json!(1),
        CellOutcome::BuildFailed => {
            let reason = record.build.as_ref().and_then(|build| build.reason);
            let log = log(record).unwrap_or_else(|| {
                reason.map_or("the log is lost\n".to_owned(), |reason| format!("{reason}\n"))
            });
            content["tests"] = json!({BUILD: {"retval": 1, "error": lines(&log)}});
        }
        CellOutcome::Tested => {
            let mut all = Map::new();
            let seconds = record.build.as_ref().map_or(0.0, BuildRecord::seconds);
            all.insert(BUILD.to_owned(), json!({"retval": 0, "seconds": seconds}));
            for (test, name) in tests.iter().zip(names) {
                if let Some(value) = ended(test, logs, counts) {
                    all.insert(name, value);
                }
            }
            content["tests"] = Value::Object(all);
            let installed = record.environment.installed.iter();
            let pins: Vec<String> =
                installed.map(|one| format!("{}=={}\n", one.name, one.version)).collect();
            content["requirements.txt"] = json!(pins);
        }
    }
    let content = format!("{content:#}\n");
    LegacyFile { name: safe(&name) + ".json", content, measured: record.finished }
}

/// The Dockerfile of the cell. One that ran on this machine gets one that names its Python and file, which the original would
/// have needed.
fn dockerfile(record: &Record) -> String {
    if let Some(dockerfile) = &record.environment.dockerfile {
        return dockerfile.clone();
    }
    let mut text = format!("FROM python:{}\n", record.python);
    if let Some(file) = &record.environment.file {
        let _ = writeln!(text, "RUN pip install {}", file.url);
    }
    text
}

/// How a test ended; `None` without a run.
fn ended(
    test: &TestRecord,
    logs: &dyn Fn(&BlobRef) -> Option<String>,
    counts: &mut Counts,
) -> Option<Value> {
    let state = test.state()?;
    let is_like = |run: &&Run| State::over([run.outcome]) == Some(state);
    let run = test.runs.iter().find(is_like).or(test.runs.first())?;
    counts.repeats += usize::from(test.runs.len() > 1);
    let whole = |text: &str, blob: Option<BlobRef>| {
        let all = blob.and_then(|blob| logs(&blob));
        lines(&all.unwrap_or_else(|| text.to_owned()))
    };
    let mut error = whole(&run.error, run.error_blob);
    // What `docker run` returns (docs.docker.com/engine/containers/run/#exit-status).
    let refused = "docker: Error response from daemon: ";
    let retval = match run.outcome {
        TestOutcome::Passed => 0,
        TestOutcome::Failed => match (run.retval, run.signal) {
            (Some(status), _) if status != 0 => status,
            (_, Some(signal)) => 128 + signal,
            _ => 1,
        },
        TestOutcome::TimedOut | TestOutcome::Idle => {
            counts.limits += 1;
            124
        }
        // The status of a killed program would be taken for a failure of the machine.
        TestOutcome::OutOfMemory | TestOutcome::ResultsOverLimit => {
            counts.limits += 1;
            1
        }
        TestOutcome::NotRun => {
            let reason = run.reason.as_deref().unwrap_or("not run");
            error.insert(0, format!("{refused}{reason}\n"));
            127
        }
        TestOutcome::Killed => 137,
        TestOutcome::NotMeasured => {
            error.insert(0, format!("{refused}not measured\n"));
            125
        }
    };
    Some(json!({
        "error": error,
        "output": whole(&run.output, run.output_blob),
        "retval": retval,
        "seconds": run.seconds(),
    }))
}

/// The lines of a text with their line breaks, as Python's `readlines` gives them.
fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// The name of a file: names of packages and versions have nothing else in them.
fn safe(name: &str) -> String {
    let is_safe = |one: char| one.is_ascii_alphanumeric() || "-_.+!".contains(one);
    name.chars().map(|one| if is_safe(one) { one } else { '_' }).collect()
}

#[cfg(test)]
mod tests;
