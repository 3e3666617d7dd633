//! Ctrl-C and its like: the first asks for a stop, the second does not wait for it.
//!
//! `timeout` and job systems send a signal to the process and to its group, so that it comes twice. What comes within
//! a second of the first is the same request.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use caliper_container::interrupt::Interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::{Exit, Failure};
use crate::terminal::line;

/// How long after the first signal others are taken for the same request.
const SAME: Duration = Duration::from_secs(1);

/// Remembers which signal came first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(Arc<AtomicI32>);

impl Watch {
    /// Raises `interrupt` when a signal comes.
    pub(crate) fn start(interrupt: &Interrupt) -> Result<Self, Failure> {
        let watch = Self::default();
        let first = Arc::clone(&watch.0);
        let interrupt = interrupt.clone();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| Failure::infrastructure("could not watch for signals", error))?;
        std::thread::spawn(move || {
            let mut asked: Option<Instant> = None;
            for signal in signals.forever() {
                match asked {
                    None => {
                        asked = Some(Instant::now());
                        first.store(signal, Ordering::SeqCst);
                        interrupt.raise();
                        line::stop();
                    }
                    Some(asked) if asked.elapsed() < SAME => {}
                    // What is in flight is swept by the next run.
                    Some(_) => {
                        line::leave();
                        std::process::exit(if signal == SIGINT { 130 } else { 143 })
                    }
                }
            }
        });
        Ok(watch)
    }

    /// The exit code of the signal that came, if one did.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            SIGINT => Some(Exit::Interrupted),
            _ => Some(Exit::Terminated),
        }
    }
}
