//! Detects programs that wait for ever.
//!
//! A program is idle if it printed nothing and used less than 2 % of a processor since the last look.
//! Looks are some time apart, so that a program that polls now and then counts as idle.

use std::time::{Duration, Instant};

/// The recent activity of a program.
#[derive(Debug)]
pub(crate) struct Activity {
    limit: Duration,
    /// The time of the last look.
    looked: Instant,
    /// The last time at which it was seen active.
    active: Instant,
    printed: u64,
    computed: Duration,
}

impl Activity {
    /// A smaller share of a processor does not count as work: the program waits and polls now and then.
    const LEAST: u32 = 50;

    /// For a program that was just started and may be idle for `limit`.
    pub(crate) fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self { limit, looked: now, active: now, printed: 0, computed: Duration::ZERO }
    }

    /// The time between two looks.
    pub(crate) fn every(&self) -> Duration {
        (self.limit / 10).clamp(Duration::from_millis(50), Duration::from_secs(5))
    }

    /// Whether the program was idle for too long. `printed` is the number of bytes printed so far; the
    /// processor time used so far is requested only when the next look is due.
    pub(crate) fn is_over(
        &mut self,
        now: Instant,
        printed: u64,
        computed: impl FnOnce() -> Duration,
    ) -> bool {
        let elapsed = now.saturating_duration_since(self.looked);
        if elapsed < self.every() {
            return false;
        }
        self.note(now, elapsed, printed, computed());
        now.saturating_duration_since(self.active) >= self.limit
    }

    fn note(&mut self, now: Instant, elapsed: Duration, printed: u64, computed: Duration) {
        // It decreases if a child ended without being waited for.
        let work = computed.saturating_sub(self.computed);
        if printed > self.printed || work * Self::LEAST > elapsed {
            self.active = now;
        }
        (self.looked, self.printed, self.computed) = (now, printed, computed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_prints_or_computes_is_not_idle() {
        let second = Duration::from_secs(1);
        let mut activity = Activity::new(10 * second);
        let start = activity.looked;
        let mut at = |seconds: u32, printed: u64, milliseconds: u64| {
            let computed = Duration::from_millis(milliseconds);
            activity.is_over(start + second * seconds, printed, || computed)
        };
        assert!(!at(5, 1, 0)); // it printed
        assert!(!at(14, 1, 100)); // a little over one percent of a processor is nothing
        assert!(!at(14, 1, 9000)); // too soon to look again
        assert!(at(15, 1, 100));
        assert!(!at(16, 1, 200)); // a tenth is work
        assert!(!at(25, 1, 200));
        assert!(at(26, 1, 200));
    }
}
