//! Which tests are to be run again, so that what is open can be decided.

use std::collections::BTreeMap;

use super::judged::Verdicts;
use super::steps::Steps;
use super::verdicts::rows;
use crate::facts::record::Record;
use crate::facts::record::State;
use crate::question::grid::CellId;

/// How often a test is run that fails where it passes at a neighbouring release.
const RUNS_OF_SUSPECTS: u32 = 3;

/// How often each test is to be run, cell by cell, until what is undecided can be decided: there, and
/// at the baseline, or at the release before, from which its result differs. And where a test fails that
/// passes at a neighbouring release, whether it always does.
pub(in crate::analysis) fn repeats_to_decide(
    records: &[Record],
    verdicts: &Verdicts,
    steps: &Steps,
) -> BTreeMap<CellId, BTreeMap<String, u32>> {
    let mut wanted: BTreeMap<CellId, BTreeMap<String, u32>> = BTreeMap::new();
    for ((_, _, test), mut cells) in rows(records) {
        cells.sort_by(|one, other| records[*one].version.cmp(&records[*other].version));
        let state = |cell: usize| records[cell].state_of(Some(&test));
        for pair in cells.windows(2) {
            let suspect = match (state(pair[0]), state(pair[1])) {
                (Some(State::Passed), Some(State::Failed)) => pair[1],
                (Some(State::Failed), Some(State::Passed)) => pair[0],
                _ => continue,
            };
            want(&mut wanted, records[suspect].id(), &test, RUNS_OF_SUSPECTS);
        }
    }
    for record in records {
        for test in record.judged() {
            let judged = verdicts.of(&record.id(), &test.name);
            let Some(evidence) = judged.and_then(|judged| judged.evidence.as_ref()) else {
                continue;
            };
            let Some(needed) = evidence.noise.as_ref().and_then(|noise| noise.needed) else {
                continue;
            };
            let base = CellId { version: evidence.baseline.clone(), ..record.id() };
            for cell in [record.id(), base] {
                want(&mut wanted, cell, &test.name, needed);
            }
        }
    }
    for (test, step, needed) in steps.open() {
        for cell in step {
            want(&mut wanted, records[cell].id(), test, needed);
        }
    }
    wanted
}

fn want(wanted: &mut BTreeMap<CellId, BTreeMap<String, u32>>, cell: CellId, test: &str, runs: u32) {
    let known = wanted.entry(cell).or_default().entry(test.to_owned()).or_default();
    *known = runs.max(*known);
}
