//! What measuring bounds costs and what it finds, on made-up projects with five dependencies of 40 releases each.
//!
//! ```sh
//! cargo run -p caliper-core --example bounds_study [WORLDS]
//! ```
//!
//! Each dependency has a declared range that begins somewhere in its older half and is open above, or ends at the
//! newest release. What is planted besides is the name of the row: *lower*: with each dependency the suite fails below a
//! release that is, for half of them, above the declared bound. *newest*: it fails from a release of one dependency on.
//! *two newest*: of two, each by itself. *pair below*: it fails if two dependencies are both below a release, which each
//! passes alone. *pair above*: if two are both above one. *not built*: the oldest releases of each cannot be installed.
//! *conflict*: the older half of one dependency cannot be installed with the older half of another. *flaky*: one in
//! fifty answers of *lower* is flaky. The seed is fixed, so the table is the same each time.
//!
//! *Lower* and *upper*: of all bounds, how many are the planted ones. *Check*: of all declared ranges, how many are judged
//! as all measurements would judge them; of the others all are `undecided`, unless *wrong* counts them. *Together*: in how many
//! worlds the outcome with all lower bounds is right, and if they fail, the planted pair is blamed. *Raised*: in how many
//! the lower bounds pass together in the end. *Exhaustive*: each release of each declared range alone.

#![expect(clippy::print_stdout, reason = "a table for a person is what this program is for")]

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::analysis::blame::Step;
use caliper_core::analysis::bounds::{
    Answer, Bounds, Check, Direct, Mixture, Offered, OnPython, Question, Seen, Verdict,
};
use caliper_core::names::{PackageName, PythonVersion};
use caliper_core::question::plan::Pins;
use pep440_rs::{Version, VersionSpecifiers};

const DEPENDENCIES: usize = 5;
const RELEASES: u64 = 40;
const PYTHON: PythonVersion = PythonVersion::new(3, 12);

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

    /// A number in a range.
    fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    fn two(&mut self) -> [usize; 2] {
        let one = self.within(0, DEPENDENCIES as u64 - 1);
        let other = self.within(1, DEPENDENCIES as u64 - 1);
        [one, (one + other) % DEPENDENCIES as u64].map(|one| usize::try_from(one).unwrap_or(0))
    }
}

#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is planted by itself")]
struct Kind {
    name: &'static str,
    lower: bool,
    newest: usize,
    pair_below: bool,
    pair_above: bool,
    not_built: bool,
    conflict: bool,
    flaky: u64,
}

type Pair = Option<[(usize, u64); 2]>;

struct World {
    /// The first release of each declared range.
    declared: Vec<u64>,
    /// From which release to which one each passes alone.
    lower: Vec<u64>,
    upper: Vec<u64>,
    /// The first release that can be installed.
    built: Vec<u64>,
    /// It fails if both are older.
    below: Pair,
    /// It fails if both are newer.
    above: Pair,
    /// They cannot be installed together if both are older.
    conflict: Pair,
    flaky: u64,
    seed: u64,
}

impl World {
    fn new(kind: Kind, random: &mut Random) -> Self {
        let declared: Vec<u64> = (0..DEPENDENCIES).map(|_| random.within(1, 20)).collect();
        let mut lower = vec![1; DEPENDENCIES];
        let mut upper = vec![RELEASES; DEPENDENCIES];
        let mut built = vec![1; DEPENDENCIES];
        for one in 0..DEPENDENCIES {
            if kind.lower && random.within(0, 1) == 1 {
                lower[one] = random.within(declared[one] + 1, 30);
            }
            if kind.not_built {
                built[one] = random.within(1, 25);
            }
        }
        let [first, second] = random.two();
        for one in [first, second].into_iter().take(kind.newest) {
            upper[one] = random.within(32, RELEASES - 1);
        }
        let pair = |asked: bool, each: &mut dyn FnMut(usize) -> u64| {
            asked.then(|| [first, second].map(|one| (one, each(one))))
        };
        let below = pair(kind.pair_below, &mut |one| random.within(declared[one] + 1, 35));
        let above = pair(kind.pair_above, &mut |_| random.within(25, RELEASES - 1));
        let conflict = pair(kind.conflict, &mut |one| random.within(declared[one] + 1, 30));
        let (flaky, seed) = (kind.flaky, random.next());
        Self { declared, lower, upper, built, below, above, conflict, flaky, seed }
    }

