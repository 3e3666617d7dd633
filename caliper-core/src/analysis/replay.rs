//! Rebuilding recorded cells from their locks, and whether they came out the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Analysis;
use super::changes::{Change, Difference, differences};
use super::row::{AlsoDiffers, Factor};
use crate::facts::lock::{self, LockError};
use crate::facts::record::{Record, RecordedOverlay};
use crate::names::{Sha256, Timestamp};
use crate::question::axes::UnknownValueError;
use crate::question::config::Config;
use crate::question::grid::{CellId, Choice, DistFile};
use crate::question::interpreter::Interpreter;
use crate::question::lock::Lock;
use crate::question::plan::{Plan, PlannedCell, Setup};

/// A plan that rebuilds recorded cells, each from its lock.
#[derive(Debug, Clone)]
pub struct Rebuilding {
    /// The plan.
    pub plan: Plan,
    /// The cells that it leaves out, and why.
    pub left_out: Vec<(CellId, NotRebuildable)>,
}

/// Why a recorded cell cannot be rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRebuildable {
    /// It has no lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The configuration does not have such a cell any more.
    #[error("{0}")]
    Axis(#[from] UnknownValueError),
    /// Its Python is not there.
    #[error("there is no Python {python} to rebuild it with")]
    Python {
        /// The Python.
        python: crate::names::PythonVersion,
    },
    /// It is not known which file of the dependency was installed.
    #[error("its record does not say which file was installed")]
    File,
}

impl NotRebuildable {
    /// Whether there was no environment in the first place, so that nothing is lost.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Lock(LockError::NoEnvironment { .. }))
    }
}

/// The plan that rebuilds the cells of `records` from their locks with `interpreters`, and runs the tests of `config`
/// in them. Nothing is resolved: what is installed, also of the dependency, is what the records say.
pub fn plan(config: &Config, records: &[Record], interpreters: Vec<Interpreter>) -> Rebuilding {
    let setup = config.setup();
    let mut left_out = Vec::new();
    let mut found = Vec::new();
    for record in records {
        match planned(config, &setup, record, &interpreters) {
            Ok((cell, lock)) => found.push((record, cell, lock)),
            Err(why) => left_out.push((record.id(), why)),
        }
    }
    // Cells that shared an environment share it again: so its lock must not tell them apart.
    let mut first: BTreeMap<Sha256, Timestamp> = BTreeMap::new();
    for (record, ..) in &found {
        if let Some(key) = record.environment.key {
            let started = first.entry(key).or_insert(record.started);
            *started = (*started).min(record.started);
        }
    }
    let mut locks: BTreeMap<Sha256, Arc<Lock>> = BTreeMap::new();
    let cells = found.into_iter().map(|(record, cell, mut lock)| {
        let shared = record.environment.key.and_then(|key| first.get(&key));
        lock.recorded = shared.copied().or(lock.recorded);
        let lock = Arc::clone(locks.entry(lock.digest()).or_insert_with(|| Arc::new(lock)));
        let own = cell.setup.as_deref().cloned().unwrap_or_else(|| setup.clone());
        PlannedCell { setup: Some(Arc::new(Setup { lock: Some(lock), ..own })), ..cell }
    });
    let plan = Plan {
        analysis: config.name.clone(),
        dependency: config.dependency.clone(),
        index: records.iter().find_map(|record| record.environment.index.clone()),
        cells: cells.collect(),
        setup,
        interpreters,
        left_out: Vec::new(),
    };
    Rebuilding { plan, left_out }
}

fn planned(
    config: &Config,
    setup: &Setup,
    record: &Record,
    interpreters: &[Interpreter],
) -> Result<(PlannedCell, Lock), NotRebuildable> {
    let lock = lock::of(record)?;
    let mut own = config.axes.setup_of(setup, &record.variant)?;
    own.as_of = record.environment.as_of;
    let python = record.python;
    if !interpreters.iter().any(|interpreter| interpreter.python == python) {
        return Err(NotRebuildable::Python { python });
    }
    let file = record.environment.file.as_ref().ok_or(NotRebuildable::File)?;
    // What was installed of the project then, whatever it is now.
    own.project = record.environment.project.as_ref().map(|project| Arc::new(project.package()));
    own.lifted.clone_from(&record.environment.lifted);
    own.overlays = record.environment.overlays.iter().map(RecordedOverlay::overlay).collect();
    let file = DistFile::from(file);
    let abi = record.abi.clone().unwrap_or_else(|| python.usual_abi());
    let choice = Choice::File { file, abi };
    Ok((PlannedCell { id: record.id(), choice, setup: Some(Arc::new(own)) }, lock))
}

/// What became of a cell that was rebuilt.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Replayed {
    /// The cell.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    pub cell: CellId,
    /// Whether the files are the same, and how every test ends.
    pub same: bool,
    /// The digest of the lock.
    pub lock: Option<Sha256>,
    /// How many packages are installed.
    pub packages: usize,
    /// The packages that are not the same.
    pub files: Vec<PackageDiffers>,
    /// What else is not the same: the patch release of Python, the base image, the machine.
    pub also_differs: Vec<AlsoDiffers>,
    /// Each test.
    pub tests: Vec<Difference>,
}

