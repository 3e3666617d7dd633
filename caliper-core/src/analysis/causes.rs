//! Why builds and tests fail: failures grouped by their cause.
//!
//! A grid has thousands of failures and few causes. Each failing test and each failing build is given a
//! *signature*: one readable line without what differs from run to run (numbers, versions, addresses, the
//! folders of files). Failures with equal signatures have one cause, or at least look alike.
//!
//! A signature has two levels. The *cause* is what ended the program: the exception that was raised last,
//! with its message; else the signal, the limit, or the last line that was printed. The *place* is where it
//! surfaced: the innermost line of the project or of a package that it came through. One cause can surface
//! in many places, and the name of the user's own script must not make one cause into several.
//!
//! Logs are untrusted text, so time and memory are linear in them, and what reaches a signature is short and
//! printable.

mod build;
mod functions;
mod mask;
mod signature;
mod test_run;
mod traceback;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::facts::record::{BlobRef, CellOutcome, Record, TestOutcome};
pub(in crate::analysis) use functions::{Failing, Logs};
use signature::Signature;

/// What several failures have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Cause {
    /// What is the same in all of them, in one line.
    pub signature: String,
    /// In how many cells it is, however many of their tests have it and however often they were repeated.
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
    /// Where it surfaced, the most frequent first.
    pub places: Vec<Place>,
}

/// Where a cause surfaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Place {
    /// The innermost line of the project or of a package, `jinja2/filters.py in <module>`; `None` if
    /// nothing names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// In how many cells it surfaced there.
    pub count: usize,
    /// The tests that ended there, sorted; none for builds.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tests: BTreeSet<String>,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Example {
    /// Its cell, as [`crate::question::grid::CellId`] prints it.
    pub cell: String,
    /// Its test; `None` for the build.
    pub test: Option<String>,
}

impl Cause {
    /// How many places [`Cause::lines`] names at most.
    const MOST_PLACES: usize = 3;

    /// The cause on one line, and under it, indented, the most frequent places if there are several.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.to_string()];
        if self.places.len() < 2 {
            return lines;
        }
        let width = self.places[0].count.to_string().len();
        // A line that counts a single place would take as much room as the place.
        let shown = match self.places.len() {
            all if all <= Self::MOST_PLACES + 1 => all,
            _ => Self::MOST_PLACES,
        };
        lines.extend(self.places.iter().take(shown).map(|place| {
            let at = place.at.as_deref().unwrap_or("no place known");
            format!("  {:>width$}x {at}", place.count)
        }));
        let more = self.places.len() - shown;
        if more > 0 {
            lines.push(format!("  … and {more} other places"));
        }
        lines
    }

    /// How many causes are not told: `3 other causes`.
    pub fn others(count: usize) -> String {
        if count == 1 { "1 other cause".to_owned() } else { format!("{count} other causes") }
    }
}

impl fmt::Display for Cause {
    /// `12x ImportError: … in 2.8 … 2.11.3`, with the place if it is the only one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x {}", self.count, self.signature)?;
        if let [Place { at: Some(at), .. }] = self.places.as_slice() {
            write!(formatter, " ({at})")?;
        }
        write!(formatter, " in {}", self.first)?;
        match self.releases.as_slice() {
            [] | [_] => Ok(()),
            [_, second] => write!(formatter, ", {second}"),
            [_, .., last] => write!(formatter, " … {last}"),
        }
    }
}

/// Groups the failures of `records` by their cause, the most frequent first.
///
/// Of a build that failed only its [`reason`](crate::facts::record::BuildReason) is known here; see
/// [`cluster_with`]. Infrastructure failures are left out.
pub fn cluster(records: &[Record]) -> Vec<Cause> {
    cluster_with(records, &|_| None)
}

/// As [`cluster`], with the logs of builds, which `logs` reads from where the records are kept.
pub fn cluster_with(records: &[Record], logs: &dyn Fn(&BlobRef) -> Option<String>) -> Vec<Cause> {
    cluster_by(records, &Logs { read: logs, failing: &Failing::default() })
}

pub(in crate::analysis) fn cluster_by(records: &[Record], logs: &Logs<'_>) -> Vec<Cause> {
    clustered(records, &|record| failures(record, logs))
}

