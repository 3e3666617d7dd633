use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BlobRef, RecordedFunctions, State, TestOutcome};
use crate::names::{Sha256, Timestamp};
use crate::question::limits::Limits;
use crate::question::plan::TestKind;

/// One test of a cell, with all of its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct TestRecord {
    /// The test's name.
    pub name: String,
    /// The digest of everything that determines how the test ends; `None` for imported records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Sha256>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it is known to be.
    #[serde(default, skip_serializing_if = "TestKind::is_command")]
    pub kind: TestKind,
    /// Its runs, in order.
    pub runs: Vec<Run>,
}

impl TestRecord {
    /// A test that was not run.
    pub fn new<S: Into<String>>(
        name: impl Into<String>,
        command: impl IntoIterator<Item = S>,
    ) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        Self { name: name.into(), key: None, command, kind: TestKind::Command, runs: Vec::new() }
    }

    /// How it ended over all of its runs; `None` without a run.
    pub fn state(&self) -> Option<State> {
        State::over(self.runs.iter().map(|run| run.outcome))
    }
}

/// The names of tests, each once, in the order in which they first appear.
pub fn test_names<'a>(tests: impl IntoIterator<Item = &'a TestRecord>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for test in tests {
        if !names.contains(&test.name.as_str()) {
            names.push(&test.name);
        }
    }
    names
}

/// One run of one test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Run {
    /// Which of the test's repeats this is, from 1.
    pub attempt: u32,
    /// Its random seed, where its group gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The run of Caliper in which it was measured: runs of one batch were measured under the same
    /// conditions. `None` for imported records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// How it ended.
    pub outcome: TestOutcome,
    /// More about how it ended, where the outcome does not say everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The exit status, if the program exited by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retval: Option<i32>,
    /// The number of the signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// When it was started; `None` for imported records and for those of older versions of Caliper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Wall-clock time, in nanoseconds.
    pub nanoseconds: u64,
    /// Processor time, in nanoseconds, if the backend can tell. Without a control group it does not
    /// include child processes that were not waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_nanoseconds: Option<u64>,
    /// The most memory that it used at once, in bytes, if the backend can tell. Without a control group it
    /// is sampled, and memory that several processes share counts for each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// Named numbers that it reported.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, f64>,
    /// Whether it was measured for an earlier record of this cell, and nothing that it depends on has
    /// changed since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// The limits of this run; `None` for imported records and for a run that did not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Box<RecordedLimits>>,
    /// Standard output, as text; shortened in the middle if it is long.
    pub output: String,
    /// Standard error, as text; shortened in the middle if it is long.
    pub error: String,
    /// All that was kept of standard output, if [`Run::output`] is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_blob: Option<BlobRef>,
    /// All that was kept of standard error, if [`Run::error`] is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_blob: Option<BlobRef>,
    /// The digest of all of standard output, if not all of it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_digest: Option<Sha256>,
    /// The digest of all of standard error, if not all of it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_digest: Option<Sha256>,
    /// Whether the program printed more than was kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The result files that it wrote, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<RecordedResult>,
    /// What is known of the functions of the test; `None` for a command of which none are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Box<RecordedFunctions>>,
}

impl Run {
    /// A run that ended so, of which nothing else is known.
    pub fn new(attempt: u32, outcome: TestOutcome) -> Self {
        Self {
            attempt,
            seed: None,
            batch: None,
            outcome,
            reason: None,
            retval: None,
            signal: None,
            started: None,
            nanoseconds: 0,
            cpu_nanoseconds: None,
            peak_memory: None,
            measures: BTreeMap::new(),
            reused: false,
            limits: None,
            output: String::new(),
            error: String::new(),
            output_blob: None,
            error_blob: None,
            output_digest: None,
            error_digest: None,
            truncated: false,
            files: Vec::new(),
            functions: None,
        }
    }

    /// Wall-clock time, in seconds.
    pub fn seconds(&self) -> f64 {
        seconds(self.nanoseconds)
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 104 days")]
pub(super) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// What one run may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordedLimits {
    /// What the configuration asks for.
    pub asked: Limits,
    /// What the backend granted.
    pub granted: Limits,
    /// What enforces the limits, and by which means.
    pub by: String,
}

/// A file that a test wrote as a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordedResult {
    /// Relative to the project; `/` between the components. Backslashes, control characters and bytes that
    /// are not UTF-8 are escaped (`\\`, `\n`, `\xff`), so that different names stay different.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// The digest of its content.
    pub sha256: Sha256,
    /// Its content, unless it was too large to keep.
    pub content: Option<BlobRef>,
}
