//! From a plan to records.
//!
//! A pool of `jobs` threads takes the cells in order. As many cells are open at once as there are
//! threads; each builds its environment, imports the dependency, and then offers its tests to
//! whichever thread is free. A cell is finished by whoever ran its last test: the environment is
//! removed, the record is saved, and only then is it reported.

mod cell;
mod retry;
mod search;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use caliper_core::facts::event::{self, Event, Reporter};
use caliper_core::facts::identity::Identity;
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::facts::store::{ResultStore, StoreError};
use caliper_core::question::files::FileSource;
use caliper_core::question::grid::{CellId, Choice};
use caliper_core::question::plan::{Plan, PlannedCell, Recipe, Test};

use crate::backend::{BackendError, CellOrder, ContainerBackend, Effort, RunId};
use crate::interrupt::Interrupt;
use crate::project::{Project, ProjectError};

pub use retry::Retry;
pub use search::{Recorded, SearchedRow, Searching, rows, search};

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// Where cells run.
    pub backend: &'a dyn ContainerBackend,
    /// The user's files.
    pub project: &'a Project,
    /// Where files to install come from.
    pub files: &'a dyn FileSource,
    /// Where results are kept.
    pub store: &'a dyn ResultStore,
    /// Who watches.
    pub reporter: &'a dyn Reporter,
    /// Who can ask for a stop.
    pub interrupt: &'a Interrupt,
}

/// How a run goes about its work.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many things are done at once; at least 1.
    pub jobs: usize,
    /// Which cells are measured although a record with an equal key exists.
    pub rerun: Rerun,
    /// What is done about failures of the world.
    pub retry: Retry,
    /// How many times these tests are to have been run at least, cell by cell, under one key: what a
    /// record lacks is run and added to it.
    pub attempts: BTreeMap<CellId, Attempts>,
}

/// How many times tests are to have been run, by their names.
pub type Attempts = BTreeMap<String, u32>;

impl Default for RunOptions {
    /// One thing at a time, everything that has a record left as it is.
    fn default() -> Self {
        Self { jobs: 1, rerun: Rerun::Nothing, retry: Retry::default(), attempts: BTreeMap::new() }
    }
}

/// Which cells are measured although a record with an equal key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// None.
    Nothing,
    /// Those whose build or some test failed.
    Failed,
    /// All.
    All,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The record of every cell of the plan that has one, in the plan's order.
    pub records: Vec<Record>,
    /// How many cells were measured in this run.
    pub measured: usize,
    /// How many cells a recorded result stood for.
    pub reused: usize,
    /// The cells that could not be measured, and why.
    pub not_measured: Vec<(CellId, String)>,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The backend cannot give what the plan asks for.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A test asks for files that the project does not have.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A result could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There could be no threads.
    #[error("could not start {jobs} threads")]
    Threads {
        /// How many were wanted.
        jobs: usize,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What will be done about a cell.
#[derive(Debug, Clone)]
pub enum Prospect {
    /// There is nothing to install, and that is all there is to record.
    Unavailable,
    /// This record stands for it.
    Recorded(Box<Record>),
    /// It will be measured.
    ToMeasure,
    /// It cannot be said what the environment would be made from.
    NotMeasurable(String),
}

/// A cell with its identity and what will be done about it.
#[derive(Debug, Clone)]
struct Task<'a> {
    cell: &'a PlannedCell,
    recipe: Recipe,
    identity: Identity,
    prospect: Prospect,
    /// How many times its tests are to be run at least.
    attempts: Attempts,
    /// What still holds of an earlier record, if that is not enough.
    older: Option<Record>,
}

/// What each test finds of the project, by its name.
type Found = BTreeMap<String, Project>;

/// Says for each cell of `plan`, in order, what [`run`] would do about it. Measures nothing.
///
/// # Errors
///
/// As [`run`].
pub fn foresee(
    plan: &Plan,
    means: Means<'_>,
    options: &RunOptions,
) -> Result<Vec<Prospect>, RunError> {
    let run = RunId::fresh();
    let tasks = tasks(plan, means, options, &run, &found(plan, means.project)?)?;
    Ok(tasks.into_iter().map(|task| task.prospect).collect())
}

/// Says what it would take to make the environment of a cell of `plan`. `None` if it has no file.
///
/// # Errors
///
/// [`RunError::Backend`] if the backend cannot tell.
pub fn effort(
    plan: &Plan,
    cell: &PlannedCell,
    means: Means<'_>,
) -> Result<Option<Effort>, RunError> {
    let run = RunId::fresh();
    let Some(order) = order(plan, cell, means, &run) else { return Ok(None) };
    let recipe = means.backend.recipe(&order)?;
    Ok(Some(means.backend.effort(&order, &recipe)?))
}

