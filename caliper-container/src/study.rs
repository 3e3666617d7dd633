//! Measuring a whole configuration: what `caliper run` does between opening its files and printing.
//!
//! [`runner::run`] goes through the cells of a plan once. A *study* goes on from there: it measures
//! only what a search needs, repeats what is undecided, measures a share of the cells a second time,
//! and adds the recorded cells that this run leaves out. Nothing here prints or reads a configuration.
//!
//! [`measure`] makes the measurements; [`Study::results`] draws the conclusions from them. Both read what is
//! recorded from the store, as [`rebuild`] does, so that a run and a later look at it agree.

mod blame;
mod blind;
mod bounds;
mod confirm;
mod heal;
mod pinned;
mod probe;
mod replay;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use blame::{BlameAnswer, BlameQuestion, BlameWorld, Blaming, Spent, blame};
pub use bounds::{Bounding, BoundsWorld, Mixtures, bounds};

use caliper_core::analysis::Analysis;
use caliper_core::analysis::compare::{Blobs, Outputs};
use caliper_core::analysis::results::Results;
use caliper_core::analysis::search::Search;
use caliper_core::facts::asked::Asked;
use caliper_core::facts::event::RoundPurpose;
use caliper_core::facts::record::Record;
use caliper_core::facts::store::{ResultStore, StoreError};
use caliper_core::question::config::Config;
use caliper_core::question::criteria::Criteria;
use caliper_core::question::grid::CellId;
use caliper_core::question::plan::Plan;
use pep440_rs::Version;

use crate::runner::{
    self, CellAction, Outcome, Rerun, RunContext, RunError, RunOptions, Searching, Session,
    actions, identities,
};

pub use heal::{HealQuestion, heal};
pub use pinned::{PinnedCell, PinnedError};
pub use probe::{ProbeQuestion, ProbedTogether, Probing, probe};
pub use replay::{differs, replay};

/// What is to be found out.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The cells to measure.
    pub plan: &'a Plan,
    /// Cells of the grid that this run leaves out. Their records belong to the results all the same.
    pub rest: Option<&'a Plan>,
    /// Whether `plan` and `rest` are the whole grid. If not, cells that the run before asked for belong to it
    /// too. Their records are stale, because it is not known whether they answer what is asked now.
    pub is_whole: bool,
    /// The release that the others are compared with; `None` for the newest at which a test passes.
    pub baseline: Option<&'a Version>,
    /// When two results are the same.
    pub criteria: &'a Criteria,
}

impl<'a> Question<'a> {
    /// The analysis that answers it, still without records.
    fn analysis(&self, blobs: Blobs<'a>, outputs: &Arc<Outputs>) -> Analysis<'a> {
        Analysis::new(&[], self.baseline, self.criteria, blobs).sharing(outputs)
    }
}

/// How the measurements are made, beyond going through the cells once.
#[derive(Clone, Copy, Default)]
pub struct Method<'a> {
    /// Measures only what this search needs; `None` measures every cell.
    pub search: Option<RowSearch<'a>>,
    /// Whether tests are repeated, in at most [`ROUNDS`] rounds, until what is undecided is decided.
    pub confirm: bool,
    /// Measures a share of the cells a second time; `None` for no blind check.
    pub blind: Option<BlindCheck<'a>>,
}

/// A search for the releases at which something changes.
#[derive(Debug, Clone, Copy)]
pub struct RowSearch<'a> {
    /// How each row is searched.
    pub search: Search,
    /// The test whose rows are searched; `None` for all tests.
    pub test: Option<&'a str>,
}

/// A blind check: cells are measured a second time as if they were another release, to see how often
/// that is called different.
#[derive(Clone, Copy)]
pub struct BlindCheck<'a> {
    /// The share of the cells, from 0 to 1.
    pub share: f64,
    /// Where the second measurements are kept. They never take the place of the first.
    pub store: &'a dyn ResultStore,
}

/// How many rounds of repeats there are at most. After each round there are fewer open questions, or
/// other ones.
pub const ROUNDS: usize = 3;

/// The measurements of a study.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Study {
    /// The records of the cells of [`Question::plan`] that have one.
    pub records: Vec<Record>,
    /// The valid records of the cells of [`Question::rest`].
    pub rest: Vec<Record>,
    /// The cells that could not be measured, and why.
    pub not_measured: Vec<(CellId, String)>,
    /// Whether the study was stopped before its end.
    pub interrupted: bool,
    /// What was asked, also of the cells that were left out.
    pub asked: Asked,
    /// What the store has of all these cells in the end.
    kept: Vec<Record>,
    /// What was read of outputs on the way.
    outputs: Arc<Outputs>,
}

