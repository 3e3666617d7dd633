//! The numbers of all runs, in columns: what the script of the page draws.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pep440_rs::Version;
use serde::Serialize;

use super::Against;
use crate::analysis::causes::Cause;
use crate::analysis::changes::{Change, Difference};
use crate::analysis::compare::Verdicts;
use crate::analysis::results::Results;
use crate::analysis::row::TransitionKind;
use crate::facts::record::{Record, Run, State, TestOutcome, test_names};
use crate::question::grid::Variant;
use crate::report::model::{CellMark, Column, GridView, Mark, Tone};

/// The version of the form of the data, which the script of the page reads.
const SCHEMA: u32 = 1;

/// Everything that is drawn. Cells, runs and measures are in columns: a column for each value, with an entry for each
/// cell, run or measure.
#[derive(Serialize)]
pub(super) struct Data {
    schema: u32,
    title: String,
    dependency: String,
    backend: String,
    started: String,
    finished: String,
    caliper: String,
    releases: Vec<String>,
    columns: Vec<ColumnData>,
    axes: Vec<Axis>,
    pub(super) tests: Vec<String>,
    judged: Vec<bool>,
    marks: Vec<MarkData>,
    cells: Cells,
    causes: Vec<CauseData>,
    runs: Runs,
    outcomes: Vec<String>,
    measures: BTreeMap<String, Sparse>,
    transitions: Vec<TransitionData>,
    against: Option<AgainstData>,
    /// The index of each cell.
    #[serde(skip)]
    pub(super) places: HashMap<String, usize>,
}

#[derive(Serialize)]
struct ColumnData {
    python: String,
    variant: Variant,
    label: String,
}

#[derive(Serialize)]
struct Axis {
    name: String,
    values: Vec<String>,
}

#[derive(Serialize)]
struct MarkData {
    sign: String,
    word: &'static str,
    tone: Tone,
    stale: bool,
}

#[derive(Default, Serialize)]
struct Cells {
    release: Vec<usize>,
    column: Vec<usize>,
    mark: Vec<usize>,
    /// For each test the marks of all cells; -1 where a cell does not have the test.
    tests: Vec<Vec<i64>>,
    /// The cause of the first failure; -1 for none.
    cause: Vec<i64>,
}

#[derive(Serialize)]
struct CauseData {
    text: String,
    count: usize,
}

#[derive(Default, Serialize)]
struct Runs {
    cell: Vec<usize>,
    test: Vec<usize>,
    attempt: Vec<u32>,
    outcome: Vec<usize>,
    seconds: Vec<f64>,
    cpu: Vec<Option<f64>>,
    memory: Vec<Option<u64>>,
}

#[derive(Default, Serialize)]
struct Sparse {
    run: Vec<usize>,
    value: Vec<Option<f64>>,
}

#[derive(Serialize)]
struct TransitionData {
    test: usize,
    column: usize,
    kind: TransitionKind,
    from: usize,
    to: usize,
    text: String,
}

#[derive(Serialize)]
struct AgainstData {
    title: String,
    changes: Vec<ChangeData>,
}

#[derive(Serialize)]
struct ChangeData {
    kind: &'static str,
    cell: i64,
    id: String,
    test: String,
    was: String,
    now: String,
}

impl Data {
    pub(super) fn of(results: &Results, against: Option<Against<'_>>) -> Self {
        let records = sorted(results);
        let columns = GridView::of(results).columns;
        let releases: BTreeSet<Version> =
            records.iter().map(|(record, _)| record.version.clone()).collect();
        let releases: Vec<Version> = releases.into_iter().collect();
        let tests = tests(&records);
        let judged = records.iter().flat_map(|(record, _)| record.judged());
        let judged: BTreeSet<&str> = judged.map(|test| test.name.as_str()).collect();
        let ids = records.iter().map(|(record, _)| record.id().to_string());
        let places: HashMap<String, usize> = ids.zip(0..).collect();
        let mut marks = Marks::default();
        let cells = Cells::of(&records, results, &columns, &releases, &tests, &mut marks);
        let mut data = Self {
            schema: SCHEMA,
            title: results.analysis.clone(),
            dependency: results.dependency.to_string(),
            backend: results.backend.clone(),
            started: results.started.to_string(),
            finished: results.finished.to_string(),
            caliper: results.caliper.clone(),
            judged: tests.iter().map(|name| judged.contains(name.as_str())).collect(),
            axes: axes(&columns),
            marks: marks.all,
            cells,
            causes: results.causes.iter().map(CauseData::of).collect(),
            runs: Runs::default(),
            outcomes: Vec::new(),
            measures: BTreeMap::new(),
            transitions: transitions(results, &columns, &releases, &tests),
            against: against.map(|against| AgainstData::of(against, &places)),
            releases: releases.iter().map(ToString::to_string).collect(),
            columns: columns.iter().map(ColumnData::of).collect(),
            tests,
            places,
        };
        data.take_runs(&records);
        data
    }

