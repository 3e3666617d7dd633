//! Probing: which changes of its surroundings change what a test does.
//!
//! One cell is measured as usual, and again with each change alone, all of them in one round, so that their runs are
//! made in turns. If a test is not changed by any of them, all are made together, and if that changes it, a small set
//! is looked for of which each change is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use caliper_core::analysis::Analysis;
use caliper_core::analysis::blame::{
    Effort, Known, Outcome, SmallSet, SmallSetFound, Step, Unproven,
};
use caliper_core::analysis::probe::{Effect, EffectKind, TestProbed, probe as judge};
use caliper_core::facts::event::RoundPurpose;
use caliper_core::facts::record::{Record, State};
use caliper_core::names::Sha256;
use caliper_core::question::factor::{FactorChange, repeated, surrounded};
use caliper_core::question::grid::CellId;
use caliper_core::question::plan::{Plan, PlannedCell};

use super::PinnedError;
use crate::runner::{Attempts, RunContext, RunOptions, Session};

/// The axis of what is changed, in the names of the cells.
const AXIS: &str = "factor";
/// What the cell is called in which nothing is changed.
const USUAL: &str = "as usual";
/// What the cell is called whose tests are started without the program that changes things.
const PLAIN: &str = "not probed";

/// What is to be found out.
#[derive(Debug, Clone, Copy)]
pub struct ProbeQuestion<'a> {
    /// A plan of one cell.
    pub plan: &'a Plan,
    /// The changes.
    pub changes: &'a [FactorChange],
    /// How often each test is run with each change.
    pub repeats: u32,
    /// Whether changes are made together if none alone acts on a test.
    pub together: bool,
}

/// What was found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Probing {
    /// What each change does to each test, in the order of the changes. One more effect stands behind them: that of
    /// starting the test without the program that makes changes, which should be none.
    pub tests: Vec<TestProbed>,
    /// What changes do together, of the tests on which none acts alone.
    pub together: Vec<(String, ProbedTogether)>,
    /// The cells that could not be measured, and why.
    pub not_measured: Vec<(CellId, String)>,
    /// The record without a change.
    pub usual: Record,
}

/// What changes do together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbedTogether {
    /// All of them together have no effect that was seen.
    Nothing,
    /// These have; with each, why it is not known to be needed, if it is not.
    Set(Vec<(FactorChange, Option<Unproven>)>),
    /// It was not decided, or could not be measured.
    Unknown,
}

/// Measures a cell with each change, and says what they do.
///
/// # Errors
///
/// [`PinnedError::Interrupted`] if the run was stopped; what was measured is kept. [`PinnedError::NotMeasured`] if the
/// cell without changes could not be measured.
pub fn probe(
    question: &ProbeQuestion<'_>,
    context: RunContext<'_>,
    options: &RunOptions,
    analysis: &Analysis<'_>,
) -> Result<Probing, PinnedError> {
    let mut world = World {
        question,
        context,
        options,
        session: Session::new(question.plan, context.reporter),
        known: BTreeMap::new(),
        not_measured: Vec::new(),
    };
    let singles = question.changes.iter().map(|change| Surroundings::Changed([*change].into()));
    let all: Vec<Surroundings> = std::iter::once(Surroundings::Changed(BTreeSet::new()))
        .chain(singles)
        .chain([Surroundings::Plain])
        .collect();
    world.measure(&all)?;
    let usual = world.known.get(&all[0]).cloned();
    let Some(usual) = usual.filter(|record| !record.outcome.is_spurious()) else {
        let reason = world.not_measured.into_iter().next().map(|(_, reason)| reason);
        return Err(PinnedError::NotMeasured { reason: reason.unwrap_or_default() });
    };
    let changed: Vec<Option<&Record>> = all[1..].iter().map(|one| world.known.get(one)).collect();
    let tests = judge(&usual, &changed, analysis);
    let mut together = Vec::new();
    for test in &tests {
        // The last is that of no change.
        let changes = &test.effects[..question.changes.len()];
        // What varies by itself would have to be measured very often.
        let varies = test.usual != State::Failed && !test.is_constant;
        let acts = changes.iter().any(|effect| effect.kind.is_effect());
        if !question.together || varies || acts {
            continue;
        }
        let measurable: Vec<FactorChange> = first_of_each(question.changes, changes);
        if measurable.len() > 1 {
            let found = small_set(&mut world, &usual, &measurable, &test.test, analysis)?;
            together.push((test.test.clone(), found));
        }
    }
    Ok(Probing { tests, together, not_measured: world.not_measured, usual })
}

/// The first change of each factor with which the test was measured.
fn first_of_each(changes: &[FactorChange], effects: &[Effect]) -> Vec<FactorChange> {
    let mut found: Vec<FactorChange> = Vec::new();
    for (change, effect) in changes.iter().zip(effects) {
        if effect.kind != EffectKind::NotMeasured
            && found.iter().all(|known| known.factor != change.factor)
        {
            found.push(*change);
        }
    }
    found
}

