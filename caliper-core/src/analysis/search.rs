//! Measuring less: which releases of a row to measure next.
//!
//! A search measures a few evenly spaced releases, and then bisects each gap whose ends differ until
//! the change lies between neighbours. Two releases that fail from different causes differ too: between what
//! broke first and what broke later, something may work. Gaps with equal ends are not measured. [`Coverage`] lists them
//! beside the changes: a change that the search missed lies in one of them.
//!
//! The planner has no state. It is called again after each measurement with the current row, so an
//! interrupted search continues where it was. Releases that cannot be installed or measured, and flaky
//! ones, are skipped.
//!
//! ```
//! use std::collections::BTreeSet;
//! use caliper_core::analysis::row::State;
//! use caliper_core::analysis::search::{Coverage, Goal, Search};
//!
//! // Release 6 of ten broke it.
//! let truth = |release| if release < 6 { State::Passed } else { State::Failed };
//! let mut row = vec![State::Unmeasured; 10];
//! let search = Search { probes: 3, goal: Goal::AllChanges };
//! loop {
//!     let step = search.step(&row, &BTreeSet::new(), &|_, _| true);
//!     if step.wanted.is_empty() {
//!         break;
//!     }
//!     for release in step.wanted {
//!         row[release] = truth(release);
//!     }
//! }
//! let coverage = Coverage::of(&row, &|_, _| true);
//! assert_eq!(coverage.transitions[0].to_string(), "breaks between 5 and 6 (adjacent; a single run)");
//! assert_eq!(coverage.unprobed[0].releases, [1, 2, 3]);
//! ```

mod answer;
mod coverage;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use answer::Answer;
pub use coverage::{Coverage, Ends, Stretch};

use crate::analysis::row::{State, TransitionKind, change};

/// The goal of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Every change between passing and failing, and of results.
    AllChanges,
    /// The first release that fails although an older one passes.
    FirstBad,
    /// The newest release that passes.
    LastGood,
}

/// How to search a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Search {
    /// How many evenly spaced releases are measured first, including the oldest and the newest. At
    /// least 2.
    pub probes: u32,
    /// The goal.
    pub goal: Goal,
}

/// What to do next. Releases are indices into the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// The releases to measure next, oldest first; empty when the search is complete.
    pub wanted: Vec<usize>,
    /// Releases likely to be needed next; measure them speculatively when workers are idle.
    pub ahead: Vec<usize>,
    /// Estimated number of remaining steps, including this one. More changes do not mean more steps,
    /// because all gaps are bisected in parallel.
    pub steps_left: u32,
}

impl Search {
    /// What to measure next.
    ///
    /// `given_up` are the releases that were tried and could not be measured. In a row they look like
    /// untried ones, so without this set they would be requested for ever. `same` tells whether the
    /// results of two passing releases are the same, and whether two failing ones fail from the same cause;
    /// pass `&|_, _| true` if only passing matters.
    ///
    /// The search terminates: no release is requested twice if each requested one is then measured,
    /// unavailable, or given up.
    pub fn step(
        self,
        states: &[State],
        given_up: &BTreeSet<usize>,
        same: &dyn Fn(usize, usize) -> bool,
    ) -> Step {
        let row = Sought { states, given_up };
        let (pending, spacing) = self.pending_probes(&row);
        let gaps = match self.goal {
            // A pending probe may still change the ends of this gap.
            Goal::AllChanges => row.gaps(same, |gap| pending.range(gap.from..gap.to).count() == 0),
            Goal::FirstBad | Goal::LastGood => {
                if let Some(step) = self.newest_first(&row, &pending, spacing) {
                    return step;
                }
                let mut gaps =
                    if pending.is_empty() { row.gaps(&|_, _| true, |_| true) } else { Vec::new() };
                gaps.retain(|gap| gap.kind == Some(TransitionKind::FirstBad));
                let one = match self.goal {
                    Goal::LastGood => gaps.len().saturating_sub(1),
                    Goal::AllChanges | Goal::FirstBad => 0,
                };
                gaps.into_iter().skip(one).take(1).collect()
            }
        };
        let mut wanted = pending.clone();
        let mut ahead = BTreeSet::new();
        let mut steps_left = if pending.is_empty() { 0 } else { 1 + bits(spacing) };
        for gap in &gaps {
            let middle = gap.open[gap.open.len() / 2];
            wanted.insert(middle);
            let halves = gap.open.split_at(gap.open.len() / 2);
            let (older, newer) = (halves.0, &halves.1[1..]);
            ahead.extend([older, newer].iter().filter_map(|half| half.get(half.len() / 2)));
            steps_left = steps_left.max(bits(gap.open.len()));
        }
        let ahead = ahead.difference(&wanted).copied().collect();
        Step { wanted: wanted.into_iter().collect(), ahead, steps_left }
    }