fn as_text<S: serde::Serializer>(cell: &CellId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cell)
}

/// A package that is not the same in a rebuilt environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct PackageDiffers {
    /// Its name.
    pub name: String,
    /// What it was.
    pub recorded: Option<Content>,
    /// What it is.
    pub replayed: Option<Content>,
}

/// A version of a package, and the file that it is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Content {
    /// The version.
    pub version: String,
    /// The digest of the file; `None` if it is from no index, or not known.
    pub sha256: Option<Sha256>,
}

impl fmt::Display for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.version)?;
        match &self.sha256 {
            Some(sha256) => write!(formatter, " ({}…)", &sha256.to_string()[..15]),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PackageDiffers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, recorded, replayed } = self;
        match (recorded, replayed) {
            (Some(recorded), Some(replayed)) => {
                write!(formatter, "{name} {recorded} is {replayed}")
            }
            (Some(recorded), None) => write!(formatter, "{name} {recorded} is missing"),
            (None, Some(replayed)) => write!(formatter, "{name} {replayed} was not there"),
            (None, None) => formatter.write_str(name),
        }
    }
}

/// Holds each record of `replayed` against that of the same cell in `recorded`: their files, and by `analysis` the
/// results of their tests.
pub fn compare(recorded: &[Record], replayed: &[Record], analysis: &Analysis<'_>) -> Vec<Replayed> {
    let again: BTreeSet<CellId> = replayed.iter().map(Record::id).collect();
    let recorded: Vec<Record> =
        recorded.iter().filter(|record| again.contains(&record.id())).cloned().collect();
    let mut tests: BTreeMap<CellId, Vec<Difference>> = BTreeMap::new();
    for difference in differences(&recorded, replayed, Record::id, analysis) {
        tests.entry(difference.cell.clone()).or_default().push(difference);
    }
    let mut found = Vec::new();
    for record in replayed {
        let cell = record.id();
        let Some(before) = recorded.iter().find(|record| record.id() == cell) else { continue };
        let (files, tests) = (packages(before, record), tests.remove(&cell).unwrap_or_default());
        let mut also_differs = AlsoDiffers::between(before, record);
        also_differs.retain(|one| one.factor != Factor::Package);
        found.push(Replayed {
            same: files.is_empty() && tests.iter().all(|test| test.change == Change::Same),
            cell,
            lock: record.environment.lock,
            packages: record.environment.installed.len(),
            files,
            also_differs,
            tests,
        });
    }
    found
}

