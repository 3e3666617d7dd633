use std::time::Duration;

use caliper_core::facts::event::{Event, RoundPurpose};
use caliper_core::facts::record::Record;
use caliper_core::facts::store::DirStore;
use caliper_core::report::model::Tone;

use super::compose;
use super::state::{Ended, State};
use super::ticking::Shows;
use super::told::Told;
use crate::terminal::{Terminal, line, printable};

/// One line at the bottom of a terminal, and above it what stays.
pub(super) struct Bar {
    terminal: Terminal,
    state: State,
    told: Told,
    store: Option<DirStore>,
}

impl Bar {
    pub(super) fn new(terminal: Terminal) -> Self {
        Self { terminal, state: State::default(), told: Told::default(), store: None }
    }

    /// Tells of a failure whose cause was not seen before.
    fn tell(&mut self, record: &Record) {
        let store = self.store.as_ref();
        let new = self.told.take(record, &super::logs_of(store));
        for one in new {
            let (sign, tone) = match one.ended {
                Ended::NotMeasured => ("?", Tone::Spurious),
                _ => ("✗", Tone::Bad),
            };
            let sign = self.terminal.painted(tone, sign);
            self.terminal.note(&format!("{sign} {}", printable(&one.text)));
        }
    }
}

impl Shows for Bar {
    fn event(&mut self, event: &Event, now: Duration) {
        self.state.take(event, now);
        match event {
            Event::RoundStarted { purpose, to_measure, from_source, cells, .. } => {
                if let Some(line) = super::round(*purpose, *cells) {
                    self.terminal.note(&line);
                }
                if *from_source > 0 && !matches!(purpose, RoundPurpose::Pinned { .. }) {
                    let source = super::of_source(*from_source);
                    self.terminal
                        .note(&format!("{} to measure{source}", super::cells(*to_measure)));
                }
            }
            Event::CellFinished { record } => self.tell(record),
            Event::Warning { message } => self.terminal.warning(message),
            Event::RunFinished { measured, reused, not_measured, left, interrupted, seconds } => {
                line::draw("");
                for again in self.told.again() {
                    self.terminal.note(&printable(&again));
                }
                let counts = [*measured, *reused, *not_measured, *left];
                self.terminal.note(&super::ended(counts, *interrupted, *seconds));
            }
            _ => {}
        }
    }

    fn tick(&mut self, now: Duration) {
        let view = self.state.view(now);
        let columns = line::columns();
        let text =
            view.map(|view| compose::line(&view, columns, line::is_stopping(), self.terminal));
        line::draw(&text.unwrap_or_default());
    }

    fn read_from(&mut self, store: DirStore) {
        self.store = Some(store);
    }

    fn remember(&mut self, records: &[Record]) {
        self.state.remember(records);
    }

    fn end(&mut self) {
        line::draw("");
    }
}
