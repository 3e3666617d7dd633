//! Each world is one test along 40 releases. In it are planted: two stretches of one to three releases that
//! fail, one stretch of one to three with another result (2 instead of 1), and two releases at which the
//! test fails now and then. Noise moves the number that it prints in each run, normally distributed, by so
//! much of its value. Each release is measured with so many runs; with `confirm`, the runs are added for
//! which `caliper run --confirm` asks. The columns: of the flaky releases, how many would show themselves
//! in so many runs, how many were called flaky, and how many of them were taken for failing; of the releases
//! that are not flaky, how many were called so; of the changes between passing and failing that are
//! planted, how many were found, and which part of what was claimed is not; the same of the changes of the
//! result, where that part is the average over the worlds (the false discovery rate, which `alpha`
//! bounds); how often it was said that the result is not the same and may be noise; and the runs that it
//! took for each release.

use std::collections::BTreeSet;

use caliper_core::analysis::Analysis;
use caliper_core::analysis::row::{State, TransitionKind};
use caliper_core::facts::record::Record;
use caliper_core::question::criteria::Criteria;

use crate::world::{Run, normal, record};

const RELEASES: usize = 40;
/// How often `--confirm` looks again.
const ROUNDS: usize = 3;

pub(crate) fn print(worlds: u64, only: Option<u64>) {
    println!("{worlds} worlds a row, alpha 0.05, 40 releases");
    println!(
        "  flaky    noise  runs  confirm  would show  flaky  taken as failing  wrongly flaky  \
         fails: found  claimed wrongly  results: found  claimed wrongly  open  runs a release"
    );
    for flaky in [0.05, 0.2, 0.5] {
        for noise in [0.0, 1e-2] {
            for runs in [1_u32, 3, 6, 8] {
                if only.is_some_and(|only| only != u64::from(runs)) {
                    continue;
                }
                for confirm in [false, true] {
                    let mut counts = Counts::default();
                    for world in 0..worlds {
                        let mut world = World::new(world, flaky, noise);
                        let records = world.measured(runs, confirm);
                        counts.add(&world, &records);
                    }
                    let power = f64::from(runs);
                    let shows = 1.0 - (1.0 - flaky).powf(power) - flaky.powf(power);
                    println!(
                        "{flaky:>7} {noise:>8.0e} {runs:>5}  {confirm:>7}  {shows:>10.3} {counts}"
                    );
                }
            }
        }
    }
}

/// What is true of a release.
#[derive(Clone, Copy, PartialEq)]
enum Truth {
    Passes(f64),
    Fails,
    Flaky,
}

struct World {
    truth: Vec<Truth>,
    flaky: f64,
    noise: f64,
    random: fastrand::Rng,
}

impl World {
    fn new(seed: u64, flaky: f64, noise: f64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut truth = vec![Truth::Passes(1.0); RELEASES];
        // One thing in every eight releases, so that none hides another.
        let mut places: Vec<usize> = (0..5).map(|part| part * 8).collect();
        random.shuffle(&mut places);
        let planted = [Truth::Fails, Truth::Fails, Truth::Passes(2.0), Truth::Flaky, Truth::Flaky];
        for (place, what) in places.into_iter().zip(planted) {
            let wide = if what == Truth::Flaky { 1 } else { random.usize(1..=3) };
            let from = place + random.usize(1..=4);
            truth[from..from + wide].fill(what);
        }
        Self { truth, flaky, noise, random }
    }

    fn run(&mut self, release: usize) -> Run {
        let value = match self.truth[release] {
            Truth::Passes(value) => Some(value),
            Truth::Fails => None,
            Truth::Flaky => (self.random.f64() >= self.flaky).then_some(1.0),
        };
        value
            .map(|value| format!("{:.17}\n", value * (1.0 + self.noise * normal(&mut self.random))))
    }