fn packages(recorded: &Record, replayed: &Record) -> Vec<PackageDiffers> {
    let contents = |record: &Record| -> BTreeMap<String, Content> {
        let installed = record.environment.installed.iter();
        let content = installed.map(|one| {
            let sha256 = one.file.as_ref().filter(|_| !one.of_image).and_then(|file| file.sha256);
            let name = one.name.parse::<crate::names::PackageName>();
            let name = name.map_or(one.name.clone(), |name| name.normalized().to_owned());
            (name, Content { version: one.version.clone(), sha256 })
        });
        content.collect()
    };
    let (before, now) = (contents(recorded), contents(replayed));
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differing = names.into_iter().filter_map(|name| {
        let (recorded, replayed) = (before.get(name).cloned(), now.get(name).cloned());
        let name = name.clone();
        (recorded != replayed).then_some(PackageDiffers { name, recorded, replayed })
    });
    differing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::{CellOutcome, Installed, OverlaidFile, RecordedFile, TestOutcome};
    use crate::facts::testing::{record, test};
    use crate::question::criteria::Criteria;
    use crate::question::grid::FileKind;
    use crate::question::testing::interpreter;

    fn recorded(version: &str) -> Record {
        let mut record = record(version, "3.11").with_runs([test("t", TestOutcome::Passed, "1\n")]);
        let file = |name: &str| RecordedFile {
            filename: format!("{name}-py3-none-any.whl"),
            url: format!("https://files.example/{name}-py3-none-any.whl"),
            sha256: Some(Sha256::of(name.as_bytes())),
            kind: FileKind::Wheel,
            upload_time: None,
            size: None,
        };
        record.environment.file = Some(file(&format!("demo-{version}")));
        let mut helper = Installed::new("helper", "1.0");
        helper.file = Some(file("helper-1.0"));
        let mut demo = Installed::new("demo", version);
        demo.file = record.environment.file.clone();
        record.environment.installed = vec![demo, helper];
        record
    }

    fn config() -> Config {
        let text = "analysis: {dependency: demo, tests: [{run: python t.py, name: t}], axes: {seed: {env: SEED, values: [1, 2]}}}";
        Config::from_yaml("c", text, &|_| Ok(Vec::new())).unwrap()
    }

    #[test]
    fn recorded_cells_are_planned_from_their_locks_alone() {
        let (one, mut failed, mut odd) = (recorded("1.0"), recorded("2.0"), recorded("3.0"));
        failed.outcome = CellOutcome::BuildFailed;
        odd.variant.insert("colour", "red");
        let mut seeded = recorded("1.0");
        seeded.variant.insert("seed", "2");
        seeded.variant.insert("backend", "docker");
        seeded.environment.as_of = Some("2020-01-01".parse().unwrap());
        let mut other = recorded("4.0");
        other.python = crate::names::PythonVersion::new(3, 9);
        let Rebuilding { plan, left_out } =
            plan(&config(), &[one, failed, odd, seeded, other], vec![interpreter("3.11")]);
        let told: Vec<String> = plan
            .cells
            .iter()
            .map(|cell| {
                let setup = plan.setup_of(cell);
                let files = setup.lock.iter().flat_map(|lock| &lock.packages);
                let files: Vec<&str> = files.map(|one| one.file.filename.as_str()).collect();
                format!("{} {:?} {}", cell.id, setup.variables, files.join(" "))
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        1.0/3.11 {} demo-1.0-py3-none-any.whl helper-1.0-py3-none-any.whl
        1.0/3.11[seed=2,backend=docker] {"SEED": "2"} demo-1.0-py3-none-any.whl helper-1.0-py3-none-any.whl
        "#);
        let told: Vec<String> =
            left_out.iter().map(|(cell, why)| format!("{cell} {} {why}", why.is_empty())).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        2.0/3.11 true 2.0/3.11 has no environment to rebuild: cannot be built
        3.0/3.11[colour=red] false the configuration has no value `red` of an axis `colour`
        4.0/3.9 false there is no Python 3.9 to rebuild it with
        ");
    }

    #[test]
    fn overlays_are_those_of_the_record() {
        let with =
            "analysis: {dependency: demo, overlay: [{package: demo, version: 2.0, files: p}]}";
        let (read, list) = (|_: &str| Ok(Vec::new()), |_: &str| Ok(vec!["demo/x.py".to_owned()]));
        let config = Config::from_project("c", with, &read, &list).unwrap();
        let (mut patched, plain) = (recorded("1.0"), recorded("2.0"));
        let after = Sha256::of(b"patched");
        let path = "demo/x.py".to_owned();
        patched.environment.overlays = vec![RecordedOverlay {
            package: "demo".parse().unwrap(),
            version: "1.0".parse().unwrap(),
            folder: "patches".to_owned(),
            files: vec![OverlaidFile { path, before: None, after, added: None, removed: None }],
            diff: None,
            is_diff_cut: false,
        }];
        let plan = plan(&config, &[patched, plain], vec![interpreter("3.11")]).plan;
        let of = |cell: usize| &plan.setup_of(&plan.cells[cell]).overlays;
        assert_eq!(of(0)[0].files[0].sha256, after);
        assert_eq!(of(0)[0].in_project(&of(0)[0].files[0]), "patches/demo/x.py");
        assert_eq!((of(0).len(), of(1).len()), (1, 0));
    }

    #[test]
    fn cells_that_shared_an_environment_share_a_lock() {
        let key = Some(Sha256::of(b"environment"));
        let mut records = ["1", "2"].map(|seed| {
            let mut record = recorded("1.0");
            record.variant.insert("seed", seed);
            record.environment.key = key;
            record
        });
        records[1].started = "2030-01-01".parse().unwrap();
        let plan = plan(&config(), &records, vec![interpreter("3.11")]).plan;
        let locks: BTreeSet<Sha256> = plan
            .cells
            .iter()
            .filter_map(|cell| Some(plan.setup_of(cell).lock.as_ref()?.digest()))
            .collect();
        assert_eq!(locks.len(), 1);
    }

    #[test]
    fn what_is_not_the_same_is_named() {
        let before = [recorded("1.0"), recorded("2.0"), recorded("3.0"), recorded("9.0")];
        let mut after = [recorded("1.0"), recorded("2.0"), recorded("3.0")];
        after[1].environment.installed[1].file.as_mut().unwrap().sha256 =
            Some(Sha256::of(b"other"));
        after[1].environment.installed.push(Installed::new("new", "1"));
        after[2].tests[0].runs[0].output = "2\n".to_owned();
        let criteria = Criteria::default();
        let analysis = Analysis::new(&[], None, &criteria, &|_| None);
        let found = compare(&before, &after, &analysis);
        let told: Vec<String> = found
            .iter()
            .map(|one| {
                let files: Vec<String> = one.files.iter().map(ToString::to_string).collect();
                let tests: Vec<String> =
                    one.tests.iter().map(|test| test.change.to_string()).collect();
                format!("{} {} [{}] [{}]", one.cell, one.same, files.join(", "), tests.join(", "))
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        1.0/3.11 true [] [the same]
        2.0/3.11 false [helper 1.0 (sha256:36ad6df6…) is 1.0 (sha256:d9298a10…), new 1 was not there] [the same]
        3.0/3.11 false [] [undecided: not the same result, which may be noise]
        ");
    }
}
