//! One cell: its tests are run, and its record is kept.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use caliper_core::facts::event::Event;
use caliper_core::facts::functions::{self, Exited, Functions, ReportError};
use caliper_core::facts::record::{
    BlobRef, CellOutcome, Installed, Record, RecordedFile, RecordedFunctions, RecordedLimits,
    RecordedProject, RecordedResult, Run, TestEnd, TestOutcome, TestRecord,
};
use caliper_core::facts::store::{Output, StoreError};
use caliper_core::names::{PackageName, Sha256};
use caliper_core::question::grid::{CellId, Choice};
use caliper_core::question::limits::Limits;
use caliper_core::question::plan::{PlannedCell, Test, TestKind};

use super::retry::Discarded;
use super::task::missing;
use super::{Running, Task, chain, rounded};
use crate::backend::{BackendError, Environment, RunRequest, TestRun};
use crate::capture::Captured;
use crate::results::ResultFile;

/// A cell whose environment was built and whose tests are running.
pub(super) struct OpenCell<'a> {
    index: usize,
    task: &'a Task<'a>,
    pub(super) runs: Vec<PlannedRun>,
    /// What need not be run again.
    earlier: Vec<TestRecord>,
    /// How many of `runs` have not ended.
    pending: AtomicUsize,
    record: Mutex<Progress>,
}

/// A run of a test that is to be made.
pub(super) struct PlannedRun {
    pub(super) test: Test,
    /// Which of its runs, from 1.
    attempt: u32,
    /// See [`TestRecord::key`].
    key: Option<Sha256>,
    /// The limits of the cell with the test's own limit on time.
    limits: Limits,
}

impl PlannedRun {
    /// Its random seed, if it gets one.
    fn seed(&self) -> Option<u64> {
        self.test.seeds.as_ref().and_then(|seeds| seeds.of(self.attempt))
    }
}

struct Progress {
    record: Record,
    /// One place for each of `runs`, so that their order in the record does not depend on time.
    ended: Vec<Option<Run>>,
    /// Why the cell is not measured.
    not_measured: Option<NotMeasured>,
    /// When what had ended was last saved, and how long it is not saved again.
    saved: Instant,
    pause: Duration,
}

enum NotMeasured {
    Infrastructure(String),
    Interrupted,
}

/// How often the runs of a cell are saved that have ended while others go on.
const SAVED_EVERY: Duration = Duration::from_secs(1);

