//! Patience with the world: what is not the subject's doing is tried again.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use caliper_core::facts::event::Event;

use super::{Running, chain};
use crate::backend::BackendError;
use crate::interrupt::Interrupt;

/// How often something is tried again that the world made fail: a lost network, an engine that is
/// being restarted, a full disk.
///
/// A test that was killed from outside is tried again once at most: it may have done it to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many times.
    pub times: u32,
    /// The pause before the first time; each further one is twice as long.
    pub pause: Duration,
}

impl Default for Retry {
    /// Five times, over half a minute: enough for an engine to start again.
    fn default() -> Self {
        Self { times: 5, pause: Duration::from_secs(1) }
    }
}

impl Retry {
    /// Every failure is final.
    pub const NEVER: Self = Self { times: 0, pause: Duration::ZERO };
}

/// What kept an attempt from counting.
pub(super) struct Spoilt {
    pub(super) why: String,
    /// How many further attempts it is worth.
    pub(super) worth: u32,
}

impl Running<'_> {
    /// Does `attempt`, and does it again after a pause while the world spoils it. `spoilt` says of an
    /// attempt that came to an end whether it was spoilt.
    pub(super) fn persist<T>(
        &self,
        what: &str,
        mut attempt: impl FnMut() -> Result<T, BackendError>,
        spoilt: impl Fn(&T) -> Option<Spoilt>,
    ) -> Result<T, BackendError> {
        // While nothing succeeds, one try each is enough: a thousand cells need not wait in turn.
        let down = self.world_is_down.load(Ordering::SeqCst);
        let times = if down { 0 } else { self.retry.times };
        let mut pause = self.retry.pause;
        for tried in 0.. {
            let outcome = attempt();
            let spoilt = match &outcome {
                Ok(value) => spoilt(value),
                Err(error) if error.may_pass() => {
                    Some(Spoilt { why: chain(error), worth: u32::MAX })
                }
                Err(_) => return outcome,
            };
            let Some(Spoilt { why, worth }) = spoilt else {
                self.world_is_down.store(false, Ordering::SeqCst);
                return outcome;
            };
            if tried == times.min(worth) {
                if tried == times {
                    self.world_is_down.store(true, Ordering::SeqCst);
                }
                return outcome;
            }
            let message = format!("{what}: {why}; trying again in {} s", pause.as_secs_f64());
            self.report(&Event::Warning { message });
            if !self.wait(pause) {
                return Err(BackendError::Interrupted);
            }
            pause *= 2;
        }
        unreachable!("there is always a last attempt")
    }

    /// Waits, and says whether the run goes on afterwards.
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