/// A small set of changes that act on a test together.
fn small_set(
    world: &mut World<'_>,
    usual: &Record,
    changes: &[FactorChange],
    test: &str,
    analysis: &Analysis<'_>,
) -> Result<ProbedTogether, PinnedError> {
    let mut search = SmallSet::new(changes.len(), Effort { tries: 1, runs: None });
    // That nothing alone does anything was measured.
    search.answer(BTreeSet::new(), Outcome::Good);
    for one in 0..changes.len() {
        search.answer(BTreeSet::from([one]), Outcome::Good);
    }
    loop {
        let taken = match search.step() {
            Step::Try(taken) => taken,
            Step::Done(SmallSetFound::Found { things, .. }) => {
                let set = things.into_iter().map(|(thing, unproven)| (changes[thing], unproven));
                return Ok(ProbedTogether::Set(set.collect()));
            }
            Step::Done(SmallSetFound::NotReproduced { bad, .. }) => {
                return Ok(match bad {
                    Some(Known::Good) => ProbedTogether::Nothing,
                    Some(Known::Bad | Known::Unproven(_)) | None => ProbedTogether::Unknown,
                });
            }
        };
        let set = Surroundings::Changed(taken.iter().map(|thing| changes[*thing]).collect());
        world.measure(std::slice::from_ref(&set))?;
        let probed = judge(usual, &[world.known.get(&set)], analysis);
        let of_test = probed.iter().find(|one| one.test == test);
        let kind = of_test.and_then(|one| Some(one.effects.first()?.kind));
        search.answer(
            taken,
            match kind {
                Some(kind) if kind.is_effect() => Outcome::Bad,
                Some(EffectKind::Nothing) => Outcome::Good,
                Some(EffectKind::Undecided) => Outcome::Flaky,
                Some(_) | None => Outcome::Unresolvable,
            },
        );
    }
}

/// In what a cell is measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Surroundings {
    /// With these changes.
    Changed(BTreeSet<FactorChange>),
    /// Without the program that makes changes.
    Plain,
}

/// Measures.
struct World<'a> {
    question: &'a ProbeQuestion<'a>,
    context: RunContext<'a>,
    options: &'a RunOptions,
    session: Session<'a>,
    known: BTreeMap<Surroundings, Record>,
    not_measured: Vec<(CellId, String)>,
}

impl World<'_> {
    /// Measures those that are not known yet.
    fn measure(&mut self, wanted: &[Surroundings]) -> Result<(), PinnedError> {
        let wanted: Vec<&Surroundings> =
            wanted.iter().filter(|one| !self.known.contains_key(one)).collect();
        let cells: Vec<PlannedCell> = wanted.iter().filter_map(|one| self.cell(one)).collect();
        if cells.is_empty() {
            return Ok(());
        }
        let setup = repeated(&self.question.plan.setup, self.question.repeats);
        let plan = Plan { setup, cells, ..self.question.plan.part(|_| false) };
        let tests = plan.setup.judged_tests().into_iter();
        let attempts: Attempts =
            tests.map(|test| (test.to_owned(), self.question.repeats)).collect();
        let attempts = plan.cells.iter().map(|cell| (cell.id.clone(), attempts.clone())).collect();
        let options = RunOptions { attempts, ..self.options.clone() };
        let done = self.session.round(&plan, self.context, &options, RoundPurpose::Measure)?;
        if done.interrupted {
            return Err(PinnedError::Interrupted);
        }
        self.not_measured.extend(done.not_measured);
        let mut records: BTreeMap<CellId, Record> =
            done.records.into_iter().map(|record| (record.id(), record)).collect();
        for (one, cell) in wanted.into_iter().zip(&plan.cells) {
            if let Some(record) = records.remove(&cell.id) {
                self.known.insert(one.clone(), record);
            }
        }
        Ok(())
    }

    fn cell(&self, surroundings: &Surroundings) -> Option<PlannedCell> {
        let ProbeQuestion { plan, repeats, .. } = *self.question;
        let cell = plan.cells.first()?;
        let setup = plan.setup_of(cell);
        let (name, setup) = match surroundings {
            Surroundings::Plain => (PLAIN.to_owned(), repeated(setup, repeats)),
            Surroundings::Changed(changes) => {
                let changes: Vec<FactorChange> = changes.iter().copied().collect();
                let name = name(&changes);
                (name, surrounded(setup, &changes, repeats))
            }
        };
        let mut id = cell.id.clone();
        id.variant.insert(AXIS, name);
        Some(PlannedCell { id, choice: cell.choice.clone(), setup: Some(Arc::new(setup)) })
    }
}

/// What a cell with these changes is called: by all of them, if they are few.
fn name(changes: &[FactorChange]) -> String {
    const NAMED: usize = 3;
    let names: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let names = names.join(" + ");
    match changes.len() {
        0 => USUAL.to_owned(),
        1..=NAMED => names,
        many => format!("{many} changes, {}", &Sha256::of(names.as_bytes()).hex()[..6]),
    }
}
