//! Infrastructure failures are retried with exponential backoff.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use caliper_core::facts::event::Event;

use super::{Running, chain};
use crate::backend::BackendError;
use crate::interrupt::Interrupt;

/// How infrastructure failures are retried: a lost network, an engine that is being restarted, a full
/// disk.
///
/// A test that was killed by a signal from outside is retried at most once, because it may have sent
/// the signal itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many retries there are after the first attempt.
    pub times: u32,
    /// The pause before the first retry; each further pause is twice as long.
    pub pause: Duration,
}

impl Default for Retry {
    /// Five retries within half a minute: enough for an engine to restart.
    fn default() -> Self {
        Self { times: 5, pause: Duration::from_secs(1) }
    }
}

impl Retry {
    /// No retries: every failure is final.
    pub const NEVER: Self = Self { times: 0, pause: Duration::ZERO };
}

/// Why an attempt was discarded.
pub(super) struct Discarded {
    pub(super) reason: String,
    /// How many retries this failure allows.
    pub(super) retries: u32,
}

impl Running<'_> {
    /// Calls `attempt` until it succeeds or its retries are used up. `discarded` tells of an attempt
    /// that returned a value whether that value must be discarded.
    pub(super) fn retry<T>(
        &self,
        what: &str,
        mut attempt: impl FnMut() -> Result<T, BackendError>,
        discarded: impl Fn(&T) -> Option<Discarded>,
    ) -> Result<T, BackendError> {
        // Once the retries of one operation were used up, the others get a single attempt until one
        // succeeds. Otherwise a thousand cells would wait half a minute each for a dead engine.
        let down = self.infrastructure_is_down.load(Ordering::SeqCst);
        let times = if down { 0 } else { self.retries.times };
        let mut pause = self.retries.pause;
        for tried in 0.. {
            let outcome = attempt();
            let discarded = match &outcome {
                Ok(value) => discarded(value),
                Err(error) if error.may_pass() => {
                    Some(Discarded { reason: chain(error), retries: u32::MAX })
                }
                Err(_) => return outcome,
            };
            let Some(Discarded { reason, retries }) = discarded else {
                self.infrastructure_is_down.store(false, Ordering::SeqCst);
                return outcome;
            };
            if tried == times.min(retries) {
                if tried == times {
                    self.infrastructure_is_down.store(true, Ordering::SeqCst);
                }
                return outcome;
            }
            let message = format!("{what}: {reason}; trying again in {} s", pause.as_secs_f64());
            self.report(&Event::Warning { message });
            if !self.wait(pause) {
                return Err(BackendError::Interrupted);
            }
            pause *= 2;
        }
        unreachable!("there is always a last attempt")
    }

    /// Waits, and returns whether the run goes on afterwards.
    fn wait(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        while !self.is_over() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Interrupt::POLL));
        }
        false
    }
}
