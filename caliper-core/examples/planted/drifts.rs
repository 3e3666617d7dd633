//! Each world is one test along 40 releases, of which 8 drift, before the newest, which is the baseline.
//! The test prints ten numbers around 1; a drift moves one of them by so much of its value, and noise
//! moves each of them in each run, normally distributed, by so much of its value. The columns are shares:
//! of the releases that drift, how many were called different, undecided and the same; and of those that
//! do not, how many were called different (false), and how many of all that were called different do not
//! drift (the rate that `alpha`, 0.05, bounds).

use caliper_core::analysis::Analysis;
use caliper_core::analysis::compare::Verdict;
use caliper_core::facts::record::Record;
use caliper_core::question::criteria::Criteria;

use crate::world::{normal, record};

const RELEASES: u32 = 40;
const DRIFTING: u32 = 8;
const NUMBERS: usize = 10;

pub(crate) fn print(worlds: u64, only: Option<u64>) {
    println!("{worlds} worlds a row, alpha 0.05, tolerance 1e-7");
    println!("   noise    drift  runs  different  undecided   same    false  false of different");
    for noise in [0.0, 1e-6, 1e-3, 1e-2] {
        for drift in [0.0, 1e-9, 1e-6, 1e-5, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1] {
            for runs in [1, 3, 5, 6, 8, 10] {
                if only.is_some_and(|only| only != u64::from(runs)) {
                    continue;
                }
                let mut counts = Counts::default();
                for world in 0..worlds {
                    counts.add(&records(world, noise, drift, runs));
                }
                println!("{noise:>8.0e} {drift:>8.0e} {runs:>5}  {counts}");
            }
        }
    }
}

#[derive(Default)]
struct Counts {
    drifting: [u32; 3],
    still: [u32; 3],
}

impl Counts {
    fn add(&mut self, records: &[Record]) {
        let criteria = Criteria::default();
        let verdicts = Analysis::new(records, None, &criteria, &|_| None).into_verdicts();
        for (index, record) in (0..).zip(records.iter()).take(RELEASES as usize) {
            let which = match verdicts.verdict(&record.id(), "t") {
                Some(Verdict::Different) => 0,
                Some(Verdict::Undecided) => 1,
                Some(Verdict::Same | Verdict::SameWithinNoise) => 2,
                other => unreachable!("{other:?}"),
            };
            let group = if drifts(index) { &mut self.drifting } else { &mut self.still };
            group[which] += 1;
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: u32 = self.drifting.iter().sum();
        let of = |count: u32, all: u32| f64::from(count) / f64::from(all.max(1));
        let [different, undecided, same] = self.drifting.map(|count| of(count, all));
        let wrong = of(self.still[0], self.still.iter().sum());
        let rate = of(self.still[0], self.still[0] + self.drifting[0]);
        write!(
            formatter,
            "{different:>9.3}  {undecided:>9.3}  {same:>5.3}  {wrong:>7.4}  {rate:>7.4}"
        )
    }
}

fn drifts(release: u32) -> bool {
    release < DRIFTING
}

fn records(world: u64, noise: f64, drift: f64, runs: u32) -> Vec<Record> {
    let mut random = fastrand::Rng::with_seed(world);
    (0..=RELEASES)
        .map(|release| {
            let run = |_| {
                let mut output = String::new();
                for number in 0..NUMBERS {
                    let moved = if number == 3 && drifts(release) { 1.0 + drift } else { 1.0 };
                    let value = moved * (1.0 + noise * normal(&mut random));
                    output += &format!("metric {number}: {value:.17}\n");
                }
                Some(output)
            };
            record(release as usize, &(0..runs).map(run).collect::<Vec<_>>())
        })
        .collect()
}
