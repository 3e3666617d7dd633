//! Bounds: which releases of its dependencies a project works with, by measuring mixtures of them.
//!
//! What to measure next is said by [`caliper_core::analysis::bounds`], which measures nothing. Here it is given
//! answers. How a mixture is measured is the caller's, usually with [`Mixtures`].

use std::collections::BTreeMap;
use std::sync::Arc;

use caliper_core::analysis::blame::Step;
use caliper_core::analysis::bounds::{Answer, Bounds, Mixture, OnPython, Question, Seen};
use caliper_core::analysis::compare::Blobs;
use caliper_core::analysis::heal;
use caliper_core::facts::event::RoundPurpose;
use caliper_core::facts::record::{Installed, Record};
use caliper_core::names::{PackageName, Sha256};
use caliper_core::question::grid::CellId;
use caliper_core::question::plan::{Pins, Plan, PlannedCell, Setup};

use super::pinned::{PinnedError, not_pinned};
use crate::runner::{Attempts, RunContext, RunOptions, Session};

/// How mixtures are measured.
#[expect(clippy::type_complexity, reason = "each is one function of the caller")]
pub struct BoundsWorld<'a, E> {
    /// Measures mixtures, with at least so many runs of each test, and returns their records in this order.
    pub measure: &'a dyn Fn(&[Mixture], u32) -> Result<Vec<Record>, E>,
    /// Finds the outputs of these records.
    pub blobs: Blobs<'a>,
}

/// What came of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Bounding {
    /// What was found on each Python.
    pub found: Vec<OnPython>,
    /// How many mixtures were installed, or tried to, now or before.
    pub installs: usize,
    /// How long installing them and running the tests took, in seconds of work.
    pub seconds: f64,
    /// The mixtures that could not be measured, and why.
    pub not_measured: Vec<(Mixture, String)>,
}

/// Finds the bounds. A suite that fails is run `repeats` times with that mixture: one run of a flaky suite would refute a
/// bound by chance.
///
/// # Errors
///
/// What the function of `world` returns.
pub fn bounds<E>(
    question: Question,
    repeats: u32,
    world: &BoundsWorld<'_, E>,
) -> Result<Bounding, E> {
    let mut bounds = Bounds::new(question);
    let mut not_measured = Vec::new();
    let mut nanoseconds = 0_u64;
    loop {
        let wanted = match bounds.step() {
            Step::Try(wanted) => wanted,
            #[expect(clippy::cast_precision_loss, reason = "seconds for a person")]
            Step::Done(found) => {
                let seconds = nanoseconds as f64 / 1e9;
                return Ok(Bounding { found, installs: bounds.installs(), seconds, not_measured });
            }
        };
        let mut records: BTreeMap<Mixture, Record> = BTreeMap::new();
        let measured = (world.measure)(&wanted, 1)?;
        records.extend(wanted.into_iter().zip(measured));
        let fails = |record: &&Record| Seen::of(record) == Seen::Failed;
        let failing: Vec<Mixture> = records
            .iter()
            .filter(|(_, record)| fails(record) && repeats > 1)
            .map(|(mixture, _)| mixture.clone())
            .collect();
        if !failing.is_empty() {
            let again = (world.measure)(&failing, repeats)?;
            records.extend(failing.into_iter().zip(again));
        }
        for (mixture, record) in records {
            nanoseconds += spent(&record);
            if record.outcome.is_spurious() {
                let reason = record.reason.clone().unwrap_or_default();
                not_measured.push((mixture.clone(), reason));
            }
            bounds.answer(mixture, answer(&record, world.blobs));
        }
    }
}

fn spent(record: &Record) -> u64 {
    let build = record.build.as_ref().map_or(0, |build| build.nanoseconds);
    record.runs().map(|(_, run)| run.nanoseconds).sum::<u64>() + build
}

fn answer(record: &Record, blobs: Blobs<'_>) -> Answer {
    let seen = Seen::of(record);
    let why = match seen {
        Seen::Passed | Seen::Untried => None,
        Seen::NotMeasured => record.reason.clone(),
        Seen::Failed | Seen::Flaky | Seen::CannotBeInstalled => heal::why(record, blobs),
    };
    let installed = record.environment.installed.iter().filter_map(Installed::pin).collect();
    Answer { seen, installed, why }
}

