//! Healing a project: when it last worked, and with which pins it works today.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use caliper_core::analysis::blame::{Blame, Blamed, Conclusion, Effort, Found, Outcome, Pin, Step};
use caliper_core::analysis::heal::{
    self, Change, HealState, Healing, HealingPin, LastGood, Worked,
};
use caliper_core::facts::record::{Installed, Record, State};
use caliper_core::names::{PackageName, Timestamp};
use caliper_core::question::grid::CellId;
use caliper_core::question::plan::{Pins, Plan, PlannedCell, Setup};
use pep440_rs::Version;

use super::pinned::{PinnedCell, PinnedError};
use crate::runner::{RunContext, RunOptions};

/// A project to heal.
#[derive(Clone, Copy)]
pub struct HealQuestion<'a> {
    /// Its only cell is the project on one Python, as of no date.
    pub plan: &'a Plan,
    /// The moment that is today.
    pub today: Timestamp,
    /// At which dates it may have worked, the first to try first.
    pub moments: &'a [Timestamp],
    /// The newest releases of the tools for builds at a moment.
    pub build_tools: &'a dyn Fn(Timestamp) -> Pins,
    /// How often the tests are run at each date and with each set of pins. It works if all runs pass.
    pub repeats: u32,
}

/// What was measured so far.
struct Patient<'a> {
    question: HealQuestion<'a>,
    context: RunContext<'a>,
    measure: PinnedCell<'a>,
    /// How often the tests were run in each cell.
    measured: BTreeMap<CellId, usize>,
}

/// Finds out whether a project works today, else when it last did, and which of the versions of that day it needs in
/// order to work today.
///
/// Everything is measured, and kept in the store of `context`: a call that was interrupted goes on where it was.
///
/// # Errors
///
/// [`PinnedError`] if something could not be measured.
///
/// # Panics
///
/// If the plan has no cell.
pub fn heal(
    question: HealQuestion<'_>,
    context: RunContext<'_>,
    options: &RunOptions,
) -> Result<Healing, PinnedError> {
    let measure = PinnedCell::new(question.plan, context, options.clone());
    let mut patient = Patient { question, context, measure, measured: BTreeMap::new() };
    let now = patient.at(question.today, question.repeats)?;
    let why = patient.why(&now);
    let state = if now.passed() { HealState::Works } else { patient.treat(&now)? };
    let cell = &question.plan.cells[0];
    let (project, version) = own_name(&now)
        .unwrap_or_else(|| (question.plan.dependency.clone(), cell.id.version.clone()));
    Ok(Healing {
        project,
        version,
        python: cell.id.python,
        today: question.today,
        state,
        why,
        environments: patient.measured.len(),
        runs: patient.measured.values().sum(),
    })
}

