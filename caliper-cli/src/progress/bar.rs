use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use caliper_core::facts::event::{Event, Reporter};
use caliper_core::facts::record::{CellOutcome, Record};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::terminal::{Terminal, printable};

/// A bar for the run, and a line for every cell that is under way.
pub(super) struct Bar {
    terminal: Terminal,
    screen: MultiProgress,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    total: Option<ProgressBar>,
    cells: BTreeMap<String, ProgressBar>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    not_measured: usize,
}

impl Bar {
    pub(super) fn new(terminal: Terminal) -> Self {
        Self { terminal, screen: MultiProgress::new(), shown: Mutex::default() }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn style(template: &str) -> ProgressStyle {
        // The templates are constants of this file.
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
    }

    fn say(&self, cell: &str, what: &str) {
        let mut shown = self.shown();
        let line = shown.cells.entry(cell.to_owned()).or_insert_with(|| {
            let line = self.screen.add(ProgressBar::new_spinner());
            line.set_style(Self::style("  {spinner} {prefix} {wide_msg} {elapsed}"));
            line.set_prefix(printable(cell));
            line.enable_steady_tick(Duration::from_millis(120));
            line
        });
        line.set_message(printable(what));
    }

    fn finished(&self, record: &Record) {
        let mut shown = self.shown();
        if let Some(line) = shown.cells.remove(&record.id().to_string()) {
            line.finish_and_clear();
            self.screen.remove(&line);
        }
        match record.outcome {
            CellOutcome::Unavailable => return,
            CellOutcome::BuildFailed if record.is_excluded() => {}
            CellOutcome::NotMeasured => shown.counts.not_measured += 1,
            _ if record.passed() => shown.counts.passed += 1,
            _ => shown.counts.failed += 1,
        }
        let Counts { passed, failed, not_measured } = shown.counts;
        if let Some(total) = &shown.total {
            total.set_message(format!("{passed} pass, {failed} fail, {not_measured} not measured"));
            total.inc(1);
        }
    }
}

impl Reporter for Bar {
    fn report(&self, event: &Event) {
        match event {
            Event::RunStarted { analysis, .. } => {
                let total = self.screen.add(ProgressBar::new(0));
                total.set_style(Self::style(
                    "{prefix} [{bar:30}] {pos}/{len} cells · {msg} · {elapsed}, {eta} left",
                ));
                total.set_prefix(printable(analysis));
                total.enable_steady_tick(Duration::from_millis(200));
                self.shown().total = Some(total);
            }
            Event::RoundStarted { purpose, to_measure, from_source, cells, .. } => {
                if let Some(line) = super::round(*purpose, *cells) {
                    self.screen.suspend(|| self.terminal.note(&line));
                }
                if *from_source > 0 {
                    let source = super::of_source(*from_source);
                    let line = format!("{to_measure} cells to measure{source}");
                    self.screen.suspend(|| self.terminal.note(&line));
                }
                if let Some(total) = &self.shown().total {
                    total.inc_length(*to_measure as u64);
                }
            }
            Event::BuildStarted { cell, source: None } => self.say(cell, "making the environment"),
            Event::BuildStarted { cell, source: Some(source) } => {
                self.say(cell, &format!("building {source} from source"));
            }
            Event::TestStarted { cell, test, .. } => self.say(cell, test),
            Event::CellFinished { record } => self.finished(record),
            Event::Warning { message } => {
                self.screen.suspend(|| self.terminal.warning(message));
            }
            Event::RunFinished { measured, reused, not_measured, interrupted, seconds } => {
                let _ = self.screen.clear();
                let interrupted = if *interrupted { "interrupted: " } else { "" };
                self.terminal.note(&format!(
                    "{interrupted}{measured} measured, {reused} reused, {not_measured} not \
                     measured in {seconds:.1} s"
                ));
            }
            _ => {}
        }
    }
}
