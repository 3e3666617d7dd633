//! Measuring a part of the grid that tells as much as possible of all of it.

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::analysis::row::{Row, State};
use caliper_core::analysis::search::{Search, Step};
use caliper_core::facts::event::RoundPurpose;
use caliper_core::facts::record::Record;
use caliper_core::names::PythonVersion;
use caliper_core::question::grid::{CellId, Variant};
use caliper_core::question::plan::Plan;
use pep440_rs::Version;

use super::{CellAction, Outcome, Rerun, RunContext, RunError, RunOptions, Session, actions};

/// A search over all rows of a grid.
pub struct Searching<'a> {
    /// How each row is searched.
    pub search: Search,
    /// Whether a row counts, by the name of its test.
    pub tests: &'a dyn Fn(&str) -> bool,
    /// Whether the results of a passing test are the same in two cells of a row.
    pub same: &'a dyn Fn(&Record, &Record, &str) -> bool,
}

/// One test on one Python, with the records that it was read from.
#[derive(Debug)]
pub struct SearchedRow<'a> {
    /// The test.
    pub test: &'a str,
    /// The Python.
    pub python: PythonVersion,
    /// The further axes.
    pub variant: &'a Variant,
    /// What is known.
    pub row: Row,
    /// At each release of the row its record.
    pub records: Vec<Option<&'a Record>>,
}

/// Records by their cells.
pub type Recorded<'a> = BTreeMap<CellId, &'a Record>;

