//! The search for a small set of pins, each of which is needed.

use std::collections::{BTreeMap, BTreeSet};

use super::Step;
use super::answers::{Answers, Effort, Known, Outcome, Unproven, Wanted};

type Set = BTreeSet<usize>;

/// A search for a small set of things, each with a number, that make an outcome bad together. See
/// [`Blame`](super::Blame), whose things are pins.
#[derive(Debug, Clone)]
pub struct SmallSet {
    things: usize,
    answers: Answers<Set>,
}

/// The conclusion of a [`SmallSet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmallSetFound {
    /// Nothing is to be found: the outcome without any of the things is not good, or that with all is not bad.
    NotReproduced {
        /// The outcome without any.
        good: Known,
        /// The outcome with all; `None` if it was not measured.
        bad: Option<Known>,
    },
    /// These make it bad.
    Found {
        /// The things; with each, why it is not known to be needed, if it is not.
        things: BTreeMap<usize, Option<Unproven>>,
        /// The outcome with all others.
        rest: Known,
    },
}

impl SmallSet {
    /// A search among the things 0 to `things`.
    pub fn new(things: usize, effort: Effort) -> Self {
        Self { things, answers: Answers::new(effort) }
    }

    /// What to measure next, or the conclusion. As [`Blame::step`](super::Blame::step).
    pub fn step(&self) -> Step<BTreeSet<usize>, SmallSetFound> {
        // The search runs again from its beginning at each step, up to the first answer that is missing. So it can be
        // written as plain code, and has no state besides the answers. Beside a real run this costs nothing.
        match (Minimal { pins: self.things, answers: &self.answers }).conclude() {
            Ok(end) => Step::Done(end),
            Err(wanted) => Step::Try(wanted.0),
        }
    }

    /// Records the outcome of one measurement with the things `taken`.
    pub fn answer(&mut self, taken: BTreeSet<usize>, outcome: Outcome) {
        self.answers.record(taken, outcome);
    }

    /// How many measurements were made so far.
    pub fn runs(&self) -> u32 {
        self.answers.runs()
    }

    /// Whether a good combination holds all things of a bad one.
    pub(super) fn is_contradictory(&self) -> bool {
        let good: Vec<&Set> = self.answers.with(Known::Good).collect();
        self.answers.with(Known::Bad).any(|bad| good.iter().any(|good| bad.is_subset(good)))
    }
}

/// A search over the answers so far. Each function stops with `Err` at the first answer that is missing.
struct Minimal<'a> {
    pins: usize,
    answers: &'a Answers<Set>,
}

/// Up to how many pins that cannot be left out one by one are left out in pairs.
const MOST_IN_PAIRS: usize = 6;