    /// How the suite ends, without noise.
    fn truth(&self, installed: &[u64]) -> Seen {
        let both = |pair: Pair, is_it: &dyn Fn(u64, u64) -> bool| {
            pair.is_some_and(|pair| pair.iter().all(|(one, at)| is_it(installed[*one], *at)))
        };
        let all = || installed.iter().zip(0..);
        if all().any(|(release, one): (_, usize)| *release < self.built[one])
            || both(self.conflict, &|release, at| release < at)
        {
            Seen::CannotBeInstalled
        } else if all()
            .any(|(release, one)| *release < self.lower[one] || *release > self.upper[one])
            || both(self.below, &|release, at| release < at)
            || both(self.above, &|release, at| release > at)
        {
            Seen::Failed
        } else {
            Seen::Passed
        }
    }

    /// What a resolver installs: the newest that is allowed of what is not pinned.
    fn installed(mixture: &Mixture) -> Vec<u64> {
        let of = |one: usize| {
            let name = name(one);
            let chosen = mixture.pins.get(&name).or_else(|| mixture.at_most.get(&name));
            chosen.map_or(RELEASES, |version| version.release()[0])
        };
        (0..DEPENDENCIES).map(of).collect()
    }

    fn answer(&self, mixture: &Mixture) -> Answer {
        let installed = Self::installed(mixture);
        let mut hash = Random(self.seed);
        for release in &installed {
            hash.0 = hash.next() ^ release;
        }
        let is_today = mixture.pins.is_empty();
        let seen = match self.truth(&installed) {
            Seen::Passed | Seen::Failed if !is_today && hash.next() % 100 < self.flaky => {
                Seen::Flaky
            }
            seen => seen,
        };
        let why = (seen != Seen::Passed).then(|| self.why(&installed, seen));
        let installed = (0..DEPENDENCIES).zip(installed);
        let installed: Pins =
            installed.map(|(one, release)| (name(one), Version::new([release]))).collect();
        Answer { seen, installed, why }
    }

    /// What the failure says: which dependency it comes from first.
    fn why(&self, installed: &[u64], seen: Seen) -> String {
        let mut each = installed.iter().zip(0..);
        let is_bad = |(release, one): &(&u64, usize)| {
            **release < self.lower[*one] || **release > self.upper[*one]
        };
        match each.find(is_bad) {
            Some((release, one)) => format!("{seen:?} by {one}, {}", *release < self.lower[one]),
            None => format!("{seen:?} by a pair"),
        }
    }

    fn question(&self) -> Question {
        let offered = |one: usize| {
            let release = |number| Offered {
                version: Version::new([number]),
                is_allowed: number >= self.declared[one],
                has_file: true,
            };
            (1..=RELEASES).map(release).collect()
        };
        let direct =
            |one| Direct { name: name(one), releases: BTreeMap::from([(PYTHON, offered(one))]) };
        let dependencies = (0..DEPENDENCIES).map(direct).collect();
        Question { dependencies, pythons: vec![PYTHON], widen: false }
    }
}

fn name(one: usize) -> PackageName {
    format!("d{one}").parse().unwrap_or_else(|error| unreachable!("{error}"))
}

fn index(name: &PackageName) -> usize {
    name.normalized().trim_start_matches('d').parse().unwrap_or(0)
}

#[derive(Default)]
struct Sums {
    lower: usize,
    upper: usize,
    check: usize,
    wrong: usize,
    together: usize,
    raised: usize,
    installs: usize,
    most: usize,
    exhaustive: u64,
}

impl Sums {
    fn add(&mut self, world: &World) {
        let mut bounds = Bounds::new(world.question());
        let found = loop {
            match bounds.step() {
                Step::Done(found) => break found,
                Step::Try(mixtures) => {
                    for mixture in mixtures {
                        let answer = world.answer(&mixture);
                        bounds.answer(mixture, answer);
                    }
                }
            }
        };
        self.installs += bounds.installs();
        self.most = self.most.max(bounds.installs());
        for (one, direct) in (0..).zip(&bounds.question().dependencies) {
            self.exhaustive += RELEASES - world.declared[one] + 1;
            let declared: VersionSpecifiers = format!(">={}", world.declared[one])
                .parse()
                .unwrap_or_else(|_| VersionSpecifiers::empty());
            let verdict = Verdict::of(direct, Some(&declared), &found, false);
            self.judge(world, one, &verdict, &found[0]);
        }
        self.judge_together(world, &found[0]);
    }

