//! What stands on one screen: a test along six releases of which the oldest three may differ. Without a
//! change, a screen is false if it has one false word: a verdict `different`, or a result that changes. With
//! a change of so many standard deviations, it is found if an old release is called different. The kinds of
//! noise are normal, heavy-tailed (Cauchy), with two modes, and such that lines come and go; a
//! kind with 30 numbers has the change in one of them. `repeats`: tests that give their usual result with so
//! much probability, and else one of three others.

use caliper_core::analysis::Analysis;
use caliper_core::analysis::compare::Verdict;
use caliper_core::analysis::row::TransitionKind;
use caliper_core::facts::record::Record;
use caliper_core::question::criteria::Criteria;

use crate::world::{normal, record};

const RELEASES: usize = 6;
const OLD: usize = 3;

#[derive(Clone, Copy)]
enum Noise {
    Normal,
    Heavy,
    TwoModes,
    Lines,
}

impl Noise {
    /// One run of a test with so many numbers, of which the first is moved.
    fn run(self, random: &mut fastrand::Rng, numbers: usize, moved: f64) -> String {
        let mut output = String::new();
        if matches!(self, Self::Lines) {
            output += &"retrying\n".repeat(random.usize(0..3));
        }
        for number in 0..numbers {
            let value = match self {
                Self::Normal | Self::Lines => normal(random),
                // The quotient of two normal deviates.
                Self::Heavy => normal(random) / normal(random),
                Self::TwoModes => normal(random) * 0.1 + if random.bool() { 1.0 } else { -1.0 },
            };
            let moved = if number == 0 { moved } else { 0.0 };
            output += &format!("metric {number}: {:.12}\n", 100.0 + value + moved);
        }
        output
    }
}

pub(crate) fn print(worlds: u64, only: Option<u64>) {
    println!("{worlds} screens a row, alpha 0.05, six releases: false without a change, and found");
    println!("   noise  numbers  runs    false   1 sd   2 sd   3 sd  10 sd");
    for (name, noise) in [
        ("normal", Noise::Normal),
        ("heavy", Noise::Heavy),
        ("modes", Noise::TwoModes),
        ("lines", Noise::Lines),
    ] {
        for numbers in [1, 30] {
            for runs in [3, 5, 8].into_iter().filter(|runs| only.is_none_or(|only| only == *runs)) {
                let share = |moved: f64| {
                    let told = (0..worlds).filter(|world| {
                        is_told(&records(*world, runs, &mut |random, release| {
                            let moved = if release < OLD { moved } else { 0.0 };
                            noise.run(random, numbers, moved)
                        }))
                    });
                    share(told.count(), worlds)
                };
                let found = [0.0, 1.0, 2.0, 3.0, 10.0].map(share);
                let [wrong, found @ ..] = found;
                let found = found.map(|share| format!("{share:>5.2}")).join("  ");
                println!("{name:>8}  {numbers:>7}  {runs:>4}  {wrong:>7.4}  {found}");
            }
        }
    }
    println!(
        "\n{worlds} tests a row that repeat their usual result so often: false, and undecided"
    );
    println!(" repeats  runs    false  undecided");
    for usual in [0.0, 0.5, 0.9, 0.99] {
        for runs in [2, 3, 5].into_iter().filter(|runs| only.is_none_or(|only| only == *runs)) {
            let screens: Vec<Vec<Record>> = (0..worlds)
                .map(|world| {
                    records(world, runs, &mut |random, _| {
                        let other = if random.f64() < usual { 0 } else { random.u32(1..4) };
                        format!("word {}\n", ["red", "green", "blue", "white"][other as usize])
                    })
                })
                .collect();
            let wrong = share(screens.iter().filter(|records| is_told(records)).count(), worlds);
            let open = screens.iter().filter(|records| has(records, Verdict::Undecided));
            println!("{usual:>8}  {runs:>4}  {wrong:>7.4}  {:>9.3}", share(open.count(), worlds));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn share(count: usize, of: u64) -> f64 {
    count as f64 / of as f64
}

fn records(
    world: u64,
    runs: u64,
    run: &mut dyn FnMut(&mut fastrand::Rng, usize) -> String,
) -> Vec<Record> {
    let mut random = fastrand::Rng::with_seed(world);
    (0..RELEASES)
        .map(|release| {
            let runs: Vec<_> = (0..runs).map(|_| Some(run(&mut random, release))).collect();
            record(release, &runs)
        })
        .collect()
}

fn has(records: &[Record], verdict: Verdict) -> bool {
    let criteria = Criteria::default();
    let verdicts = Analysis::new(records, None, &criteria, &|_| None).into_verdicts();
    verdicts.iter().any(|judged| judged.verdict == Some(verdict))
}

/// Whether some result is called another.
fn is_told(records: &[Record]) -> bool {
    let criteria = Criteria::default();
    let analysis = Analysis::new(records, None, &criteria, &|_| None);
    let changes = |kind| kind == TransitionKind::ResultChanged;
    analysis.verdicts().iter().any(|judged| judged.verdict == Some(Verdict::Different))
        || analysis.rows().iter().any(|row| row.transitions.iter().any(|one| changes(one.kind)))
}
