//! One run of Caliper as its user sees it: one or several rounds of measurements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use caliper_core::facts::event::{self, Event, InOrder, Phase, Reporter, RoundPurpose};
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::names::{PackageName, Sha256};
use caliper_core::question::grid::CellId;
use caliper_core::question::plan::Plan;

use super::parts::Manifests;
use super::schedule::{Gate, Schedule};
use super::task::{Found, Task, found, missing, request, tasks};
use super::watched::{Watched, during};
use super::{CellAction, Done, Outcome, RunContext, RunError, RunOptions, Running, rounded};
use crate::backend::RunId;

/// One run of Caliper. Each of its rounds measures cells; a search, for example, makes one round for each
/// of its steps. The start of the run is reported before the first round, and its end when the session is
/// dropped.
pub struct Session<'a> {
    run: RunId,
    analysis: String,
    dependency: PackageName,
    /// How many cells the whole grid has.
    cells: usize,
    reporter: &'a dyn Reporter,
    begun: Instant,
    so_far: Mutex<SoFar>,
}

/// So many environments at most stand at the same time so that cells take turns.
const MOST_TOGETHER: usize = 16;

/// What the rounds that have ended came to.
#[derive(Default)]
struct SoFar {
    rounds: u32,
    measured: BTreeSet<CellId>,
    reused: BTreeSet<CellId>,
    not_measured: BTreeSet<CellId>,
    /// Those that were to be measured and are not, because the run was stopped before.
    left: BTreeSet<CellId>,
    interrupted: bool,
}

impl<'a> Session<'a> {
    /// A run that measures parts of `plan`, or all of it, and reports to `reporter`.
    pub fn new(plan: &Plan, reporter: &'a dyn Reporter) -> Self {
        Self {
            run: RunId::fresh(),
            analysis: plan.analysis.clone(),
            dependency: plan.dependency.clone(),
            cells: plan.cells.len(),
            reporter,
            begun: Instant::now(),
            so_far: Mutex::default(),
        }
    }

    /// Measures every cell of `plan` that has no valid record, and keeps the records.
    ///
    /// # Errors
    ///
    /// As [`run`](super::run).
    pub fn round(
        &self,
        plan: &Plan,
        context: RunContext<'_>,
        options: &RunOptions,
        purpose: RoundPurpose,
    ) -> Result<Outcome, RunError> {
        let reporter = InOrder::new(context.reporter);
        let files = Watched { files: context.files, reporter: &reporter };
        let context = RunContext { reporter: &reporter, files: &files, ..context };
        let (found, tasks) = self.decide(plan, context, options)?;
        let groups = groups(&tasks);
        let round = self.start_round(plan, context, options, purpose, &tasks, groups.len());
        let running = Running {
            plan,
            context,
            run: &self.run,
            batch: format!("{}-{round}", self.run),
            next: AtomicUsize::new(0),
            retries: options.retry,
            gate: Gate::new(options.schedule),
            infrastructure_is_down: AtomicBool::new(false),
            index_is_down: OnceLock::new(),
            done: Mutex::new(Done { records: vec![None; tasks.len()], ..Done::default() }),
            alone: Mutex::default(),
            // A second measurement in the same environment could not show how much that decides.
            is_alone: AtomicBool::new(matches!(purpose, RoundPurpose::Blind { .. })),
            tasks,
            found,
        };
        running.settle_the_rest();
        // Runs of one cell that are made one after the other differ by whatever drifts meanwhile.
        let mut tests = plan.setups().into_iter().flat_map(|setup| &setup.tests);
        let repeats = purpose == RoundPurpose::Confirm || tests.any(|test| test.repeat > 1);
        let is_many = groups.len() > MOST_TOGETHER;
        if repeats && is_many && options.schedule == Schedule::Parallel {
            self.reporter.report(&Event::Warning {
                message: format!(
                    "the repeats of each cell are made one after the other, because {} environments are too \
                     many to keep open; `--schedule interleaved` takes turns all the same",
                    groups.len()
                ),
            });
        }
        let measuring = running.measure(groups, options, repeats && !is_many);
        let interrupted = context.interrupt.is_raised();
        let Running { tasks, done, .. } = running;
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.end_round(&tasks, &done, interrupted);
        measuring?;
        if let Some(failure) = done.failure {
            return Err(failure.into());
        }
        Ok(Outcome {
            records: done.records.into_iter().flatten().collect(),
            measured: done.measured,
            reused: done.reused,
            not_measured: done.not_measured,
            interrupted,
        })
    }

