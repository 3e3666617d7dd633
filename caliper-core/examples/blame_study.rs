//! What blaming costs and what it finds, on made-up pairs of locks that differ in 40 pins.
//!
//! ```sh
//! cargo run -p caliper-core --example blame_study [WORLDS]
//! ```
//!
//! A world has one or more guilty sets: the outcome is bad if all pins of one of them are from the bad lock. In `unresolvable`
//! one in ten combinations cannot be measured, at random. In `ranges` four pins each require another one, and in
//! `tied` two pairs require each other: a combination that breaks this cannot be installed. In `flaky` a run
//! gives the wrong answer with the stated probability. With three repeats, repeats that disagree are `Flaky`, and are
//! measured again at most twice. In `ordered` pins stand behind those that they require, and beside those that require
//! them too. The seed is fixed, so the table is the same each time.
//!
//! *Exact*: the set is one of the guilty ones, with what it requires. *More*: it also has pins that are not needed. *Wrong*:
//! it is not bad. *None*: the ends were not as they should be. *Shown*: each pin was shown to be needed. *Warned*:
//! of the wrong ones, those that say that the answers contradict each other, or that a pin is unproven. *Theory*:
//! k log₂(n/k) + k. *Bound*: `Blame::most_runs`. *One by one*: pins are upgraded one after the other until
//! the outcome is bad, which names one pin. *ddmin*: the algorithm of 2002, with a cache, and without what comes after it.

#![expect(clippy::print_stdout, reason = "a table for a person is what this program is for")]

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::analysis::blame::{Blame, Conclusion, Effort, Found, Outcome, Pin, Step};

const PINS: usize = 40;

type Set = BTreeSet<usize>;

/// `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn is_among(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn pins(&mut self, count: usize) -> Set {
        let mut pins = Set::new();
        while pins.len() < count {
            pins.insert(usize::try_from(self.next() % PINS as u64).unwrap_or(0));
        }
        pins
    }
}

/// What a row of the table is about.
#[derive(Clone, Copy, Default)]
struct Kind {
    name: &'static str,
    /// How many pins each guilty set has.
    guilty: &'static [usize],
    ranges: usize,
    tied: usize,
    /// Whether the pins stand in an order in which the caller knows what requires what.
    ordered: bool,
    unresolvable: u64,
    wrong: u64,
    repeats: u32,
}

struct World {
    guilty: Vec<Set>,
    /// The first cannot be taken without the second.
    requires: Vec<(usize, usize)>,
    seed: u64,
    kind: Kind,
}

impl World {
    fn new(kind: Kind, random: &mut Random) -> Self {
        let guilty = kind.guilty.iter().map(|count| random.pins(*count)).collect();
        let mut requires = Vec::new();
        for index in 0..kind.ranges + kind.tied {
            // The first of two pins is as often the one that requires as the one that is required.
            let mut two: Vec<usize> = random.pins(2).into_iter().collect();
            if kind.ordered && index >= kind.ranges {
                two = if two[1] + 1 < PINS { vec![two[1], two[1] + 1] } else { vec![0, 1] };
            }
            let swap = kind.ordered || random.is_among(50);
            requires.push(if swap { (two[1], two[0]) } else { (two[0], two[1]) });
            if index >= kind.ranges {
                requires.push(if swap { (two[0], two[1]) } else { (two[1], two[0]) });
            }
        }
        Self { guilty, requires, seed: random.next(), kind }
    }

    fn outcome(&self, taken: &Set) -> Outcome {
        let is_end = taken.is_empty() || taken.len() == PINS;
        let breaks = |(a, b): &(usize, usize)| taken.contains(a) && !taken.contains(b);
        let mut hash = Random(self.seed);
        for pin in taken {
            hash.0 = hash.next() ^ *pin as u64;
        }
        if self.requires.iter().any(breaks) || (!is_end && hash.is_among(self.kind.unresolvable)) {
            Outcome::Unresolvable
        } else if self.guilty.iter().any(|set| set.is_subset(taken)) {
            Outcome::Bad
        } else {
            Outcome::Good
        }
    }

