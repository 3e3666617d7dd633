//! What a result depends on, as digests.

mod canonical;
mod parts;
mod stale;

use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

pub use parts::{Manifest, PARTS_SCHEMA, Parts, TestParts};
pub use stale::{Change, Stale};

use crate::facts::record::{CellOutcome, Record, TestRecord};
use crate::names::{PackageName, Sha256, Timestamp};
use crate::question::grid::{Choice, Missing};
use crate::question::interpreter::Interpreter;
use crate::question::limits::Limits;
use crate::question::overlay::PackageOverlay;
use crate::question::plan::{Plan, PlannedCell, Recipe, Test};
use crate::question::selection::UnknownUploadTime;

/// What decides the results of a cell.
///
/// Two records with equal digests answer the same question, so that one can stand for the other. A
/// digest is made over canonical JSON: keys are sorted, and empty values are left out, so that a
/// new field changes no digest until it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Over all that decides what stands in the environment: the file's digest (or its URL, where the
    /// index gives none), the interpreter, the recipe, the requirements and constraints, those of builds too, the project's own package, the files that are laid over
    /// packages, the index and its date. The name of the cell is not in it, so that cells can share an environment.
    pub environment: Sha256,
    /// For each test, in the order of [`Setup::all_tests`](crate::question::plan::Setup::all_tests), its name
    /// and a digest over the environment and all that decides how it ends in that: its command,
    /// environment variables and limits, which files are results, and the files that it finds.
    pub tests: Vec<(String, Sha256)>,
    /// Over all of that.
    pub cell: Sha256,
}

impl Identity {
    /// The identity of a cell, where `found` is the digest of the part of the project that a test
    /// finds.
    pub fn of(
        plan: &Plan,
        cell: &PlannedCell,
        recipe: &Recipe,
        found: &dyn Fn(&Test) -> Sha256,
    ) -> Self {
        let environment = environment(plan, cell, recipe);
        let setup = plan.setup_of(cell);
        // A cell without a file builds nothing and runs nothing: what would be run cannot matter.
        let tests = setup.all_tests().filter(|_| cell.file().is_some());
        let tests: Vec<(String, Sha256)> = tests
            .map(|test| {
                let files = found(&test);
                // How often it is run does not decide how it ends; what it finds stands in `files`.
                let test = Test { repeat: 1, files: None, ..test };
                let (limits, results) = (&setup.limits, &setup.results);
                let decides = DecidesTest { environment, test: &test, limits, results, files };
                let digest = canonical::digest(&decides);
                (test.name, digest)
            })
            .collect();
        let digests: Vec<Sha256> = tests.iter().map(|(_, digest)| *digest).collect();
        Self { environment, tests, cell: canonical::digest(&(environment, digests)) }
    }

    /// [`Identity::environment`] alone.
    pub fn of_environment(plan: &Plan, cell: &PlannedCell, recipe: &Recipe) -> Sha256 {
        environment(plan, cell, recipe)
    }

    /// The digest of a test.
    pub fn test(&self, name: &str) -> Option<Sha256> {
        self.tests.iter().find(|(test, _)| test == name).map(|(_, digest)| *digest)
    }

    /// What an earlier record of the same cell still says: its environment and those of its tests that
    /// would be run in the same way now, in the order of [`Identity::tests`]. `None` if that is
    /// nothing.
    ///
    /// Of a cell that could not be measured to its end, the runs count that ended before: it is as one that was
    /// interrupted.
    pub fn part_of(&self, mut record: Record) -> Option<Record> {
        if record.environment.key != Some(self.environment) {
            return None;
        }
        let was_cut_short = record.outcome.is_spurious();
        let mut all = std::mem::take(&mut record.tests);
        for (name, digest) in &self.tests {
            let same = |test: &mut TestRecord| test.name == *name && test.key == Some(*digest);
            record.tests.extend(all.extract_if(.., same).filter_map(|mut test| {
                test.runs.retain(|run| !run.outcome.is_spurious());
                (!test.runs.is_empty()).then_some(test)
            }));
        }
        if was_cut_short {
            if record.tests.is_empty() {
                return None;
            }
            (record.outcome, record.reason) = (CellOutcome::Tested, None);
            record.interrupted = true;
        }
        Some(record)
    }

    /// The part of `record` that answers what is asked now, under [`Identity::cell`]. `None` if it answers not
    /// all of it. An infrastructure failure is an answer only to the very question that it was met with.
    pub fn answered_by(&self, record: &Record) -> Option<Record> {
        if record.outcome.is_spurious() {
            return (record.key == self.cell).then(|| record.clone());
        }
        let mut answer = self.part_of(record.clone())?;
        let is_whole =
            answer.outcome != CellOutcome::Tested || answer.tests.len() == self.tests.len();
        answer.key = self.cell;
        is_whole.then_some(answer)
    }
}

