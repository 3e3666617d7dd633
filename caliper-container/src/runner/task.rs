//! What is to be done about each cell of a plan.

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::facts::identity::Identity;
use caliper_core::facts::record::{BlobRef, CellOutcome, Record};
use caliper_core::question::grid::Choice;
use caliper_core::question::group::Seeds;
use caliper_core::question::overlay::mismatch_of_release;
use caliper_core::question::plan::{Plan, PlannedCell, Recipe, Test};

use super::{Attempts, CellAction, Rerun, RunContext, RunError, RunOptions, chain};
use crate::backend::{BackendError, EnvironmentRequest, RunId};
use crate::project::{Project, ProjectError};

/// A cell with its identity and what to do about it.
#[derive(Debug, Clone)]
pub(super) struct Task<'a> {
    pub(super) cell: &'a PlannedCell,
    pub(super) recipe: Recipe,
    pub(super) identity: Identity,
    pub(super) action: CellAction,
    /// How many runs of each test are wanted at least.
    pub(super) attempts: Attempts,
    /// The part of an earlier record that is still valid, if it lacks runs.
    pub(super) older: Option<Record>,
    /// What its identity was made from, where that is kept.
    pub(super) parts: Option<BlobRef>,
}

/// The part of the project that each test sees, by the name of the test.
pub(super) type Found = BTreeMap<String, Project>;

pub(super) fn tasks<'a>(
    plan: &'a Plan,
    context: RunContext<'a>,
    options: &RunOptions,
    run: &RunId,
    found: &Found,
) -> Result<Vec<Task<'a>>, RunError> {
    for setup in plan.setups() {
        context.backend.check(setup)?;
    }
    plan.cells.iter().map(|cell| task(plan, cell, context, options, run, found)).collect()
}

pub(super) fn found(plan: &Plan, project: &Project) -> Result<Found, ProjectError> {
    plan.setup.all_tests().map(|test| Ok((test.name.clone(), project.for_test(&test)?))).collect()
}

fn task<'a>(
    plan: &'a Plan,
    cell: &'a PlannedCell,
    context: RunContext<'a>,
    options: &RunOptions,
    run: &RunId,
    found: &Found,
) -> Result<Task<'a>, RunError> {
    let identity =
        |recipe: &Recipe| Identity::of(plan, cell, recipe, &|test| *found[&test.name].digest());
    let nothing = || Recipe { backend: context.backend.name().to_owned(), ..Recipe::default() };
    let overlays = &plan.setup_of(cell).overlays;
    let mismatch = mismatch_of_release(overlays, &plan.dependency, &cell.id.version);
    let recipe = match (request(plan, cell, context, run), mismatch) {
        // What would be measured is not what was asked for.
        (Some(_), Some(mismatch)) => Err(BackendError::Overlay { reason: mismatch.to_string() }),
        (Some(request), None) => context.backend.recipe(&request),
        (None, _) => Ok(nothing()),
    };
    let recipe = match recipe {
        Ok(recipe) => recipe,
        // A template that does not render is an error in the configuration, so it affects all cells.
        Err(error @ BackendError::Template(_)) => return Err(error.into()),
        Err(error) => {
            let action = CellAction::NotMeasurable(chain(&error));
            return Ok(Task {
                cell,
                identity: identity(&nothing()),
                recipe: nothing(),
                action,
                attempts: Attempts::new(),
                older: None,
                parts: None,
            });
        }
    };
    let identity = identity(&recipe);
    let known = context.store.load(&cell.id)?.and_then(|record| identity.part_of(record));
    let known = known.filter(|record| {
        let again = match options.rerun {
            Rerun::Nothing => false,
            Rerun::Failed => !record.passed(),
            Rerun::All => true,
        };
        !again || cell.file().is_none()
    });
    let attempts = options.attempts.get(&cell.id).cloned().unwrap_or_default();
    let lacks = |record: &Record| {
        let mut tests = plan.setup_of(cell).all_tests();
        record.outcome == CellOutcome::Tested
            && tests.any(|test| !missing(Some(record), &attempts, &test).is_empty())
    };
    let (older, recorded) = match known {
        Some(record) if lacks(&record) => (Some(record), None),
        // If tests were only removed, the record is still complete, under the key of today's cell.
        // A record of an interrupted run is complete too once less is wanted.
        known => (
            None,
            known.map(|mut record| {
                record.key = identity.cell;
                record.interrupted = false;
                record
            }),
        ),
    };
    let action = match (recorded, &cell.choice) {
        (Some(record), _) => CellAction::Recorded(Box::new(record)),
        (None, Choice::Missing(_)) => CellAction::Unavailable,
        (None, Choice::File { .. }) => CellAction::ToMeasure(Vec::new()),
    };
    Ok(Task { cell, recipe, identity, action, attempts, older, parts: None })
}

/// Which runs of a test a record lacks, counted from 1. Those of an interrupted record may lie anywhere, because
/// runs go side by side.
pub(super) fn missing(record: Option<&Record>, attempts: &Attempts, test: &Test) -> Vec<u32> {
    let had = record.and_then(|record| record.test(&test.name));
    let had: BTreeSet<u32> =
        had.into_iter().flat_map(|test| &test.runs).map(|run| run.attempt).collect();
    let wanted = attempts.get(&test.name).copied().unwrap_or_default().max(test.repeat);
    // A list of seeds has no more runs than seeds.
    let most = test.seeds.as_ref().map_or(u32::MAX, Seeds::most);
    (1..=wanted.min(most)).filter(|attempt| !had.contains(attempt)).collect()
}

/// The request for the environment of a cell; `None` if there is nothing to install.
pub(super) fn request<'a>(
    plan: &'a Plan,
    cell: &'a PlannedCell,
    context: RunContext<'a>,
    run: &'a RunId,
) -> Option<EnvironmentRequest<'a>> {
    cell.file()?;
    Some(EnvironmentRequest {
        run,
        dependency: &plan.dependency,
        cell,
        interpreter: plan.interpreter(cell.id.python)?,
        setup: plan.setup_of(cell),
        project: context.project,
        files: context.files,
        alone: false,
        interrupt: context.interrupt,
    })
}