    /// The newest release that passes is often the newest of all, so that one is measured first.
    fn newest_first(
        self,
        row: &Sought<'_>,
        pending: &BTreeSet<usize>,
        spacing: usize,
    ) -> Option<Step> {
        let newest = match self.goal {
            Goal::LastGood => {
                (0..row.states.len()).rev().find(|release| row.is_reachable(*release))?
            }
            Goal::AllChanges | Goal::FirstBad => return None,
        };
        match row.states[newest] {
            State::Passed => Some(Step { wanted: Vec::new(), ahead: Vec::new(), steps_left: 0 }),
            State::Failed => None,
            State::Unavailable | State::Unmeasured | State::Flaky => {
                let ahead = pending.iter().copied().filter(|probe| *probe != newest).collect();
                Some(Step { wanted: vec![newest], ahead, steps_left: 2 + bits(spacing) })
            }
        }
    }

    /// The unmeasured probes, and the distance between probes.
    fn pending_probes(self, row: &Sought<'_>) -> (BTreeSet<usize>, usize) {
        let installable: Vec<usize> = (0..row.states.len())
            .filter(|release| row.states[*release] != State::Unavailable)
            .collect();
        let reachable: Vec<usize> =
            (0..installable.len()).filter(|place| row.is_reachable(installable[*place])).collect();
        let Some(last) = installable.len().checked_sub(1) else {
            return (BTreeSet::new(), 0);
        };
        let steps = self.probes.max(2) as usize - 1;
        let spacing = last.div_ceil(steps);
        // With more probes than releases, several probes would fall on one release.
        let targets = (0..=steps.min(last)).map(|probe| probe * last / steps.min(last).max(1));
        let mut pending = BTreeSet::new();
        for target in targets {
            // A measured release nearby is as good as the exact one. When releases turn out to be
            // unavailable, all targets shift; this alone must not cause more measurements.
            let slack = if target == 0 || target == last { 0 } else { spacing / 4 };
            let distance = |place: &usize| place.abs_diff(target);
            let nearest = |decided: bool| {
                let states = row.states;
                let places = reachable.iter().copied();
                places
                    .filter(|place| states[installable[*place]].is_decided() == decided)
                    .min_by_key(distance)
            };
            let Some(open) = nearest(false) else { continue };
            let near = nearest(true)
                .is_some_and(|decided| distance(&decided) <= slack.max(distance(&open)));
            if !near {
                pending.insert(installable[open]);
            }
        }
        (pending, spacing)
    }
}

/// A row that is being searched.
struct Sought<'a> {
    states: &'a [State],
    given_up: &'a BTreeSet<usize>,
}

/// Two releases that differ, and what could be measured between them.
struct Gap {
    /// `None` if the test fails at both, from different causes.
    kind: Option<TransitionKind>,
    from: usize,
    to: usize,
    open: Vec<usize>,
}

impl Sought<'_> {
    fn is_open(&self, release: usize) -> bool {
        self.states[release] == State::Unmeasured && !self.given_up.contains(&release)
    }

    /// Whether the release is, or could be, informative: neither unavailable, flaky nor given up.
    fn is_reachable(&self, release: usize) -> bool {
        self.states[release].is_decided() || self.is_open(release)
    }

    /// The gaps that can be made smaller, oldest first.
    fn gaps(&self, same: &dyn Fn(usize, usize) -> bool, wanted: impl Fn(&Gap) -> bool) -> Vec<Gap> {
        let decided: Vec<usize> =
            (0..self.states.len()).filter(|release| self.states[*release].is_decided()).collect();
        let gap = |pair: &[usize]| {
            let (from, to) = (pair[0], pair[1]);
            let open: Vec<usize> =
                (from + 1..to).filter(|release| self.is_open(*release)).collect();
            if open.is_empty() {
                return None;
            }
            let kind = change(self.states, from, to, same);
            let both_fail = [from, to].map(|end| self.states[end]) == [State::Failed; 2];
            let is_gap = kind.is_some() || (both_fail && !same(from, to));
            is_gap.then_some(Gap { kind, from, to, open }).filter(&wanted)
        };
        decided.windows(2).filter_map(gap).collect()
    }
}

/// How often `count` can be halved until it is zero.
fn bits(count: usize) -> u32 {
    usize::BITS - count.leading_zeros()
}

#[cfg(test)]
mod tests;