fn tasks<'a>(
    plan: &'a Plan,
    means: Means<'a>,
    options: &RunOptions,
    run: &RunId,
    found: &Found,
) -> Result<Vec<Task<'a>>, RunError> {
    means.backend.check(&plan.setup)?;
    plan.cells.iter().map(|cell| task(plan, cell, means, options, run, found)).collect()
}

fn found(plan: &Plan, project: &Project) -> Result<Found, ProjectError> {
    plan.setup.all_tests().map(|test| Ok((test.name.clone(), project.for_test(&test)?))).collect()
}

fn task<'a>(
    plan: &'a Plan,
    cell: &'a PlannedCell,
    means: Means<'a>,
    options: &RunOptions,
    run: &RunId,
    found: &Found,
) -> Result<Task<'a>, RunError> {
    let identity =
        |recipe: &Recipe| Identity::of(plan, cell, recipe, &|test| *found[&test.name].digest());
    let nothing = || Recipe { backend: means.backend.name().to_owned(), ..Recipe::default() };
    let recipe = match order(plan, cell, means, run) {
        Some(order) => means.backend.recipe(&order),
        None => Ok(nothing()),
    };
    let recipe = match recipe {
        Ok(recipe) => recipe,
        // A template that does not render is the user's question, wrong for the whole grid.
        Err(error @ BackendError::Template(_)) => return Err(error.into()),
        Err(error) => {
            let prospect = Prospect::NotMeasurable(chain(&error));
            return Ok(Task {
                cell,
                identity: identity(&nothing()),
                recipe: nothing(),
                prospect,
                attempts: Attempts::new(),
                older: None,
            });
        }
    };
    let identity = identity(&recipe);
    let known = means.store.load(&cell.id)?.and_then(|record| identity.part_of(record));
    let known = known.filter(|record| {
        let again = match options.rerun {
            Rerun::Nothing => false,
            Rerun::Failed => !record.passed(),
            Rerun::All => true,
        };
        !again || cell.file().is_none()
    });
    let attempts = options.attempts.get(&cell.id).cloned().unwrap_or_default();
    let lacks = |record: &Record| {
        record.outcome == CellOutcome::Tested
            && plan
                .setup
                .all_tests()
                .any(|test| record.attempts(&test.name) < wanted(&attempts, &test))
    };
    let (older, recorded) = match known {
        Some(record) if lacks(&record) => (Some(record), None),
        // Where only tests have gone, the record stands for the cell as it is now.
        known => (
            None,
            known.map(|mut record| {
                record.key = identity.cell;
                record
            }),
        ),
    };
    let prospect = match (recorded, &cell.choice) {
        (Some(record), _) => Prospect::Recorded(Box::new(record)),
        (None, Choice::Missing(_)) => Prospect::Unavailable,
        (None, Choice::File { .. }) => Prospect::ToMeasure,
    };
    Ok(Task { cell, recipe, identity, prospect, attempts, older })
}

/// How many times a test is to have been run.
fn wanted(attempts: &Attempts, test: &Test) -> u32 {
    attempts.get(&test.name).copied().unwrap_or_default().max(test.repeat)
}

/// What a backend needs to know of a cell; `None` if there is nothing to install.
fn order<'a>(
    plan: &'a Plan,
    cell: &'a PlannedCell,
    means: Means<'a>,
    run: &'a RunId,
) -> Option<CellOrder<'a>> {
    cell.file()?;
    Some(CellOrder {
        run,
        dependency: &plan.dependency,
        cell,
        interpreter: plan.interpreter(cell.id.python)?,
        setup: &plan.setup,
        project: means.project,
        files: means.files,
        interrupt: means.interrupt,
    })
}