/// Measures mixtures of one project, several at the same time.
///
/// Its records are kept in the store of the context, so what was interrupted goes on.
pub struct Mixtures<'a> {
    plan: &'a Plan,
    declared: &'a dyn Fn(&Mixture) -> Vec<String>,
    context: RunContext<'a>,
    options: RunOptions,
    session: Session<'a>,
}

impl<'a> Mixtures<'a> {
    /// Mixtures of the project that is the one release of `plan`, with a cell for each Python. `declared` are the
    /// constraints that hold with a mixture besides those of the plan and its own: what the project declares of the
    /// dependencies that are not pinned, if its file no longer does.
    ///
    /// What is measured is one run of Caliper, which ends when this is dropped.
    pub fn new(
        plan: &'a Plan,
        declared: &'a dyn Fn(&Mixture) -> Vec<String>,
        context: RunContext<'a>,
        options: RunOptions,
    ) -> Self {
        let session = Session::new(plan, context.reporter);
        Self { plan, declared, context, options, session }
    }

    /// Measures `mixtures`, each test at least `repeats` times, and returns their records.
    ///
    /// # Errors
    ///
    /// [`PinnedError::Interrupted`] if the run was stopped, and [`PinnedError::Run`] if it failed. What could not be
    /// measured has a record that says so.
    pub fn measure(&self, mixtures: &[Mixture], repeats: u32) -> Result<Vec<Record>, PinnedError> {
        let cells = mixtures.iter().filter_map(|one| self.cell(one));
        let plan = Plan { cells: cells.collect(), ..self.plan.part(|_| false) };
        let tests = plan.setup.judged_tests().into_iter();
        let wanted: Attempts = tests.map(|test| (test.to_owned(), repeats)).collect();
        let attempts = plan.cells.iter().map(|cell| (cell.id.clone(), wanted.clone())).collect();
        let options = RunOptions { attempts, ..self.options.clone() };
        let pins = mixtures.iter().map(|one| one.pins.len()).max().unwrap_or(0);
        let purpose = RoundPurpose::Pinned { pins };
        let done = self.session.round(&plan, self.context, &options, purpose)?;
        if done.interrupted {
            return Err(PinnedError::Interrupted);
        }
        let mut records: BTreeMap<CellId, Record> =
            done.records.into_iter().map(|record| (record.id(), record)).collect();
        let mut found = Vec::new();
        for (cell, mixture) in plan.cells.iter().zip(mixtures) {
            let Some(record) = records.remove(&cell.id) else {
                let mut lost = done.not_measured.iter().filter(|(id, _)| *id == cell.id);
                let reason = lost.next().map(|(_, reason)| reason.clone()).unwrap_or_default();
                return Err(PinnedError::NotMeasured { reason });
            };
            if let Some(error) = not_pinned(&record, &mixture.pins, &plan.dependency) {
                return Err(error);
            }
            found.push(record);
        }
        Ok(found)
    }

    /// The cell of a mixture. Its name says which releases are chosen, if they are few.
    fn cell(&self, mixture: &Mixture) -> Option<PlannedCell> {
        const NAMED: usize = 3;
        let Mixture { python, pins, at_most } = mixture;
        let cell = self.plan.cells.iter().find(|cell| cell.id.python == *python)?;
        let setup = self.plan.setup_of(cell);
        let mut constraints = setup.constraints.clone();
        constraints.extend((self.declared)(mixture));
        constraints.extend(lines(pins, "=="));
        constraints.extend(lines(at_most, "<="));
        let mut id = cell.id.clone();
        if pins.len() + at_most.len() <= NAMED {
            for (name, version) in pins {
                id.variant.insert(name.normalized(), version.to_string());
            }
            for (name, version) in at_most {
                id.variant.insert(name.normalized(), format!("<={version}"));
            }
        } else {
            let digest = Sha256::of(format!("{mixture:?}").as_bytes()).hex();
            id.variant.insert(Plan::PINS, &digest[..12]);
        }
        let setup = Arc::new(Setup { constraints, ..setup.clone() });
        Some(PlannedCell { id, choice: cell.choice.clone(), setup: Some(setup) })
    }
}

fn lines(pins: &Pins, operator: &str) -> Vec<String> {
    let line =
        |(name, version): (&PackageName, _)| format!("{}{operator}{version}", name.normalized());
    pins.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