/// Measures what `question` asks for. What is asked is in the store of `context` before anything is measured, and
/// every record is before this returns.
///
/// # Errors
///
/// As [`runner::run`]. A cell that could not be measured is not an error; it is listed in
/// [`Study::not_measured`].
pub fn measure(
    question: &Question<'_>,
    context: RunContext<'_>,
    options: &RunOptions,
    method: &Method<'_>,
) -> Result<Study, RunError> {
    let asked = asked(question, context)?;
    context.store.save_asked(&asked)?;
    let session = Session::new(question.plan, context.reporter);
    let outputs = Arc::default();
    let outcome = match &method.search {
        Some(search) => search_rows(&session, question, context, options, search, &outputs)?,
        None => session.round(question.plan, context, options, RoundPurpose::Measure)?,
    };
    let Outcome { records, not_measured, interrupted, .. } = outcome;
    let rest = question.rest.map(|rest| recorded(rest, context, options)).transpose()?;
    let mut study = Study {
        records,
        rest: rest.unwrap_or_default(),
        not_measured,
        interrupted,
        asked,
        kept: Vec::new(),
        outputs,
    };
    if method.confirm {
        study.confirm(&session, question, context, options)?;
    }
    if let Some(check) = &method.blind
        && !context.interrupt.is_raised()
    {
        study.measure_again(&session, question, context, options, check)?;
    }
    let kept = study.asked.cells().filter_map(|cell| context.store.load(&cell).transpose());
    study.kept = kept.collect::<Result<_, StoreError>>()?;
    Ok(study)
}

/// What decides the results of all cells of the grid, where that can be told: not of cells that are not laid
/// out, nor of those that are left out and that the backend cannot describe now.
fn asked(question: &Question<'_>, context: RunContext<'_>) -> Result<Asked, RunError> {
    let mut cells = BTreeMap::new();
    if !question.is_whole {
        let earlier = context.store.asked()?;
        cells.extend(earlier.iter().flat_map(Asked::cells).map(|cell| (cell, None)));
    }
    let rest = question.rest.map(|rest| identities(rest, context)).transpose()?;
    for (cell, identity, is_known) in rest.into_iter().flatten() {
        cells.insert(cell, is_known.then_some(identity));
    }
    let asked = identities(question.plan, context)?.into_iter();
    cells.extend(asked.map(|(cell, identity, _)| (cell, Some(identity))));
    Ok(Asked::new(context.backend.name(), cells).beside(&question.plan.left_out))
}

impl Study {
    /// The records of the plan, then those of the cells that were left out.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().chain(&self.rest)
    }

    /// The summary: all that the store has of the grid, with verdicts, causes and rows. `again` holds second
    /// measurements, of this run or an earlier one, for the blind check; `blobs` finds the outputs of both.
    ///
    /// `None` if there is no record.
    pub fn results(
        &self,
        question: &Question<'_>,
        again: &[Record],
        blobs: Blobs<'_>,
    ) -> Option<Results> {
        let Plan { analysis: name, dependency, .. } = question.plan;
        let analysis = question.analysis(blobs, &self.outputs);
        let kept = self.kept.clone();
        Results::of_asked(name, dependency.clone(), &self.asked, kept, &analysis, again)
    }
}

/// The summary of what a store has: `asked` and `records` are what it keeps. While a run goes on, this is
/// what it has come to so far. `again` and `blobs` are as in [`Study::results`].
///
/// Without `asked`, for example in folders of results that were merged, every record counts, apart from
/// interrupted ones, which lack runs; and nothing is known of releases without a record.
///
/// `None` if there is no record.
pub fn rebuild(
    config: &Config,
    asked: Option<&Asked>,
    mut records: Vec<Record>,
    again: &[Record],
    blobs: Blobs<'_>,
) -> Option<Results> {
    let analysis = Analysis::new(&[], config.baseline.as_ref(), &config.compare, blobs);
    let (name, dependency) = (&config.name, config.dependency.clone());
    if let Some(asked) = asked {
        return Results::of_asked(name, dependency, asked, records, &analysis, again);
    }
    records.retain(|record| !record.interrupted);
    Results::of_records(name, dependency, records, &analysis, again)
}

/// The records in the store that are valid for the cells of `plan`.
fn recorded(
    plan: &Plan,
    context: RunContext<'_>,
    options: &RunOptions,
) -> Result<Vec<Record>, RunError> {
    let valid = |action| match action {
        CellAction::Recorded(record) => Some(*record),
        CellAction::Unavailable | CellAction::ToMeasure(_) | CellAction::NotMeasurable(_) => None,
    };
    // `Rerun` says what is measured again; these cells are not measured in this run.
    let options = RunOptions { rerun: Rerun::Nothing, ..options.clone() };
    Ok(actions(plan, context, &options)?.into_iter().filter_map(valid).collect())
}

/// Measures only the cells that a search asks for.
fn search_rows(
    session: &Session<'_>,
    question: &Question<'_>,
    context: RunContext<'_>,
    options: &RunOptions,
    search: &RowSearch<'_>,
    outputs: &Arc<Outputs>,
) -> Result<Outcome, RunError> {
    let blobs = |blob| context.store.content(blob).ok();
    let analysis = question.analysis(&blobs, outputs);
    let searching = Searching {
        search: search.search,
        tests: &|name| search.test.is_none_or(|test| test == name),
        same: &|left, right, test| analysis.same(left, right, test),
    };
    runner::search(session, question.plan, context, options, &searching)
}

#[cfg(test)]
mod tests;
