//! What happened in a cell.
//!
//! A failing build or test is a result like any other. What the world did (a full disk, a lost
//! network, an engine that went away) is `not_measured`, and is measured again by the next run.

mod build_reason;
mod outcome;
mod state;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

pub use build_reason::BuildReason;
pub use outcome::{CellOutcome, TestEnd, TestOutcome, Verdict};
pub use state::State;

use crate::analysis::compare::Evidence;
use crate::names::{AbiTag, PythonVersion, Sha256, Timestamp};
use crate::question::grid::{CellId, FileKind, Missing, Variant};
use crate::question::interpreter::Interpreter;
use crate::question::limits::Limits;
use crate::question::plan::Base;

/// The version of the format that [`Record`] is written in.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// All that is known of one cell: what it was made from, and how its tests ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Record {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The release.
    #[schemars(with = "String")]
    pub version: Version,
    /// The Python.
    pub python: PythonVersion,
    /// The ABI tag of that Python; `None` where there was nothing to install.
    pub abi: Option<AbiTag>,
    /// The further axes of the grid.
    #[serde(default)]
    pub variant: Variant,
    /// The digest over all that decides the results; see [`crate::facts::identity::Identity::cell`].
    pub key: Sha256,
    /// The digest over all that decides what stands in the environment; `None` where that was read
    /// and not measured by Caliper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Sha256>,
    /// The name of the backend that measured it.
    pub backend: String,
    /// The file that was installed.
    pub file: Option<RecordedFile>,
    /// The address of the index that was asked, of several the one that has the package; no
    /// credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// Why there was nothing to install.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// The image that the environment started from.
    pub base: Option<Base>,
    /// The rendered Dockerfile.
    pub dockerfile: Option<String>,
    /// The Python, as it described itself.
    pub interpreter: Option<Interpreter>,
    /// What the environment held when the tests began, sorted by name.
    pub installed: Vec<Installed>,
    /// Where the cell ended.
    pub outcome: CellOutcome,
    /// What kept it from being measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How the environment was made; `None` where none was begun.
    pub build: Option<BuildRecord>,
    /// What its tests may use; `None` where none was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<RecordedLimits>,
    /// The tests, the import of the dependency first.
    pub tests: Vec<TestRecord>,
    /// When the cell was begun.
    pub started: Timestamp,
    /// When its last test had ended.
    pub finished: Timestamp,
}

impl Record {
    /// Which cell this is a record of.
    pub fn id(&self) -> CellId {
        CellId { version: self.version.clone(), python: self.python, variant: self.variant.clone() }
    }

    /// How many times the test of this name was run.
    pub fn attempts(&self, test: &str) -> u32 {
        let runs = self.tests.iter().filter(|run| run.name == test).count();
        u32::try_from(runs).unwrap_or(u32::MAX)
    }

    /// How each test ended over all of its runs, in order.
    pub fn states(&self) -> Vec<(&str, State)> {
        let state = |name: &'_ str| {
            let runs = self.tests.iter().filter(|test| test.name == name);
            State::over(runs.map(|test| test.outcome))
        };
        test_names(&self.tests).into_iter().filter_map(|name| Some((name, state(name)?))).collect()
    }

    /// Whether every test ran and passed.
    pub fn passed(&self) -> bool {
        self.outcome == CellOutcome::Tested
            && self.tests.iter().all(|test| test.outcome == TestOutcome::Passed)
    }
}

/// The names of tests, each once, in the order in which they first appear.
pub fn test_names<'a>(runs: impl IntoIterator<Item = &'a TestRecord>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        if !names.contains(&run.name.as_str()) {
            names.push(&run.name);
        }
    }
    names
}

/// The file that was installed in a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordedFile {
    /// Its name.
    pub filename: String,
    /// Where it came from; no credentials.
    pub url: String,
    /// Its digest.
    pub sha256: Option<Sha256>,
    /// Whether it came built, or was built here from source.
    pub kind: FileKind,
}

/// What the tests of a cell may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordedLimits {
    /// What the configuration asks for. A test's own `timeout` stands above that here.
    pub asked: Limits,
    /// What was really granted, in the words of whoever granted it.
    pub granted: Limits,
    /// Who keeps the limits, and by what means.
    pub by: String,
}

/// A distribution that was installed.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Installed {
    /// Its name, as its metadata spells it.
    pub name: String,
    /// Its version, as its metadata spells it.
    pub version: String,
}

