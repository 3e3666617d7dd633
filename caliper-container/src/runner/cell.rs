//! One cell: build, import, test, finish.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use caliper_core::facts::event::Event;
use caliper_core::facts::record::{
    BuildRecord, CellOutcome, Record, RecordedFile, RecordedLimits, RecordedResult, Run, TestEnd,
    TestOutcome, TestRecord,
};
use caliper_core::facts::store::{Output, StoreError};
use caliper_core::names::Sha256;
use caliper_core::question::grid::Choice;
use caliper_core::question::plan::Test;
use rayon::Scope;

use super::retry::Discarded;
use super::{CellAction, Running, Task, chain, request, rounded, wanted};
use crate::backend::{BackendError, CellRequest, Environment, TestRun};
use crate::capture::Captured;
use crate::results::ResultFile;

/// A cell whose environment was built and whose tests are running.
struct Open<'a> {
    index: usize,
    order: CellRequest<'a>,
    environment: Environment,
    runs: Vec<PlannedRun>,
    /// What need not be run again.
    earlier: Vec<TestRecord>,
    /// How many of `runs` have not ended.
    pending: AtomicUsize,
    record: Mutex<Progress>,
}

/// A run of a test that is to be made.
struct PlannedRun {
    test: Test,
    /// Which of its repeats, from 1.
    attempt: u32,
    /// See [`TestRecord::key`].
    key: Option<Sha256>,
}

struct Progress {
    record: Record,
    /// One place for each of `runs`, so that their order in the record does not depend on time.
    ended: Vec<Option<Run>>,
    /// Why the cell is not measured.
    not_measured: Option<NotMeasured>,
}

/// [`Record::reason`] of a cell that was interrupted.
const PARTIAL: &str = "interrupted: some runs are missing, and the next run makes them";

enum NotMeasured {
    Infrastructure(String),
    Interrupted,
}

impl<'a> Running<'a> {
    /// Opens cells until one has tests left to run. The last of these tests calls this again.
    pub(super) fn open_cells<'s>(&'s self, scope: &Scope<'s>)
    where
        'a: 's,
    {
        while !self.is_over() {
            let index = self.next.fetch_add(1, Ordering::SeqCst);
            let Some(task) = self.tasks.get(index) else { return };
            match &task.action {
                CellAction::ToMeasure => {}
                CellAction::NotMeasurable(reason) => {
                    self.not_measured(index, self.blank(task, CellOutcome::NotMeasured), reason);
                    continue;
                }
                CellAction::Recorded(_) | CellAction::Unavailable => continue,
            }
            let Some(open) = self.build(index, task) else { continue };
            // The import goes first: what it compiles the other tests need not compile again.
            if !open.runs.is_empty() {
                self.run_test(&open, 0);
            }
            if open.runs.len() <= 1 {
                self.finish(&open);
                continue;
            }
            let open = Arc::new(open);
            // The thread's own queue is last in, first out: begin with the last.
            for which in (1..open.runs.len()).rev() {
                let open = Arc::clone(&open);
                scope.spawn(move |scope| {
                    self.run_test(&open, which);
                    if open.pending.load(Ordering::SeqCst) == 0 && open.claim() {
                        self.finish(&open);
                        self.open_cells(scope);
                    }
                });
            }
            return;
        }
    }