    fn take_runs(&mut self, records: &[(&Record, bool)]) {
        let names: HashMap<&str, usize> =
            self.tests.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let mut outcomes: Vec<TestOutcome> = Vec::new();
        for (cell, (record, _)) in records.iter().enumerate() {
            for (test, run) in record.runs() {
                let Some(test) = names.get(test.name.as_str()) else { continue };
                let known = outcomes.iter().position(|outcome| *outcome == run.outcome);
                let outcome = known.unwrap_or_else(|| {
                    outcomes.push(run.outcome);
                    outcomes.len() - 1
                });
                let place = self.runs.push(cell, *test, outcome, run);
                for (name, value) in &run.measures {
                    let measure = self.measures.entry(name.clone()).or_default();
                    measure.run.push(place);
                    measure.value.push(value.is_finite().then_some(*value));
                }
            }
        }
        self.outcomes = outcomes.iter().map(ToString::to_string).collect();
    }
}

/// All records, the stale ones too, by release, Python and variant; and whether each is stale.
pub(super) fn sorted(results: &Results) -> Vec<(&Record, bool)> {
    let current = results.cells.iter().map(|record| (record, false));
    let stale = results.stale.iter().map(|record| (record, true));
    let mut records: Vec<(&Record, bool)> = current.chain(stale).collect();
    records.sort_by_cached_key(|(record, _)| record.id());
    records
}

/// The names of the tests that have a run or decide a mark, in the order in which they first appear.
fn tests(records: &[(&Record, bool)]) -> Vec<String> {
    let all = records.iter().flat_map(|(record, _)| &record.tests);
    test_names(all).into_iter().map(str::to_owned).collect()
}

/// The axes: the Python first, then the others in the order of the configuration.
fn axes(columns: &[Column]) -> Vec<Axis> {
    let mut axes = vec![Axis { name: "python".to_owned(), values: Vec::new() }];
    let mut add = |name: &str, value: String| {
        let place = axes.iter().position(|axis| axis.name == name).unwrap_or_else(|| {
            axes.push(Axis { name: name.to_owned(), values: Vec::new() });
            axes.len() - 1
        });
        if !axes[place].values.contains(&value) {
            axes[place].values.push(value);
        }
    };
    for Column { python, variant } in columns {
        add("python", python.to_string());
        for (name, label) in variant.iter() {
            add(name, label.to_owned());
        }
    }
    axes
}

/// The marks in use, each once.
#[derive(Default)]
struct Marks {
    numbers: HashMap<CellMark, usize>,
    all: Vec<MarkData>,
}

impl Marks {
    fn number(&mut self, mark: CellMark) -> usize {
        let all = &mut self.all;
        *self.numbers.entry(mark).or_insert_with(|| {
            all.push(MarkData {
                sign: mark.mark.to_string(),
                word: mark.mark.word(),
                tone: mark.mark.tone(),
                stale: mark.is_stale,
            });
            all.len() - 1
        })
    }
}