/// Whether `test` fails from the same cause in two records in which it fails, as far as a cause is known. Builds
/// that fail are compared with builds that fail.
pub(in crate::analysis) fn fail_alike(
    one: &Record,
    other: &Record,
    test: &str,
    logs: &Logs<'_>,
) -> bool {
    if one.outcome != other.outcome {
        return false;
    }
    let causes = |record| -> BTreeSet<String> {
        let is_of_test = |tests: &BTreeSet<Option<&str>>| {
            tests.iter().any(|name| name.is_none_or(|name| name == test))
        };
        let failures = failures(record, logs).into_iter();
        let of_test = failures.filter(|(_, places)| places.values().any(is_of_test));
        of_test.map(|(cause, _)| cause).collect()
    };
    let (one, other) = (causes(one), causes(other));
    // A test that is repeated may fail from several causes.
    one.intersection(&other).next().is_some() || (one.is_empty() && other.is_empty())
}

/// Groups the imports that fail in cells whose tests all pass, as [`cluster`] does with failures. These
/// are no failures: a part of the dependency cannot be imported, and nothing in the tests needs it.
pub fn notes(records: &[Record]) -> Vec<Cause> {
    clustered(records, &failed_import)
}

fn clustered<'a>(
    records: &'a [Record],
    failures: &dyn Fn(&'a Record) -> Failures<'a>,
) -> Vec<Cause> {
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by(|a, b| {
        let order = a.version.cmp(&b.version).then_with(|| a.python.cmp(&b.python));
        order.then_with(|| a.variant.cmp(&b.variant))
    });
    let mut causes: BTreeMap<String, Cause> = BTreeMap::new();
    for record in sorted {
        let cell = record.id().to_string();
        for (cause, places) in failures(record) {
            let test = places.values().flatten().next().copied().flatten();
            let cause = causes.entry(cause).or_insert_with_key(|signature| Cause {
                signature: signature.clone(),
                count: 0,
                first: record.version.clone(),
                example: Example { cell: cell.clone(), test: test.map(str::to_owned) },
                releases: Vec::new(),
                cells: Vec::new(),
                places: Vec::new(),
            });
            cause.count += 1;
            if cause.releases.last() != Some(&record.version) {
                cause.releases.push(record.version.clone());
            }
            cause.cells.push(cell.clone());
            for (at, tests) in places {
                cause.surfaced(at, tests);
            }
        }
    }
    let mut causes: Vec<Cause> = causes.into_values().collect();
    for cause in &mut causes {
        cause.places.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.at.cmp(&b.at)));
    }
    // Equal counts stay in the order of their signatures.
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

impl Cause {
    fn surfaced(&mut self, at: Option<String>, tests: BTreeSet<Option<&str>>) {
        let known = self.places.iter().position(|place| place.at == at);
        let known = known.unwrap_or_else(|| {
            self.places.push(Place { at, count: 0, tests: BTreeSet::new() });
            self.places.len() - 1
        });
        let place = &mut self.places[known];
        place.count += 1;
        place.tests.extend(tests.into_iter().flatten().map(str::to_owned));
    }
}

/// The failures of a record, by their cause: the places where it surfaced, and in which tests (`None` for the
/// build).
type Failures<'a> = BTreeMap<String, BTreeMap<Option<String>, BTreeSet<Option<&'a str>>>>;

fn failures<'a>(record: &'a Record, logs: &Logs<'_>) -> Failures<'a> {
    let mut failures = Failures::new();
    let mut add = |test, Signature { cause, at }| {
        failures.entry(cause).or_default().entry(at).or_default().insert(test);
    };
    match record.outcome {
        CellOutcome::Unavailable | CellOutcome::NotMeasured => {}
        CellOutcome::BuildFailed => {
            let log = record.build.as_ref().and_then(|build| (logs.read)(&build.log?));
            add(None, build::signature(record, log.as_deref()));
        }
        CellOutcome::Tested if record.failed_import().is_some() => {}
        CellOutcome::Tested => {
            for (test, run) in record.runs() {
                let of_run = || test_run::signature(run).into_iter().collect();
                // What its functions say tells more than what it prints.
                let failing = logs.failing(run).filter(|_| run.outcome == TestOutcome::Failed);
                let signatures: Vec<Signature> = match failing {
                    Some(failing) if !failing.is_empty() => {
                        failing.iter().map(|one| one.signature.clone()).collect()
                    }
                    _ => of_run(),
                };
                for signature in signatures {
                    add(Some(&test.name), signature);
                }
            }
        }
    }
    failures
}

fn failed_import(record: &Record) -> Failures<'_> {
    let mut failures = Failures::new();
    let import = record.failed_import().into_iter();
    for (test, run) in import.flat_map(|test| test.runs.iter().map(move |run| (test, run))) {
        if let Some(Signature { cause, at }) = test_run::signature(run) {
            failures.entry(cause).or_default().entry(at).or_default().insert(Some(&*test.name));
        }
    }
    failures
}

#[cfg(test)]
mod tests;
