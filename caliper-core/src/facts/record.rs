//! What was measured in a cell.
//!
//! A failing build or test is a result like any other. An infrastructure failure (a full disk, a lost
//! network, an engine that stopped) is `not_measured`, and the next run measures the cell again.
//!
//! A record holds facts only. How its results compare with those of other releases depends on other
//! records and on criteria: see [`Results::verdicts`](crate::analysis::results::Results::verdicts).

mod blob;
mod build_reason;
mod environment;
mod functions;
mod machine;
mod outcome;
mod state;
mod test;

use pep440_rs::Version;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use blob::BlobRef;
pub use build_reason::BuildReason;
pub(crate) use build_reason::without_markers;
pub use environment::{
    BuildRecord, Installed, OverlaidFile, RecordedEnvironment, RecordedFile, RecordedOverlay,
    RecordedProject,
};
pub use functions::{FunctionOutcome, RecordedFunctions};
pub use machine::Machine;
pub use outcome::{CellOutcome, TestEnd, TestOutcome};
pub use state::State;
pub use test::{RecordedLimits, RecordedResult, Run, TestRecord, test_names};

use crate::names::{AbiTag, PythonVersion, Sha256, Timestamp};
use crate::question::grid::{CellId, Missing, MissingReason, Variant};
use crate::question::plan::Test;

/// The version of the format that [`Record`] is written in.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// All that was measured in one cell: what it was made from, and how its tests ended.
///
/// Written as JSON it also has the `id` of the cell, which follows from release, Python and variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = with_id)]
#[non_exhaustive]
pub struct Record {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The release.
    #[schemars(with = "String")]
    pub version: Version,
    /// The Python.
    pub python: PythonVersion,
    /// The ABI tag of that Python; `None` if there was nothing to install.
    pub abi: Option<AbiTag>,
    /// The values of the further axes.
    #[serde(default)]
    pub variant: Variant,
    /// The digest of everything that determines the results; see
    /// [`Identity::cell`](crate::facts::identity::Identity::cell).
    pub key: Sha256,
    /// What the digests were made from, as [`Parts`](crate::facts::identity::Parts): by it a later run can say
    /// what changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<BlobRef>,
    /// What the tests ran in, and how it was made.
    pub environment: RecordedEnvironment,
    /// The machine on which the tests ran; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// Why there was nothing to install.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// Where the cell ended.
    pub outcome: CellOutcome,
    /// Why it could not be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the measurement was interrupted: runs are missing, and the next run makes them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// How the environment was built; `None` if no build was started.
    pub build: Option<BuildRecord>,
    /// The tests, the import of the dependency first.
    pub tests: Vec<TestRecord>,
    /// When the measurement of the cell started.
    pub started: Timestamp,
    /// When its last test had ended.
    pub finished: Timestamp,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct WithId<'a> {
            id: String,
            #[serde(flatten, serialize_with = "derived")]
            record: &'a Record,
        }
        #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
        fn derived<S: Serializer>(record: &&Record, serializer: S) -> Result<S::Ok, S::Error> {
            Record::serialize(record, serializer)
        }
        WithId { id: self.id().to_string(), record: self }.serialize(serializer)
    }
}

