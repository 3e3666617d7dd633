//! From a plan to records.
//!
//! The cells that are to be measured are grouped by their environment: cells that differ only by what acts
//! when tests are run (variables, limits) share one. A pool of `jobs` threads builds the environments, in
//! which the tests of all their cells are run; the [`Schedule`] says which test is run when. The thread
//! that makes the last run of a cell finishes it: it releases the environment if no other cell needs it,
//! saves the record, and only then reports it.

mod cell;
mod environment;
mod parts;
mod retry;
mod schedule;
mod search;
mod session;
mod task;
mod watched;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use caliper_core::facts::event::{Event, Reporter, RoundPurpose};
use caliper_core::facts::identity::{Identity, Stale};
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::facts::store::{ResultStore, StoreError};
use caliper_core::question::files::FileSource;
use caliper_core::question::grid::CellId;
use caliper_core::question::plan::{Plan, PlannedCell};

use crate::backend::{BackendError, BuildEstimate, ContainerBackend, RunId};
use crate::interrupt::Interrupt;
use crate::project::{Project, ProjectError};

pub use retry::Retry;
pub use schedule::Schedule;
pub use search::{Recorded, SearchedRow, Searching, rows, search};
pub use session::Session;
pub use watched::during;

use parts::Manifests;
use schedule::Gate;
use task::{Found, Task, found, request, tasks};

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
    /// Which test is run when.
    pub schedule: Schedule,
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
        Self {
            jobs: 1,
            schedule: Schedule::Parallel,
            rerun: Rerun::Nothing,
            retry: Retry::default(),
            attempts: BTreeMap::new(),
        }
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
    /// Measure it, for these reasons; only [`preview`] looks for them.
    ToMeasure(Vec<Stale>),
    /// The backend cannot describe the environment, for this reason.
    NotMeasurable(String),
}

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
    let found = found(plan, context.project)?;
    let manifests = Manifests::of(&found);
    let mut actions = Vec::new();
    for task in tasks(plan, context, options, &run, &found)? {
        let action = match task.action {
            CellAction::ToMeasure(_) => {
                let record = context.store.load(&task.cell.id)?;
                CellAction::ToMeasure(manifests.why(
                    plan,
                    &task,
                    record.as_ref(),
                    options,
                    context.store,
                ))
            }
            action => action,
        };
        actions.push(action);
    }
    Ok(actions)
}

/// As [`preview`], without looking for reasons.
pub(crate) fn actions(
    plan: &Plan,
    context: RunContext<'_>,
    options: &RunOptions,
) -> Result<Vec<CellAction>, RunError> {
    let run = RunId::fresh();
    let tasks = tasks(plan, context, options, &run, &found(plan, context.project)?)?;
    Ok(tasks.into_iter().map(|task| task.action).collect())
}

/// What decides the results of each cell of `plan`, and whether the backend can describe its environment, so
/// that the identity is the right one.
pub(crate) fn identities(
    plan: &Plan,
    context: RunContext<'_>,
) -> Result<Vec<(CellId, Identity, bool)>, RunError> {
    let run = RunId::fresh();
    let found = found(plan, context.project)?;
    let tasks = tasks(plan, context, &RunOptions::default(), &run, &found)?;
    let identity = |task: Task<'_>| {
        let is_known = !matches!(task.action, CellAction::NotMeasurable(_));
        (task.cell.id.clone(), task.identity, is_known)
    };
    Ok(tasks.into_iter().map(identity).collect())
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
    let key = Identity::of_environment(plan, cell, &recipe);
    Ok(Some(context.backend.estimate(&request, &recipe, &key)?))
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
    Session::new(plan, context.reporter).round(plan, context, options, RoundPurpose::Measure)
}

/// What one round works with.
struct Running<'a> {
    plan: &'a Plan,
    context: RunContext<'a>,
    run: &'a RunId,
    /// See [`Run::batch`](caliper_core::facts::record::Run::batch).
    batch: String,
    tasks: Vec<Task<'a>>,
    found: Found,
    /// The next group to open.
    next: AtomicUsize,
    /// Whether what is opened now must share nothing.
    is_alone: AtomicBool,
    /// The tasks that are measured again, each in an environment of its own.
    alone: Mutex<Vec<usize>>,
    retries: Retry,
    gate: Gate,
    /// Set when an operation used up its retries; cleared by the next success.
    infrastructure_is_down: AtomicBool,
    /// Why no further environment can be built, once the index was found not to answer.
    index_is_down: OnceLock<String>,
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

    fn alone(&self) -> MutexGuard<'_, Vec<usize>> {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner)
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
                CellAction::ToMeasure(_) => {}
                CellAction::NotMeasurable(reason) => {
                    self.not_measured(index, self.blank(task, CellOutcome::NotMeasured), reason);
                }
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
        let older = older.filter(|older| {
            let identity = &self.tasks[index].identity;
            let valid = |record: &Record| {
                identity.part_of(record.clone()).map_or(0, |part| part.runs().count())
            };
            // What was saved of this very measurement while it went on is in it.
            let holds_older = older.interrupted && valid(older) <= valid(&record);
            !older.outcome.is_spurious() && !holds_older
        });
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
