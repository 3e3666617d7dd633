//! Cells measured a second time, as if by another release: how often is that called different?

use std::path::PathBuf;

use caliper_container::runner::{self, RunContext, RunOptions};
use caliper_core::analysis::compare::{Blind, blind};
use caliper_core::facts::record::{Record, test_names};
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::question::criteria::Criteria;

use crate::exit::Failure;
use crate::layout::Layout;
use crate::terminal::Terminal;

/// Where second measurements are kept: beside the records, of which they are none.
fn folder(store: &DirStore) -> PathBuf {
    store.folder().join("blind")
}

/// Measures a share of the cells of a plan again, each test as often as before.
pub(super) fn measure(
    layout: &Layout,
    context: RunContext<'_>,
    planned: &[Record],
    share: f64,
    store: &DirStore,
    terminal: Terminal,
) -> Result<runner::Outcome, Failure> {
    let chosen = blind::choose(planned, share);
    terminal.note(&format!(
        "blind check: a second measurement of {} of {} cells",
        chosen.len(),
        planned.len()
    ));
    let plan = super::part(&layout.plan, &chosen);
    let attempts = |record: &Record| {
        let tests = test_names(&record.tests).into_iter();
        tests.map(|test| (test.to_owned(), record.attempts(test))).collect()
    };
    let of_chosen = planned.iter().filter(|record| chosen.contains(&record.id()));
    let attempts = of_chosen.map(|record| (record.id(), attempts(record))).collect();
    let again = DirStore::open(folder(store))?;
    let context = RunContext { store: &again, ..context };
    Ok(runner::run(&plan, context, &RunOptions { attempts, ..layout.options.clone() })?)
}

/// Judges whatever was measured twice, in this run or before.
pub(super) fn judge(
    records: &[Record],
    criteria: &Criteria,
    store: &DirStore,
    terminal: Terminal,
) -> Result<Option<Blind>, Failure> {
    let second = DirStore::read_only(folder(store));
    let (again, unreadable) = second.records()?;
    for problem in unreadable {
        terminal.warning(&format!("not part of the blind check: {}", problem.error));
    }
    let blobs = |blob| store.blob(blob).or_else(|_| second.blob(blob)).ok();
    Ok(Blind::of(records, &again, criteria, &blobs))
}
