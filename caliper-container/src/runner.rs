//! From a plan to records.
//!
//! A pool of `jobs` threads takes the cells in order. As many cells are open at once as there are
//! threads; each builds its environment, imports the dependency, and then offers its tests to
//! whichever thread is free. The thread that ran the last test finishes the cell: it removes the
//! environment, saves the record, and only then reports it.

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

use crate::backend::{BackendError, BuildEstimate, CellRequest, ContainerBackend, RunId};
use crate::interrupt::Interrupt;
use crate::project::{Project, ProjectError};

pub use retry::Retry;
pub use search::{Recorded, SearchedRow, Searching, rows, search};

/// The services that a run uses.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    /// Where cells run.
    pub backend: &'a dyn ContainerBackend,
    /// The user's files.
    pub project: &'a Project,
    /// Provides the files to install.
    pub files: &'a dyn FileSource,
    /// Where results are kept.
    pub store: &'a dyn ResultStore,
    /// Receives the events.
    pub reporter: &'a dyn Reporter,
    /// Raised to stop the run.
    pub interrupt: &'a Interrupt,
}

/// How a run works.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many builds and tests run at the same time; at least 1.
    pub jobs: usize,
    /// Which cells are measured although a record with an equal key exists.
    pub rerun: Rerun,
    /// How infrastructure failures are retried.
    pub retry: Retry,
    /// How many runs of each test a record must hold at least, cell by cell. Runs that a record with
    /// the same key lacks are made and added to it.
    pub attempts: BTreeMap<CellId, Attempts>,
}

/// How many runs of each test are wanted, by the name of the test.
pub type Attempts = BTreeMap<String, u32>;

impl Default for RunOptions {
    /// One job; cells that have a valid record are not measured again.
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

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The record of every cell of the plan that has one, in the plan's order.
    pub records: Vec<Record>,
    /// How many cells were measured in this run.
    pub measured: usize,
    /// How many cells had a valid record already.
    pub reused: usize,
    /// The cells that could not be measured, and why.
    pub not_measured: Vec<(CellId, String)>,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The backend cannot give what the plan asks for.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A test asks for files that the project does not have.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A result could not be saved.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The threads could not be started.
    #[error("could not start {jobs} threads")]
    Threads {
        /// How many were wanted.
        jobs: usize,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a run would do about a cell.
#[derive(Debug, Clone)]
pub enum CellAction {
    /// Record that there is nothing to install.
    Unavailable,
    /// Reuse this record.
    Recorded(Box<Record>),
    /// Measure it.
    ToMeasure,
    /// The backend cannot describe the environment, for this reason.
    NotMeasurable(String),
}

/// A cell with its identity and what to do about it.
#[derive(Debug, Clone)]
struct Task<'a> {
    cell: &'a PlannedCell,
    recipe: Recipe,
    identity: Identity,
    action: CellAction,
    /// How many runs of each test are wanted at least.
    attempts: Attempts,
    /// The part of an earlier record that is still valid, if it lacks runs.
    older: Option<Record>,
}

/// The part of the project that each test sees, by the name of the test.
type Found = BTreeMap<String, Project>;

/// Returns for each cell of `plan`, in order, what [`run`] would do about it. Measures nothing.
///
/// # Errors
///
/// As [`run`].
pub fn preview(
    plan: &Plan,
    context: RunContext<'_>,
    options: &RunOptions,
) -> Result<Vec<CellAction>, RunError> {
    let run = RunId::fresh();
    let tasks = tasks(plan, context, options, &run, &found(plan, context.project)?)?;
    Ok(tasks.into_iter().map(|task| task.action).collect())
}

/// Estimates what it takes to build the environment of a cell of `plan`. `None` if the cell has no
/// file to install.
///
/// # Errors
///
/// [`RunError::Backend`] if the backend cannot tell.
pub fn estimate(
    plan: &Plan,
    cell: &PlannedCell,
    context: RunContext<'_>,
) -> Result<Option<BuildEstimate>, RunError> {
    let run = RunId::fresh();
    let Some(request) = request(plan, cell, context, &run) else { return Ok(None) };
    let recipe = context.backend.recipe(&request)?;
    Ok(Some(context.backend.estimate(&request, &recipe)?))
}

fn tasks<'a>(
    plan: &'a Plan,
    context: RunContext<'a>,
    options: &RunOptions,
    run: &RunId,
    found: &Found,
) -> Result<Vec<Task<'a>>, RunError> {
    for setup in plan.setups() {
        context.backend.check(setup)?;
    }
    plan.cells.iter().map(|cell| task(plan, cell, context, options, run, found)).collect()
}

fn found(plan: &Plan, project: &Project) -> Result<Found, ProjectError> {
    plan.setup.all_tests().map(|test| Ok((test.name.clone(), project.for_test(&test)?))).collect()
}

fn task<'a>(
    plan: &'a Plan,
    cell: &'a PlannedCell,
    context: RunContext<'a>,
    options: &RunOptions,
    run: &RunId,
    found: &Found,
) -> Result<Task<'a>, RunError> {
    let identity =
        |recipe: &Recipe| Identity::of(plan, cell, recipe, &|test| *found[&test.name].digest());
    let nothing = || Recipe { backend: context.backend.name().to_owned(), ..Recipe::default() };
    let recipe = match request(plan, cell, context, run) {
        Some(request) => context.backend.recipe(&request),
        None => Ok(nothing()),
    };
    let recipe = match recipe {
        Ok(recipe) => recipe,
        // A template that does not render is an error in the configuration, so it affects all cells.
        Err(error @ BackendError::Template(_)) => return Err(error.into()),
        Err(error) => {
            let action = CellAction::NotMeasurable(chain(&error));
            return Ok(Task {
                cell,
                identity: identity(&nothing()),
                recipe: nothing(),
                action,
                attempts: Attempts::new(),
                older: None,
            });
        }
    };
    let identity = identity(&recipe);
    let known = context.store.load(&cell.id)?.and_then(|record| identity.part_of(record));
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
        // If tests were only removed, the record is still complete, under the key of today's cell.
        // A record of an interrupted run is complete too once less is wanted.
        known => (
            None,
            known.map(|mut record| {
                record.key = identity.cell;
                record.reason = None;
                record
            }),
        ),
    };
    let action = match (recorded, &cell.choice) {
        (Some(record), _) => CellAction::Recorded(Box::new(record)),
        (None, Choice::Missing(_)) => CellAction::Unavailable,
        (None, Choice::File { .. }) => CellAction::ToMeasure,
    };
    Ok(Task { cell, recipe, identity, action, attempts, older })
}

