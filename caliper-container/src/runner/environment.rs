//! Building an environment, for all cells that share it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use caliper_core::facts::allowed_files::not_allowed;
use caliper_core::facts::event::Event;
use caliper_core::facts::record::{BuildReason, BuildRecord, CellOutcome, Record, RecordedOverlay};
use caliper_core::facts::store::StoreError;

use super::cell::{OpenCell, nanoseconds};
use super::retry::Discarded;
use super::{Running, chain, request, rounded};
use crate::backend::{
    BackendError, Built, Environment, EnvironmentRequest, LaidOverlay, RunRequest, TestRun,
};

/// An environment that was built and in which the tests of its cells are running.
pub(super) struct OpenEnvironment<'a> {
    /// `None` once it was released.
    environment: RwLock<Option<Box<dyn Environment + 'a>>>,
    cells: Vec<OpenCell<'a>>,
    /// How many of `cells` have not ended.
    unfinished: AtomicUsize,
    /// Set when a test was seen to have changed the environment while several cells share it.
    changed: AtomicBool,
}

/// One run of one test: the place of its cell among those of the environment, and its place among the
/// runs of that cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Which {
    cell: usize,
    run: usize,
}

impl OpenEnvironment<'_> {
    /// All runs that are to be made, cell by cell.
    pub(super) fn runs(&self) -> Vec<Which> {
        let cells = self.cells.iter().enumerate();
        cells
            .flat_map(|(cell, open)| (0..open.runs.len()).map(move |run| Which { cell, run }))
            .collect()
    }

    /// Which run of its test it is, among those that are to be made now, from 0.
    pub(super) fn round_of(&self, which: Which) -> usize {
        let runs = &self.cells[which.cell].runs;
        let name = &runs[which.run].test.name;
        runs[..which.run].iter().filter(|run| run.test.name == *name).count()
    }

    /// Runs a test once.
    fn run(&self, request: &RunRequest<'_>) -> Result<TestRun, BackendError> {
        let environment = self.environment.read().unwrap_or_else(PoisonError::into_inner);
        match &*environment {
            Some(environment) => environment.run(request),
            None => unreachable!("an environment is released after the last run of its last cell"),
        }
    }
}

/// What all cells of an environment record of its build.
struct BuildFacts {
    build: BuildRecord,
    tools: BTreeMap<String, String>,
    without_upload_time: Vec<String>,
    overlays: Vec<RecordedOverlay>,
}

