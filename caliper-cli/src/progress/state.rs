//! What is known of a run from its events.

mod rest;

use std::collections::BTreeMap;
use std::time::Duration;

use caliper_core::facts::event::{Event, Phase, RoundPurpose};
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::names::Bytes;

use super::estimate::Steady;
use rest::Rest;

/// What is known of a run. Moments are durations since it began, so that it needs no clock.
#[derive(Default)]
pub(super) struct State {
    phase: Option<(Phase, Duration)>,
    /// How many files are still to be removed.
    removing: Option<u64>,
    /// Whether cells are being measured.
    is_measuring: bool,
    planned: usize,
    /// Whether it is known how many cells are still to be measured. A search decides step by step.
    is_planned: bool,
    done: usize,
    /// How each cell ended last: a cell may be measured again.
    ended: BTreeMap<String, Ended>,
    running: Vec<Running>,
    rest: Rest,
    steady: Steady,
}

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Excluded,
    Passed,
    Failed,
    NotMeasured,
}

/// From when on a phase is shown while cells are measured.
const LONG_ENOUGH: Duration = Duration::from_millis(500);

impl Ended {
    /// How the cell of a record ended; `None` if there was nothing to install.
    pub(super) fn of(record: &Record) -> Option<Self> {
        Some(match record.outcome {
            CellOutcome::Unavailable => return None,
            CellOutcome::BuildFailed if record.is_excluded() => Self::Excluded,
            CellOutcome::NotMeasured => Self::NotMeasured,
            _ if record.passed() => Self::Passed,
            _ => Self::Failed,
        })
    }
}

/// What is going on.
#[derive(Debug, Clone, PartialEq)]
enum Doing {
    /// A file comes: its bytes, and how many it has.
    Fetch(u64, Option<u64>),
    /// An environment is made.
    Build { from_source: bool },
    /// A test runs: its name, and which of its repeats this is.
    Test(String, u32),
}

struct Running {
    /// The cell, or the name of the file.
    of: String,
    doing: Doing,
    since: Duration,
}

/// What is to be shown of a run at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct View {
    /// How many cells are done, and of how many if that is known; `None` if no cells are measured.
    pub(super) cells: Option<(usize, Option<usize>)>,
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) not_measured: usize,
    /// What goes on, the oldest first.
    pub(super) now: Vec<Now>,
    pub(super) elapsed: Duration,
    /// How many seconds are left.
    pub(super) left: Option<f64>,
}

/// Something that goes on.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Now {
    pub(super) what: String,
    /// What follows, and stays where the rest is cut.
    pub(super) detail: String,
    pub(super) age: Duration,
}

impl State {
    /// Takes what happened at this moment.
    pub(super) fn take(&mut self, event: &Event, now: Duration) {
        match event {
            Event::PhaseStarted { phase } => self.phase = Some((*phase, now)),
            Event::PhaseFinished { .. } => (self.phase, self.removing) = (None, None),
            Event::Removing { files } => self.removing = Some(*files),
            Event::RunStarted { jobs, .. } => {
                self.is_measuring = true;
                self.rest.jobs = *jobs;
            }
            Event::RoundStarted { purpose, to_measure, .. } => {
                self.is_planned =
                    !matches!(purpose, RoundPurpose::Search { .. } | RoundPurpose::Pinned { .. });
                // These cells were measured before.
                if matches!(purpose, RoundPurpose::Confirm | RoundPurpose::Blind { .. }) {
                    (self.planned, self.done) = (0, 0);
                }
                self.planned += to_measure;
                self.running.clear();
                self.steady = Steady::default();
                self.rest.begin_round(event, now);
            }
            Event::DownloadProgress { file, bytes, of } => {
                self.begin(file, Doing::Fetch(*bytes, *of), now);
            }
            Event::DownloadFinished { file, .. } => {
                self.end(file, |doing| matches!(doing, Doing::Fetch(..)));
            }
            Event::BuildStarted { cell, source } => {
                self.begin(cell, Doing::Build { from_source: source.is_some() }, now);
            }
            Event::BuildFinished { cell, ok, seconds, .. } => {
                if let Some(Doing::Build { from_source }) =
                    self.end(cell, |doing| matches!(doing, Doing::Build { .. }))
                {
                    self.rest.built(from_source, *ok, *seconds);
                }
            }
            Event::TestStarted { cell, test, attempt } => {
                self.begin(cell, Doing::Test(test.clone(), *attempt), now);
            }
            Event::TestFinished { cell, test, attempt, seconds, .. } => {
                self.end(cell, |doing| *doing == Doing::Test(test.clone(), *attempt));
                self.rest.tested(cell, test, *seconds);
            }
            Event::CellFinished { record } => self.finished(record),
            Event::RunFinished { .. } => {
                self.is_measuring = false;
                self.running.clear();
            }
            _ => {}
        }
    }

    /// Takes what was recorded before, for the estimate.
    pub(super) fn remember(&mut self, records: &[Record]) {
        for record in records {
            self.rest.remember(record);
        }
    }

