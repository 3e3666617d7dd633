//! How often the package that failing goes with is the one that was planted.
//!
//! `cargo run --release -p caliper-core --example suspects_study [WORLDS]` prints the table of decision 0039.
//!
//! Twenty packages have eight versions each. One is guilty: cells fail from one of its versions on. An outcome is wrong with
//! the stated probability. In `mixed` each cell has each package in any of its versions. In `in time` a cell is a release
//! with what was newest on its day, so that all versions go up together. In `two clocks` half of the cells are
//! releases on their day, half are the same releases with the newest of all, and only releases of the older half fail. In
//! `release` the release itself is guilty, and in `nothing` a cell fails with probability one half. Python is
//! 3.9 or 3.11 at random. The seed is fixed.
//!
//! *Right*: only the guilty one is named. *Bound*: of these, its first bad version is the planted one. *Among*: others are
//! named beside it, which explain as much or nearly. *Half*: only the release is named, which decides too in `two clocks`.
//! *Wrong*: none of this. *Silent*: nothing is named.

#![expect(clippy::print_stdout, reason = "a table for a person is what this program is for")]

use caliper_core::analysis::Analysis;
use caliper_core::analysis::suspects::{Condition, Split, SplitFactor, Suspects};
use caliper_core::facts::record::{CellOutcome, Installed, Record, Run, TestOutcome, TestRecord};
use caliper_core::names::{Sha256, Timestamp};
use caliper_core::question::criteria::Criteria;
use caliper_core::question::grid::CellId;

const PACKAGES: usize = 20;
const VERSIONS: u64 = 8;

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

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mixed,
    InTime,
    TwoClocks,
    Release,
    Nothing,
}

/// Where the versions of each package came out, as parts of a thousand, and which is guilty from where on.
struct World {
    kind: Kind,
    dates: Vec<Vec<u64>>,
    guilty: usize,
    bad_from: u64,
}

impl World {
    fn new(kind: Kind, random: &mut Random) -> Self {
        let mut dates = |_| {
            let mut dates: Vec<u64> = (1..VERSIONS).map(|_| random.below(1000)).collect();
            dates.sort_unstable();
            dates
        };
        let dates = (0..PACKAGES).map(&mut dates).collect();
        let guilty = usize::try_from(random.below(PACKAGES as u64)).unwrap_or(0);
        // In the middle, so that there are cells on both sides.
        Self { kind, dates, guilty, bad_from: 3 + random.below(3) }
    }

    /// The version of a package on a day.
    fn newest(&self, package: usize, day: u64) -> u64 {
        self.dates[package].iter().filter(|date| **date <= day).count() as u64
    }

    fn cells(&self, count: u64, noise: u64, random: &mut Random) -> Vec<Record> {
        (0..count).map(|index| self.cell(index, count, noise, random)).collect()
    }

    fn cell(&self, index: u64, count: u64, noise: u64, random: &mut Random) -> Record {
        let has_two = self.kind == Kind::TwoClocks;
        let (release, releases) = if has_two { (index / 2, count / 2) } else { (index, count) };
        let day = 1000 * (release + 1) / releases;
        let versions: Vec<u64> = (0..PACKAGES)
            .map(|package| match self.kind {
                Kind::Mixed | Kind::Release | Kind::Nothing => random.below(VERSIONS),
                Kind::TwoClocks if index % 2 == 1 => VERSIONS - 1,
                // Not even in time do all cells have the newest.
                Kind::InTime if random.below(10) == 0 => random.below(VERSIONS),
                Kind::InTime | Kind::TwoClocks => self.newest(package, day),
            })
            .collect();
        let fails = match self.kind {
            Kind::Mixed | Kind::InTime => versions[self.guilty] >= self.bad_from,
            Kind::TwoClocks => versions[self.guilty] >= self.bad_from && 2 * release < releases,
            Kind::Release => 2 * release >= releases,
            Kind::Nothing => random.below(2) == 0,
        };
        let fails = fails != (random.below(100) < noise);
        let python = if random.below(2) == 0 { "3.9" } else { "3.11" };
        recorded(release, python, index, &versions, fails)
    }
}