impl Patient<'_> {
    fn treat(&mut self, now: &Record) -> Result<HealState, PinnedError> {
        let HealQuestion { moments, today, build_tools, repeats, .. } = self.question;
        let mut search = LastGood::new(moments.iter().copied(), today);
        let mut first = None;
        let change = loop {
            match search.step() {
                Step::Try(moment) => {
                    let passed = self.at(moment, 1)?.passed();
                    if passed && first.is_none() {
                        first = Some((moment, search.failed()));
                    }
                    search.answer(moment, passed);
                }
                Step::Done(Some(change)) => {
                    // One run of a test that is flaky may have told the wrong thing.
                    let then = self.at(change.good, repeats)?;
                    let next = self.at(change.bad, repeats)?;
                    if then.passed() && !next.passed() {
                        break Some((change, then, next));
                    }
                    let wrong = if then.passed() { change.bad } else { change.good };
                    search.answer(wrong, then.passed());
                }
                Step::Done(None) => break None,
            }
        };
        let (Some((Change { good, bad }, then, next)), Some((first, before))) = (change, first)
        else {
            let tried = search.failed();
            let at_first = moments.first().map(|moment| self.at(*moment, 1)).transpose()?;
            let why = at_first.and_then(|record| self.why(&record));
            return Ok(HealState::NeverWorked { tried, why });
        };
        let differs = heal::differs(&then, &next);
        let suspects = differs.iter().filter_map(|one| one.name.parse().ok()).collect();
        let worked = Worked { first, last: good, failed: bad, differs, before };
        let choice =
            Choice::of(&then, now, &suspects, build_tools(good), &self.question.plan.dependency);
        let of = choice.pins.len();
        match self.choose(&choice)? {
            Ok(found) => {
                let pin = |blamed: Blamed| {
                    let index = choice.pins.iter().position(|pin| *pin == blamed.pin)?;
                    let (name, version) = (blamed.pin.name, blamed.pin.to?);
                    let is_for_builds = index >= choice.installed;
                    Some(HealingPin { name, version, is_for_builds, unproven: blamed.unproven })
                };
                let pins = found.pins.into_iter().filter_map(pin).collect();
                Ok(HealState::Healed { worked, pins, of })
            }
            Err(record) => Ok(HealState::NotHealed { worked, why: self.why(&record), of }),
        }
    }

    /// Looks for few of the pins with which it works today. `Err` is the record with all of them, if it fails.
    ///
    /// This is a [`Blame`] with its words the other way round: the change that is looked for is the one from failing
    /// to passing, so that passing is [`Outcome::Bad`].
    fn choose(&mut self, choice: &Choice) -> Result<Result<Found, Box<Record>>, PinnedError> {
        let effort = Effort { runs: budget(choice.pins.len()), ..Effort::default() };
        let mut blame = Blame::new(choice.pins.clone(), effort);
        // Today without pins: it does not pass, be it flaky or not.
        blame.answer(BTreeSet::new(), Outcome::Good);
        loop {
            let taken = match blame.step() {
                Step::Try(taken) => taken,
                Step::Done(Conclusion::Found(found)) => return Ok(Ok(found)),
                Step::Done(Conclusion::NotReproduced { .. }) => {
                    let all = (0..choice.pins.len()).collect();
                    return Ok(Err(Box::new(self.with(choice, &all)?)));
                }
            };
            let record = self.with(choice, &taken)?;
            let states = record.states();
            let is_failed =
                |(_, state): &(&str, State)| !matches!(state, State::Passed | State::Flaky);
            let outcome = if record.passed() {
                Outcome::Bad
            } else if states.is_empty() || states.iter().any(is_failed) {
                Outcome::Good
            } else {
                Outcome::Flaky
            };
            blame.answer(taken, outcome);
        }
    }

    /// Measures today's world with some of the pins.
    fn with(&mut self, choice: &Choice, taken: &BTreeSet<usize>) -> Result<Record, PinnedError> {
        let chosen = |from: usize, to: usize| {
            let indices = taken.range(from..to);
            let pin = |index: &usize| {
                let pin = choice.pins.get(*index)?;
                Some((pin.name.clone(), pin.to.clone()?))
            };
            indices.filter_map(pin).collect::<Pins>()
        };
        let (installed, builds) =
            (chosen(0, choice.installed), chosen(choice.installed, choice.pins.len()));
        self.measured(self.question.today, [&installed, &builds], self.question.repeats)
    }

    fn at(&mut self, moment: Timestamp, repeats: u32) -> Result<Record, PinnedError> {
        self.measured(moment, [&Pins::new(), &Pins::new()], repeats)
    }

    fn measured(
        &mut self,
        moment: Timestamp,
        [pins, builds]: [&Pins; 2],
        repeats: u32,
    ) -> Result<Record, PinnedError> {
        let plan = self.question.plan;
        let cell = &plan.cells[0];
        let mut setup = Setup { as_of: Some(moment), ..plan.setup_of(cell).clone() };
        let lines = builds.iter().map(|(name, version)| format!("{name}=={version}"));
        setup.build_constraints.extend(lines);
        let mut cell = PlannedCell { setup: Some(Arc::new(setup)), ..cell.clone() };
        cell.id.variant.insert("as_of", heal::day(moment));
        let record = self.measure.measure(&cell, pins, repeats)?;
        self.measured.insert(record.id(), record.runs().count());
        Ok(record)
    }

    fn why(&self, record: &Record) -> Option<String> {
        heal::why(record, &|blob| self.context.store.content(blob).ok())
    }
}

/// How many sets are measured at most: twice of what four needed pins take.
fn budget(pins: usize) -> Option<u32> {
    u32::try_from(2 * Blame::most_runs(pins, 4)).ok()
}

/// The pins to choose from.
struct Choice {
    /// Those of what is installed, then those of builds.
    pins: Vec<Pin>,
    /// How many are of what is installed.
    installed: usize,
}

impl Choice {
    /// The versions of `then` that are not those of `now`, the suspects first.
    fn of(
        then: &Record,
        now: &Record,
        suspects: &BTreeSet<PackageName>,
        build_tools: Pins,
        project: &PackageName,
    ) -> Self {
        let (then, now) = (versions(then), versions(now));
        let mut pins = Pin::differing(&now, &then);
        // What is not there then cannot be pinned, and the project is the same.
        pins.retain(|pin| pin.to.is_some() && pin.name != *project);
        pins.sort_by_key(|pin| !suspects.contains(&pin.name));
        let installed = pins.len();
        let tool = |(name, version)| Pin { name, from: None, to: Some(version) };
        pins.extend(build_tools.into_iter().map(tool));
        Self { pins, installed }
    }
}

/// What the project itself is called once it is installed: the one package from this machine.
fn own_name(record: &Record) -> Option<(PackageName, Version)> {
    let is_here = |url: &str| url.starts_with("file:");
    let mut all = record.environment.installed.iter();
    all.find(|one| one.file.as_ref().is_some_and(|file| is_here(&file.url)))?.pin()
}

/// What is installed, as far as it has a version of PEP 440.
fn versions(record: &Record) -> Pins {
    record.environment.installed.iter().filter_map(Installed::pin).collect()
}