    fn measured(&mut self, runs: u32, confirm: bool) -> Vec<Record> {
        let mut all: Vec<Vec<Run>> =
            (0..RELEASES).map(|release| (0..runs).map(|_| self.run(release)).collect()).collect();
        let criteria = Criteria::default();
        let records = |all: &[Vec<Run>]| -> Vec<Record> {
            all.iter().enumerate().map(|(release, runs)| record(release, runs)).collect()
        };
        for _ in 0..if confirm { ROUNDS } else { 0 } {
            let measured = records(&all);
            let wanted = Analysis::new(&measured, None, &criteria, &|_| None).repeats_to_decide();
            for (release, record) in measured.iter().enumerate() {
                let wanted = wanted.get(&record.id()).and_then(|tests| tests.get("t"));
                while all[release].len() < wanted.map_or(0, |wanted| *wanted as usize) {
                    let run = self.run(release);
                    all[release].push(run);
                }
            }
        }
        records(&all)
    }

    /// Where something changes, of releases that are not flaky: from, to, and whether it is the result.
    fn changes(&self) -> BTreeSet<(String, String, bool)> {
        let steady: Vec<usize> =
            (0..RELEASES).filter(|release| self.truth[*release] != Truth::Flaky).collect();
        let change = |pair: &[usize]| {
            let result = match (self.truth[pair[0]], self.truth[pair[1]]) {
                (one, other) if one == other => return None,
                (Truth::Passes(_), Truth::Passes(_)) => true,
                (Truth::Passes(_) | Truth::Fails | Truth::Flaky, _) => false,
            };
            Some((format!("1.{}", pair[0]), format!("1.{}", pair[1]), result))
        };
        steady.windows(2).filter_map(change).collect()
    }
}

/// How often something holds of so many.
#[derive(Default)]
struct Share(u32, u32);

impl Share {
    fn add(&mut self, holds: bool) {
        self.0 += u32::from(holds);
        self.1 += 1;
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.1 == 0 {
            return formatter.pad("-");
        }
        formatter.pad(&format!("{:.3}", f64::from(self.0) / f64::from(self.1)))
    }
}

#[derive(Default)]
struct Counts {
    flaky: Share,
    taken_as_failing: Share,
    wrongly_flaky: Share,
    /// Of changes of outcome, and of result: those that were found, and those that were made up.
    found: [Share; 2],
    claimed: Share,
    /// Of the changes of result that were claimed in a world, the part that is not planted: the sum over
    /// the worlds, and their number.
    wrong: (f64, u32),
    open: u32,
    runs: Share,
}

impl Counts {
    fn add(&mut self, world: &World, records: &[Record]) {
        for (truth, record) in world.truth.iter().zip(records) {
            let state = State::of(record, "t");
            if *truth == Truth::Flaky {
                self.flaky.add(state == State::Flaky);
                self.taken_as_failing.add(state == State::Failed);
            } else {
                self.wrongly_flaky.add(state == State::Flaky);
            }
            self.runs.0 += record.attempts("t");
            self.runs.1 += 1;
        }
        let criteria = Criteria::default();
        let read = Analysis::new(records, None, &criteria, &|_| None).rows().swap_remove(0);
        let planted = world.changes();
        let mut claims = BTreeSet::new();
        let mut of_result = Share::default();
        for one in read.transitions {
            let result = match one.kind {
                TransitionKind::FirstBad | TransitionKind::GoodAgain => false,
                TransitionKind::ResultChanged => true,
                TransitionKind::ResultDiffers => {
                    self.open += 1;
                    continue;
                }
            };
            let claim = (one.from, one.to, result);
            let share = if result { &mut of_result } else { &mut self.claimed };
            share.add(!planted.contains(&claim));
            claims.insert(claim);
        }
        self.wrong.0 += f64::from(of_result.0) / f64::from(of_result.1.max(1));
        self.wrong.1 += 1;
        for change in planted {
            self.found[usize::from(change.2)].add(claims.contains(&change));
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { flaky, taken_as_failing, wrongly_flaky, found, claimed, wrong, open, runs } =
            self;
        let wrong = wrong.0 / f64::from(wrong.1.max(1));
        let runs = f64::from(runs.0) / f64::from(runs.1.max(1));
        write!(
            formatter,
            "{flaky:>6}  {taken_as_failing:>16}  {wrongly_flaky:>13}  {:>12}  {claimed:>15}  {:>14}  {wrong:>15.3}  {open:>4}  {runs:>14.2}",
            found[0], found[1],
        )
    }
}
