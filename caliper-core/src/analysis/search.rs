//! Measuring less: which releases of a row to measure next.
//!
//! A search looks at a few releases spread over the row, and then halves each stretch whose ends
//! differ until the change lies between neighbours. What lies between ends that are equal is never
//! looked at, so a search says beside what it found what it did not look at: [`Coverage`]. A change
//! that it does not find is in there.
//!
//! The planner keeps nothing. It is asked again after each measurement, with the row as it stands
//! by then, so a search that is interrupted goes on where it was. Releases that cannot be installed,
//! cannot be measured or are flaky are stepped around.
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
//! assert_eq!(coverage.transitions[0].to_string(), "breaks between 5 and 6 (proven)");
//! assert_eq!(coverage.unprobed[0].releases, [1, 2, 3]);
//! ```

mod answer;
mod coverage;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use answer::Answer;
pub use coverage::{Coverage, Stretch};

use crate::analysis::row::{State, TransitionKind, change};

/// What a search is for.
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
    /// How many releases are looked at first, evenly spaced, the oldest and the newest among them.
    /// Less than 2 counts as 2.
    pub probes: u32,
    /// What it is for.
    pub goal: Goal,
}

/// What to do next. Releases are indices into the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// What must be measured to go on, oldest first; empty when there is no more to do.
    pub wanted: Vec<usize>,
    /// What will be wanted next in one case or another, for whoever has nothing better to do.
    pub ahead: Vec<usize>,
    /// About how many steps there are, this one included. More changes do not mean more steps,
    /// because stretches are halved side by side.
    pub steps_left: u32,
}

impl Search {
    /// What to measure next.
    ///
    /// `given_up` are the releases that were tried and could not be measured: a row cannot tell
    /// them from those that nobody tried, and they would be wanted for ever. `same` says whether
    /// the results of two releases that pass are the same; where all that matters is whether the
    /// test passes, `&|_, _| true`.
    ///
    /// It ends: nothing is wanted twice, as long as each wanted release is either measured, found to
    /// be unavailable, or given up.
    pub fn step(
        self,
        states: &[State],
        given_up: &BTreeSet<usize>,
        same: &dyn Fn(usize, usize) -> bool,
    ) -> Step {
        let row = Sought { states, given_up };
        let (pending, spacing) = self.pending_probes(&row);
        let gaps = match self.goal {
            // What a probe is still to tell may make another gap of this one.
            Goal::AllChanges => row.gaps(same, |gap| pending.range(gap.from..gap.to).count() == 0),
            Goal::FirstBad | Goal::LastGood => {
                if let Some(step) = self.newest_first(&row, &pending, spacing) {
                    return step;
                }
                let mut gaps =
                    if pending.is_empty() { row.gaps(&|_, _| true, |_| true) } else { Vec::new() };
                gaps.retain(|gap| gap.kind == TransitionKind::FirstBad);
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

    /// The newest release that passes is often the newest there is: that alone is looked at first.
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

    /// The probes that nobody has measured yet, and how far apart probes are.
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
        // More probes than releases would come to the same places again and again.
        let targets = (0..=steps.min(last)).map(|probe| probe * last / steps.min(last).max(1));
        let mut pending = BTreeSet::new();
        for target in targets {
            // A release that was measured nearby tells as much. It matters when others turn out to
            // be unavailable: all targets move then, and nothing should be measured for that.
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

/// A row on which somebody searches.
struct Sought<'a> {
    states: &'a [State],
    given_up: &'a BTreeSet<usize>,
}

/// Two releases that differ, and what could be measured between them.
struct Gap {
    kind: TransitionKind,
    from: usize,
    to: usize,
    open: Vec<usize>,
}

impl Sought<'_> {
    fn is_open(&self, release: usize) -> bool {
        self.states[release] == State::Unmeasured && !self.given_up.contains(&release)
    }

    /// Whether it tells, or could tell, how the row goes on.
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
            let kind = change(self.states, from, to, same)?;
            Some(Gap { kind, from, to, open }).filter(&wanted)
        };
        decided.windows(2).filter_map(gap).collect()
    }
}

/// How often `count` can be halved until nothing is left.
fn bits(count: usize) -> u32 {
    usize::BITS - count.leading_zeros()
}

#[cfg(test)]
mod tests;
