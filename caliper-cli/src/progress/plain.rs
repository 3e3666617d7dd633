use std::sync::atomic::{AtomicUsize, Ordering};

use caliper_core::facts::event::{Event, Reporter, RoundPurpose};
use caliper_core::facts::record::CellOutcome;

use crate::terminal::{Terminal, printable};

/// A line for every cell that ends: for log files and CI.
pub(super) struct Plain {
    terminal: Terminal,
    done: AtomicUsize,
    all: AtomicUsize,
}

impl Plain {
    pub(super) fn new(terminal: Terminal) -> Self {
        Self { terminal, done: AtomicUsize::new(0), all: AtomicUsize::new(0) }
    }
}

impl Reporter for Plain {
    fn report(&self, event: &Event) {
        match event {
            Event::RunStarted { analysis, backend, cells, jobs, .. } => {
                self.terminal.note(&printable(&format!(
                    "{analysis}: {cells} cells on {backend}, {jobs} at once"
                )));
            }
            Event::RoundStarted { purpose, cells, to_measure, from_source, .. } => {
                self.all.fetch_add(*to_measure, Ordering::SeqCst);
                let line = super::round(*purpose, *cells);
                if matches!(purpose, RoundPurpose::Pinned { .. }) {
                    // Of one cell, which has a line of its own.
                    return;
                }
                let line = line.map_or_else(String::new, |line| format!("{line}: "));
                let source = super::of_source(*from_source);
                self.terminal.note(&format!("{line}{to_measure} cells to measure{source}"));
            }
            Event::BuildStarted { cell, source: Some(source) } => {
                self.terminal.note(&printable(&format!("{cell}: building {source} from source")));
            }
            Event::CellFinished { record } if record.outcome != CellOutcome::Unavailable => {
                let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
                let all = self.all.load(Ordering::SeqCst);
                let width = all.to_string().len();
                let summary = super::summary(record);
                self.terminal.note(&printable(&format!(
                    "[{done:>width$}/{all}] {}  {summary}",
                    record.id()
                )));
            }
            Event::Warning { message } => self.terminal.warning(message),
            Event::RunFinished { measured, reused, not_measured, left, interrupted, seconds } => {
                let counts = [*measured, *reused, *not_measured, *left];
                self.terminal.note(&super::ended(counts, *interrupted, *seconds));
            }
            _ => {}
        }
    }
}