/// How the environment of a cell was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BuildRecord {
    /// Whether there was an environment in the end.
    pub ok: bool,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
    /// Whether it was there already, made in the same way by an earlier run: then the log is that
    /// run's, and [`BuildRecord::seconds`] is what it took to take it up again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// Why there was none.
    pub reason: Option<BuildReason>,
    /// All that the build printed.
    pub log: Option<BlobRef>,
}

/// How one run of one test ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TestRecord {
    /// The test's name.
    pub name: String,
    /// The digest over all that decides how it ends; `None` where that was read and not measured by
    /// Caliper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Sha256>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How it ended.
    pub outcome: TestOutcome,
    /// More about how it ended, where the outcome does not say all.
    pub reason: Option<String>,
    /// The exit status, where the program ended by itself.
    pub retval: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
    /// The most memory that it used at once, in bytes, where the backend can tell.
    pub peak_memory: Option<u64>,
    /// Which of the test's repeats this is, from 1.
    pub attempt: u32,
    /// Whether this was run before the cell was begun, for an earlier record, and nothing that it
    /// depends on has changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// Standard output, as text; shortened in the middle where it is long.
    pub output: String,
    /// Standard error, as text; shortened in the middle where it is long.
    pub error: String,
    /// All that was kept of standard output, where [`TestRecord::output`] is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_blob: Option<BlobRef>,
    /// All that was kept of standard error, where [`TestRecord::error`] is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_blob: Option<BlobRef>,
    /// The digest over all of standard output, where not all of it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_digest: Option<Sha256>,
    /// The digest over all of standard error, where not all of it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_digest: Option<Sha256>,
    /// Whether the program printed more than was kept.
    pub truncated: bool,
    /// The files that it left as results, sorted by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<RecordedResult>,
    /// How the result compares with the baseline's. Depends on other records, so only a summary
    /// has it.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Why; with the first run of a test in a cell. Only a summary has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Box<Evidence>>,
}

/// A file that a test left as a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordedResult {
    /// Relative to the project; `/` between the components.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// The digest of its content.
    pub sha256: Sha256,
    /// What it holds, unless that was too much to keep.
    pub content: Option<BlobRef>,
}

/// The name of a blob in a store: `blob:` and the digest of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobRef(pub Sha256);

impl std::fmt::Display for BlobRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "blob:{}", self.0)
    }
}

impl std::str::FromStr for BlobRef {
    type Err = crate::names::ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("blob:").unwrap_or(text).parse().map(Self)
    }
}

crate::names::serde_as_string!(
    BlobRef,
    "the name of a blob in the store",
    "^blob:sha256:[0-9a-f]{64}$"
);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record of a cell in which nothing was run.
    pub(crate) fn record(version: &str, python: &str) -> Record {
        let python: PythonVersion = python.parse().unwrap();
        let moment = Timestamp::from_unix_seconds(1_600_000_000);
        Record {
            schema: SCHEMA,
            version: version.parse().unwrap(),
            python,
            abi: Some(python.usual_abi()),
            variant: Variant::default(),
            key: Sha256::of(version.as_bytes()),
            environment: None,
            backend: "fake".into(),
            file: None,
            index: None,
            missing: None,
            base: None,
            dockerfile: None,
            interpreter: None,
            installed: Vec::new(),
            outcome: CellOutcome::Tested,
            reason: None,
            build: Some(BuildRecord {
                ok: true,
                seconds: 1.0,
                reused: false,
                reason: None,
                log: None,
            }),
            limits: None,
            tests: Vec::new(),
            started: moment,
            finished: moment,
        }
    }

    /// A test that ended so and printed this.
    pub(crate) fn test(name: &str, outcome: TestOutcome, output: &str) -> TestRecord {
        TestRecord {
            name: name.into(),
            key: None,
            command: vec!["python".into(), name.into()],
            outcome,
            reason: None,
            retval: Some(i32::from(outcome != TestOutcome::Passed)),
            signal: None,
            seconds: 0.5,
            peak_memory: None,
            attempt: 1,
            reused: false,
            output: output.into(),
            error: String::new(),
            output_blob: None,
            error_blob: None,
            output_digest: None,
            error_digest: None,
            truncated: false,
            files: Vec::new(),
            verdict: None,
            evidence: None,
        }
    }

    #[test]
    fn a_record_reads_what_it_wrote() {
        let mut record = record("1.10.post1", "2.7");
        record.tests.push(test("import", TestOutcome::Passed, "é\u{0}\n"));
        record.tests[0].output_blob = Some(BlobRef(Sha256::of(b"")));
        record.variant.0.insert("seed".into(), "3".into());
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }
}