    fn judge(&mut self, world: &World, one: usize, verdict: &Verdict, found: &OnPython) {
        // The others as they were while it was measured.
        let held = found.rows.iter().find(|row| index(&row.name) == one).map(|row| &row.held);
        let mut around = vec![RELEASES; DEPENDENCIES];
        for (name, version) in held.into_iter().flatten() {
            around[index(name)] = version.release()[0];
        }
        let truth = |release: u64| {
            let mut installed = around.clone();
            installed[one] = release;
            world.truth(&installed)
        };
        let all = world.declared[one]..=RELEASES;
        let passing: BTreeSet<u64> =
            all.clone().filter(|release| truth(*release) == Seen::Passed).collect();
        let is = |bound: Option<&Version>, planted: Option<&u64>| {
            usize::from(bound.map(|version| version.release()[0]) == planted.copied())
        };
        self.lower += is(verdict.lower.as_ref().map(|bound| &bound.version), passing.first());
        self.upper += is(verdict.upper.as_ref().map(|bound| &bound.version), passing.last());
        let fails = all.into_iter().any(|release| truth(release) == Seen::Failed);
        let right = if fails { Check::Refuted } else { Check::Holds };
        self.check += usize::from(verdict.check == right);
        self.wrong += usize::from(verdict.check != right && verdict.check != Check::Undecided);
    }

    fn judge_together(&mut self, world: &World, found: &OnPython) {
        let Some(lowest) = &found.lowest else { return };
        self.raised += usize::from(lowest.in_the_end == Seen::Passed);
        let guilty: BTreeSet<usize> = lowest.to_blame.keys().map(index).collect();
        let planted = world.below.map(|pair| pair.map(|(one, _)| one).into_iter().collect());
        self.together += usize::from(match lowest.seen {
            Seen::Passed => {
                let mut installed = vec![RELEASES; DEPENDENCIES];
                for (name, version) in &lowest.pins {
                    installed[index(name)] = version.release()[0];
                }
                world.truth(&installed) == Seen::Passed
            }
            Seen::Failed => planted == Some(guilty),
            _ => false,
        });
    }
}

fn tenths(sum: usize, count: usize) -> String {
    let tenths = (sum * 10 + count / 2) / count.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn main() {
    let worlds: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(500);
    let lower = Kind { lower: true, ..Kind::default() };
    let kinds = [
        Kind { name: "all hold", ..Kind::default() },
        Kind { name: "lower", ..lower },
        Kind { name: "newest", newest: 1, ..Kind::default() },
        Kind { name: "lower, newest", newest: 1, ..lower },
        Kind { name: "two newest", newest: 2, ..Kind::default() },
        Kind { name: "pair below", pair_below: true, ..Kind::default() },
        Kind { name: "lower, pair below", pair_below: true, ..lower },
        Kind { name: "pair above", pair_above: true, ..Kind::default() },
        Kind { name: "not built", not_built: true, ..Kind::default() },
        Kind { name: "lower, not built", not_built: true, ..lower },
        Kind { name: "conflict", conflict: true, ..Kind::default() },
        Kind { name: "lower, conflict", conflict: true, ..lower },
        Kind { name: "flaky 2 %", flaky: 2, ..lower },
    ];
    println!("{worlds} projects a row, {DEPENDENCIES} dependencies each");
    println!(
        "{:<18}{:>8}{:>8}{:>8}{:>7}{:>10}{:>8}{:>10}{:>6}{:>12}",
        "planted",
        "lower",
        "upper",
        "check",
        "wrong",
        "together",
        "raised",
        "installs",
        "most",
        "exhaustive"
    );
    for kind in kinds {
        let mut random = Random(20_240_607);
        let mut sums = Sums::default();
        for _ in 0..worlds {
            sums.add(&World::new(kind, &mut random));
        }
        let share = |part: usize| format!("{} %", tenths(100 * part, worlds * DEPENDENCIES));
        println!(
            "{:<18}{:>8}{:>8}{:>8}{:>7}{:>10}{:>8}{:>10}{:>6}{:>12}",
            kind.name,
            share(sums.lower),
            share(sums.upper),
            share(sums.check),
            sums.wrong,
            sums.together,
            sums.raised,
            tenths(sums.installs, worlds),
            sums.most,
            tenths(usize::try_from(sums.exhaustive).unwrap_or(0), worlds),
        );
    }
}
