//! Ctrl-C and its like: the first asks for a stop, the second does not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use caliper_container::interrupt::Interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::{Exit, Failure};

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
            for signal in signals.forever() {
                if first.swap(signal, Ordering::SeqCst) != 0 {
                    // What is in flight is swept by the next run.
                    std::process::exit(if signal == SIGINT { 130 } else { 143 });
                }
                interrupt.raise();
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