/// All that decides what stands in an environment, written once. What acts when tests are run (variables,
/// limits) is not here, nor is the name of the cell: cells for which this is equal share an environment.
///
/// The template, the base and the template arguments act through the recipe alone, which holds the
/// rendered Dockerfile and the digest of the base image.
#[derive(Serialize)]
struct Decides<'a> {
    /// Raised whenever what any of the digests is made over changes: what an older Caliper measured is
    /// then measured again.
    key: u32,
    dependency: &'a PackageName,
    version: &'a Version,
    /// The file's digest, or its address where the index gives no digest.
    file: Option<String>,
    missing: Option<&'a Missing>,
    interpreter: Option<&'a Interpreter>,
    index: Option<&'a str>,
    as_of: Option<Timestamp>,
    /// Only where it is not the default, and there is a date.
    unknown_upload_time: Option<UnknownUploadTime>,
    requirements: &'a [String],
    constraints: &'a [String],
    build_constraints: &'a [String],
    /// The project's own package.
    project: Option<DecidesProject<'a>>,
    /// The files that may be installed: a requirement each, with digests.
    allowed_files: Vec<(&'a str, &'a [Sha256])>,
    /// The files that are laid over packages, each with its digest.
    overlay: BTreeMap<String, String>,
    /// The digest of the lock that it is rebuilt from.
    lock: Option<Sha256>,
    recipe: Option<&'a Recipe>,
}

/// What decides what is installed of the project. Name, version and requirements are part of the content.
#[derive(Serialize)]
struct DecidesProject<'a> {
    content: Sha256,
    extras: &'a [String],
}

/// What decides how a test ends in an environment.
#[derive(Serialize)]
struct DecidesTest<'a> {
    environment: Sha256,
    test: &'a Test,
    limits: &'a Limits,
    results: &'a [String],
    files: Sha256,
}

fn environment(plan: &Plan, cell: &PlannedCell, recipe: &Recipe) -> Sha256 {
    canonical::digest(&decides(plan, cell, recipe))
}

fn decides<'a>(plan: &'a Plan, cell: &'a PlannedCell, recipe: &'a Recipe) -> Decides<'a> {
    const KEY: u32 = 7;
    let setup = plan.setup_of(cell);
    let nothing = Decides {
        key: KEY,
        dependency: &plan.dependency,
        version: &cell.id.version,
        file: None,
        missing: None,
        interpreter: None,
        index: None,
        as_of: None,
        unknown_upload_time: None,
        requirements: &[],
        constraints: &[],
        build_constraints: &[],
        project: None,
        allowed_files: Vec::new(),
        overlay: BTreeMap::new(),
        lock: None,
        recipe: None,
    };
    match &cell.choice {
        Choice::Missing(missing) => Decides { missing: Some(missing), ..nothing },
        Choice::File { file, .. } => Decides {
            file: Some(file.sha256.map_or_else(|| file.url.clone(), |sha256| sha256.to_string())),
            interpreter: plan.interpreter(cell.id.python),
            index: plan.index.as_deref(),
            as_of: setup.as_of,
            unknown_upload_time: Some(setup.unknown_upload_time)
                .filter(|unknown| !unknown.excludes() && setup.as_of.is_some()),
            requirements: &setup.requirements,
            constraints: &setup.constraints,
            build_constraints: &setup.build_constraints,
            project: setup.project.as_deref().and_then(|package| {
                let content = package.wheel(cell.id.python)?.content;
                Some(DecidesProject { content, extras: &package.extras })
            }),
            allowed_files: setup
                .allowed_files
                .iter()
                .map(|allowed| (allowed.requirement.as_str(), allowed.sha256.as_slice()))
                .collect(),
            overlay: overlay(plan, cell),
            lock: setup.lock.as_ref().map(|lock| lock.digest()),
            recipe: Some(recipe),
            ..nothing
        },
    }
}

/// The files that may be laid over packages in a cell. Of an overlay for another release of the dependency only that it is
/// one: such a cell is not measured, whatever the files are.
fn overlay(plan: &Plan, cell: &PlannedCell) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut has_own = false;
    for PackageOverlay { package, version, files: all, .. } in &plan.setup_of(cell).overlays {
        let is_own = *package == plan.dependency;
        if is_own && *version != cell.id.version {
            continue;
        }
        has_own |= is_own;
        for file in all {
            let name = format!("{} {version}: {}", package.normalized(), file.path);
            files.insert(name, file.sha256.to_string());
        }
    }
    let overlays = &plan.setup_of(cell).overlays;
    if !has_own && overlays.iter().any(|one| one.package == plan.dependency) {
        files.insert(plan.dependency.normalized().to_owned(), "of another release".to_owned());
    }
    files
}

#[cfg(test)]
mod tests;
