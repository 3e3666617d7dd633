//! Blame: which of the pins that differ between two locks change the outcome.
//!
//! Two locks differ in many *pins*, and the outcome is good with one and bad with the other. A *combination* takes some
//! of the pins from the bad lock and all others from the good one. [`Blame`] looks for a small set of pins that makes
//! the outcome bad, of which each is needed. [`Bisect`] then looks for the first bad release of one pin.
//!
//! "Good" and "bad" are the caller's words: that a test passes and fails, or that the result is as in the good lock and
//! another one; see [`Ends`]. Nothing is measured here. `step` says what to measure next, the caller measures it and
//! gives the `answer`. The steps are computed from the answers alone, so an interrupted blame continues with recorded
//! answers.
//!
//! Only what was measured is claimed. The set itself was measured and is bad. For each pin of it [`Blamed::unproven`]
//! says whether the set without this pin was measured and is good, and if not, why. Not claimed is that no other set
//! makes the outcome bad; [`Found::rest`] says whether the other pins together do.
//!
//! ```
//! use std::collections::{BTreeMap, BTreeSet};
//! use caliper_core::analysis::blame::{Blame, Conclusion, Effort, Outcome, Pin, Step};
//!
//! let lock = |version: &str| -> Result<BTreeMap<_, _>, Box<dyn std::error::Error>> {
//!     ["numpy", "pandas", "scipy"].iter().map(|name| Ok((name.parse()?, version.parse()?))).collect()
//! };
//! let (good, bad) = (lock("1.0")?, lock("2.0")?);
//! let mut blame = Blame::new(Pin::differing(&good, &bad), Effort::default());
//! let found = loop {
//!     match blame.step() {
//!         Step::Try(taken) => {
//!             // Here the caller installs `blame.mixed(&good, &taken)` and runs the test. Pandas breaks it.
//!             let outcome = if taken.contains(&1) { Outcome::Bad } else { Outcome::Good };
//!             blame.answer(taken, outcome);
//!         }
//!         Step::Done(Conclusion::Found(found)) => break found,
//!         Step::Done(Conclusion::NotReproduced { .. }) => unreachable!(),
//!     }
//! };
//! assert!(found.is_minimal());
//! assert_eq!(found.pins[0].pin.to_string(), "pandas 1.0 -> 2.0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answers;
mod bisect;
mod judge;
mod minimal;
mod pin;

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

pub use answers::{Effort, Known, Outcome, Unproven};
pub use bisect::{Bisect, FirstBad, NoBisection};
pub use judge::{Ends, NoDifference, Symptom};
pub use minimal::{SmallSet, SmallSetFound};
pub use pin::Pin;

use crate::names::PackageName;

/// What to do next: measure `K`, or nothing more, with the conclusion `D`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step<K, D> {
    /// Measure this once, and give the answer.
    Try(K),
    /// Nothing is left to measure.
    Done(D),
}

/// The conclusion of a [`Blame`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// A set of pins that makes the outcome bad.
    Found(Found),
    /// The two locks are not what they were said to be, so there is nothing to blame.
    NotReproduced {
        /// The outcome with the good lock.
        good: Known,
        /// The outcome with the bad lock; `None` if it was not measured, because the good lock is not good.
        bad: Option<Known>,
        /// How many measurements it took.
        runs: u32,
    },
}

/// A set of pins that makes the outcome bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Found {
    /// The pins, in the order of [`Blame::pins`]. Taken together from the bad lock, with all others from the good
    /// one, they make the outcome bad. This was measured.
    pub pins: Vec<Blamed>,
    /// The outcome with all *other* pins from the bad lock. If it is good, then going back with the found pins alone
    /// repairs the bad lock. If it is bad, then the other pins have a guilty set too: blame again with the
    /// found pins left out.
    pub rest: Known,
    /// Whether two answers contradict the assumption that more pins of the bad lock never repair the outcome. Either
    /// one pin repairs what another breaks, or the test is flaky and some answers are wrong.
    pub contradictory: bool,
    /// How many measurements it took, each repeat of a flaky one included.
    pub runs: u32,
}

/// A pin of a set that makes the outcome bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Blamed {
    /// The pin.
    pub pin: Pin,
    /// `None` if the pin is needed: the set without it was measured, and the outcome is good. Otherwise why this is not
    /// known. A pin that cannot be left out may be there only because another one requires it.
    pub unproven: Option<Unproven>,
}