/// Measures every cell of `plan` that has no valid record, and keeps the records.
///
/// A run that is killed at any moment and started again ends with the same records as one that was
/// not.
///
/// # Errors
///
/// [`RunError`] if the backend cannot give what the plan asks for, or a result cannot be kept. A cell
/// that could not be measured is no error: it stands in [`Outcome::not_measured`].
pub fn run(plan: &Plan, means: Means<'_>, options: &RunOptions) -> Result<Outcome, RunError> {
    let begun = Instant::now();
    let id = RunId::fresh();
    let found = found(plan, means.project)?;
    let tasks = tasks(plan, means, options, &id, &found)?;
    let jobs = options.jobs.max(1);
    let running = Running {
        plan,
        means,
        run: &id,
        next: AtomicUsize::new(0),
        retry: options.retry,
        world_is_down: AtomicBool::new(false),
        done: Mutex::new(Done { records: vec![None; tasks.len()], ..Done::default() }),
        tasks,
        found,
    };
    let to_measure = |task: &&Task<'_>| {
        matches!(task.prospect, Prospect::ToMeasure | Prospect::NotMeasurable(_))
    };
    running.report(&Event::RunStarted {
        schema: event::SCHEMA,
        run: id.to_string(),
        backend: means.backend.name().to_owned(),
        analysis: plan.analysis.clone(),
        dependency: plan.dependency.clone(),
        cells: plan.cells.len(),
        to_measure: running.tasks.iter().filter(to_measure).count(),
        jobs,
    });
    running.settle_the_rest();
    if running.tasks.iter().any(|task| to_measure(&task)) {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(jobs)
            .thread_name(|index| format!("cell-{index}"))
            .build()
            .map_err(|source| RunError::Threads { jobs, source: source.into() })?;
        pool.scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|scope| running.open_cells(scope));
            }
        });
    }
    let interrupted = means.interrupt.is_raised();
    let Done { records, measured, reused, not_measured, failure } =
        running.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let outcome = Outcome {
        records: records.into_iter().flatten().collect(),
        measured,
        reused,
        not_measured,
        interrupted,
    };
    means.reporter.report(&Event::RunFinished {
        measured,
        reused,
        not_measured: outcome.not_measured.len(),
        interrupted,
        seconds: rounded(begun.elapsed().as_secs_f64()),
    });
    failure.map_or(Ok(outcome), |failure| Err(failure.into()))
}

/// A run under way.
struct Running<'a> {
    plan: &'a Plan,
    means: Means<'a>,
    run: &'a RunId,
    tasks: Vec<Task<'a>>,
    found: Found,
    /// The next cell to open.
    next: AtomicUsize,
    retry: Retry,
    /// Whether patience with the world ran out, and nothing has succeeded since.
    world_is_down: AtomicBool,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    /// One place for each cell of the plan.
    records: Vec<Option<Record>>,
    measured: usize,
    reused: usize,
    not_measured: Vec<(CellId, String)>,
    /// Why results can no longer be kept.
    failure: Option<StoreError>,
}

impl Running<'_> {
    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports an event. The lock puts events in order.
    fn report(&self, event: &Event) {
        let _order = self.done();
        self.means.reporter.report(event);
    }

    /// Whether no further work is to be begun.
    fn is_over(&self) -> bool {
        self.means.interrupt.is_raised() || self.done().failure.is_some()
    }

    /// Deals with every cell that needs no work.
    fn settle_the_rest(&self) {
        for (index, task) in self.tasks.iter().enumerate() {
            match &task.prospect {
                Prospect::ToMeasure | Prospect::NotMeasurable(_) => {}
                Prospect::Recorded(record) => {
                    let mut done = self.done();
                    done.reused += 1;
                    done.records[index] = Some((**record).clone());
                    let cell = task.cell.id.to_string();
                    let outcome = record.outcome;
                    self.means.reporter.report(&Event::CellReused { cell, outcome });
                }
                Prospect::Unavailable => {
                    self.keep(index, self.blank(task, CellOutcome::Unavailable));
                }
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Keeps the record of a cell, then reports it.
    fn keep(&self, index: usize, record: Record) {
        let id = record.id();
        let spurious = record.outcome.is_spurious();
        // What was measured before is worth more than the news that it could not be measured now.
        let older = if spurious { self.means.store.load(&id).ok().flatten() } else { None };
        let older = older.filter(|older| !older.outcome.is_spurious());
        let kept = if older.is_some() { Ok(()) } else { self.means.store.save(&record) };
        let mut done = self.done();
        if let Err(error) = kept {
            done.failure.get_or_insert(error);
            return;
        }
        match record.outcome {
            CellOutcome::NotMeasured => {
                done.not_measured.push((id, record.reason.clone().unwrap_or_default()));
            }
            CellOutcome::BuildFailed | CellOutcome::Tested => done.measured += 1,
            CellOutcome::Unavailable => {}
        }
        self.means.reporter.report(&Event::CellFinished { record: Box::new(record.clone()) });
        // The summary too goes on telling it, if it answers the same question.
        let older = older.filter(|older| older.key == record.key);
        done.records[index] = Some(older.unwrap_or(record));
    }
}

/// Seconds to a thousandth: what is beyond is noise, and records are read by people.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// An error with all its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