/// Adds the `id` that a record is written with.
fn with_id(schema: &mut schemars::Schema) {
    let id = serde_json::json!({
        "type": "string",
        "description": "The cell: `VERSION/PYTHON`, or `VERSION/PYTHON[axis=value,…]`.",
    });
    if let Some(properties) = schema.get_mut("properties").and_then(|one| one.as_object_mut()) {
        properties.insert("id".to_owned(), id);
    }
    if let Some(required) = schema.get_mut("required").and_then(|one| one.as_array_mut()) {
        required.push("id".into());
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl Record {
    /// A record of a cell in which nothing has happened yet; `backend` is the name of the backend that
    /// measures it.
    pub fn new(
        id: &CellId,
        key: Sha256,
        backend: impl Into<String>,
        outcome: CellOutcome,
        started: Timestamp,
    ) -> Self {
        Self {
            schema: SCHEMA,
            version: id.version.clone(),
            python: id.python,
            abi: None,
            variant: id.variant.clone(),
            key,
            parts: None,
            environment: RecordedEnvironment::new(backend),
            machine: None,
            missing: None,
            outcome,
            reason: None,
            interrupted: false,
            build: None,
            tests: Vec::new(),
            started,
            finished: started,
        }
    }

    /// Which cell this is a record of.
    pub fn id(&self) -> CellId {
        CellId { version: self.version.clone(), python: self.python, variant: self.variant.clone() }
    }

    /// The test of this name.
    pub fn test(&self, name: &str) -> Option<&TestRecord> {
        self.tests.iter().find(|test| test.name == name)
    }

    /// The tests that say how the cell ended: those of the configuration, or the import if there are no
    /// others. A dependency may work although a part of it cannot be imported.
    pub fn judged(&self) -> &[TestRecord] {
        match self.tests.as_slice() {
            [first, others @ ..]
                if first.name == Test::IMPORT
                    // It may be that no other test was run because of the infrastructure failure.
                    && (!others.is_empty() || self.outcome == CellOutcome::NotMeasured) =>
            {
                others
            }
            all => all,
        }
    }

    /// The import, if it failed although all other tests pass.
    pub fn failed_import(&self) -> Option<&TestRecord> {
        let import = self.tests.first().filter(|test| test.name == Test::IMPORT)?;
        let judged = self.judged();
        let failed = matches!(import.state()?, State::Failed | State::Flaky);
        let others_pass = judged.iter().all(|test| test.state() == Some(State::Passed));
        (failed && others_pass && judged.len() < self.tests.len()).then_some(import)
    }

    /// How many times the test of this name was run.
    pub fn attempts(&self, test: &str) -> u32 {
        let runs = self.test(test).map_or(0, |test| test.runs.len());
        u32::try_from(runs).unwrap_or(u32::MAX)
    }

    /// Every run of every test, in order.
    pub fn runs(&self) -> impl Iterator<Item = (&TestRecord, &Run)> {
        self.tests.iter().flat_map(|test| test.runs.iter().map(move |run| (test, run)))
    }

    /// How each of the [`judged`](Self::judged) tests ended over all of its runs, in order. Tests
    /// without a run are left out.
    pub fn states(&self) -> Vec<(&str, State)> {
        let tests = self.judged().iter();
        tests.filter_map(|test| Some((test.name.as_str(), test.state()?))).collect()
    }

    /// How the test `name` ended in this cell; without a name, how the cell itself did. `None` if the
    /// record has other tests, but not this one.
    pub fn state_of(&self, name: Option<&str>) -> Option<State> {
        Some(match self.outcome {
            CellOutcome::Unavailable => State::Unavailable,
            CellOutcome::BuildFailed if self.is_excluded() => State::Excluded,
            CellOutcome::BuildFailed => State::BuildFailed,
            CellOutcome::NotMeasured => State::NotMeasured,
            CellOutcome::Tested => match name {
                None => State::Passed,
                Some(name) => return self.test(name)?.state(),
            },
        })
    }

    /// Whether every [`judged`](Self::judged) test passed.
    pub fn passed(&self) -> bool {
        let mut runs = self.judged().iter().flat_map(|test| &test.runs);
        self.outcome == CellOutcome::Tested && runs.all(|run| run.outcome == TestOutcome::Passed)
    }

    /// Whether the user's own requirements exclude the release, so that nothing was built.
    pub fn is_excluded(&self) -> bool {
        let reason = self.build.as_ref().and_then(|build| build.reason);
        self.outcome == CellOutcome::BuildFailed
            && reason == Some(BuildReason::ExcludedByRequirements)
    }

    /// Whether there is nothing to install because all files were withdrawn
    /// ([PEP 592](https://peps.python.org/pep-0592/)).
    pub fn is_yanked(&self) -> bool {
        self.missing.as_ref().is_some_and(|missing| missing.reason == MissingReason::Yanked)
    }

    /// Adds a run to the test of this name, which is created behind the others if it is new.
    pub fn add_run(&mut self, of: &TestRecord, run: Run) {
        match self.tests.iter_mut().find(|test| test.name == of.name) {
            Some(test) => test.runs.push(run),
            None => self.tests.push(TestRecord { runs: vec![run], ..of.clone() }),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) use crate::facts::testing::{record, run, test};

    #[test]
    fn a_record_reads_what_it_wrote() {
        let mut record = record("1.10.post1", "2.7");
        record.tests.push(test("import", TestOutcome::Passed, "é\u{0}\n"));
        record.tests[0].runs[0].output_blob = Some(BlobRef(Sha256::of(b"")));
        record.tests[0].runs[0].measures.insert("loss".into(), 0.25);
        record.variant.insert("seed", "3");
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        // Nothing that is concluded stands in a record.
        assert!(!text.contains("verdict") && !text.contains("evidence"));
    }

    #[test]
    fn the_import_is_judged_only_where_it_is_the_test() {
        use TestOutcome::{Failed, NotMeasured, Passed};
        let judged = |record: &Record| -> Vec<String> {
            record.judged().iter().map(|test| test.name.clone()).collect()
        };
        let import = || test("import", Failed, "");
        let alone = record("1.0", "3.11").with_runs([import()]);
        assert_eq!((judged(&alone), alone.passed()), (vec!["import".to_owned()], false));
        assert!(alone.failed_import().is_none(), "it is the failure, and no note beside it");
        let works = record("1.0", "3.11").with_runs([import(), test("t", Passed, "")]);
        assert_eq!((judged(&works), works.passed()), (vec!["t".to_owned()], true));
        assert_eq!(works.states(), [("t", State::Passed)]);
        assert!(works.failed_import().is_some());
        let fails = record("1.0", "3.11").with_runs([import(), test("t", Failed, "")]);
        assert!(!fails.passed() && fails.failed_import().is_none());
        let mut lost = record("1.0", "3.11").with_runs([test("import", NotMeasured, "")]);
        lost.outcome = CellOutcome::NotMeasured;
        assert!(judged(&lost).is_empty());
    }

    #[test]
    fn runs_of_one_name_are_one_test() {
        use TestOutcome::{Failed, Passed};
        let record = record("1.0", "3.11").with_runs([
            test("a", Passed, "1"),
            test("b", Failed, "2"),
            test("a", Failed, "3"),
        ]);
        assert_eq!(record.states(), [("a", State::Flaky), ("b", State::Failed)]);
        assert_eq!((record.attempts("a"), record.attempts("c")), (2, 0));
        assert_eq!(record.test("a").unwrap().runs[1].attempt, 2);
        assert!(!record.passed());
    }
}