impl Cells {
    fn of(
        records: &[(&Record, bool)],
        results: &Results,
        columns: &[Column],
        releases: &[Version],
        tests: &[String],
        marks: &mut Marks,
    ) -> Self {
        let nothing = Verdicts::default();
        let mut causes: HashMap<&str, i64> = HashMap::new();
        for (number, cause) in (0..).zip(&results.causes) {
            for cell in &cause.cells {
                causes.entry(cell).or_insert(number);
            }
        }
        let mut cells = Self { tests: vec![Vec::new(); tests.len()], ..Self::default() };
        for (record, is_stale) in records {
            let column = Column { python: record.python, variant: record.variant.clone() };
            // Both lists are sorted and hold all of them.
            cells.release.push(releases.binary_search(&record.version).unwrap_or_default());
            cells.column.push(columns.binary_search(&column).unwrap_or_default());
            let verdicts = if *is_stale { &nothing } else { &results.verdicts };
            let mut number = |mark| marks.number(CellMark { mark, is_stale: *is_stale });
            cells.mark.push(number(Mark::of(record, verdicts)));
            for (test, marks) in tests.iter().zip(&mut cells.tests) {
                let mark = Mark::of_test(record, verdicts, test).map(&mut number);
                marks.push(mark.and_then(|mark| i64::try_from(mark).ok()).unwrap_or(-1));
            }
            let cause = causes.get(record.id().to_string().as_str()).filter(|_| !is_stale);
            cells.cause.push(cause.copied().unwrap_or(-1));
        }
        cells
    }
}

impl Runs {
    #[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
    fn push(&mut self, cell: usize, test: usize, outcome: usize, run: &Run) -> usize {
        self.cell.push(cell);
        self.test.push(test);
        self.attempt.push(run.attempt);
        self.outcome.push(outcome);
        self.seconds.push(four_digits(run.seconds()));
        self.cpu.push(run.cpu_nanoseconds.map(|time| four_digits(time as f64 / 1e9)));
        self.memory.push(run.peak_memory);
        self.cell.len() - 1
    }
}

/// The number with four significant digits: more is noise, and room.
pub(super) fn four_digits(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

impl ColumnData {
    fn of(column: &Column) -> Self {
        let Column { python, variant } = column;
        Self { python: python.to_string(), variant: variant.clone(), label: column.to_string() }
    }
}

impl CauseData {
    fn of(cause: &Cause) -> Self {
        Self { text: cause.signature.clone(), count: cause.count }
    }
}

fn transitions(
    results: &Results,
    columns: &[Column],
    releases: &[Version],
    tests: &[String],
) -> Vec<TransitionData> {
    let release = |name: &str| releases.binary_search(&name.parse().ok()?).ok();
    let mut all = Vec::new();
    for row in &results.rows {
        let column = Column { python: row.python, variant: row.variant.clone() };
        let Ok(column) = columns.binary_search(&column) else { continue };
        let Some(test) = tests.iter().position(|name| *name == row.test) else { continue };
        all.extend(row.transitions.iter().filter_map(|one| {
            let (from, to) = (release(&one.from)?, release(&one.to)?);
            Some(TransitionData { test, column, kind: one.kind, from, to, text: one.to_string() })
        }));
    }
    all
}

impl AgainstData {
    fn of(against: Against<'_>, places: &HashMap<String, usize>) -> Self {
        let changes = changed(against.differences).map(|(kind, one)| {
            let id = one.cell.to_string();
            let place = places.get(&id).and_then(|place| i64::try_from(*place).ok());
            ChangeData {
                kind,
                cell: place.unwrap_or(-1),
                id,
                test: one.test.clone().unwrap_or_default(),
                was: state(one.first),
                now: state(one.second),
            }
        });
        Self { title: against.name.to_owned(), changes: changes.collect() }
    }
}

/// How a test ended, in words.
pub(super) fn state(state: Option<State>) -> String {
    state.map_or_else(|| "not there".to_owned(), |state| state.to_string())
}

/// What is not the same as before, with the word for it.
pub(super) fn changed(
    differences: &[Difference],
) -> impl Iterator<Item = (&'static str, &Difference)> {
    differences.iter().filter_map(|one| {
        let is_flaky = one.second == Some(State::Flaky);
        Some(match one.change {
            Change::Regressed => ("regressed", one),
            Change::Fixed => ("fixed", one),
            Change::Changed if is_flaky => ("flaky", one),
            Change::Changed => ("changed", one),
            Change::MayBeNoise => ("undecided", one),
            Change::OnlyFirst => ("gone", one),
            Change::OnlySecond => ("new", one),
            Change::SpuriouslyRegressed => ("not measured now", one),
            Change::SpuriouslyFixed => ("not measured before", one),
            Change::Same => return None,
        })
    })
}