impl Minimal<'_> {
    fn conclude(&self) -> Result<SmallSetFound, Wanted<Set>> {
        let all: Set = (0..self.pins).collect();
        let good = self.known(&Set::new())?;
        if good != Known::Good {
            return Ok(SmallSetFound::NotReproduced { good, bad: None });
        }
        let bad = self.known(&all)?;
        if bad != Known::Bad {
            return Ok(SmallSetFound::NotReproduced { good, bad: Some(bad) });
        }
        let found = self.collect(&all)?;
        let pins = self.prove(found)?;
        let found = pins.keys().copied().collect();
        let rest = self.known(&without(&all, &found))?;
        Ok(SmallSetFound::Found { things: pins, rest })
    }

    /// A bad set that is minimal if more pins never repair the outcome and everything can be measured.
    ///
    /// Each round isolates one pin that turns a combination from good to bad. All pins that were not needed for this
    /// combination are dropped. The rounds end when the isolated pins suffice.
    fn collect(&self, all: &Set) -> Result<Set, Wanted<Set>> {
        let mut kept = Set::new();
        let mut candidates = all.clone();
        // Always true here: `kept` and `candidates` together are bad.
        while !candidates.is_empty() && self.known(&kept)? != Known::Bad {
            let (base, isolated) = self.isolate(&kept, candidates)?;
            kept.extend(isolated);
            candidates = base;
        }
        Ok(kept)
    }

    /// Splits what is left of `candidates` into a base, which is not bad with `kept`, and a pin that makes
    /// it bad.
    ///
    /// This is a binary search. If both halves cannot be measured, then smaller parts and their complements are tried, as
    /// Zeller and Hildebrandt do. If not even single pins can be measured, the rest stays together as one.
    ///
    /// If already the base cannot be measured, then pins are missing that it requires. Only combinations with all of
    /// them can be bad, so "cannot be measured" then counts as "not bad", as in Junker's search.
    fn isolate(&self, kept: &Set, candidates: Set) -> Result<(Set, Set), Wanted<Set>> {
        let (mut base, mut open) = (Set::new(), candidates);
        let mut parts = 2;
        while open.len() > 1 {
            let with = kept.union(&base).copied().collect();
            let lacks = self.known(&with)? == Known::Unproven(Unproven::Unresolvable);
            let subsets = subsets(&open, if lacks { 2 } else { parts });
            let first = subsets.first().cloned().unwrap_or_default();
            match self.first_measurable(&with, subsets)? {
                Some((part, Known::Bad)) => {
                    open = part;
                    parts = 2;
                }
                Some((part, _)) => {
                    open = without(&open, &part);
                    base.extend(part);
                    parts = parts.min(open.len()).max(2);
                }
                None if lacks => {
                    open = without(&open, &first);
                    base.extend(first);
                }
                None if parts >= open.len() => break,
                None => parts = (2 * parts).min(open.len()),
            }
        }
        Ok((base, open))
    }

    /// The first of `parts` that is good or bad together with `with`.
    fn first_measurable(
        &self,
        with: &Set,
        parts: Vec<Set>,
    ) -> Result<Option<(Set, Known)>, Wanted<Set>> {
        for part in parts {
            match self.known(&with.union(&part).copied().collect())? {
                Known::Unproven(_) => {}
                known => return Ok(Some((part, known))),
            }
        }
        Ok(None)
    }

    /// Leaves out each pin of a bad set, and drops those without which it still is bad. Says of the others whether they
    /// were shown to be needed.
    fn prove(&self, mut found: Set) -> Result<BTreeMap<usize, Option<Unproven>>, Wanted<Set>> {
        loop {
            let mut proven = BTreeMap::new();
            let before = found.len();
            for pin in found.clone().into_iter().rev() {
                match self.known(&without(&found, &Set::from([pin])))? {
                    Known::Bad => {
                        found.remove(&pin);
                    }
                    Known::Good => {
                        proven.insert(pin, None);
                    }
                    Known::Unproven(why) => {
                        proven.insert(pin, Some(why));
                    }
                }
            }
            if found.len() < before {
                // What was shown of the larger set need not hold for the smaller one.
                continue;
            }
            // Two packages that require each other can only be left out together.
            let held: Vec<usize> =
                proven.iter().filter(|(_, why)| why.is_some()).map(|(pin, _)| *pin).collect();
            let Some(group) = self.superfluous(&found, &held)? else {
                return Ok(proven);
            };
            found = without(&found, &group);
        }
    }

    /// Some of the pins `held` without which `found` still is bad.
    fn superfluous(&self, found: &Set, held: &[usize]) -> Result<Option<Set>, Wanted<Set>> {
        let mut groups = Vec::new();
        if held.len() >= 2 {
            groups.push(held.iter().copied().collect());
        }
        if (3..=MOST_IN_PAIRS).contains(&held.len()) {
            for (index, one) in held.iter().enumerate() {
                groups.extend(held[index + 1..].iter().map(|other| Set::from([*one, *other])));
            }
        }
        for group in groups {
            if self.known(&without(found, &group))? == Known::Bad {
                return Ok(Some(group));
            }
        }
        Ok(None)
    }

    fn known(&self, taken: &Set) -> Result<Known, Wanted<Set>> {
        self.answers.known(taken)
    }
}

fn without(set: &Set, left_out: &Set) -> Set {
    set.difference(left_out).copied().collect()
}

/// `set` in this many parts of about the same size, and if these are more than two, what each of them leaves.
fn subsets(set: &Set, parts: usize) -> Vec<Set> {
    let members: Vec<usize> = set.iter().copied().collect();
    let bounds = |part: usize| (part * members.len()).div_ceil(parts);
    let part = |part: usize| members[bounds(part)..bounds(part + 1)].iter().copied().collect();
    let mut subsets: Vec<Set> = (0..parts).map(part).collect();
    if parts > 2 {
        let complements: Vec<Set> = subsets.iter().map(|part| without(set, part)).collect();
        subsets.extend(complements);
    }
    subsets
}