    /// A guilty set with all that it requires.
    fn closed(&self, guilty: &Set) -> Set {
        let mut closed = guilty.clone();
        loop {
            let before = closed.len();
            for (pin, required) in &self.requires {
                if closed.contains(pin) {
                    closed.insert(*required);
                }
            }
            if closed.len() == before {
                return closed;
            }
        }
    }

    /// One measurement: its outcome, and how many runs of the test it took.
    fn measured(&self, taken: &Set, random: &mut Random) -> (Outcome, u32) {
        let truth = self.outcome(taken);
        let mut run = || match (truth, random.is_among(self.kind.wrong)) {
            (Outcome::Good, true) => Outcome::Bad,
            (Outcome::Bad, true) => Outcome::Good,
            (truth, _) => truth,
        };
        let first = run();
        for repeat in 2..=self.kind.repeats.max(1) {
            if run() != first {
                return (Outcome::Flaky, repeat);
            }
        }
        (first, self.kind.repeats.max(1))
    }
}

#[derive(Default)]
struct Sums {
    exact: usize,
    more: usize,
    wrong: usize,
    none: usize,
    shown: usize,
    warned: usize,
    runs: u32,
    most: u32,
    one_by_one: usize,
    ddmin: usize,
}

impl Sums {
    fn add(&mut self, world: &World, random: &mut Random) {
        let (conclusion, runs) = blamed(world, random);
        self.runs += runs;
        self.most = self.most.max(runs);
        match conclusion {
            Conclusion::NotReproduced { .. } => self.none += 1,
            Conclusion::Found(found) => self.judge(world, &found),
        }
        let is_good = |count: &usize| world.outcome(&(0..*count).collect()) != Outcome::Bad;
        self.one_by_one += 1 + (1..PINS).take_while(is_good).count();
        self.ddmin += ddmin(world);
    }

    fn judge(&mut self, world: &World, found: &Found) {
        let index = |name: &str| name.trim_start_matches('p').parse().unwrap_or(PINS);
        let set: Set =
            found.pins.iter().map(|blamed| index(blamed.pin.name.normalized())).collect();
        self.shown += usize::from(found.is_minimal());
        if world.guilty.iter().any(|guilty| world.closed(guilty) == set) {
            self.exact += 1;
        } else if world.outcome(&set) == Outcome::Bad {
            self.more += 1;
        } else {
            self.wrong += 1;
            self.warned += usize::from(found.contradictory || !found.is_minimal());
        }
    }
}

fn blamed(world: &World, random: &mut Random) -> (Conclusion, u32) {
    let lock = |version: &str| -> BTreeMap<_, _> {
        let pin = |index| Some((format!("p{index:02}").parse().ok()?, version.parse().ok()?));
        (0..PINS).filter_map(pin).collect()
    };
    let mut blame = Blame::new(Pin::differing(&lock("1"), &lock("2")), Effort::default());
    let mut all = 0;
    loop {
        match blame.step() {
            Step::Try(taken) => {
                let (outcome, runs) = world.measured(&taken, random);
                all += runs;
                blame.answer(taken, outcome);
            }
            Step::Done(conclusion) => return (conclusion, all),
        }
    }
}

/// How many runs `ddmin` takes (Zeller and Hildebrandt 2002, figure 5), where no answer is wrong.
fn ddmin(world: &World) -> usize {
    let mut asked = BTreeSet::new();
    let (mut set, mut parts): (Vec<usize>, usize) = ((0..PINS).collect(), 2);
    asked.insert(Vec::new());
    asked.insert(set.clone());
    while set.len() > 1 {
        let mut is_bad = |members: &Vec<usize>| {
            asked.insert(members.clone());
            world.outcome(&members.iter().copied().collect()) == Outcome::Bad
        };
        let chunks: Vec<Vec<usize>> =
            set.chunks(set.len().div_ceil(parts)).map(<[usize]>::to_vec).collect();
        let left = |chunk: &Vec<usize>| -> Vec<usize> {
            set.iter().copied().filter(|pin| !chunk.contains(pin)).collect()
        };
        if let Some(chunk) = chunks.iter().find(|chunk| is_bad(chunk)) {
            set.clone_from(chunk);
            parts = 2;
        } else if let Some(left) = chunks.iter().map(left).find(|left| is_bad(left)) {
            set = left;
            parts = (parts - 1).max(2);
        } else if parts < set.len() {
            parts = (2 * parts).min(set.len());
        } else {
            break;
        }
    }
    asked.len()
}