    fn begin(&mut self, of: &str, doing: Doing, since: Duration) {
        let same = |one: &&mut Running| match (&one.doing, &doing) {
            (Doing::Fetch(..), Doing::Fetch(..)) => one.of == of,
            (known, doing) => one.of == of && known == doing,
        };
        match self.running.iter_mut().find(same) {
            Some(known) => known.doing = doing,
            None => self.running.push(Running { of: of.to_owned(), doing, since }),
        }
    }

    fn end(&mut self, of: &str, is_it: impl Fn(&Doing) -> bool) -> Option<Doing> {
        let place = self.running.iter().position(|one| one.of == of && is_it(&one.doing))?;
        Some(self.running.remove(place).doing)
    }

    fn finished(&mut self, record: &Record) {
        let cell = record.id().to_string();
        self.running.retain(|one| one.of != cell);
        let Some(ended) = Ended::of(record) else { return };
        self.rest.cell_ended(&cell);
        self.ended.insert(cell, ended);
        self.done += 1;
    }

    /// How many cells are done, and of how many.
    pub(super) fn cells(&self) -> (usize, usize) {
        (self.done, self.planned)
    }

    /// The phase that goes on, and since when.
    pub(super) fn phase(&self) -> Option<(Phase, Duration)> {
        self.phase
    }

    /// What is to be shown now; `None` if nothing goes on.
    pub(super) fn view(&mut self, now: Duration) -> Option<View> {
        // Between the rounds of a search there are short ones, which would only flicker.
        let is_short = |since| self.is_measuring && now.saturating_sub(since) < LONG_ENOUGH;
        if let Some((phase, since)) = self.phase.filter(|(_, since)| !is_short(*since)) {
            let files = self.removing.map(|files| format!(" ({files} files left)"));
            let age = now.saturating_sub(since);
            let doing = Now { what: phase.to_string(), detail: files.unwrap_or_default(), age };
            return Some(View { now: vec![doing], ..View::default() });
        }
        if !self.is_measuring {
            return None;
        }
        let count = |wanted| self.ended.values().filter(|one| **one == wanted).count();
        let work = self.rest.work(&self.running, self.planned, self.done, now);
        let left = work.filter(|_| self.is_planned && self.done < self.planned);
        let left = self.steady.follow(now.as_secs_f64(), left.and_then(|work| work.seconds_left()));
        Some(View {
            cells: Some((self.done, Some(self.planned).filter(|_| self.is_planned))),
            passed: count(Ended::Passed),
            failed: count(Ended::Failed),
            not_measured: count(Ended::NotMeasured),
            now: self.doing(now),
            elapsed: now,
            left,
        })
    }

    /// What goes on. A file that comes for a build is told in the place of the build.
    fn doing(&self, now: Duration) -> Vec<Now> {
        let is_build = |one: &&Running| matches!(one.doing, Doing::Build { .. });
        let is_fetch = |one: &&Running| matches!(one.doing, Doing::Fetch(..));
        let belongs = |build: &Running, file: &Running| {
            let version = format!("-{}", build.of.split('/').next().unwrap_or_default());
            let ends = ["-", ".tar", ".zip"];
            let mut after = file.of.match_indices(&version).map(|(at, _)| at + version.len());
            after.any(|at| ends.iter().any(|end| file.of[at..].starts_with(end)))
        };
        let told = self.running.iter().filter_map(|one| {
            let files = self.running.iter().filter(is_fetch);
            let mut of_build = files.filter(|file| belongs(one, file));
            if is_build(&one)
                && let Some(file) = of_build.next()
            {
                return Some(Now { age: now.saturating_sub(one.since), ..file.told() });
            }
            let mut builds = self.running.iter().filter(is_build);
            if is_fetch(&one) && builds.any(|build| belongs(build, one)) {
                return None;
            }
            Some(Now { age: now.saturating_sub(one.since), ..one.told() })
        });
        told.collect()
    }
}

impl Running {
    fn told(&self) -> Now {
        let of = &self.of;
        let (what, detail) = match &self.doing {
            Doing::Fetch(bytes, all) => {
                (format!("fetching {of}"), format!(" {}", so_far(*bytes, *all)))
            }
            Doing::Build { from_source: false } => (format!("building {of}"), String::new()),
            Doing::Build { from_source: true } => {
                (format!("building {of} from source"), String::new())
            }
            Doing::Test(test, 1) => (format!("{of} {test}"), String::new()),
            Doing::Test(test, attempt) => (format!("{of} {test}"), format!(" #{attempt}")),
        };
        Now { what, detail, age: Duration::ZERO }
    }
}

/// How much of a file is here: `3.1 of 17.4 MiB`.
fn so_far(bytes: u64, all: Option<u64>) -> String {
    let here = Bytes(bytes).to_string();
    let Some(all) = all.map(|all| Bytes(all).to_string()) else { return here };
    match (here.split_once(' '), all.split_once(' ')) {
        (Some((number, unit)), Some((_, of))) if unit == of => format!("{number} of {all}"),
        _ => format!("{here} of {all}"),
    }
}

#[cfg(test)]
pub(super) mod tests;