    /// Decides what to do about each cell.
    fn decide<'plan>(
        &self,
        plan: &'plan Plan,
        context: RunContext<'plan>,
        options: &RunOptions,
    ) -> Result<(Found, Vec<Task<'plan>>), RunError> {
        during(context.reporter, Phase::Recorded, || {
            let found = found(plan, context.project)?;
            let mut tasks = tasks(plan, context, options, &self.run, &found)?;
            Manifests::of(&found).keep(plan, &mut tasks, context.store)?;
            Ok((found, tasks))
        })
    }

    /// Tells the backend which environments of `plan` the rounds to come may build.
    pub(super) fn prepare(
        &self,
        plan: &Plan,
        context: RunContext<'_>,
        options: &RunOptions,
    ) -> Result<(), RunError> {
        let found = found(plan, context.project)?;
        let tasks = tasks(plan, context, options, &self.run, &found)?;
        let requests: Vec<_> = groups(&tasks)
            .iter()
            .filter_map(|group| {
                let task = &tasks[group[0]];
                let request = request(plan, task.cell, context, &self.run)?;
                Some((request, task.identity.environment))
            })
            .collect();
        context.backend.prepare(&requests);
        Ok(())
    }

    fn start_round(
        &self,
        plan: &Plan,
        context: RunContext<'_>,
        options: &RunOptions,
        purpose: RoundPurpose,
        tasks: &[Task<'_>],
        environments: usize,
    ) -> u32 {
        let to_measure = tasks.iter().filter(|task| is_to_measure(task));
        let from_source = to_measure.clone().filter(|task| task.cell.is_built_from_source());
        let (to_measure, from_source) = (to_measure.count(), from_source.count());
        let round = {
            let mut so_far = self.so_far();
            so_far.rounds += 1;
            so_far.rounds
        };
        if round == 1 {
            self.reporter.report(&Event::RunStarted {
                schema: event::SCHEMA,
                run: self.run.to_string(),
                backend: context.backend.name().to_owned(),
                analysis: self.analysis.clone(),
                dependency: self.dependency.clone(),
                cells: self.cells,
                jobs: options.jobs.max(1),
            });
        }
        let cells = plan.cells.len();
        self.reporter.report(&Event::RoundStarted {
            round,
            purpose,
            cells,
            to_measure,
            from_source,
            environments,
            runs: runs(plan, tasks),
        });
        round
    }

    fn end_round(&self, tasks: &[Task<'_>], done: &Done, interrupted: bool) {
        let mut so_far = self.so_far();
        so_far.interrupted = interrupted;
        so_far.not_measured.extend(done.not_measured.iter().map(|(cell, _)| cell.clone()));
        let ended = done.records.iter().flatten().filter(|record| !record.outcome.is_spurious());
        let ended: BTreeSet<CellId> = ended.map(Record::id).collect();
        for task in tasks {
            let id = &task.cell.id;
            match &task.action {
                // There is nothing to reuse, and a search meets it again in each of its rounds.
                CellAction::Recorded(record) if record.outcome == CellOutcome::Unavailable => {}
                CellAction::Recorded(_) => _ = so_far.reused.insert(id.clone()),
                CellAction::ToMeasure(_) if ended.contains(id) => {
                    so_far.measured.insert(id.clone());
                }
                CellAction::ToMeasure(_) if interrupted => _ = so_far.left.insert(id.clone()),
                CellAction::ToMeasure(_)
                | CellAction::NotMeasurable(_)
                | CellAction::Unavailable => {}
            }
        }
    }

    fn so_far(&self) -> std::sync::MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let so_far = self.so_far();
        if so_far.rounds == 0 {
            return;
        }
        self.reporter.report(&Event::RunFinished {
            measured: so_far.measured.len(),
            reused: so_far.reused.difference(&so_far.measured).count(),
            not_measured: so_far.not_measured.len(),
            left: so_far.left.difference(&so_far.not_measured).count(),
            interrupted: so_far.interrupted,
            seconds: rounded(self.begun.elapsed().as_secs_f64()),
        });
    }
}

fn is_to_measure(task: &Task<'_>) -> bool {
    matches!(task.action, CellAction::ToMeasure(_) | CellAction::NotMeasurable(_))
}

/// How many runs of each test are to be made.
fn runs(plan: &Plan, tasks: &[Task<'_>]) -> BTreeMap<String, usize> {
    let mut runs = BTreeMap::new();
    for task in tasks.iter().filter(|task| matches!(task.action, CellAction::ToMeasure(_))) {
        for test in plan.setup_of(task.cell).all_tests() {
            let lacks = missing(task.older.as_ref(), &task.attempts, &test).len();
            *runs.entry(test.name.clone()).or_default() += lacks;
        }
    }
    runs
}

/// The places of the tasks that measure, with those that share an environment together; in the order of
/// the plan.
fn groups(tasks: &[Task<'_>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut known: BTreeMap<Sha256, usize> = BTreeMap::new();
    for (index, task) in tasks.iter().enumerate() {
        if !matches!(task.action, CellAction::ToMeasure(_)) {
            continue;
        }
        let group = *known.entry(task.identity.environment).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}
