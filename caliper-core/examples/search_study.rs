//! What searching costs and what it finds, beside measuring everything, on made-up histories.
//!
//! ```sh
//! cargo run --release -p caliper-core --example search_study
//! ```
//!
//! A history has 20 to 120 releases and a number of flips, each either between passing and failing
//! or to another result. In `stretches` the flips lie anywhere; in `islands` each is a single release
//! that breaks and the next repairs, as pre-releases do. Of all releases 4 % cannot be installed,
//! 2 % cannot be measured and 2 % are flaky. The seed is fixed, so the table is the same each time.

#![expect(clippy::print_stdout, reason = "a table for a person is what this program is for")]

use std::collections::BTreeSet;

use caliper_core::analysis::row::{State, Transition, TransitionKind, transitions};
use caliper_core::analysis::search::{Coverage, Goal, Search};

const HISTORIES: usize = 2_000;

/// A release as it really is.
#[derive(Clone, Copy, PartialEq)]
enum Truth {
    Is(State, u32),
    NotMeasurable,
}

/// `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }
}

fn history(random: &mut Random, flips: usize, islands: bool) -> Vec<Truth> {
    let length = 20 + random.place(101);
    let mut flip_at = BTreeSet::new();
    while flip_at.len() < flips {
        flip_at.insert(1 + random.place(length - 1));
    }
    let (mut passes, mut result) = (random.below(4) > 0, 0);
    let mut truth = Vec::new();
    for index in 0..length {
        let flips = flip_at.contains(&index);
        if flips && !islands {
            if passes && random.below(2) == 0 {
                result += 1;
            } else {
                passes = !passes;
            }
        }
        let state = if passes == (flips && islands) { State::Failed } else { State::Passed };
        truth.push(match random.below(100) {
            0..4 => Truth::Is(State::Unavailable, 0),
            4..6 => Truth::NotMeasurable,
            6..8 => Truth::Is(State::Flaky, 0),
            _ => Truth::Is(state, result),
        });
    }
    truth
}

#[derive(Default)]
struct Sums {
    releases: usize,
    runs: usize,
    steps: usize,
    changes: usize,
    found: usize,
    bracketed: usize,
    unprobed: usize,
    undeclared: usize,
    wrong: usize,
}

fn study(truth: &[Truth], search: Search, sums: &mut Sums) {
    let result = |release: usize| match truth[release] {
        Truth::Is(_, result) => result,
        Truth::NotMeasurable => u32::MAX,
    };
    let same = |a: usize, b: usize| result(a) == result(b);
    // The grid says beforehand what can be installed, to the search as to everybody.
    let known = |truth: &Truth, all: bool| match truth {
        Truth::Is(state, _) if all || *state == State::Unavailable => *state,
        Truth::Is(..) | Truth::NotMeasurable => State::Unmeasured,
    };
    let whole: Vec<State> = truth.iter().map(|truth| known(truth, true)).collect();
    let mut row: Vec<State> = truth.iter().map(|truth| known(truth, false)).collect();
    let mut given_up = BTreeSet::new();
    sums.releases += row.iter().filter(|state| **state == State::Unmeasured).count();
    loop {
        let step = search.step(&row, &given_up, &same);
        if step.wanted.is_empty() {
            break;
        }
        sums.steps += 1;
        for release in step.wanted {
            sums.runs += 1;
            match truth[release] {
                Truth::Is(state, _) => row[release] = state,
                Truth::NotMeasurable => {
                    given_up.insert(release);
                }
            }
        }
    }
    let coverage = Coverage::of(&row, &same);
    let whole = transitions(&whole, &same);
    let bracketed: BTreeSet<usize> =
        coverage.bracketed().flat_map(|transition| transition.unmeasured.clone()).collect();
    let unprobed: BTreeSet<usize> =
        coverage.unprobed.iter().flat_map(|stretch| stretch.releases.clone()).collect();
    sums.changes += whole.len();
    for change in &whole {
        let mut between = change.from..=change.to;
        // A change behind a release that nobody can measure is bracketed in both, and found.
        let is_it = |claim: &&Transition<usize>| {
            place(claim) == place(change) && claim.r#where == change.r#where
        };
        if coverage.transitions.iter().any(|claim| is_it(&claim)) {
            sums.found += 1;
        } else if between.clone().any(|release| unprobed.contains(&release)) {
            sums.unprobed += 1;
        } else if between.any(|release| bracketed.contains(&release)) {
            sums.bracketed += 1;
        } else {
            sums.undeclared += 1;
        }
    }
    let is_so = |claim: &&Transition<usize>| {
        whole.iter().any(|change| place(change) == place(claim))
            && claim.differs_from.is_none_or(|release| !same(release, claim.to))
    };
    sums.wrong += coverage.adjacent().filter(|claim| !is_so(claim)).count();
}

fn place(transition: &Transition<usize>) -> (TransitionKind, usize, usize) {
    (transition.kind, transition.from, transition.to)
}

fn share(part: usize, whole: usize) -> String {
    let per_mille = (part * 1000 + whole / 2).checked_div(whole);
    per_mille.map_or("-".to_owned(), |share| format!("{}.{} %", share / 10, share % 10))
}

fn tenths(sum: usize, count: usize) -> String {
    let tenths = (sum * 10 + count / 2) / count;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn main() {
    println!(
        "{:<11}{:>7}{:>7}{:>10}{:>9}{:>9}{:>9}{:>11}{:>10}{:>9}{:>7}",
        "histories",
        "flips",
        "probes",
        "releases",
        "runs",
        "steps",
        "found",
        "bracketed",
        "unprobed",
        "silent",
        "wrong"
    );
    for (name, islands) in [("stretches", false), ("islands", true)] {
        for probes in [5, 9] {
            for flips in 0..=6 {
                let mut random = Random(20_240_607 + flips as u64);
                let mut sums = Sums::default();
                for _ in 0..HISTORIES {
                    let truth = history(&mut random, flips, islands);
                    study(&truth, Search { probes, goal: Goal::AllChanges }, &mut sums);
                }
                println!(
                    "{name:<11}{flips:>7}{probes:>7}{:>10}{:>9}{:>9}{:>9}{:>11}{:>10}{:>9}{:>7}",
                    sums.releases,
                    share(sums.runs, sums.releases),
                    tenths(sums.steps, HISTORIES),
                    share(sums.found, sums.changes),
                    share(sums.bracketed, sums.changes),
                    share(sums.unprobed, sums.changes),
                    sums.undeclared,
                    sums.wrong
                );
            }
        }
    }
}
