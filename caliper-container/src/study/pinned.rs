//! Measuring one cell with other packages at chosen versions.

use caliper_core::facts::event::RoundPurpose;
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::names::PackageName;
use caliper_core::question::plan::{Pins, Plan, PlannedCell};
use pep440_rs::Version;

use crate::runner::{Attempts, RunContext, RunError, RunOptions, Session};

/// A cell of a plan, to be measured several times with other packages at chosen versions.
///
/// Its records are kept in the store of the context. A measurement with pins that it has a valid record for is not
/// made again, so what was interrupted goes on.
pub struct PinnedCell<'a> {
    plan: &'a Plan,
    context: RunContext<'a>,
    options: RunOptions,
    session: Session<'a>,
}

/// Why a cell could not be measured under pins.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinnedError {
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run was stopped. What was measured is kept.
    #[error("interrupted")]
    Interrupted,
    /// The infrastructure failed.
    #[error("could not be measured: {reason}")]
    NotMeasured {
        /// Why.
        reason: String,
    },
    /// The environment has another version than was asked for: constraints have no effect in it.
    #[error(
        "{name} {installed} was installed although {asked} was asked for: the template must install with \
         `{{{{ constraints }}}}`"
    )]
    NotPinned {
        /// The package.
        name: PackageName,
        /// The version that was asked for.
        asked: Version,
        /// The version that is installed.
        installed: String,
    },
}

impl<'a> PinnedCell<'a> {
    /// Cells of `plan`. What is measured is one run of Caliper, which ends when this is dropped.
    pub fn new(plan: &'a Plan, context: RunContext<'a>, options: RunOptions) -> Self {
        let session = Session::new(plan, context.reporter);
        Self { plan, context, options, session }
    }

    /// Measures `cell` under `pins`, each test at least `repeats` times, and returns the record. Its outcome is
    /// [`CellOutcome::Tested`] or [`CellOutcome::BuildFailed`].
    ///
    /// # Errors
    ///
    /// [`PinnedError`] if it could not be measured.
    pub fn measure(
        &self,
        cell: &PlannedCell,
        pins: &Pins,
        repeats: u32,
    ) -> Result<Record, PinnedError> {
        let plan = self.plan.pinned(cell, pins);
        let tests = plan.setup.judged_tests().into_iter();
        let wanted: Attempts = tests.map(|test| (test.to_owned(), repeats)).collect();
        let attempts = plan.cells.iter().map(|cell| (cell.id.clone(), wanted.clone())).collect();
        let options = RunOptions { attempts, ..self.options.clone() };
        let purpose = RoundPurpose::Pinned { pins: pins.len() };
        let done = self.session.round(&plan, self.context, &options, purpose)?;
        if done.interrupted {
            return Err(PinnedError::Interrupted);
        }
        let record = done.records.into_iter().next();
        let usable = record.filter(|record| !record.outcome.is_spurious());
        let Some(record) = usable else {
            let reason = done.not_measured.into_iter().next().map(|(_, reason)| reason);
            return Err(PinnedError::NotMeasured { reason: reason.unwrap_or_default() });
        };
        match not_pinned(&record, pins, &plan.dependency) {
            Some(error) => Err(error),
            None => Ok(record),
        }
    }
}

/// A package that was installed in another version than its pin.
pub(super) fn not_pinned(
    record: &Record,
    pins: &Pins,
    dependency: &PackageName,
) -> Option<PinnedError> {
    if record.outcome != CellOutcome::Tested {
        return None;
    }
    record.environment.installed.iter().find_map(|one| {
        let name: PackageName = one.name.parse().ok()?;
        let asked = pins.get(&name).filter(|_| name != *dependency)?;
        let is_it = one.version.parse::<Version>().is_ok_and(|version| version == *asked);
        let (asked, installed) = (asked.clone(), one.version.clone());
        (!is_it).then_some(PinnedError::NotPinned { name, asked, installed })
    })
}