    /// Builds the environment of a cell. `None` if the cell is finished with that.
    fn build<'s>(&'s self, index: usize, task: &'s Task<'a>) -> Option<Open<'s>> {
        let cell = task.cell.id.to_string();
        let mut record = self.blank(task, CellOutcome::Tested);
        let order = request(self.plan, task.cell, self.context, self.run)?;
        self.report(&Event::BuildStarted { cell: cell.clone() });
        let begun = Instant::now();
        let built = self.retry(
            &cell,
            || self.context.backend.build(&order, &task.recipe),
            |built| {
                let reason = built.environment.as_ref().err().filter(|reason| reason.is_spurious());
                reason.map(|reason| Discarded {
                    reason: format!("the build failed: {reason}"),
                    retries: u32::MAX,
                })
            },
        );
        let elapsed = begun.elapsed();
        let seconds = rounded(elapsed.as_secs_f64());
        let built = match built {
            Ok(built) => built,
            Err(BackendError::Interrupted) => return None,
            Err(error) => {
                self.report(&Event::BuildFinished { cell, ok: false, reason: None, seconds });
                self.not_measured(index, record, &chain(&error));
                return None;
            }
        };
        let reason = built.environment.as_ref().err().copied();
        let log = if built.log.is_empty() {
            Ok(None)
        } else {
            self.context.store.save_blob(&built.log).map(Some)
        };
        let log = match log {
            Ok(log) => log,
            Err(error) => {
                self.give_up(error);
                if let Ok(environment) = &built.environment {
                    self.remove(environment);
                }
                return None;
            }
        };
        self.report(&Event::BuildFinished { cell, ok: reason.is_none(), reason, seconds });
        let mut build = BuildRecord::new(reason, nanoseconds(elapsed));
        (build.reused, build.log) = (built.reused, log);
        record.build = Some(build);
        let environment = match built.environment {
            Ok(environment) => environment,
            Err(reason) if reason.is_spurious() => {
                self.not_measured(index, record, &format!("the build failed: {reason}"));
                return None;
            }
            Err(_) => {
                record.outcome = CellOutcome::BuildFailed;
                record.finished = SystemTime::now().into();
                self.keep(index, record);
                return None;
            }
        };
        record.environment.installed.clone_from(&environment.installed);
        // What was run in another environment is no repeat of what is run in this.
        let older = task
            .older
            .as_ref()
            .filter(|older| older.environment.installed == environment.installed);
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
        let tests = [order.setup.import(&environment.modules)].into_iter();
        let runs: Vec<PlannedRun> = tests
            .chain(order.setup.tests.iter().cloned())
            .flat_map(|test| {
                let had = older.map_or(0, |older| older.attempts(&test.name));
                let key = task.identity.test(&test.name);
                let attempts = had.saturating_add(1)..=wanted(&task.attempts, &test);
                attempts.map(move |attempt| PlannedRun { test: test.clone(), attempt, key })
            })
            .collect();
        Some(Open {
            index,
            order,
            environment,
            pending: AtomicUsize::new(runs.len()),
            record: Mutex::new(Progress {
                record,
                ended: vec![None; runs.len()],
                not_measured: None,
            }),
            earlier,
            runs,
        })
    }

    fn run_test(&self, open: &Open<'_>, which: usize) {
        let planned = &open.runs[which];
        let PlannedRun { test, attempt, .. } = planned;
        let not_measured = if self.is_over() {
            Some(NotMeasured::Interrupted)
        } else {
            let cell = open.order.cell.id.to_string();
            self.report(&Event::TestStarted {
                cell: cell.clone(),
                test: test.name.clone(),
                attempt: *attempt,
            });
            let order = CellRequest { project: &self.found[&test.name], ..open.order };
            let ran = self.retry(
                &format!("{cell} `{}`", test.name),
                || self.context.backend.run(&order, &open.environment, test),
                |run| {
                    let outcome = run.end.outcome();
                    let spurious = outcome.is_spurious();
                    spurious.then(|| Discarded { reason: outcome.to_string(), retries: 1 })
                },
            );
            match ran {
                Ok(ended) => match self.recorded(open, planned, &ended) {
                    Ok(run) => self.test_ended(open, which, cell, run),
                    Err(error) => {
                        self.give_up(error);
                        Some(NotMeasured::Interrupted)
                    }
                },
                Err(BackendError::Interrupted) => Some(NotMeasured::Interrupted),
                Err(error) => {
                    let reason = chain(&error);
                    let mut run = Run::new(*attempt, TestOutcome::NotMeasured);
                    run.reason = Some(reason.clone());
                    self.test_ended(open, which, cell, run);
                    Some(NotMeasured::Infrastructure(format!("`{}`: {reason}", test.name)))
                }
            }
        };
        if let Some(not_measured) = not_measured {
            open.progress().not_measured.get_or_insert(not_measured);
        }
        open.pending.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes a run that ended, and says whether its cell is measured all the same.
    fn test_ended(
        &self,
        open: &Open<'_>,
        which: usize,
        cell: String,
        run: Run,
    ) -> Option<NotMeasured> {
        let test = &open.runs[which].test.name;
        self.report(&Event::TestFinished {
            cell,
            test: test.clone(),
            attempt: run.attempt,
            outcome: run.outcome,
            seconds: rounded(run.seconds()),
        });
        let not_measured = run.outcome.is_spurious().then(|| {
            let why = run.reason.clone().unwrap_or_else(|| run.outcome.to_string());
            NotMeasured::Infrastructure(format!("`{test}`: {why}"))
        });
        open.progress().ended[which] = Some(run);
        not_measured
    }

    fn recorded(&self, open: &Open<'_>, of: &PlannedRun, ran: &TestRun) -> Result<Run, StoreError> {
        let keep = |captured: &Captured| {
            Output::keep(&captured.bytes, captured.dropped, self.context.store)
        };
        let (output, error) = (keep(&ran.output)?, keep(&ran.error)?);
        let mut run = Run::new(of.attempt, ran.end.outcome());
        for ResultFile { path, size, sha256, content } in &ran.files {
            let content = content.as_ref().map(|content| self.context.store.save_blob(content));
            run.files.push(RecordedResult {
                path: path.clone(),
                size: *size,
                sha256: *sha256,
                content: content.transpose()?,
            });
        }
        run.batch = Some(self.run.to_string());
        run.reason = reason(&of.test, &ran.end, open.order.setup.limits.timeout);
        (run.retval, run.signal) = (ran.end.status(), ran.end.signal());
        run.nanoseconds = nanoseconds(Duration::try_from_secs_f64(ran.seconds).unwrap_or_default());
        run.peak_memory = ran.peak_memory;
        run.limits = Some(RecordedLimits {
            asked: open.order.setup.limits.clone(),
            granted: ran.granted.limits.clone(),
            by: ran.granted.by.clone(),
        });
        (run.output, run.output_blob) = (output.text, output.blob);
        (run.error, run.error_blob) = (error.text, error.blob);
        (run.output_digest, run.error_digest) = (ran.output.digest, ran.error.digest);
        run.truncated = ran.output.dropped + ran.error.dropped > 0;
        Ok(run)
    }

    /// Removes the environment, then keeps the record.
    fn finish(&self, open: &Open<'_>) {
        self.remove(&open.environment);
        let mut progress = open.progress();
        let ended = std::mem::take(&mut progress.ended);
        let mut record = progress.record.clone();
        let mut ran: Vec<(&PlannedRun, Run)> = Vec::new();
        ran.extend(open.runs.iter().zip(ended).filter_map(|(of, run)| Some((of, run?))));
        // Earlier attempts of each test in front of its later ones, in the order of the plan.
        for (name, _) in &self.tasks[open.index].identity.tests {
            record.tests.extend(open.earlier.iter().filter(|test| test.name == *name).cloned());
            for (of, run) in ran.extract_if(.., |(of, _)| of.test.name == *name) {
                let mut test = TestRecord::new(name, &of.test.command);
                test.key = of.key;
                record.add_run(&test, run);
            }
        }
        match progress.not_measured.take() {
            Some(NotMeasured::Interrupted) => self.keep_partial(open, record),
            Some(NotMeasured::Infrastructure(reason)) => {
                self.not_measured(open.index, record, &reason);
            }
            None => {
                record.finished = SystemTime::now().into();
                self.keep(open.index, record);
            }
        }
    }

    /// Saves the finished runs of a cell that was interrupted, so that the next run makes only the
    /// rest. The cell is not reported: a reader of events or of the outcome never sees it as measured.
    fn keep_partial(&self, open: &Open<'_>, mut record: Record) {
        for test in &mut record.tests {
            test.runs.retain(|run| !run.outcome.is_spurious());
            // Runs of one test go side by side, so that the ones that were cut off may have any number.
            for (number, run) in (1..).zip(&mut test.runs) {
                run.attempt = number;
            }
        }
        record.tests.retain(|test| !test.runs.is_empty());
        record.reason = Some(PARTIAL.to_owned());
        record.finished = SystemTime::now().into();
        let identity = &self.tasks[open.index].identity;
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

    fn remove(&self, environment: &Environment) {
        if let Err(error) = self.context.backend.remove(environment) {
            let message = format!("something was left behind: {}", chain(&error));
            self.report(&Event::Warning { message });
        }
    }

    fn not_measured(&self, index: usize, mut record: Record, reason: &str) {
        record.outcome = CellOutcome::NotMeasured;
        record.reason = Some(reason.to_owned());
        record.finished = SystemTime::now().into();
        self.keep(index, record);
    }

    fn give_up(&self, error: StoreError) {
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
        (record.abi, record.missing) = (abi, missing);
        let environment = &mut record.environment;
        environment.key = Some(task.identity.environment);
        environment.as_of = self.plan.setup_of(task.cell).as_of;
        environment.index.clone_from(&self.plan.index);
        environment.base.clone_from(&task.recipe.base);
        environment.dockerfile.clone_from(&task.recipe.dockerfile);
        environment.interpreter = file.and_then(|_| self.plan.interpreter(id.python)).cloned();
        environment.file = file.map(|file| RecordedFile {
            filename: file.filename.clone(),
            url: file.url.clone(),
            sha256: file.sha256,
            kind: file.kind,
        });
        record
    }
}

impl Open<'_> {
    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is the first to see that all tests have ended. Exactly one thread is, and
    /// that thread finishes the cell.
    fn claim(&self) -> bool {
        const CLAIMED: usize = usize::MAX;
        self.pending.compare_exchange(0, CLAIMED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// A duration as records hold it.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What the outcome and the exit status leave unsaid.
fn reason(test: &Test, end: &TestEnd, timeout: Duration) -> Option<String> {
    match end {
        TestEnd::Exited(_) => None,
        TestEnd::Signalled(9) => Some(
            "SIGKILL that neither Caliper nor a limit sent: is the machine out of memory?"
                .to_owned(),
        ),
        TestEnd::Signalled(signal) => Some(format!("signal {signal}")),
        TestEnd::TimedOut => {
            Some(format!("longer than {} s", test.timeout.unwrap_or(timeout).as_secs_f64()))
        }
        TestEnd::Idle => {
            Some("neither printed nor computed for longer than `limits.idle`".to_owned())
        }
        TestEnd::OutOfMemory { .. } => Some("more memory than its limit".to_owned()),
        TestEnd::NotRun { reason } => Some(reason.clone()),
    }
}
