//! How much time is left, from how long each kind of work took so far.
//!
//! A build from a wheel, a build from source and each test are a *kind* of work. What is left of a kind is expected to
//! take as long as it took on average. Sharing all of it evenly among the jobs gives the time, but no less than the
//! longest single piece needs, because a piece is not divided.

use std::time::Duration;

/// How long one kind of work took, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Took {
    sum: f64,
    count: f64,
    longest: f64,
}

impl Took {
    pub(super) fn add(&mut self, seconds: f64) {
        self.sum += seconds;
        self.count += 1.0;
        self.longest = self.longest.max(seconds);
    }

    /// What was seen now, or together with what is recorded as long as that is little.
    pub(super) fn or(self, recorded: Self) -> Self {
        const ENOUGH: f64 = 3.0;
        if self.count >= ENOUGH {
            return self;
        }
        Self {
            sum: self.sum + recorded.sum,
            count: self.count + recorded.count,
            longest: self.longest.max(recorded.longest),
        }
    }

    fn mean(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// A kind of work.
#[derive(Debug, Clone, Default)]
pub(super) struct Kind {
    pub(super) took: Took,
    /// How many pieces have not begun.
    pub(super) left: f64,
    /// For how long those have been running that began, in seconds.
    pub(super) running: Vec<f64>,
}

/// What is known of the work that is left.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    pub(super) kinds: Vec<Kind>,
    /// How many pieces are worked on at the same time.
    pub(super) at_once: f64,
    /// How many cells are done. A kind that none of the first cells had is not expected of others.
    pub(super) cells_done: usize,
}

/// So many cells show what a cell consists of.
const FIRST_CELLS: usize = 3;

impl Work {
    /// How long the rest takes, in seconds; `None` as long as too little is known.
    pub(super) fn seconds_left(&self) -> Option<f64> {
        let (mut all, mut longest) = (0.0, 0.0_f64);
        for kind in &self.kinds {
            if kind.left <= 0.0 && kind.running.is_empty() {
                continue;
            }
            let Some(mean) = kind.took.mean() else {
                if self.cells_done < FIRST_CELLS || !kind.running.is_empty() {
                    return None;
                }
                continue;
            };
            if kind.left > 0.0 {
                all += kind.left * mean;
                longest = longest.max(mean);
            }
            for elapsed in &kind.running {
                let rest = rest_of(*elapsed, mean, kind.took.longest);
                all += rest;
                longest = longest.max(rest);
            }
        }
        (all > 0.0).then(|| (all / self.at_once.max(0.5)).max(longest))
    }
}

/// How long a piece goes on that has been running for `elapsed` seconds. What takes longer than usual is expected to
/// take as long as the longest, and then a little more each time: so the estimate neither ends too early nor jumps.
fn rest_of(elapsed: f64, mean: f64, longest: f64) -> f64 {
    let little = 0.1 * elapsed.max(mean);
    let expected = if elapsed < mean { mean } else { longest };
    (expected - elapsed).max(little)
}

/// An estimate that follows the last ones slowly, so that it can be read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Steady {
    /// When all ends, and when that was said, in seconds of the run.
    last: Option<(f64, f64)>,
}

impl Steady {
    /// Takes a new estimate of what is left `now`, in seconds, and gives what to tell.
    pub(super) fn follow(&mut self, now: f64, left: Option<f64>) -> Option<f64> {
        /// In so many seconds most of a change is told.
        const SLOWNESS: f64 = 5.0;
        let Some(left) = left else {
            self.last = None;
            return None;
        };
        let end = match self.last {
            None => now + left,
            Some((end, said)) => {
                let share = 1.0 - (-(now - said).max(0.0) / SLOWNESS).exp();
                end + (now + left - end) * share
            }
        };
        self.last = Some((end, now));
        Some((end - now).max(0.0))
    }
}

/// A duration, rounded because it is an estimate: `about 3 min`.
pub(super) fn about(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 3600.0;
    let (minutes, hours) = (seconds / MINUTE, seconds / HOUR);
    if seconds < 10.0 {
        "a few seconds".to_owned()
    } else if seconds < 50.0 {
        format!("about {:.0} s", (seconds / 10.0).ceil() * 10.0)
    } else if minutes < 9.5 {
        format!("about {:.0} min", minutes.max(1.0))
    } else if minutes < 57.5 {
        format!("about {:.0} min", (minutes / 5.0).round() * 5.0)
    } else if hours < 9.75 {
        format!("about {} h", (hours * 2.0).round() / 2.0)
    } else if hours < 47.5 {
        format!("about {hours:.0} h")
    } else {
        format!("about {:.0} days", hours / 24.0)
    }
}