fn recorded(release: u64, python: &str, index: u64, versions: &[u64], fails: bool) -> Record {
    let id = format!("{release}.0/{python}[cell={index}]");
    let id: CellId = id.parse().expect("the name of a cell");
    let key = Sha256::of(&index.to_le_bytes());
    let moment = Timestamp::from_unix_seconds(1_600_000_000);
    let mut record = Record::new(&id, key, "fake", CellOutcome::Tested, moment);
    let installed = versions.iter().enumerate();
    record.environment.installed = installed
        .map(|(package, version)| Installed::new(name(package), format!("{version}.0")))
        .collect();
    let mut test = TestRecord::new("t", ["python", "t.py"]);
    test.runs.push(Run::new(1, if fails { TestOutcome::Failed } else { TestOutcome::Passed }));
    record.tests.push(test);
    record
}

fn name(package: usize) -> String {
    format!("p{package:02}")
}

#[derive(Default)]
struct Sums {
    right: usize,
    bound: usize,
    among: usize,
    named: usize,
    half: usize,
    wrong: usize,
    silent: usize,
}

impl Sums {
    fn add(&mut self, world: &World, found: Option<&Suspects>) {
        let Some(found) = found else {
            self.silent += 1;
            return;
        };
        let guilty = name(world.guilty);
        let is_guilty = |split: &Split| match world.kind {
            Kind::Release => split.factor == SplitFactor::Release,
            Kind::Nothing => false,
            Kind::Mixed | Kind::InTime | Kind::TwoClocks => split.name == guilty,
        };
        let all: Vec<&Split> =
            found.splits.iter().chain(found.close.iter().map(|one| &one.split)).collect();
        let is_release = |split: &&Split| split.factor == SplitFactor::Release;
        if world.kind == Kind::TwoClocks && all.iter().all(is_release) {
            self.half += 1;
        } else if !all.iter().any(|split| is_guilty(split)) {
            self.wrong += 1;
        } else if all.len() > 1 {
            self.among += 1;
            self.named += all.len();
        } else {
            self.right += 1;
            let planted = format!("{}.0", world.bad_from);
            let at = |one: &Condition| matches!(one, Condition::AtLeast { version, .. } if *version == planted);
            self.bound += usize::from(at(&all[0].condition));
        }
    }
}

fn main() {
    let worlds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(500);
    println!("{worlds} worlds a row");
    println!(
        "{:<12}{:>6}{:>7}{:>7}{:>7}{:>7}{:>8}{:>6}{:>7}{:>8}",
        "worlds", "cells", "noise", "right", "bound", "among", "(named)", "half", "wrong", "silent"
    );
    let criteria = Criteria::default();
    let dependency = "demo".parse().expect("a name");
    for kind in [Kind::Mixed, Kind::InTime, Kind::TwoClocks, Kind::Release, Kind::Nothing] {
        for count in [10, 20, 40, 100, 200] {
            for noise in [0, 5, 10] {
                if kind == Kind::Nothing && noise > 0 {
                    continue;
                }
                let mut random = Random(20_261_128);
                let mut sums = Sums::default();
                for _ in 0..worlds {
                    let world = World::new(kind, &mut random);
                    let cells = world.cells(count, noise, &mut random);
                    let analysis = Analysis::new(&cells, None, &criteria, &|_| None);
                    sums.add(&world, analysis.suspects(&dependency).first());
                }
                let Sums { right, bound, among, named, half, wrong, silent } = sums;
                let label = format!("{kind:?}");
                let named = format!("({})", (named + among / 2) / among.max(1));
                println!(
                    "{label:<12}{count:>6}{noise:>6}%{right:>7}{bound:>7}{among:>7}{named:>8}{half:>6}{wrong:>7}{silent:>8}"
                );
            }
        }
    }
}
