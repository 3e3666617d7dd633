use std::time::Duration;

use caliper_core::facts::event::{Event, Phase, RoundPurpose};
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::facts::store::DirStore;

use super::compose;
use super::state::{Ended, State};
use super::ticking::Shows;
use crate::terminal::{Terminal, line, printable};

/// Lines for log files, CI and screen readers: nothing moves.
pub(super) struct Plain {
    terminal: Terminal,
    lines: Lines,
}

/// Decides which lines are printed, and needs no clock for that.
#[derive(Default)]
struct Lines {
    state: State,
    /// The phase that was told, by when it began.
    told_phase: Option<Duration>,
    removal_told: bool,
    /// When the counts were told last.
    counted: Duration,
}

/// When a phase is told if nothing was printed before it: the first sign of life.
const FIRST_SIGN: Duration = Duration::from_millis(150);

/// From when on a phase is told.
const LONG: Duration = Duration::from_secs(1);

/// When it is told what goes on, if nothing was printed meanwhile.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// With more cells than these, not each of them has a line, but the counts do, every so often.
const MANY: usize = 200;
const COUNTS: Duration = Duration::from_secs(10);

impl Plain {
    pub(super) fn new(terminal: Terminal) -> Self {
        Self { terminal, lines: Lines::default() }
    }
}

impl Shows for Plain {
    fn event(&mut self, event: &Event, now: Duration) {
        if let Event::Warning { message } = event {
            self.terminal.warning(message);
        }
        if let Some(line) = self.lines.event(event, now) {
            self.terminal.note(&printable(&line));
        }
    }

    fn tick(&mut self, now: Duration) {
        if let Some(line) = self.lines.tick(now, line::quiet_for()) {
            self.terminal.note(&printable(&line));
        }
    }

    fn read_from(&mut self, _: DirStore) {}

    fn remember(&mut self, records: &[Record]) {
        self.lines.state.remember(records);
    }

    fn end(&mut self) {}
}

impl Lines {
    fn event(&mut self, event: &Event, now: Duration) -> Option<String> {
        self.state.take(event, now);
        match event {
            Event::RunStarted { analysis, backend, cells, jobs, .. } => {
                Some(format!("{analysis}: {} on {backend}, {jobs} at once", super::cells(*cells)))
            }
            // Of one cell, which has a line of its own.
            Event::RoundStarted { purpose: RoundPurpose::Pinned { .. }, .. } => None,
            Event::RoundStarted { purpose, cells, to_measure, from_source, .. } => {
                let line = super::round(*purpose, *cells);
                let line = line.map_or_else(String::new, |line| format!("{line}: "));
                let source = super::of_source(*from_source);
                Some(format!("{line}{} to measure{source}", super::cells(*to_measure)))
            }
            Event::BuildStarted { cell, source: Some(source) } if self.is_few() => {
                Some(format!("{cell}: building {source} from source"))
            }
            Event::CellFinished { record } if record.outcome != CellOutcome::Unavailable => {
                self.cell(record, now)
            }
            Event::Removing { files } if !std::mem::replace(&mut self.removal_told, true) => {
                Some(format!("removing {files} files of environments that are not kept"))
            }
            Event::RunFinished { measured, reused, not_measured, left, interrupted, seconds } => {
                let counts = [*measured, *reused, *not_measured, *left];
                Some(super::ended(counts, *interrupted, *seconds))
            }
            _ => None,
        }
    }

    /// The line of a cell that ended.
    fn cell(&mut self, record: &Record, now: Duration) -> Option<String> {
        let (done, all) = self.state.cells();
        let fails = matches!(Ended::of(record), Some(Ended::Failed | Ended::NotMeasured));
        if self.is_few() || fails {
            let (width, summary) = (all.to_string().len(), super::summary(record));
            return Some(format!("[{done:>width$}/{all}] {}  {summary}", record.id()));
        }
        if now.saturating_sub(self.counted) < COUNTS && done < all {
            return None;
        }
        self.counted = now;
        self.state.view(now).map(|view| compose::plain(&view))
    }

    fn is_few(&self) -> bool {
        self.state.cells().1 <= MANY
    }

    /// What is to be said now if nothing was printed for `quiet_for`, or nothing at all.
    fn tick(&mut self, now: Duration, quiet_for: Option<Duration>) -> Option<String> {
        if let Some((phase, since)) = self.state.phase()
            && self.told_phase != Some(since)
            // Its first line says it.
            && phase != Phase::Removing
        {
            let age = now.saturating_sub(since);
            if age >= LONG || (quiet_for.is_none() && now >= FIRST_SIGN) {
                self.told_phase = Some(since);
                return Some(format!("{phase} …"));
            }
        }
        if quiet_for.unwrap_or(now) < HEARTBEAT {
            return None;
        }
        self.state.view(now).map(|view| compose::plain(&view))
    }
}

#[cfg(test)]
mod tests;