/// The same in as few columns as it takes: `~3 min`.
pub(super) fn short(seconds: f64) -> String {
    match about(seconds).strip_prefix("about ") {
        Some(time) => format!("~{time}"),
        None => "<10 s".to_owned(),
    }
}

/// A time as clocks show it: `1:05`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(times: &[f64]) -> Took {
        let mut took = Took::default();
        for seconds in times {
            took.add(*seconds);
        }
        took
    }

    fn work(kinds: Vec<Kind>, at_once: f64) -> Option<f64> {
        Work { kinds, at_once, cells_done: 1 }.seconds_left()
    }

    #[test]
    fn work_is_shared_among_jobs_and_no_piece_is_divided() {
        let kind =
            |left, running: &[f64]| Kind { took: took(&[10.0]), left, running: running.to_vec() };
        assert_eq!(work(vec![], 2.0), None);
        assert_eq!(work(vec![kind(0.0, &[])], 2.0), None);
        assert_eq!(work(vec![kind(6.0, &[])], 2.0), Some(30.0));
        assert_eq!(work(vec![kind(6.0, &[4.0])], 2.0), Some(33.0));
        // One piece, and jobs to spare.
        assert_eq!(work(vec![kind(1.0, &[])], 8.0), Some(10.0));
        assert_eq!(work(vec![kind(0.0, &[4.0])], 8.0), Some(6.0));
    }

    #[test]
    fn nothing_is_told_before_each_kind_is_known() {
        let unknown = Kind { left: 5.0, ..Kind::default() };
        let known = Kind { took: took(&[1.0]), left: 5.0, ..Kind::default() };
        let kinds = vec![known, unknown];
        assert_eq!(work(kinds.clone(), 1.0), None);
        // None of the first cells had it: a package without modules has no import.
        let later = Work { kinds, at_once: 1.0, cells_done: FIRST_CELLS };
        assert_eq!(later.seconds_left(), Some(5.0));
    }

    #[test]
    fn what_is_recorded_counts_until_enough_is_seen() {
        let recorded = took(&[1.0, 3.0]);
        assert_eq!(Took::default().or(recorded).mean(), Some(2.0));
        assert_eq!(took(&[5.0]).or(recorded).mean(), Some(3.0));
        assert_eq!(took(&[5.0, 5.0, 5.0]).or(recorded).mean(), Some(5.0));
    }

    #[test]
    fn a_slow_test_at_the_end_does_not_make_it_jump() {
        let took = took(&[2.0, 2.0, 2.0, 6.0]);
        let mut steady = Steady::default();
        let mut told = Vec::new();
        for second in 0..30_u32 {
            let running = vec![f64::from(second)];
            let left = work(vec![Kind { took, left: 0.0, running }], 2.0);
            told.push(steady.follow(f64::from(second), left).unwrap());
        }
        let jumps = told.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        assert!(jumps.fold(0.0, f64::max) < 1.5, "{told:?}");
        assert!(told.iter().all(|left| *left < 6.0), "{told:?}");
    }

    #[test]
    fn an_estimate_is_followed_slowly() {
        let mut steady = Steady::default();
        assert_eq!(steady.follow(0.0, None), None);
        assert_eq!(steady.follow(1.0, Some(100.0)), Some(100.0));
        // As foretold.
        assert_eq!(steady.follow(11.0, Some(90.0)), Some(90.0));
        let told = steady.follow(12.0, Some(200.0)).unwrap();
        assert!((100.0..130.0).contains(&told), "{told}");
    }

    #[test]
    fn no_precision_is_claimed() {
        let times = [
            3.0, 11.0, 54.0, 56.0, 89.0, 170.0, 600.0, 1700.0, 3500.0, 5500.0, 50_000.0, 200_000.0,
        ];
        let told: Vec<String> = times.iter().map(|seconds| about(*seconds)).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        a few seconds
        about 20 s
        about 1 min
        about 1 min
        about 1 min
        about 3 min
        about 10 min
        about 30 min
        about 1 h
        about 1.5 h
        about 14 h
        about 2 days
        ");
        assert_eq!([3.0, 170.0].map(short), ["<10 s", "~3 min"]);
        let clocks = [5, 65, 3723].map(|seconds| clock(Duration::from_secs(seconds)));
        assert_eq!(clocks, ["0:05", "1:05", "1:02:03"]);
    }
}