impl<'a> Running<'a> {
    /// The request for the environment of a task.
    pub(super) fn request(&self, index: usize) -> Option<EnvironmentRequest<'_>> {
        let request = request(self.plan, self.tasks[index].cell, self.context, self.run)?;
        Some(EnvironmentRequest { alone: self.is_alone.load(Ordering::SeqCst), ..request })
    }

    /// Builds the environment of the tasks in `group`. `None` if these are finished with that.
    pub(super) fn open(&self, group: &[usize]) -> Option<OpenEnvironment<'_>> {
        let records: Vec<Record> = group
            .iter()
            .map(|index| self.blank(&self.tasks[*index], CellOutcome::Tested))
            .collect();
        let first = &self.tasks[*group.first()?];
        let cell = first.cell.id.to_string();
        let request = self.request(group[0])?;
        if let Some(why) = self.index_is_down.get() {
            for (index, record) in group.iter().zip(records) {
                self.not_measured(*index, record, why);
            }
            return None;
        }
        let source = first.cell.is_built_from_source();
        let source = source.then(|| format!("{} {}", self.plan.dependency, first.cell.id.version));
        self.report(&Event::BuildStarted { cell: cell.clone(), source });
        let (begun, started) = (Instant::now(), SystemTime::now());
        let built = self.build(&cell, &request, group[0]);
        let elapsed = begun.elapsed();
        let seconds = rounded(elapsed.as_secs_f64());
        let built = match built {
            Ok(built) => built,
            Err(BackendError::Interrupted) => return None,
            Err(error) => {
                self.report(&Event::BuildFinished { cell, ok: false, reason: None, seconds });
                let why = chain(&error);
                for (index, record) in group.iter().zip(records) {
                    self.not_measured(*index, record, &why);
                }
                return None;
            }
        };
        let facts = match self.facts(&built, started, elapsed) {
            Ok(facts) => facts,
            Err(error) => {
                self.give_up(error);
                if let Ok(environment) = built.environment {
                    self.release(environment);
                }
                return None;
            }
        };
        let reason = facts.build.reason;
        self.report(&Event::BuildFinished { cell, ok: reason.is_none(), reason, seconds });
        let records = (0..).zip(records).map(|(number, mut record): (usize, Record)| {
            let mut build = facts.build.clone();
            if number > 0 {
                // It was built for the first of these cells.
                (build.reused, build.nanoseconds) = (true, 0);
            }
            record.build = Some(build);
            record.environment.tools.clone_from(&facts.tools);
            record.environment.without_upload_time.clone_from(&facts.without_upload_time);
            record.environment.overlays.clone_from(&facts.overlays);
            record
        });
        let environment = match built.environment {
            Ok(environment) => environment,
            Err(reason) => {
                for (index, record) in group.iter().zip(records) {
                    self.not_built(*index, record, reason);
                }
                return None;
            }
        };
        let cells: Vec<OpenCell<'_>> = group
            .iter()
            .zip(records)
            .map(|(index, record)| self.open_cell(*index, record, &*environment))
            .collect();
        Some(OpenEnvironment {
            environment: RwLock::new(Some(environment)),
            unfinished: AtomicUsize::new(cells.len()),
            changed: AtomicBool::new(false),
            cells,
        })
    }

    fn build(
        &self,
        cell: &str,
        request: &EnvironmentRequest<'_>,
        index: usize,
    ) -> Result<Built<'a>, BackendError> {
        let Self { context, .. } = self;
        let task = &self.tasks[index];
        let setup = self.plan.setup_of(task.cell);
        let built = self.retry(
            cell,
            || {
                let _gate = self.gate.build();
                let key = &task.identity.environment;
                let mut built = context.backend.build(request, &task.recipe, key)?;
                if let Err(reason) = &mut built.environment {
                    let log = String::from_utf8_lossy(&built.log);
                    *reason =
                        reason.with_requirements(&log, &setup.requirements, &setup.constraints);
                    if let Some(package) = &setup.project {
                        *reason = reason.with_project(&log, &package.name);
                    }
                }
                self.only_allowed_files(request, built)
            },
            |built| {
                let reason = built.environment.as_ref().err().filter(|reason| reason.is_spurious());
                reason.map(|reason| Discarded {
                    reason: format!("the build failed: {reason}"),
                    retries: u32::MAX,
                })
            },
        );
        let may_be_the_index = match &built {
            Ok(built) => matches!(built.environment, Err(BuildReason::Network)),
            Err(error) => matches!(error, BackendError::File(_) | BackendError::Index { .. }),
        };
        if may_be_the_index {
            self.look_at_index();
        }
        built
    }

    /// Turns an environment with a file that requirements files do not allow into a build that failed. On every backend
    /// alike: pip checks hashes only where all packages have some.
    fn only_allowed_files(
        &self,
        request: &EnvironmentRequest<'_>,
        built: Built<'a>,
    ) -> Result<Built<'a>, BackendError> {
        let Built { environment, mut log, .. } = built;
        let environment = match environment {
            // A lock names its files by their digests.
            Ok(environment)
                if !request.setup.allowed_files.is_empty() && request.setup.lock.is_none() =>
            {
                let installed = self.installed(request.cell, &*environment);
                let refused =
                    not_allowed(&request.setup.allowed_files, &installed, request.interpreter);
                if refused.is_empty() {
                    Ok(environment)
                } else {
                    environment.release()?;
                    for one in refused {
                        log.extend_from_slice(format!("error: {one}\n").as_bytes());
                    }
                    Err(BuildReason::ExcludedByRequirements)
                }
            }
            other => other,
        };
        Ok(Built { environment, log, ..built })
    }

    /// Asks, after a failure that may be its own, whether the index still answers. If it does not, no
    /// further environment can be built.
    fn look_at_index(&self) {
        if self.index_is_down.get().is_some() {
            return;
        }
        if let Err(error) = self.context.files.check(&self.plan.dependency) {
            let why = format!("the package index does not answer: {}", chain(&error));
            if self.index_is_down.set(why.clone()).is_ok() {
                let message =
                    format!("{why}; what is left is not measured, and the next run goes on there");
                self.report(&Event::Warning { message });
            }
        }
    }

    fn facts(
        &self,
        built: &Built<'_>,
        started: SystemTime,
        elapsed: Duration,
    ) -> Result<BuildFacts, StoreError> {
        let log = match built.log.as_slice() {
            [] => None,
            log => Some(self.context.store.save_blob(log)?),
        };
        let reason = built.environment.as_ref().err().copied();
        let mut build = BuildRecord::new(reason, nanoseconds(elapsed));
        (build.reused, build.log, build.started) = (built.reused, log, Some(started.into()));
        let (tools, without_upload_time) = (built.tools.clone(), built.without_upload_time.clone());
        let overlays = built.overlays.iter().map(|laid| self.recorded_overlay(laid));
        let overlays = overlays.collect::<Result<_, _>>()?;
        Ok(BuildFacts { build, tools, without_upload_time, overlays })
    }

    /// What is recorded of an overlay. Its diff is kept beside the record.
    fn recorded_overlay(&self, laid: &LaidOverlay) -> Result<RecordedOverlay, StoreError> {
        let LaidOverlay { package, version, folder, files, diff, is_diff_cut } = laid.clone();
        let diff = match diff.as_str() {
            "" => None,
            diff => Some(self.context.store.save_blob(diff.as_bytes())?),
        };
        Ok(RecordedOverlay { package, version, folder, files, diff, is_diff_cut })
    }

    /// Keeps the record of a cell whose environment could not be built.
    fn not_built(&self, index: usize, mut record: Record, reason: BuildReason) {
        if reason.is_spurious() {
            self.not_measured(index, record, &format!("the build failed: {reason}"));
        } else {
            record.outcome = CellOutcome::BuildFailed;
            record.finished = SystemTime::now().into();
            self.keep(index, record);
        }
    }

    /// Runs a test once. After the last run of a cell its record is kept, and after the last of all cells
    /// the environment is released: then this returns `true`.
    pub(super) fn run_test(&self, open: &OpenEnvironment<'_>, which: Which) -> bool {
        let cell = &open.cells[which.cell];
        if !self.make_run(cell, which.run, &|request| open.run(request)) {
            if cell.is_to_be_saved() {
                // What a changed environment gave is not to be found by a later run.
                self.look_for_changes(open, cell);
                if !open.changed.load(Ordering::SeqCst) {
                    self.save_meanwhile(cell);
                }
            }
            return false;
        }
        self.look_for_changes(open, cell);
        // The environment goes first: when the last record can be seen, nothing is left behind.
        let last = self.cell_ended(open);
        if open.changed.load(Ordering::SeqCst) {
            self.measure_alone(cell);
        } else {
            self.finish(cell);
        }
        last
    }

    /// Finds out, at the end of a cell, whether a test has changed the environment that it shares with
    /// others. If it is intact now, it was so during all runs of this cell.
    fn look_for_changes(&self, open: &OpenEnvironment<'_>, cell: &OpenCell<'_>) {
        let environment = open.environment.read().unwrap_or_else(PoisonError::into_inner);
        let several = open.cells.len() > 1;
        let Some(looked) = environment.as_ref() else { return };
        if !several && !looked.is_shared() {
            return;
        }
        let changed = looked.changed();
        drop(environment);
        let Some(first) = changed.first() else { return };
        if !open.changed.swap(true, Ordering::SeqCst) {
            let (id, more) = (cell.id(), changed.len() - 1);
            let more = if more > 0 { format!(" and {more} more files") } else { String::new() };
            let message = if several {
                format!(
                    "a test changed the environment that {id} shares with other cells (`{first}`{more}): those \
                     that it may have affected are measured again, each in an environment of its own"
                )
            } else {
                format!(
                    "a test changed the environment of {id} (`{first}`{more}): the cell is measured again, in an \
                     environment of its own"
                )
            };
            self.report(&Event::Warning { message });
        }
    }

    /// Notes that one of the cells has ended, and releases the environment after the last. Returns
    /// whether it was the last.
    fn cell_ended(&self, open: &OpenEnvironment<'_>) -> bool {
        let last = open.unfinished.fetch_sub(1, Ordering::SeqCst) == 1;
        if last {
            let environment =
                open.environment.write().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(environment) = environment {
                self.release(environment);
            }
        }
        last
    }

    fn release(&self, environment: Box<dyn Environment + '_>) {
        if let Err(error) = environment.release() {
            let message = format!("something was left behind: {}", chain(&error));
            self.report(&Event::Warning { message });
        }
    }
}
