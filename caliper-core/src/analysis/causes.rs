//! Why things fail: failures gathered by their cause.
//!
//! A grid has thousands of failures and few causes. Each failing test and each failing build is
//! given a *signature*, one readable line that leaves out what differs from run to run: numbers,
//! versions, addresses, the folders of files. Failures with equal signatures have one cause, or are
//! at least the same to look at.
//!
//! A signature is what ended the program: the exception that was raised last, and the innermost
//! line of the project or of a package that it came through; else the signal, the limit, or the last
//! thing that was printed. Logs are text from strangers, so time and memory are linear in them, and
//! what of them reaches a signature is short and printable.

mod build;
mod mask;
mod traceback;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::facts::record::{BlobRef, CellOutcome, Record, Run, TestOutcome};

/// What several failures have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Cause {
    /// What is the same in all of them, in one line.
    pub signature: String,
    /// How many there are: each test of a cell counts once, however often it was repeated, and so
    /// does each build.
    pub count: usize,
    /// The oldest release that has it.
    #[schemars(with = "String")]
    pub first: Version,
    /// Where to look at one of them, at that release.
    pub example: Example,
    /// The releases that have it, oldest first.
    #[schemars(with = "Vec<String>")]
    pub releases: Vec<Version>,
    /// The cells that have it, as [`crate::question::grid::CellId`] prints them, by release.
    pub cells: Vec<String>,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Example {
    /// Its cell, as [`crate::question::grid::CellId`] prints it.
    pub cell: String,
    /// Its test; `None` for the build.
    pub test: Option<String>,
}

impl fmt::Display for Cause {
    /// `12x ImportError: … in 2.8 … 2.11.3`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x {} in {}", self.count, self.signature, self.first)?;
        match self.releases.as_slice() {
            [] | [_] => Ok(()),
            [_, second] => write!(formatter, ", {second}"),
            [_, .., last] => write!(formatter, " … {last}"),
        }
    }
}

/// Gathers the failures of `records` by their cause, the most frequent first.
///
/// Of a build that failed only its [`reason`](crate::facts::record::BuildReason) is known here; see
/// [`cluster_with`]. What the world did is no failure, and is left out.
pub fn cluster(records: &[Record]) -> Vec<Cause> {
    cluster_with(records, &|_| None)
}

/// Gathers the failures of `records` by their cause, with the logs of builds, which `logs` fetches
/// from where the records are kept.
pub fn cluster_with(records: &[Record], logs: &dyn Fn(&BlobRef) -> Option<String>) -> Vec<Cause> {
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by(|a, b| {
        let order = a.version.cmp(&b.version).then_with(|| a.python.cmp(&b.python));
        order.then_with(|| a.variant.cmp(&b.variant))
    });
    let mut causes: BTreeMap<String, Cause> = BTreeMap::new();
    for record in sorted {
        let failures: BTreeSet<(Option<&str>, String)> = match record.outcome {
            CellOutcome::Unavailable | CellOutcome::NotMeasured => continue,
            CellOutcome::BuildFailed => {
                let log = record.build.as_ref().and_then(|build| logs(&build.log?));
                [(None, build::signature(record, log.as_deref()))].into()
            }
            CellOutcome::Tested => {
                let runs = record.runs();
                runs.filter_map(|(test, run)| Some((Some(&*test.name), signature(run)?))).collect()
            }
        };
        if failures.is_empty() {
            continue;
        }
        let cell = record.id().to_string();
        for (test, signature) in failures {
            let cause = causes.entry(signature).or_insert_with_key(|signature| Cause {
                signature: signature.clone(),
                count: 0,
                first: record.version.clone(),
                example: Example { cell: cell.clone(), test: test.map(str::to_owned) },
                releases: Vec::new(),
                cells: Vec::new(),
            });
            cause.count += 1;
            if cause.releases.last() != Some(&record.version) {
                cause.releases.push(record.version.clone());
            }
            if cause.cells.last() != Some(&cell) {
                cause.cells.push(cell.clone());
            }
        }
    }
    let mut causes: Vec<Cause> = causes.into_values().collect();
    // Equal counts stay in the order of their signatures.
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

/// The signature of one run of a test; `None` if it did not fail.
pub fn signature(run: &Run) -> Option<String> {
    match run.outcome {
        TestOutcome::Passed | TestOutcome::Killed | TestOutcome::NotMeasured => None,
        TestOutcome::TimedOut => Some("timed out".to_owned()),
        TestOutcome::Idle => Some("idle: it neither printed nor computed".to_owned()),
        TestOutcome::OutOfMemory => Some("out of memory".to_owned()),
        TestOutcome::NotRun => Some(match &run.reason {
            Some(reason) => format!("not run: {}", mask::masked(reason)),
            None => "not run".to_owned(),
        }),
        TestOutcome::Failed => Some(failed(run)),
    }
}

/// The signature of a program that ended badly by itself.
fn failed(run: &Run) -> String {
    if let Some(signal) = crash_signal(run) {
        return crashed(signal, &run.error);
    }
    if let Some(raised) = traceback::raised(&run.error) {
        return raised.signature();
    }
    // Its summary tells more than a traceback that some test captured.
    if let Some(line) = pytest_summary(&run.output) {
        return format!("pytest: {}", mask::masked(line));
    }
    if let Some(raised) = traceback::raised(&run.output) {
        return raised.signature();
    }
    let status = run.retval.map_or("failed".to_owned(), |status| format!("exit status {status}"));
    match last_line(&run.error).or_else(|| last_line(&run.output)) {
        Some(line) => format!("{status}: {}", mask::masked(&line)),
        None => format!("{status}, no output"),
    }
}

/// The signals by which programs crash, with the names that `signal(7)` gives them on Linux.
const CRASHES: &[(i32, &str)] =
    &[(4, "SIGILL"), (5, "SIGTRAP"), (6, "SIGABRT"), (7, "SIGBUS"), (8, "SIGFPE"), (11, "SIGSEGV")];

/// The signal that ended a program, also where a shell in between made it an exit status.
fn crash_signal(run: &Run) -> Option<i32> {
    let from_shell = || {
        let signal = run.retval?.checked_sub(128)?;
        CRASHES.iter().any(|(number, _)| *number == signal).then_some(signal)
    };
    run.signal.or_else(from_shell)
}

fn crashed(signal: i32, error: &str) -> String {
    let name = CRASHES.iter().find(|(number, _)| *number == signal);
    let mut signature = match name {
        Some((_, name)) => format!("signal {signal} ({name})"),
        None => format!("signal {signal}"),
    };
    if let Some(frame) = traceback::crash_frame(error) {
        signature += &format!(" ({frame})");
    } else if signal == 6
        && let Some(line) = last_line(error)
    {
        // Whoever calls abort() says why first.
        signature += &format!(": {}", mask::masked(&line));
    }
    signature
}

/// The first failure that pytest's summary names.
fn pytest_summary(output: &str) -> Option<&str> {
    let mut lines = output.lines().skip_while(|line| !line.contains("short test summary info"));
    lines.find_map(|line| line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR ")))
}

/// The last line that holds something to read.
fn last_line(text: &str) -> Option<Cow<'_, str>> {
    text.lines().rev().map(mask::plain).find(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests;
