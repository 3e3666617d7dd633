//! Shows a run while it goes on.

mod bar;
mod json;
mod plain;

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

use caliper_container::cache::Taken;
use caliper_core::facts::event::{Event, Reporter, RoundPurpose};
use caliper_core::facts::record::{BuildReason, CellOutcome, Record, TestOutcome};
use indicatif::ProgressBar;

use crate::args::ProgressName;
use crate::terminal::Terminal;

/// The reporter for what was asked for.
pub(crate) fn reporter(name: ProgressName, terminal: Terminal) -> Box<dyn Reporter> {
    match name {
        ProgressName::None => Box::new(Silent(terminal)),
        ProgressName::Auto if terminal.is_quiet() => Box::new(Silent(terminal)),
        ProgressName::Json => Box::new(json::Json),
        ProgressName::Bar => Box::new(bar::Bar::new(terminal)),
        ProgressName::Auto if io::stderr().is_terminal() => Box::new(bar::Bar::new(terminal)),
        ProgressName::Auto | ProgressName::Plain => Box::new(plain::Plain::new(terminal)),
    }
}

/// Says what is still being removed after a run.
pub(crate) struct Removal {
    terminal: Terminal,
    how: How,
    line: OnceLock<ProgressBar>,
}

enum How {
    Nothing,
    Once,
    Line,
}

impl Removal {
    pub(crate) fn new(name: ProgressName, terminal: Terminal) -> Self {
        let how = match name {
            ProgressName::None | ProgressName::Json => How::Nothing,
            ProgressName::Bar => How::Line,
            ProgressName::Auto if io::stderr().is_terminal() => How::Line,
            ProgressName::Auto | ProgressName::Plain => How::Once,
        };
        let how = if terminal.is_quiet() { How::Nothing } else { how };
        Self { terminal, how, line: OnceLock::new() }
    }

    /// Says what is left; on a line of its own, which changes, or once.
    pub(crate) fn say(&self, left: Taken) {
        let text = format!("removing {} files of environments that are not kept", left.files);
        let is_first = self.line.get().is_none();
        let line = self.line.get_or_init(|| match self.how {
            How::Line => ProgressBar::new_spinner(),
            How::Nothing | How::Once => ProgressBar::hidden(),
        });
        line.set_message(text.clone());
        if is_first && matches!(self.how, How::Once) {
            self.terminal.note(&text);
        }
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        if let Some(line) = self.line.get() {
            line.finish_and_clear();
        }
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