/// How many runs of a test a complete record holds.
fn wanted(attempts: &Attempts, test: &Test) -> u32 {
    attempts.get(&test.name).copied().unwrap_or_default().max(test.repeat)
}

/// The request for the environment of a cell; `None` if there is nothing to install.
fn request<'a>(
    plan: &'a Plan,
    cell: &'a PlannedCell,
    context: RunContext<'a>,
    run: &'a RunId,
) -> Option<CellRequest<'a>> {
    cell.file()?;
    Some(CellRequest {
        run,
        dependency: &plan.dependency,
        cell,
        interpreter: plan.interpreter(cell.id.python)?,
        setup: plan.setup_of(cell),
        project: context.project,
        files: context.files,
        interrupt: context.interrupt,
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
/// that could not be measured is no error: it is listed in [`Outcome::not_measured`].
pub fn run(
    plan: &Plan,
    context: RunContext<'_>,
    options: &RunOptions,
) -> Result<Outcome, RunError> {
    let begun = Instant::now();
    let id = RunId::fresh();
    let found = found(plan, context.project)?;
    let tasks = tasks(plan, context, options, &id, &found)?;
    let jobs = options.jobs.max(1);
    let running = Running {
        plan,
        context,
        run: &id,
        next: AtomicUsize::new(0),
        retries: options.retry,
        infrastructure_is_down: AtomicBool::new(false),
        done: Mutex::new(Done { records: vec![None; tasks.len()], ..Done::default() }),
        tasks,
        found,
    };
    let to_measure = |task: &&Task<'_>| {
        matches!(task.action, CellAction::ToMeasure | CellAction::NotMeasurable(_))
    };
    running.report(&Event::RunStarted {
        schema: event::SCHEMA,
        run: id.to_string(),
        backend: context.backend.name().to_owned(),
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
    let interrupted = context.interrupt.is_raised();
    let Done { records, measured, reused, not_measured, failure } =
        running.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let outcome = Outcome {
        records: records.into_iter().flatten().collect(),
        measured,
        reused,
        not_measured,
        interrupted,
    };
    context.reporter.report(&Event::RunFinished {
        measured,
        reused,
        not_measured: outcome.not_measured.len(),
        interrupted,
        seconds: rounded(begun.elapsed().as_secs_f64()),
    });
    failure.map_or(Ok(outcome), |failure| Err(failure.into()))
}

/// The state of a run.
struct Running<'a> {
    plan: &'a Plan,
    context: RunContext<'a>,
    run: &'a RunId,
    tasks: Vec<Task<'a>>,
    found: Found,
    /// The next cell to open.
    next: AtomicUsize,
    retries: Retry,
    /// Set when an operation used up its retries; cleared by the next success.
    infrastructure_is_down: AtomicBool,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    /// One place for each cell of the plan.
    records: Vec<Option<Record>>,
    measured: usize,
    reused: usize,
    not_measured: Vec<(CellId, String)>,
    /// Why results can no longer be saved.
    failure: Option<StoreError>,
}

impl Running<'_> {
    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports an event. The lock makes sure that events arrive one at a time.
    fn report(&self, event: &Event) {
        let _order = self.done();
        self.context.reporter.report(event);
    }

    /// Whether no further work may begin.
    fn is_over(&self) -> bool {
        self.context.interrupt.is_raised() || self.done().failure.is_some()
    }

    /// Settles every cell that needs no work.
    fn settle_the_rest(&self) {
        for (index, task) in self.tasks.iter().enumerate() {
            match &task.action {
                CellAction::ToMeasure | CellAction::NotMeasurable(_) => {}
                CellAction::Recorded(record) => {
                    let mut done = self.done();
                    done.reused += 1;
                    done.records[index] = Some((**record).clone());
                    let cell = task.cell.id.to_string();
                    let outcome = record.outcome;
                    self.context.reporter.report(&Event::CellReused { cell, outcome });
                }
                CellAction::Unavailable => {
                    self.keep(index, self.blank(task, CellOutcome::Unavailable));
                }
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Saves the record of a cell, then reports it.
    fn keep(&self, index: usize, record: Record) {
        let id = record.id();
        let spurious = record.outcome.is_spurious();
        // An infrastructure failure must not overwrite an older measurement.
        let older = if spurious { self.context.store.load(&id).ok().flatten() } else { None };
        let older = older.filter(|older| !older.outcome.is_spurious());
        let kept = if older.is_some() { Ok(()) } else { self.context.store.save(&record) };
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
        self.context.reporter.report(&Event::CellFinished { record: Box::new(record.clone()) });
        // The outcome too holds the older record, if its key is still the same.
        let older = older.filter(|older| older.key == record.key);
        done.records[index] = Some(older.unwrap_or(record));
    }
}

/// Seconds rounded to milliseconds, because people read records.
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
pub(crate) mod tests;