fn tenths(sum: usize, count: usize) -> String {
    let tenths = (sum * 10 + count / 2) / count.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn theory(guilty: usize) -> f64 {
    let (pins, guilty) = (PINS as f64, guilty as f64);
    guilty * (pins / guilty).log2() + guilty
}

fn kinds() -> Vec<Kind> {
    let mut kinds = vec![
        Kind { name: "1 guilty", guilty: &[1], ..Kind::default() },
        Kind { name: "2 guilty", guilty: &[2], ..Kind::default() },
        Kind { name: "3 guilty", guilty: &[3], ..Kind::default() },
        Kind { name: "4 guilty", guilty: &[4], ..Kind::default() },
        Kind { name: "1 or 1", guilty: &[1, 1], ..Kind::default() },
        Kind { name: "2 or 2", guilty: &[2, 2], ..Kind::default() },
    ];
    let one_to_four: [&[usize]; 3] = [&[1], &[2], &[4]];
    for guilty in one_to_four {
        kinds.push(Kind { name: "unresolvable 10 %", guilty, unresolvable: 10, ..Kind::default() });
        kinds.push(Kind { name: "ranges", guilty, ranges: 4, ..Kind::default() });
        kinds.push(Kind { name: "tied", guilty, tied: 2, ..Kind::default() });
        let ordered = Kind { guilty, ordered: true, ..Kind::default() };
        kinds.push(Kind { name: "ranges, ordered", ranges: 4, ..ordered });
        kinds.push(Kind { name: "tied, ordered", tied: 2, ..ordered });
    }
    for guilty in &one_to_four[..2] {
        for (name, wrong) in [("flaky 5 %", 5), ("flaky 20 %", 20)] {
            for repeats in [1, 3] {
                kinds.push(Kind { name, guilty, wrong, repeats, ..Kind::default() });
            }
        }
    }
    kinds
}

fn main() {
    let worlds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    println!("{worlds} worlds a row");
    println!(
        "{:<18}{:>7}{:>8}{:>7}{:>6}{:>6}{:>6}{:>7}{:>8}{:>7}{:>6}{:>8}{:>7}{:>12}{:>7}",
        "worlds",
        "guilty",
        "repeats",
        "exact",
        "more",
        "wrong",
        "none",
        "shown",
        "warned",
        "runs",
        "max",
        "theory",
        "bound",
        "one by one",
        "ddmin"
    );
    for kind in kinds() {
        let mut random = Random(20_240_607);
        let mut sums = Sums::default();
        for _ in 0..worlds {
            let world = World::new(kind, &mut random);
            sums.add(&world, &mut random);
        }
        let guilty = kind.guilty[0];
        println!(
            "{:<18}{guilty:>7}{:>8}{:>7}{:>6}{:>6}{:>6}{:>7}{:>8}{:>7}{:>6}{:>8.1}{:>7}{:>12}{:>7}",
            kind.name,
            kind.repeats.max(1),
            sums.exact,
            sums.more,
            sums.wrong,
            sums.none,
            sums.shown,
            sums.warned,
            tenths(sums.runs as usize, worlds),
            sums.most,
            theory(guilty),
            Blame::most_runs(PINS, guilty),
            tenths(sums.one_by_one, worlds),
            tenths(sums.ddmin, worlds),
        );
    }
}
