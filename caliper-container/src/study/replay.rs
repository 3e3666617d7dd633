//! Rebuilding recorded cells from their locks.

use std::collections::BTreeMap;
use std::sync::Arc;

use caliper_core::facts::event::RoundPurpose;
use caliper_core::facts::identity::Stale;
use caliper_core::facts::record::{Record, test_names};
use caliper_core::question::plan::{Plan, PlannedCell, Setup};

use crate::runner::{
    Attempts, CellAction, Outcome, RunContext, RunError, RunOptions, Session, preview,
};

/// Measures the cells of `plan`, each in an environment from its lock, and each test as often as in the record of the
/// cell. The store of `context` must be another than that of `records`, which stay.
///
/// # Errors
///
/// As [`run`](crate::runner::run). A cell that could not be rebuilt is no error: it is listed in
/// [`Outcome::not_measured`].
pub fn replay(
    plan: &Plan,
    records: &[Record],
    context: RunContext<'_>,
    options: &RunOptions,
) -> Result<Outcome, RunError> {
    let runs = |record: &Record| -> Attempts {
        let tests = test_names(&record.tests).into_iter();
        tests.map(|test| (test.to_owned(), record.attempts(test))).collect()
    };
    let attempts = records.iter().map(|record| (record.id(), runs(record))).collect();
    let options = RunOptions { attempts, ..options.clone() };
    Session::new(plan, context.reporter).round(plan, context, &options, RoundPurpose::Replay)
}

/// Why the records in the store of `context` do not answer what is asked now, apart from the locks of `plan`: each reason
/// with the number of cells. What differs in a replay may be due to this.
///
/// # Errors
///
/// As [`preview`].
pub fn differs(plan: &Plan, context: RunContext<'_>) -> Result<Vec<(Stale, usize)>, RunError> {
    let unlocked = |cell: &PlannedCell| {
        let setup = Setup { lock: None, ..plan.setup_of(cell).clone() };
        PlannedCell { setup: Some(Arc::new(setup)), ..cell.clone() }
    };
    let cells = plan.cells.iter().map(unlocked).collect();
    let plan = Plan { cells, ..plan.part(|_| false) };
    let mut counts: BTreeMap<Stale, usize> = BTreeMap::new();
    for action in preview(&plan, context, &RunOptions::default())? {
        if let CellAction::ToMeasure(reasons) = action {
            for reason in reasons {
                *counts.entry(reason).or_default() += 1;
            }
        }
    }
    Ok(counts.into_iter().collect())
}
