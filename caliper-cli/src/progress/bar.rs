use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use caliper_core::facts::event::{Event, Reporter, RoundPurpose};
use caliper_core::facts::record::{CellOutcome, Record};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

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
    /// How each cell ended last: a cell may be measured again.
    ended: BTreeMap<String, Ended>,
    /// Whether it is known how many cells are still to be measured. A search decides step by step.
    is_planned: Arc<AtomicBool>,
}

/// How a cell ended.
#[derive(Clone, Copy, PartialEq)]
enum Ended {
    Excluded,
    Passed,
    Failed,
    NotMeasured,
}

/// How many cells ended in which way.
fn counts(ended: &BTreeMap<String, Ended>) -> String {
    let of = |wanted| ended.values().filter(|one| **one == wanted).count();
    let counts =
        [(Ended::Passed, "pass"), (Ended::Failed, "fail"), (Ended::NotMeasured, "not measured")];
    let counts = counts.map(|(wanted, what)| (of(wanted), what));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// How long the rest will take if it goes on as so far; `None` as long as too little is done to say.
fn left(elapsed: Duration, done: u64, all: u64) -> Option<Duration> {
    const ENOUGH: u64 = 3;
    let rest = all.checked_sub(done)?;
    if rest == 0 || done < ENOUGH || done * 20 < all {
        return None;
    }
    let rest = u32::try_from(rest).ok()?;
    Some(elapsed.checked_mul(rest)? / u32::try_from(done).ok()?)
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
            // Only `wide_msg` is cut to the width of the terminal.
            line.set_style(Self::style("  {spinner} {wide_msg} {elapsed}"));
            line.enable_steady_tick(Duration::from_millis(120));
            line
        });
        line.set_message(printable(&format!("{cell} {what}")));
    }

    fn finished(&self, record: &Record) {
        let mut shown = self.shown();
        if let Some(line) = shown.cells.remove(&record.id().to_string()) {
            line.finish_and_clear();
            self.screen.remove(&line);
        }
        let ended = match record.outcome {
            CellOutcome::Unavailable => return,
            CellOutcome::BuildFailed if record.is_excluded() => Ended::Excluded,
            CellOutcome::NotMeasured => Ended::NotMeasured,
            _ if record.passed() => Ended::Passed,
            _ => Ended::Failed,
        };
        shown.ended.insert(record.id().to_string(), ended);
        if let Some(total) = &shown.total {
            total.set_message(counts(&shown.ended));
            total.inc(1);
        }
    }
}

impl Reporter for Bar {
    fn report(&self, event: &Event) {
        match event {
            Event::RunStarted { .. } => {
                let total = self.screen.add(ProgressBar::new(0));
                let is_planned = Arc::clone(&self.shown().is_planned);
                let left = move |state: &ProgressState, text: &mut dyn fmt::Write| {
                    let all = state.len().filter(|_| is_planned.load(Ordering::Relaxed));
                    let left = left(state.elapsed(), state.pos(), all.unwrap_or(0));
                    if let Some(left) = left {
                        let _ = write!(text, ", about {:#} left", HumanDuration(left));
                    }
                };
                let style = Self::style("[{bar:20}] {pos}/{len} cells {elapsed}{left} {wide_msg}");
                total.set_style(style.with_key("left", left));
                total.enable_steady_tick(Duration::from_millis(200));
                self.shown().total = Some(total);
            }
            Event::RoundStarted { purpose, to_measure, from_source, cells, .. } => {
                if let Some(line) = super::round(*purpose, *cells) {
                    self.screen.suspend(|| self.terminal.note(&line));
                }
                if *from_source > 0 && !matches!(purpose, RoundPurpose::Pinned { .. }) {
                    let source = super::of_source(*from_source);
                    let line = format!("{to_measure} cells to measure{source}");
                    self.screen.suspend(|| self.terminal.note(&line));
                }
                let is_planned =
                    !matches!(purpose, RoundPurpose::Search { .. } | RoundPurpose::Pinned { .. });
                let shown = self.shown();
                shown.is_planned.store(is_planned, Ordering::Relaxed);
                if let Some(total) = &shown.total {
                    // These cells were measured before.
                    if matches!(purpose, RoundPurpose::Confirm | RoundPurpose::Blind { .. }) {
                        total.reset();
                        total.set_length(0);
                    }
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
            Event::RunFinished { measured, reused, not_measured, left, interrupted, seconds } => {
                // Else its clock draws it again, below what is printed.
                if let Some(total) = self.shown().total.take() {
                    total.finish_and_clear();
                }
                let _ = self.screen.clear();
                let counts = [*measured, *reused, *not_measured, *left];
                self.terminal.note(&super::ended(counts, *interrupted, *seconds));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_estimated_before_enough_is_done() {
        let minute = Duration::from_secs(60);
        assert_eq!(left(minute, 0, 25), None);
        assert_eq!(left(minute, 2, 25), None);
        assert_eq!(left(minute, 3, 1000), None);
        assert_eq!(left(minute, 5, 25), Some(4 * minute));
        assert_eq!(left(minute, 25, 25), None);
        // The length is not known, or wrong.
        assert_eq!(left(minute, 7, 0), None);
        assert_eq!(left(Duration::MAX, 3, 25), None);
    }

    #[test]
    fn only_what_happened_is_counted() {
        let mut ended = BTreeMap::new();
        assert_eq!(counts(&ended), "");
        let all =
            [Ended::Passed, Ended::NotMeasured, Ended::Passed, Ended::Excluded, Ended::Passed];
        ended.extend((0..).map(|cell: u32| cell.to_string()).zip(all));
        assert_eq!(counts(&ended), "3 pass, 1 not measured");
        // A cell that is measured again counts once.
        ended.insert("1".to_owned(), Ended::Failed);
        assert_eq!(counts(&ended), "3 pass, 1 fail");
    }
}