impl Running<'_> {
    /// Lists the runs that a cell lacks, in an environment that was just built.
    pub(super) fn open_cell(
        &self,
        index: usize,
        mut record: Record,
        environment: &dyn Environment,
    ) -> OpenCell<'_> {
        let task = &self.tasks[index];
        let setup = self.plan.setup_of(task.cell);
        record.environment.installed = self.installed(task.cell, environment);
        // What was run in another environment is no repeat of what is run in this.
        let older = task.older.as_ref().filter(|older| {
            same_content(&older.environment.installed, &record.environment.installed)
        });
        let mut earlier = older.map(|older| older.tests.clone()).unwrap_or_default();
        if let Some(older) = older {
            if older.key == record.key {
                record.started = older.started;
            } else {
                for run in earlier.iter_mut().flat_map(|test| &mut test.runs) {
                    run.reused = true;
                }
            }
        }
        let tests = setup.import_test(environment.imports()).into_iter();
        let runs: Vec<PlannedRun> = tests
            .chain(setup.tests.iter().cloned())
            .flat_map(|test| {
                let attempts = missing(older, &task.attempts, &test);
                let key = task.identity.test(&test.name);
                let timeout = test.timeout.unwrap_or(setup.limits.timeout);
                let mut limits = Limits { timeout, ..setup.limits.clone() };
                if test.name == Test::IMPORT {
                    // What it prints last must not be lost.
                    limits.output = limits.output.max(LEAST_OF_IMPORT);
                }
                attempts.into_iter().map(move |attempt| PlannedRun {
                    test: test.clone(),
                    attempt,
                    key,
                    limits: limits.clone(),
                })
            })
            .collect();
        OpenCell {
            index,
            task,
            pending: AtomicUsize::new(runs.len()),
            record: Mutex::new(Progress {
                record,
                ended: vec![None; runs.len()],
                not_measured: None,
                saved: Instant::now(),
                pause: SAVED_EVERY,
            }),
            earlier,
            runs,
        }
    }

    /// Makes one of the runs of a cell by calling `run`. Returns whether it was the last of them.
    pub(super) fn make_run(
        &self,
        cell: &OpenCell<'_>,
        which: usize,
        run: &dyn Fn(&RunRequest<'_>) -> Result<TestRun, BackendError>,
    ) -> bool {
        let planned = &cell.runs[which];
        let not_measured = if self.is_over() {
            Some(NotMeasured::Interrupted)
        } else {
            let id = &cell.task.cell.id;
            let name = &planned.test.name;
            self.report(&Event::TestStarted {
                cell: id.to_string(),
                test: name.clone(),
                attempt: planned.attempt,
            });
            let test = planned.test.for_run(planned.attempt);
            let meanwhile = |file: &ResultFile| self.take_up(cell, planned, file);
            let request = RunRequest {
                cell: id,
                test: &test,
                project: &self.found[name],
                limits: &planned.limits,
                results: &self.plan.setup_of(cell.task.cell).results,
                // What is timed alone is not to be disturbed.
                meanwhile: (!self.gate.is_exclusive()).then_some(&meanwhile),
                interrupt: self.context.interrupt,
            };
            // Of the last attempt, as the time that it took.
            let mut started = SystemTime::now();
            let ran = self.retry(
                &format!("{id} `{name}`"),
                || {
                    let _gate = self.gate.test();
                    started = SystemTime::now();
                    run(&request)
                },
                |run| {
                    let outcome = run.end.outcome();
                    let spurious = outcome.is_spurious();
                    spurious.then(|| Discarded { reason: outcome.to_string(), retries: 1 })
                },
            );
            match ran {
                Ok(mut ended) => match self.recorded(cell, planned, &mut ended) {
                    Ok(mut run) => {
                        run.started = Some(started.into());
                        self.test_ended(cell, which, run)
                    }
                    Err(error) => {
                        self.give_up(error);
                        Some(NotMeasured::Interrupted)
                    }
                },
                Err(BackendError::Interrupted) => Some(NotMeasured::Interrupted),
                Err(error) => {
                    let reason = chain(&error);
                    let mut run = Run::new(planned.attempt, TestOutcome::NotMeasured);
                    run.reason = Some(reason.clone());
                    self.test_ended(cell, which, run);
                    Some(NotMeasured::Infrastructure(format!("`{name}`: {reason}")))
                }
            }
        };
        if let Some(not_measured) = not_measured {
            cell.progress().not_measured.get_or_insert(not_measured);
        }
        cell.pending.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// Takes a run that ended, and says why its cell is not measured, if it is not.
    fn test_ended(&self, cell: &OpenCell<'_>, which: usize, mut run: Run) -> Option<NotMeasured> {
        run.seed = cell.runs[which].seed();
        let test = &cell.runs[which].test.name;
        self.report(&Event::TestFinished {
            cell: cell.task.cell.id.to_string(),
            test: test.clone(),
            attempt: run.attempt,
            outcome: run.outcome,
            seconds: rounded(run.seconds()),
        });
        let not_measured = run.outcome.is_spurious().then(|| {
            let why = run.reason.clone().unwrap_or_else(|| run.outcome.to_string());
            NotMeasured::Infrastructure(format!("`{test}`: {why}"))
        });
        cell.progress().ended[which] = Some(run);
        not_measured
    }

    fn recorded(
        &self,
        cell: &OpenCell<'_>,
        of: &PlannedRun,
        ran: &mut TestRun,
    ) -> Result<Run, StoreError> {
        let cut_short = of.test.name == Test::IMPORT
            && !take_line(&mut ran.output.bytes, Test::IMPORTED)
            && ran.end.outcome() == TestOutcome::Passed;
        let keep = |captured: &Captured| {
            Output::keep(&captured.bytes, captured.dropped, self.context.store)
        };
        let (output, error) = (keep(&ran.output)?, keep(&ran.error)?);
        let mut run = Run::new(of.attempt, ran.end.outcome());
        for file in &ran.files {
            run.files.push(RecordedResult {
                path: file.path.clone(),
                size: file.size,
                sha256: file.sha256,
                content: self.kept(file)?,
            });
        }
        run.batch = Some(self.batch.clone());
        run.reason = reason(&ran.end, of.limits.timeout);
        if cut_short {
            run.outcome = TestOutcome::Failed;
            run.reason = Some("the process ended before everything was imported".to_owned());
        }
        (run.retval, run.signal) = (ran.end.status(), ran.end.signal());
        self.read_report(of.test.kind, ran, &mut run)?;
        run.nanoseconds = nanoseconds(ran.elapsed);
        run.cpu_nanoseconds = ran.cpu_time.map(nanoseconds);
        run.peak_memory = ran.peak_memory;
        run.limits = Some(Box::new(RecordedLimits {
            asked: self.plan.setup_of(cell.task.cell).limits.clone(),
            granted: ran.granted.limits.clone(),
            by: ran.granted.by.clone(),
        }));
        (run.output, run.output_blob) = (output.text, output.blob);
        (run.error, run.error_blob) = (error.text, error.blob);
        (run.output_digest, run.error_digest) = (ran.output.digest, ran.error.digest);
        run.truncated = ran.output.dropped + ran.error.dropped > 0;
        Ok(run)
    }

    /// Keeps what a result file holds, unless equal content is kept already.
    fn kept(&self, file: &ResultFile) -> Result<Option<BlobRef>, StoreError> {
        let Some(content) = &file.content else { return Ok(None) };
        let (store, blob) = (self.context.store, BlobRef(file.sha256));
        if store.has_blob(blob) {
            return Ok(Some(blob));
        }
        store.save_blob_from(&mut content.open()).map(Some)
    }

    /// Keeps a result file of a test that goes on, and tells it.
    fn take_up(&self, cell: &OpenCell<'_>, of: &PlannedRun, file: &ResultFile) {
        // What cannot be kept now is tried again at the end, and fails the run then.
        if self.kept(file).is_err() {
            return;
        }
        self.report(&Event::ResultTaken {
            cell: cell.task.cell.id.to_string(),
            test: of.test.name.clone(),
            attempt: of.attempt,
            path: file.path.clone(),
            size: file.size,
            sha256: file.sha256,
        });
    }

    /// Reads what a test says of its functions, and with that how it ended.
    fn read_report(
        &self,
        kind: TestKind,
        ran: &mut TestRun,
        run: &mut Run,
    ) -> Result<(), StoreError> {
        if kind.is_command() || matches!(ran.end, TestEnd::NotRun { .. }) {
            return Ok(());
        }
        let report = std::mem::replace(&mut ran.report, Err(ReportError::Missing));
        let report = report.and_then(|report| Functions::from_junit(&report));
        if let TestEnd::Exited(status) = ran.end {
            let (output, error) = (&*ran.output.bytes, &*ran.error.bytes);
            let exited = Exited { status, output, error };
            if let Some((outcome, why)) = functions::ended(kind, &exited, &report) {
                run.outcome = outcome;
                run.reason = Some(why);
            }
        }
        run.functions = Some(Box::new(match report {
            Ok(functions) => functions.keep(self.context.store)?,
            Err(problem) => {
                let problem = Some(problem.to_string());
                RecordedFunctions { problem, ..RecordedFunctions::default() }
            }
        }));
        Ok(())
    }

    /// Discards the runs of a cell, which is measured again in an environment that it shares with no other.
    pub(super) fn measure_alone(&self, cell: &OpenCell<'_>) {
        self.alone().push(cell.index);
    }

    /// Keeps the record of a cell whose runs have all ended.
    pub(super) fn finish(&self, cell: &OpenCell<'_>) {
        let mut progress = cell.progress();
        let ended = std::mem::take(&mut progress.ended);
        let mut record = cell.record(&progress.record, ended);
        match progress.not_measured.take() {
            Some(NotMeasured::Interrupted) => self.keep_partial(cell, record),
            Some(NotMeasured::Infrastructure(reason)) => {
                self.not_measured(cell.index, record, &reason);
            }
            None => {
                record.finished = SystemTime::now().into();
                self.keep(cell.index, record);
            }
        }
    }

    /// Saves the runs of a cell that have ended, while others go on: a process that is killed has lost what it
    /// measured since.
    pub(super) fn save_meanwhile(&self, cell: &OpenCell<'_>) {
        let mut progress = cell.progress();
        if progress.not_measured.is_some() {
            return;
        }
        let begun = Instant::now();
        let record = cell.record(&progress.record, progress.ended.clone());
        self.keep_partial(cell, record);
        progress.saved = Instant::now();
        progress.pause = SAVED_EVERY.max(10 * begun.elapsed());
    }

    /// Saves the finished runs of a cell that was interrupted, so that the next run makes only the
    /// rest. The cell is not reported: a reader of events or of the outcome never sees it as measured.
    fn keep_partial(&self, cell: &OpenCell<'_>, mut record: Record) {
        for test in &mut record.tests {
            test.runs.retain(|run| !run.outcome.is_spurious());
        }
        record.tests.retain(|test| !test.runs.is_empty());
        record.interrupted = true;
        record.finished = SystemTime::now().into();
        let identity = &cell.task.identity;
        let older = self.context.store.load(&record.id()).ok().flatten();
        // With `Rerun::All` the store may hold more valid runs than were made until the interrupt.
        let valid = |older| identity.part_of(older).map_or(0, |older| older.runs().count());
        if older.map_or(0, valid) >= record.runs().count() {
            return;
        }
        if let Err(error) = self.context.store.save(&record) {
            self.give_up(error);
        }
    }

    pub(super) fn not_measured(&self, index: usize, mut record: Record, reason: &str) {
        record.outcome = CellOutcome::NotMeasured;
        record.reason = Some(reason.to_owned());
        record.finished = SystemTime::now().into();
        self.keep(index, record);
    }

    pub(super) fn give_up(&self, error: StoreError) {
        self.done().failure.get_or_insert(error);
    }

    /// A record of a cell in which nothing has happened yet.
    pub(super) fn blank(&self, task: &Task<'_>, outcome: CellOutcome) -> Record {
        let id = &task.cell.id;
        let (file, abi, missing) = match &task.cell.choice {
            Choice::File { file, abi } => (Some(file), Some(abi.clone()), None),
            Choice::Missing(missing) => (None, None, Some(missing.clone())),
        };
        let backend = self.context.backend.name();
        let now = SystemTime::now().into();
        let mut record = Record::new(id, task.identity.cell, backend, outcome, now);
        (record.abi, record.missing, record.parts) = (abi, missing, task.parts);
        record.machine = self.context.backend.machine();
        let environment = &mut record.environment;
        environment.key = Some(task.identity.environment);
        let setup = self.plan.setup_of(task.cell);
        environment.as_of = setup.as_of;
        environment.lock = setup.lock.as_ref().map(|lock| lock.digest());
        environment.index.clone_from(&self.plan.index);
        environment.base.clone_from(&task.recipe.base);
        environment.dockerfile.clone_from(&task.recipe.dockerfile);
        environment.interpreter = file.and_then(|_| self.plan.interpreter(id.python)).cloned();
        environment.file = file.map(RecordedFile::from);
        // Where there is nothing to install, there is nothing to lift.
        if file.is_some() {
            let project = setup.project.as_ref();
            environment.project =
                project.and_then(|package| RecordedProject::of(package, id.python));
            environment.lifted.clone_from(&setup.lifted);
        }
        record
    }

    /// What is installed in the environment of a cell. Of the dependency and of the project it is known from which file.
    pub(super) fn installed(
        &self,
        cell: &PlannedCell,
        environment: &dyn Environment,
    ) -> Vec<Installed> {
        let setup = self.plan.setup_of(cell);
        let mut known = Vec::new();
        if let Some(package) = &setup.project {
            let wheel = package.wheel(cell.id.python).map(|wheel| &wheel.file);
            known.push((&package.name, wheel));
        }
        known.push((&self.plan.dependency, cell.file()));
        let mut installed = environment.installed().to_vec();
        for one in &mut installed {
            let Ok(name) = one.name.parse::<PackageName>() else { continue };
            if let Some((_, file)) = known.iter().find(|(of, _)| **of == name) {
                one.file = file.map(RecordedFile::from);
                one.of_image = false;
            }
        }
        installed
    }
}

impl OpenCell<'_> {
    pub(super) fn id(&self) -> &CellId {
        &self.task.cell.id
    }

    /// Whether runs have ended that should be saved before the others end.
    pub(super) fn is_to_be_saved(&self) -> bool {
        let progress = self.progress();
        progress.saved.elapsed() >= progress.pause
    }

    /// The record of the cell with the runs that have ended: of each test in order, in the order of the plan.
    fn record(&self, begun: &Record, ended: Vec<Option<Run>>) -> Record {
        let mut record = begun.clone();
        let mut ran: Vec<(&PlannedRun, Run)> = Vec::new();
        ran.extend(self.runs.iter().zip(ended).filter_map(|(of, run)| Some((of, run?))));
        for (name, _) in &self.task.identity.tests {
            record.tests.extend(self.earlier.iter().filter(|test| test.name == *name).cloned());
            for (of, run) in ran.extract_if(.., |(of, _)| of.test.name == *name) {
                let mut test = TestRecord::new(name, &of.test.command);
                (test.key, test.kind) = (of.key, of.test.kind);
                record.add_run(&test, run);
            }
        }
        for test in &mut record.tests {
            test.runs.sort_by_key(|run| run.attempt);
        }
        record
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two environments hold the same distributions.
fn same_content(one: &[Installed], other: &[Installed]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_same(other))
}

/// How many bytes of the import's output are kept at least.
const LEAST_OF_IMPORT: u64 = 4096;

/// Takes the last `line` out of an output. Returns whether it was there.
fn take_line(output: &mut Vec<u8>, line: &str) -> bool {
    let found = output.windows(line.len()).rposition(|part| part == line.as_bytes());
    let Some(at) = found else { return false };
    output.drain(at..at + line.len());
    true
}

/// A duration as records hold it.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What the outcome and the exit status leave unsaid.
fn reason(end: &TestEnd, timeout: Duration) -> Option<String> {
    match end {
        TestEnd::Exited(_) => None,
        TestEnd::Signalled(9) => Some(
            "SIGKILL that neither Caliper nor a limit sent: is the machine out of memory?"
                .to_owned(),
        ),
        TestEnd::Signalled(signal) => Some(format!("signal {signal}")),
        TestEnd::TimedOut => Some(format!("longer than {} s", timeout.as_secs_f64())),
        TestEnd::Idle => {
            Some("neither printed nor computed for longer than `limits.idle`".to_owned())
        }
        TestEnd::OutOfMemory { .. } => Some("more memory than its limit".to_owned()),
        TestEnd::ResultsOverLimit { reason } | TestEnd::NotRun { reason } => Some(reason.clone()),
    }
}
