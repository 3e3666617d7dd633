//! What the engine says of a program while it runs: how much memory it has, and whether it still works.
//!
//! The engine's API has neither the peak of a control group of version 2 nor any figure of a container that has
//! ended. So the engine is asked again and again, and the largest answer is the peak as far as it was seen: what
//! a program needs for less than the time between two questions may be missed. Docker answers once a second at
//! most, however often it is asked.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::super::engine::{Engine, query};
use crate::activity::Activity;

/// The time until the first question, which doubles from one to the next.
const FIRST: Duration = Duration::from_millis(20);
/// The longest time between two questions.
const LONGEST: Duration = Duration::from_secs(1);
/// How many answers are needed to tell of a peak: a run of two or three seconds. In a shorter one the last growth,
/// perhaps half of the memory, is not seen.
const ANSWERS: u32 = 3;

/// What was seen of a program so far.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The largest memory in bytes; 0 if the engine did not say.
    peak: AtomicU64,
    answers: AtomicU32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stats {
    cpu_stats: Processors,
    memory_stats: Memory,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Processors {
    cpu_usage: Usage,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage {
    total_usage: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: u64,
    stats: Option<Pages>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pages {
    /// Control groups v1.
    total_inactive_file: u64,
    /// Control groups v2.
    inactive_file: u64,
}

impl Memory {
    /// The memory without pages of files that can be dropped, as `docker stats` shows it.
    fn bytes(&self) -> u64 {
        let pages = self.stats.as_ref();
        let cached = pages.map_or(0, |pages| pages.total_inactive_file.max(pages.inactive_file));
        self.usage.saturating_sub(cached)
    }
}

impl Meter {
    /// The largest memory that was seen, in bytes; `None` if it was not looked at often enough.
    pub(super) fn peak(&self) -> Option<u64> {
        let is_known = self.answers.load(Ordering::Relaxed) >= ANSWERS;
        Some(self.peak.load(Ordering::Relaxed)).filter(|bytes| is_known && *bytes > 0)
    }

    /// Asks about the container `name` again and again. Ends when the program has neither printed nor
    /// computed for as long as `idle`; never without that limit. `printed` counts the bytes of its output.
    pub(super) async fn watch(
        &self,
        engine: &Engine,
        name: &str,
        idle: Option<Duration>,
        printed: &AtomicU64,
    ) {
        let path = format!("/containers/{name}/stats");
        let path = query(&path, [("stream", "false"), ("one-shot", "true")]);
        let mut activity = idle.map(Activity::new);
        let longest = activity.as_ref().map_or(LONGEST, |activity| activity.every().min(LONGEST));
        let mut pause = FIRST.min(longest);
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
            // An engine that does not say is no evidence against the program.
            let Ok(stats) = engine.ask::<Stats>(&path).await else { continue };
            self.answers.fetch_add(1, Ordering::Relaxed);
            self.peak.fetch_max(stats.memory_stats.bytes(), Ordering::Relaxed);
            let computed = || Duration::from_nanos(stats.cpu_stats.cpu_usage.total_usage);
            let printed = printed.load(Ordering::Relaxed);
            let is_idle =
                |activity: &mut Activity| activity.is_over(Instant::now(), printed, computed);
            if activity.as_mut().is_some_and(is_idle) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_can_be_dropped_are_not_counted() {
        let bytes = |text: &str| serde_json::from_str::<Stats>(text).unwrap().memory_stats.bytes();
        let v1 = r#"{"memory_stats": {"usage": 100, "max_usage": 300, "stats": {"total_inactive_file": 30, "inactive_file": 10}}}"#;
        let v2 = r#"{"memory_stats": {"usage": 100, "stats": {"inactive_file": 40}}}"#;
        assert_eq!((bytes(v1), bytes(v2)), (70, 60));
        // A container that has ended, and an engine that leaves the pages out.
        assert_eq!(bytes(r#"{"memory_stats": {}, "cpu_stats": {"cpu_usage": {}}}"#), 0);
        assert_eq!(bytes(r#"{"memory_stats": {"usage": 7, "stats": null}}"#), 7);
    }
}
