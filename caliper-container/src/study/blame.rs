//! Blaming: which of the packages that differ between two environments are guilty, by measuring mixtures of both.
//!
//! The algorithms are those of [`caliper_core::analysis::blame`], which measure nothing. Here they are given answers:
//! the two ends are measured, then the mixtures that the search asks for; what it found is measured again with fresh
//! runs; then the releases of each guilty package are bisected. How a mixture is measured is the caller's, usually with
//! a [`PinnedCell`](super::PinnedCell).

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::analysis::Analysis;
use caliper_core::analysis::blame::{
    Bisect, Blame, Conclusion, Effort, Ends, FirstBad, Found, NoBisection, NoDifference, Outcome,
    Pin, Step, Symptom, Unproven,
};
use caliper_core::facts::record::Record;
use caliper_core::names::PackageName;
use caliper_core::question::grid::CellId;
use caliper_core::question::plan::Pins;
use pep440_rs::Version;

/// What is to be found out.
#[derive(Debug, Clone, Copy)]
pub struct BlameQuestion<'a> {
    /// One environment.
    pub first: &'a Pins,
    /// The other one, which is the bad one if the test passes in both.
    pub second: &'a Pins,
    /// Which packages each one requires, as far as it is known; see [`Pin::ordered`].
    pub requires: &'a BTreeMap<PackageName, BTreeSet<PackageName>>,
    /// The test.
    pub test: &'a str,
    /// Whether another result of a test that passes in both is something to blame for. If not, such ends are alike.
    pub results: bool,
    /// How often the test is run in each mixture. What was found is measured with as many runs again.
    pub repeats: u32,
    /// How many mixtures are measured at most in the search, the two ends included; and how many releases of each
    /// guilty package. `None` for no limit.
    pub runs: Option<u32>,
}

/// How mixtures are measured and judged.
pub struct BlameWorld<'a, E> {
    /// Measures a mixture, with at least so many runs of the test.
    pub measure: &'a dyn Fn(&Pins, u32) -> Result<Record, E>,
    /// The releases between the two versions of a pin that can be installed; `None` if they are not known.
    pub releases: &'a dyn Fn(&Pin) -> Result<Option<Vec<Version>>, E>,
    /// Compares records.
    pub analysis: &'a Analysis<'a>,
}

/// What came of blaming.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Blaming {
    /// The two ends, as they were measured.
    pub ends: [Record; 2],
    /// The answer; or why there is nothing to blame.
    pub answer: Result<BlameAnswer, NoDifference>,
    /// What it took.
    pub spent: Spent,
}

/// Which packages are guilty.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BlameAnswer {
    /// Which of the ends is the bad one: 0 or 1.
    pub bad: usize,
    /// What it has.
    pub symptom: Symptom,
    /// All packages that differ, from the good end to the bad one, in the order of the search.
    pub pins: Vec<Pin>,
    /// The guilty ones.
    pub found: Found,
    /// Whether fresh runs of the found set, and of the set without each needed pin, ended as before.
    pub confirmed: bool,
    /// For each guilty pin, where its releases become bad.
    pub first_bad: Vec<Result<FirstBad, NoBisection>>,
}

/// What blaming took, also what was measured before and is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// How many mixtures were measured, the ends included. Each is one build.
    pub mixtures: u32,
    /// How often the test was run in them.
    pub runs: u32,
}

/// How often a search is made again after fresh runs refuted what it found.
const ROUNDS: usize = 3;

/// Finds the guilty packages.
///
/// # Errors
///
/// What the functions of `world` return.
pub fn blame<E>(question: &BlameQuestion<'_>, world: &BlameWorld<'_, E>) -> Result<Blaming, E> {
    let mut counted = Counted { world, spent: BTreeMap::new(), test: question.test };
    let first = counted.measure(question.first, question.repeats)?;
    let second = counted.measure(question.second, question.repeats)?;
    let answer = match Ends::of(&first, &second, question.test, world.analysis) {
        Err(why) => Err(why),
        Ok(ends) if ends.symptom == Symptom::OtherResult && !question.results => {
            Err(NoDifference::SameResult)
        }
        Ok(ends) => {
            let is_second_bad = std::ptr::eq(ends.bad, &raw const second);
            let (good, bad) = if is_second_bad {
                (question.first, question.second)
            } else {
                (question.second, question.first)
            };
            let pins = Pin::ordered(Pin::differing(good, bad), question.requires);
            let mut search = Search {
                question,
                counted: &mut counted,
                ends,
                good,
                pins,
                known: BTreeMap::new(),
            };
            search.answer(usize::from(is_second_bad))?
        }
    };
    let spent = counted.spent();
    Ok(Blaming { ends: [first, second], answer, spent })
}

/// Counts what is measured.
struct Counted<'a, E> {
    world: &'a BlameWorld<'a, E>,
    spent: BTreeMap<CellId, u32>,
    test: &'a str,
}

impl<E> Counted<'_, E> {
    fn measure(&mut self, mixture: &Pins, repeats: u32) -> Result<Record, E> {
        let record = (self.world.measure)(mixture, repeats)?;
        self.spent.insert(record.id(), record.attempts(self.test));
        Ok(record)
    }

    fn spent(&self) -> Spent {
        let mixtures = u32::try_from(self.spent.len()).unwrap_or(u32::MAX);
        Spent { mixtures, runs: self.spent.values().sum() }
    }
}

struct Search<'s, 'a, E> {
    question: &'s BlameQuestion<'a>,
    counted: &'s mut Counted<'a, E>,
    ends: Ends<'s>,
    good: &'s Pins,
    pins: Vec<Pin>,
    /// What was answered so far. It takes the place of the answers of a search that is made again.
    known: BTreeMap<BTreeSet<usize>, Outcome>,
}