impl Found {
    /// Whether each pin was shown to be needed ("1-minimal" in Zeller and Hildebrandt 2002).
    pub fn is_minimal(&self) -> bool {
        self.unproven().next().is_none()
    }

    /// The pins that were shown to be needed.
    pub fn needed(&self) -> impl Iterator<Item = &Pin> {
        self.pins.iter().filter(|blamed| blamed.unproven.is_none()).map(|blamed| &blamed.pin)
    }

    /// The pins that may not be needed, and why this is not known.
    pub fn unproven(&self) -> impl Iterator<Item = (&Pin, Unproven)> {
        self.pins.iter().filter_map(|blamed| Some((&blamed.pin, blamed.unproven?)))
    }
}

/// A search for the guilty pins among those that differ between two locks.
///
/// The search is delta debugging with real runs (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
/// input", 2002), in the order of a search for transition elements (Junker, "`QuickXPlain`", 2004; Marques-Silva,
/// Janota and Belov, "Minimal sets over monotone predicates in propositional logic", 2013), which needs fewer runs when
/// few of many pins are guilty. See [`Blame::most_runs`] for their number.
#[derive(Debug, Clone)]
pub struct Blame {
    pins: Vec<Pin>,
    search: SmallSet,
}

impl Blame {
    /// A search among `pins`, usually those of [`Pin::differing`].
    ///
    /// Of several guilty sets, the search finds one whose last pin comes earliest, so put suspects first. Fewer
    /// combinations are impossible to install if packages stand before those that require them.
    pub fn new(pins: Vec<Pin>, effort: Effort) -> Self {
        let search = SmallSet::new(pins.len(), effort);
        Self { pins, search }
    }

    /// The pins that differ. Combinations are sets of indices into this list.
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// What to measure next: the pins to take from the bad lock, or the conclusion.
    ///
    /// A combination is asked for again only if it was [`Outcome::Flaky`]. The search terminates: each step either
    /// asks for a combination without a settled answer, or concludes.
    pub fn step(&self) -> Step<BTreeSet<usize>, Conclusion> {
        match self.search.step() {
            Step::Try(taken) => Step::Try(taken),
            Step::Done(found) => Step::Done(self.conclusion(found)),
        }
    }

    /// Records the outcome of one measurement with the pins `taken` from the bad lock, and all others from the good
    /// one.
    ///
    /// Outcomes that are known from elsewhere may be given before they are asked for. They count as runs too.
    pub fn answer(&mut self, taken: BTreeSet<usize>, outcome: Outcome) {
        self.search.answer(taken, outcome);
    }

    /// How many measurements were made so far.
    pub fn runs(&self) -> u32 {
        self.search.runs()
    }

    /// The lock to install: `good`, with the pins `taken` as they are in the bad lock.
    pub fn mixed(
        &self,
        good: &BTreeMap<PackageName, Version>,
        taken: &BTreeSet<usize>,
    ) -> BTreeMap<PackageName, Version> {
        let mut lock = good.clone();
        for pin in taken.iter().filter_map(|index| self.pins.get(*index)) {
            match &pin.to {
                Some(version) => lock.insert(pin.name.clone(), version.clone()),
                None => lock.remove(&pin.name),
            };
        }
        lock
    }

    /// The largest number of runs that is needed to find `guilty` pins among `pins`, if each combination can be
    /// installed, no answer is flaky, and more pins of the bad lock never repair the outcome: k · ⌈log₂ n⌉ + 2 k + 2.
    ///
    /// These are the two ends; for each guilty pin a binary search among the pins before it, and a run of
    /// those found so far; a run without each guilty pin except one, whose run is among the former; and a run of the
    /// rest.
    pub fn most_runs(pins: usize, guilty: usize) -> usize {
        let halvings = usize::BITS - pins.saturating_sub(1).leading_zeros();
        guilty * halvings as usize + 2 * guilty + 2
    }

    fn conclusion(&self, end: SmallSetFound) -> Conclusion {
        let runs = self.search.runs();
        match end {
            SmallSetFound::NotReproduced { good, bad } => {
                Conclusion::NotReproduced { good, bad, runs }
            }
            SmallSetFound::Found { things, rest } => {
                let blamed = |(index, unproven): (usize, _)| Blamed {
                    pin: self.pins[index].clone(),
                    unproven,
                };
                let pins = things.into_iter().map(blamed).collect();
                let contradictory = self.search.is_contradictory();
                Conclusion::Found(Found { pins, rest, contradictory, runs })
            }
        }
    }
}

#[cfg(test)]
mod tests;
