//! Shows a run while it goes on.

mod bar;
mod compose;
mod estimate;
mod json;
mod plain;
mod state;
mod ticking;
mod told;

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use caliper_container::cache::Taken;
use caliper_core::facts::event::{Event, Reporter, RoundPurpose};
use caliper_core::facts::record::{BlobRef, BuildReason, CellOutcome, Record, TestOutcome};
use caliper_core::facts::store::{DirStore, ResultStore as _};

use crate::args::ProgressName;
use crate::terminal::Terminal;
use ticking::Ticking;

/// A reporter that shows a run.
pub(crate) trait Progress: Reporter {
    /// Takes the results in this folder as known, to estimate from them how much time is left.
    fn remember(&self, results: &Path) {
        let _ = results;
    }
}

/// The reporter for what was asked for. It is made before anything is done, so that a person sees that it has begun.
pub(crate) fn reporter(name: ProgressName, terminal: Terminal) -> Box<dyn Progress> {
    match name {
        ProgressName::None => Box::new(Silent(terminal)),
        ProgressName::Auto if terminal.is_quiet() => Box::new(Silent(terminal)),
        ProgressName::Json => Box::new(json::Json),
        ProgressName::Bar if can_redraw() => Box::new(Ticking::start(bar::Bar::new(terminal))),
        ProgressName::Auto if can_redraw() && !is_ci() => {
            Box::new(Ticking::start(bar::Bar::new(terminal)))
        }
        ProgressName::Auto | ProgressName::Bar | ProgressName::Plain => {
            Box::new(Ticking::start(plain::Plain::new(terminal)))
        }
    }
}

/// The reporter of a command that only looks, and says nothing in a log.
pub(crate) fn of_look(terminal: Terminal) -> Box<dyn Progress> {
    let name = if can_redraw() { ProgressName::Auto } else { ProgressName::None };
    reporter(name, terminal)
}

/// Whether standard error is a terminal that can draw a line again.
fn can_redraw() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
}

/// Whether this is a job of a CI service, some of which have a terminal, and keep all that is written to it.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Reports how many files are still being removed, a few times in a second at most.
pub(crate) struct Removal<'a> {
    reporter: &'a dyn Reporter,
    told: Mutex<Option<Instant>>,
}

impl<'a> Removal<'a> {
    pub(crate) fn new(reporter: &'a dyn Reporter) -> Self {
        Self { reporter, told: Mutex::default() }
    }

    pub(crate) fn say(&self, left: Taken) {
        const EVERY: Duration = Duration::from_millis(300);
        let Ok(mut told) = self.told.lock() else { return };
        if told.is_none_or(|told| told.elapsed() >= EVERY) {
            *told = Some(Instant::now());
            self.reporter.report(&Event::Removing { files: left.files });
        }
    }
}

/// Reads the logs of builds from where they are kept.
fn logs_of(store: Option<&DirStore>) -> impl Fn(&BlobRef) -> Option<String> {
    move |blob| {
        let log = store?.blob(*blob).ok()?;
        Some(String::from_utf8_lossy(&log).into_owned())
    }
}

/// Says only what needs to be known.
struct Silent(Terminal);

impl Reporter for Silent {
    fn report(&self, event: &Event) {
        if let Event::Warning { message } = event {
            self.0.warning(message);
        }
    }
}

impl Progress for Silent {}

/// What a round is for, where it is not simply the measurement of the plan.
fn round(purpose: RoundPurpose, cells: usize) -> Option<String> {
    Some(match purpose {
        RoundPurpose::Search { steps_left } => {
            format!("search: {cells} cells next, about {steps_left} steps left")
        }
        RoundPurpose::Confirm => "confirm: tests are repeated where a verdict is open".to_owned(),
        RoundPurpose::Blind { of } => {
            format!("blind check: a second measurement of {cells} of {of} cells")
        }
        RoundPurpose::Replay => format!("replay: {cells} cells are rebuilt from their locks"),
        _ => return None,
    })
}

/// So many cells.
fn cells(count: usize) -> String {
    if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") }
}

/// Which of the cells to measure take long.
fn of_source(from_source: usize) -> String {
    match from_source {
        0 => String::new(),
        count => format!(", {count} of them built from source"),
    }
}

/// How a run ended: how many cells were measured, reused, could not be measured, and are left.
fn ended(
    [measured, reused, not_measured, left]: [usize; 4],
    interrupted: bool,
    seconds: f64,
) -> String {
    let before = if interrupted { "interrupted: " } else { "" };
    let left = if left > 0 { format!(", {left} left") } else { String::new() };
    format!(
        "{before}{measured} measured, {reused} reused, {not_measured} not measured{left} in {seconds:.1} s"
    )
}

/// How a cell ended, for a line of its own.
fn summary(record: &Record) -> String {
    let reason = |text: Option<&str>| text.map(|text| format!(": {text}")).unwrap_or_default();
    match record.outcome {
        CellOutcome::Unavailable => "nothing to install".to_owned(),
        CellOutcome::NotMeasured => {
            format!("could not be measured{}", reason(record.reason.as_deref()))
        }
        CellOutcome::BuildFailed if record.is_excluded() => {
            BuildReason::ExcludedByRequirements.to_string()
        }
        CellOutcome::BuildFailed => {
            let why = record.build.as_ref().and_then(|build| build.reason);
            format!("cannot be built{}", reason(why.map(|why| why.to_string()).as_deref()))
        }
        CellOutcome::Tested => {
            let bad: Vec<String> = record
                .runs()
                .filter(|(_, run)| run.outcome != TestOutcome::Passed)
                .map(|(test, run)| format!("{} {}", test.name, run.outcome))
                .collect();
            match record.failed_import() {
                _ if bad.is_empty() => "passed".to_owned(),
                Some(_) => format!("passed (note: {})", bad.join(", ")),
                None => bad.join(", "),
            }
        }
    }
}
