//! What is left of a round, by kind of work.

use std::collections::BTreeMap;
use std::time::Duration;

use caliper_core::facts::event::Event;
use caliper_core::facts::record::Record;
use caliper_core::question::grid::FileKind;

use super::{Doing, Running};
use crate::progress::estimate::{Kind, Took, Work};

/// What was planned in this round and how long everything took, in this run and before.
#[derive(Default)]
pub(super) struct Rest {
    pub(super) jobs: usize,
    begun: Duration,
    /// The cells that this round measures, and how many of them ended.
    cells: usize,
    ended: usize,
    /// The environments from wheels, and those from source, and how many of each were made.
    environments: [f64; 2],
    made: [f64; 2],
    failed: f64,
    /// The planned runs of each test.
    runs: BTreeMap<String, usize>,
    /// The runs that ended of cells that have not, by test and cell.
    runs_of_open: BTreeMap<String, BTreeMap<String, f64>>,
    builds: [Took; 2],
    recorded_builds: [Took; 2],
    tests: BTreeMap<String, Took>,
    recorded_tests: BTreeMap<String, Took>,
    /// The sum of all that was done in this round, in seconds.
    busy: f64,
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 cells")]
fn number(count: usize) -> f64 {
    count as f64
}

impl Rest {
    pub(super) fn begin_round(&mut self, event: &Event, now: Duration) {
        let Event::RoundStarted { to_measure, from_source, environments, runs, .. } = event else {
            return;
        };
        (self.begun, self.busy) = (now, 0.0);
        (self.cells, self.ended) = (*to_measure, 0);
        let share = number(*from_source) / number(*to_measure).max(1.0);
        let from_source = number(*environments) * share;
        self.environments = [number(*environments) - from_source, from_source];
        (self.made, self.failed) = ([0.0; 2], 0.0);
        self.runs.clone_from(runs);
        self.runs_of_open.clear();
    }

    pub(super) fn built(&mut self, from_source: bool, ok: bool, seconds: f64) {
        let kind = usize::from(from_source);
        self.builds[kind].add(seconds);
        self.made[kind] += 1.0;
        self.failed += f64::from(u8::from(!ok));
        self.busy += seconds;
    }

    pub(super) fn tested(&mut self, cell: &str, test: &str, seconds: f64) {
        self.tests.entry(test.to_owned()).or_default().add(seconds);
        let of_test = self.runs_of_open.entry(test.to_owned()).or_default();
        *of_test.entry(cell.to_owned()).or_default() += 1.0;
        self.busy += seconds;
    }

    pub(super) fn cell_ended(&mut self, cell: &str) {
        self.ended += 1;
        for of_test in self.runs_of_open.values_mut() {
            of_test.remove(cell);
        }
    }

    /// Takes the times of a record.
    pub(super) fn remember(&mut self, record: &Record) {
        for (test, run) in record.runs() {
            self.recorded_tests.entry(test.name.clone()).or_default().add(run.seconds());
        }
        if let Some(build) = record.build.as_ref().filter(|build| !build.reused) {
            let file = record.environment.file.as_ref();
            let from_source = file.is_some_and(|file| file.kind == FileKind::Sdist);
            self.recorded_builds[usize::from(from_source)].add(build.seconds());
        }
    }

    /// The work that is left; `None` if nothing is planned.
    pub(super) fn work(
        &self,
        running: &[Running],
        planned: usize,
        done: usize,
        now: Duration,
    ) -> Option<Work> {
        let open = number(self.cells.saturating_sub(self.ended));
        if self.cells == 0 || done >= planned {
            return None;
        }
        let since = |one: &Running| now.saturating_sub(one.since).as_secs_f64();
        let mut kinds = Vec::new();
        for from_source in [false, true] {
            let kind = usize::from(from_source);
            let is_it = |one: &&Running| one.doing == Doing::Build { from_source };
            let running: Vec<f64> = running.iter().filter(is_it).map(since).collect();
            let begun = self.made[kind] + number(running.len());
            kinds.push(Kind {
                took: self.builds[kind].or(self.recorded_builds[kind]),
                left: (self.environments[kind] - begun).max(0.0),
                running,
            });
        }
        // The tests of a cell whose build fails are not run.
        let made: f64 = self.made.iter().sum();
        let failing = if made < 5.0 { 0.0 } else { self.failed / made };
        for (test, planned) in &self.runs {
            let is_it = |one: &&Running| matches!(&one.doing, Doing::Test(name, _) if name == test);
            let running: Vec<f64> = running.iter().filter(is_it).map(since).collect();
            let of_open: f64 = self.runs_of_open.get(test).map_or(0.0, |of| of.values().sum());
            let wanted = number(*planned) / number(self.cells) * open;
            let left = (wanted - of_open - number(running.len())).max(0.0) * (1.0 - failing);
            let took = self.tests.get(test).copied().unwrap_or_default();
            let recorded = self.recorded_tests.get(test).copied().unwrap_or_default();
            // Less than half a piece is what rounding leaves.
            let left = if left < 0.5 { 0.0 } else { left };
            kinds.push(Kind { took: took.or(recorded), left, running });
        }
        Some(Work { kinds, at_once: self.at_once(running, now), cells_done: self.ended })
    }

    /// How many pieces are worked on at the same time: as many as there are jobs, or fewer where tests wait for each
    /// other, as has been seen so far.
    fn at_once(&self, running: &[Running], now: Duration) -> f64 {
        const ENOUGH: f64 = 10.0;
        let jobs = number(self.jobs.max(1));
        let elapsed = now.saturating_sub(self.begun).as_secs_f64();
        if elapsed < ENOUGH {
            return jobs;
        }
        let not_waiting = running.iter().take(self.jobs);
        let going: f64 = not_waiting.map(|one| now.saturating_sub(one.since).as_secs_f64()).sum();
        ((self.busy + going) / elapsed).clamp(0.5, jobs)
    }
}
