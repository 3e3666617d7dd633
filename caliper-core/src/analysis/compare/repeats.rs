//! Which tests are to be run again, so that what is open can be decided.

use std::collections::BTreeMap;

use super::family::Family;
use crate::analysis::row::{State, TestRow};
use crate::facts::record::Record;
use crate::question::grid::CellId;

/// How often a test is run on both sides of a change between passing and failing.
const RUNS_OF_SUSPECTS: u32 = 3;

/// The same for a test that is known to fail at random at some release of its row. Even if it fails in half of its runs,
/// five failures in a row are chance in 3 % of the cells only.
const RUNS_OF_THE_FLAKY: u32 = 5;

/// How often each test is to be run, cell by cell, until what is undecided can be decided: on both sides of
/// each comparison. And where a test fails that passes at the measured release before or behind it, whether
/// it always does, and whether the other always passes. If it is flaky at some release of the row, each of its
/// failures is doubtful.
pub(in crate::analysis) fn repeats_to_decide(
    records: &[Record],
    rows: &[TestRow<'_>],
    family: &Family,
) -> BTreeMap<CellId, BTreeMap<String, u32>> {
    let mut wanted = Wanted::default();
    for TestRow { test, row, .. } in rows {
        let is_flaky = row.states().contains(&State::Flaky);
        let runs = if is_flaky { RUNS_OF_THE_FLAKY } else { RUNS_OF_SUSPECTS };
        let fails = |release: &usize| row.states()[*release] == State::Failed;
        let doubtful = (0..row.states().len()).filter(|release| is_flaky && fails(release));
        // Flaky releases do not end a search for the neighbour: the release behind one is a suspect too.
        let suspects = row.changes_between_ends().flatten().chain(doubtful);
        for record in suspects.filter_map(|release| row.record(release)) {
            // A failed build has no runs that could be repeated.
            if records[record].attempts(test) > 0 {
                wanted.add(&records[record], test, runs);
            }
        }
    }
    for (test, pair, more) in family.open() {
        // Runs of other batches do not count, so these are in addition to what there is.
        for record in pair.map(|record| &records[record]) {
            wanted.add(record, test, record.attempts(test) + more);
        }
    }
    wanted.0
}

#[derive(Default)]
struct Wanted(BTreeMap<CellId, BTreeMap<String, u32>>);

impl Wanted {
    fn add(&mut self, record: &Record, test: &str, runs: u32) {
        let known = self.0.entry(record.id()).or_default().entry(test.to_owned()).or_default();
        *known = runs.max(*known);
    }
}