impl<'a> SearchedRow<'a> {
    /// The row of `test` in the column of `python` and `variant`, over all releases of `plan`.
    pub fn of(
        plan: &Plan,
        records: &Recorded<'a>,
        test: &'a str,
        python: PythonVersion,
        variant: &'a Variant,
    ) -> Self {
        let mut cells: BTreeMap<&Version, (State, Option<&'a Record>)> = BTreeMap::new();
        for cell in &plan.cells {
            if cell.id.python != python || cell.id.variant != *variant {
                continue;
            }
            let record = records.get(&cell.id).copied();
            let state = match (record, cell.file()) {
                (Some(record), _) => State::of(record, test),
                (None, Some(_)) => State::Unmeasured,
                (None, None) => State::Unavailable,
            };
            cells.insert(&cell.id.version, (state, record));
        }
        let states = cells.iter().map(|(version, (state, _))| ((*version).clone(), *state));
        // A map is in order, and has each release once.
        let row = Row::new(states).unwrap_or_else(|error| unreachable!("{error}"));
        let records = cells.into_values().map(|(_, record)| record).collect();
        Self { test, python, variant, row, records }
    }

    /// Whether two releases give the same result, by `same`.
    pub fn same(
        &self,
        same: &dyn Fn(&Record, &Record, &str) -> bool,
        one: usize,
        other: usize,
    ) -> bool {
        match (self.records[one], self.records[other]) {
            (Some(one), Some(other)) => same(one, other, self.test),
            _ => true,
        }
    }
}

/// Every row of `plan`, read from `records`.
pub fn rows<'a>(plan: &'a Plan, records: &Recorded<'a>) -> Vec<SearchedRow<'a>> {
    let columns: BTreeSet<(PythonVersion, &Variant)> =
        plan.cells.iter().map(|cell| (cell.id.python, &cell.id.variant)).collect();
    let names = plan.setup.judged_tests();
    columns
        .into_iter()
        .flat_map(|(python, variant)| names.iter().map(move |name| (python, variant, *name)))
        .map(|(python, variant, name)| SearchedRow::of(plan, records, name, python, variant))
        .collect()
}

/// Measures what a search over all rows of `plan` wants. An environment is made once for all rows that
/// want its cell, whose tests are all run. While there is room, what may be wanted next is measured
/// too.
///
/// The outcome holds the records of the cells that were measured or had been before.
///
/// # Errors
///
/// As [`run`](super::run).
pub fn search(
    session: &Session<'_>,
    plan: &Plan,
    context: RunContext<'_>,
    options: &RunOptions,
    searching: &Searching<'_>,
) -> Result<Outcome, RunError> {
    let mut records: BTreeMap<CellId, Record> = BTreeMap::new();
    if options.rerun == Rerun::Nothing {
        for (cell, action) in plan.cells.iter().zip(actions(plan, context, options)?) {
            if let CellAction::Recorded(record) = action {
                records.insert(cell.id.clone(), *record);
            }
        }
    }
    session.prepare(plan, context, options)?;
    let mut given_up: BTreeSet<CellId> = BTreeSet::new();
    let mut outcome = Outcome {
        records: Vec::new(),
        measured: 0,
        reused: records.len(),
        not_measured: Vec::new(),
        interrupted: false,
    };
    // Where there is nothing to install there is nothing to search, and a record costs nothing.
    let mut settled: BTreeSet<CellId> = plan
        .cells
        .iter()
        .filter(|cell| cell.file().is_none())
        .map(|cell| cell.id.clone())
        .collect();
    loop {
        let (mut wanted, steps_left) = wanted(plan, &records, &given_up, options.jobs, searching);
        if wanted.is_empty() || outcome.interrupted {
            break;
        }
        wanted.append(&mut settled);
        let part = plan.part(|cell| wanted.contains(cell));
        let done = session.round(&part, context, options, RoundPurpose::Search { steps_left })?;
        let seen: BTreeSet<CellId> = done.records.iter().map(Record::id).collect();
        outcome.measured += done.measured;
        outcome.interrupted = done.interrupted;
        // What could not be measured is not wanted again, in this search.
        given_up.extend(done.not_measured.iter().map(|(cell, _)| cell.clone()));
        given_up.extend(wanted.into_iter().filter(|cell| !seen.contains(cell)));
        outcome.not_measured.extend(done.not_measured);
        records.extend(done.records.into_iter().map(|record| (record.id(), record)));
    }
    outcome.records = plan.cells.iter().filter_map(|cell| records.remove(&cell.id)).collect();
    Ok(outcome)
}

/// The cells whose file is a source distribution.
fn from_source(plan: &Plan) -> BTreeSet<CellId> {
    let cells = plan.cells.iter().filter(|cell| cell.is_built_from_source());
    cells.map(|cell| cell.id.clone()).collect()
}

/// The cells to measure next, and about how many steps there are still.
fn wanted(
    plan: &Plan,
    records: &BTreeMap<CellId, Record>,
    given_up: &BTreeSet<CellId>,
    jobs: usize,
    searching: &Searching<'_>,
) -> (BTreeSet<CellId>, u32) {
    let (mut wanted, mut ahead) = (BTreeSet::new(), BTreeSet::new());
    let mut most = 0;
    let records = records.iter().map(|(id, record)| (id.clone(), record)).collect();
    for row in rows(plan, &records).iter().filter(|row| (searching.tests)(row.test)) {
        let id = |release: usize| CellId {
            version: row.row.name(release),
            python: row.python,
            variant: row.variant.clone(),
        };
        let states = row.row.states();
        let lost = (0..states.len()).filter(|release| given_up.contains(&id(*release))).collect();
        let same = |one, other| row.same(searching.same, one, other);
        let Step { wanted: now, ahead: next, steps_left } =
            searching.search.step(states, &lost, &same);
        most = most.max(steps_left);
        wanted.extend(now.into_iter().map(id));
        ahead.extend(next.into_iter().map(id));
    }
    // A build from source may take as long as the rest of the search: it comes when nothing else is left
    // to ask, and then may not be wanted any more.
    let from_source = from_source(plan);
    let quick: BTreeSet<CellId> = wanted.difference(&from_source).cloned().collect();
    if !quick.is_empty() {
        wanted = quick;
        ahead.retain(|cell| !from_source.contains(cell));
    }
    if !wanted.is_empty() {
        let room = jobs.saturating_sub(wanted.len());
        let ahead: Vec<CellId> = ahead.difference(&wanted).take(room).cloned().collect();
        wanted.extend(ahead);
    }
    (wanted, most)
}
