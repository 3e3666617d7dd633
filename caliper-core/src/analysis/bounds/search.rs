//! What the steps on one Python share: looking answers up, walking along rows, and blaming.

use std::collections::BTreeMap;

use pep440_rs::Version;

use super::row::{Release, Row};
use super::{Answer, Bounds, Mixture, Offered, Seen, Wanted};
use crate::analysis::blame::{Bisect, Blame, Conclusion, Effort, Outcome, Pin, Step};
use crate::names::{PackageName, PythonVersion};
use crate::question::plan::Pins;

/// The search on one Python. Each function stops with `Err` at the first answers that are missing.
pub(super) struct Search<'a> {
    pub(super) bounds: &'a Bounds,
    pub(super) python: PythonVersion,
}

impl<'a> Search<'a> {
    /// The dependencies that the project requires on this Python.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a PackageName> {
        let python = self.python;
        let all = self.bounds.question.dependencies.iter();
        all.filter(move |one| one.releases.contains_key(&python)).map(|one| &one.name)
    }

    fn offered(&self, name: &PackageName) -> &'a [Offered] {
        let mut all = self.bounds.question.dependencies.iter();
        all.find(|one| one.name == *name)
            .and_then(|one| one.releases.get(&self.python))
            .map_or(&[], Vec::as_slice)
    }

    /// What is known with these pins. A pin takes the place of holding back.
    pub(super) fn known(&self, pins: Pins, held: &Pins) -> Result<&'a Answer, Wanted> {
        self.bounds.known(&self.mixture(pins, held))
    }

    fn mixture(&self, pins: Pins, held: &Pins) -> Mixture {
        let mut at_most = held.clone();
        at_most.retain(|name, _| !pins.contains_key(name));
        Mixture { python: self.python, pins, at_most }
    }

    /// The rows of some dependencies, as far as they are searched. `base` is what was measured without pins.
    pub(super) fn search(
        &self,
        names: &[PackageName],
        held: &Pins,
        base: &Answer,
        depth: u32,
    ) -> Result<Vec<Row>, Wanted> {
        let mut rows: Vec<Row> = names.iter().map(|name| self.row(name, held, base)).collect();
        let mut missing = Vec::new();
        for row in &mut rows {
            let mut is_complete = false;
            while !is_complete {
                let wanted = row.wanted(depth, self.bounds.question.widen);
                is_complete = true;
                for index in wanted {
                    let pin = Pins::from([(row.name.clone(), row.releases[index].version.clone())]);
                    let mixture = self.mixture(pin, held);
                    match self.bounds.answers.get(&mixture) {
                        Some(answer) => {
                            row.releases[index].seen = answer.seen;
                            row.releases[index].why.clone_from(&answer.why);
                            is_complete = false;
                        }
                        None => missing.push(mixture),
                    }
                }
            }
        }
        missing.sort();
        missing.dedup();
        if missing.is_empty() { Ok(rows) } else { Err(Wanted(missing)) }
    }

    fn row(&self, name: &PackageName, held: &Pins, base: &Answer) -> Row {
        let release = |offered: &Offered| Release {
            version: offered.version.clone(),
            is_allowed: offered.is_allowed,
            has_file: offered.has_file,
            seen: Seen::Untried,
            why: None,
        };
        let releases: Vec<Release> = self.offered(name).iter().map(release).collect();
        let mut held = held.clone();
        held.remove(name);
        let mut row = Row { name: name.clone(), held, releases, pick: None };
        row.pick = base.installed.get(name).and_then(|version| row.index_of(version));
        if let Some(pick) = row.pick.and_then(|pick| row.releases.get_mut(pick)) {
            // It was installed, so there is a file.
            (pick.seen, pick.has_file) = (base.seen, true);
            pick.why.clone_from(&base.why);
        }
        row
    }

    /// How many releases lie between the two sides of a pin.
    pub(super) fn between(&self, pin: &Pin) -> usize {
        let (Some(from), Some(to)) = (&pin.from, &pin.to) else { return usize::MAX };
        let (oldest, newest) = if from < to { (from, to) } else { (to, from) };
        let all = self.offered(&pin.name).iter().filter(|one| one.is_allowed && one.has_file);
        all.filter(|one| oldest < &one.version && &one.version < newest).count()
    }

    /// The last release of a pin, from its good side on, that is good.
    pub(super) fn last_good(
        &self,
        pin: &Pin,
        at: &dyn Fn(&Version) -> Result<&'a Answer, Wanted>,
        judge: &dyn Fn(&Answer) -> Outcome,
    ) -> Result<Option<Version>, Wanted> {
        let allowed = self.offered(&pin.name).iter().filter(|one| one.is_allowed && one.has_file);
        let releases: Vec<Version> = allowed.map(|one| one.version.clone()).collect();
        let effort = Effort { tries: 1, runs: None };
        let Some(mut bisect) = Bisect::new(pin, &releases, effort) else { return Ok(None) };
        loop {
            match bisect.step() {
                Step::Done(found) => return Ok(Some(found.last_good)),
                Step::Try(release) => {
                    let outcome = judge(at(&release)?);
                    bisect.answer(release, outcome);
                }
            }
        }
    }
}

/// Which side an answer is like. It is bad only if it ends as the bad side does.
pub(super) fn judged(answer: &Answer, bad: &Answer) -> Outcome {
    match answer.seen {
        Seen::Passed => Outcome::Good,
        Seen::Flaky => Outcome::Flaky,
        Seen::Failed if bad.seen == Seen::Failed && answer.why == bad.why => Outcome::Bad,
        Seen::Failed if bad.seen == Seen::CannotBeInstalled => Outcome::Good,
        Seen::CannotBeInstalled if bad.seen == Seen::CannotBeInstalled => Outcome::Bad,
        Seen::Failed | Seen::CannotBeInstalled | Seen::NotMeasured | Seen::Untried => {
            Outcome::Unresolvable
        }
    }
}

/// Which packages have the version of the bad side.
type Chosen<'a> = &'a dyn Fn(&PackageName) -> bool;

/// A small set of pins that makes the outcome bad, of which each is needed as far as is known.
pub(super) fn search_guilty<'a>(
    pins: &[Pin],
    known: &dyn Fn(Chosen<'_>) -> Result<&'a Answer, Wanted>,
    judge: &dyn Fn(&Answer) -> Outcome,
) -> Result<Option<Vec<Pin>>, Wanted> {
    let most = 2 * Blame::most_runs(pins.len(), 4);
    let effort = Effort { tries: 1, runs: u32::try_from(most).ok() };
    let mut blame = Blame::new(pins.to_vec(), effort);
    let place: BTreeMap<&PackageName, usize> =
        pins.iter().enumerate().map(|(index, pin)| (&pin.name, index)).collect();
    loop {
        match blame.step() {
            Step::Done(Conclusion::Found(found)) => {
                return Ok(Some(found.pins.into_iter().map(|one| one.pin).collect()));
            }
            Step::Done(Conclusion::NotReproduced { .. }) => return Ok(None),
            Step::Try(taken) => {
                let is_taken =
                    |name: &PackageName| place.get(name).is_some_and(|index| taken.contains(index));
                let outcome = judge(known(&is_taken)?);
                blame.answer(taken, outcome);
            }
        }
    }
}