impl<E> Search<'_, '_, E> {
    fn answer(&mut self, bad: usize) -> Result<Result<BlameAnswer, NoDifference>, E> {
        // Its own records answer for the ends.
        self.known.insert(BTreeSet::new(), Outcome::Good);
        self.known.insert((0..self.pins.len()).collect(), Outcome::Bad);
        let mut confirmed = false;
        let mut found = None;
        for _ in 0..ROUNDS {
            match self.search()? {
                Conclusion::Found(set) => {
                    confirmed = self.confirm(&set)?;
                    found = Some(set);
                }
                // Fresh runs have shown that one of the ends is flaky.
                Conclusion::NotReproduced { .. } => return Ok(Err(NoDifference::Flaky)),
            }
            if confirmed {
                break;
            }
        }
        let Some(mut found) = found else { return Ok(Err(NoDifference::Flaky)) };
        if !confirmed {
            self.discard_refuted(&mut found);
        }
        let mut first_bad = Vec::new();
        for blamed in &found.pins {
            first_bad.push(match blamed.unproven {
                None => self.bisect(&found, &blamed.pin)?,
                Some(_) => Err(NoBisection::NotNeeded),
            });
        }
        let (symptom, pins) = (self.ends.symptom, self.pins.clone());
        Ok(Ok(BlameAnswer { bad, symptom, pins, found, confirmed, first_bad }))
    }

    fn search(&mut self) -> Result<Conclusion, E> {
        // A mixture that is flaky stays so with the same runs.
        let mut blame =
            Blame::new(self.pins.clone(), Effort { tries: 1, runs: self.question.runs });
        loop {
            let taken = match blame.step() {
                Step::Done(conclusion) => return Ok(conclusion),
                Step::Try(taken) => taken,
            };
            let outcome = match self.known.get(&taken) {
                Some(outcome) => *outcome,
                None => self.measure(&taken, self.question.repeats)?,
            };
            self.known.insert(taken.clone(), outcome);
            blame.answer(taken, outcome);
        }
    }

    fn measure(&mut self, taken: &BTreeSet<usize>, repeats: u32) -> Result<Outcome, E> {
        let blame = Blame::new(self.pins.clone(), Effort::default());
        let record = self.counted.measure(&blame.mixed(self.good, taken), repeats)?;
        Ok(self.ends.judge(&record, self.counted.world.analysis))
    }

    /// The places of the found pins in the list of all.
    fn places(&self, found: &Found) -> BTreeSet<usize> {
        let is_found = |pin: &Pin| found.pins.iter().any(|blamed| blamed.pin == *pin);
        (0..self.pins.len()).filter(|place| is_found(&self.pins[*place])).collect()
    }

    /// The sets on which the claim rests, each with what it has to be.
    fn claims(&self, found: &Found) -> Vec<(BTreeSet<usize>, Outcome)> {
        let all = self.places(found);
        let needed: Vec<&Pin> = found.needed().collect();
        let mut claims = vec![(all.clone(), Outcome::Bad)];
        for place in &all {
            if needed.contains(&&self.pins[*place]) {
                let without = all.iter().copied().filter(|other| other != place).collect();
                claims.push((without, Outcome::Good));
            }
        }
        claims
    }

    /// Whether what the claim rests on ends in the same way with as many runs again. Where it does not, the new answer
    /// takes the place of the old one.
    fn confirm(&mut self, found: &Found) -> Result<bool, E> {
        let mut confirmed = true;
        for (set, expected) in self.claims(found) {
            let outcome = self.measure(&set, self.question.repeats.saturating_mul(2))?;
            confirmed &= outcome == expected;
            self.known.insert(set, outcome);
        }
        Ok(confirmed)
    }

    /// Takes back what fresh runs have refuted in the last round.
    fn discard_refuted(&self, found: &mut Found) {
        let all = self.places(found);
        for blamed in &mut found.pins {
            let Some(place) = self.pins.iter().position(|pin| *pin == blamed.pin) else { continue };
            let without: BTreeSet<usize> =
                all.iter().copied().filter(|other| *other != place).collect();
            if blamed.unproven.is_none() && self.known.get(&without) != Some(&Outcome::Good) {
                blamed.unproven = Some(Unproven::Flaky);
            }
        }
    }

    /// Looks for the first bad release of a pin, with the other found ones as in the bad end, and all else as in the
    /// good one.
    fn bisect(&mut self, found: &Found, pin: &Pin) -> Result<Result<FirstBad, NoBisection>, E> {
        if pin.from.is_none() || pin.to.is_none() {
            return Ok(Err(NoBisection::NotInBoth));
        }
        let Some(releases) = (self.counted.world.releases)(pin)? else {
            return Ok(Err(NoBisection::UnknownReleases));
        };
        let effort = Effort { tries: 1, runs: self.question.runs };
        let Some(mut bisect) = Bisect::new(pin, &releases, effort) else {
            return Ok(Err(NoBisection::NotInBoth));
        };
        let blame = Blame::new(self.pins.clone(), Effort::default());
        let mut mixture = blame.mixed(self.good, &self.places(found));
        loop {
            let release = match bisect.step() {
                Step::Done(first_bad) => return Ok(Ok(first_bad)),
                Step::Try(release) => release,
            };
            mixture.insert(pin.name.clone(), release.clone());
            let record = self.counted.measure(&mixture, self.question.repeats)?;
            bisect.answer(release, self.ends.judge(&record, self.counted.world.analysis));
        }
    }
}

#[cfg(test)]
mod tests;
