//! What is told of each run of a test, as a row: the columns that CSV, NDJSON and Parquet share.

use crate::analysis::results::Results;
use crate::facts::record::{CellOutcome, Record, Run, TestRecord};

/// A column of a table with a row for each run of each test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What stands in it.
    pub kind: ColumnKind,
    /// What it tells, with its unit.
    pub about: &'static str,
}

/// What stands in a column. Any of them may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Whether something is so.
    Boolean,
    /// An object; where a format has none, its text as JSON.
    Object,
}

impl Column {
    const fn new(name: &'static str, kind: ColumnKind, about: &'static str) -> Self {
        Self { name, kind, about }
    }

    /// All of them, in their order. More may be added behind the last.
    pub const ALL: [Self; 26] = {
        use ColumnKind::{Boolean, Integer, Number, Object, Text};
        [
            Self::new("cell", Text, "the cell, such as `2.11.3/3.9[as_of=today]`"),
            Self::new("release", Text, "the release of the dependency"),
            Self::new("python", Text, "the Python, such as `3.9`"),
            Self::new("variant", Text, "the values of the further axes, such as `as_of=today`"),
            Self::new("test", Text, "the test; empty for a cell without tests"),
            Self::new("state", Text, "how the test ended over all of its runs, or else the cell"),
            Self::new("verdict", Text, "how the result compares with the baseline's"),
            Self::new("runs", Integer, "how many runs the test has"),
            Self::new("outcome", Text, "how this run ended"),
            Self::new("seconds", Number, "wall-clock time of this run"),
            Self::new("cpu_seconds", Number, "processor time of this run"),
            Self::new("peak_memory_bytes", Integer, "the most memory that this run used at once"),
            Self::new("stale", Boolean, "whether the record answers an earlier question"),
            Self::new("attempt", Integer, "which run of the test it is, from 1"),
            Self::new("batch", Text, "the run of Caliper in which it was measured"),
            Self::new("started", Text, "when this run was started, in UTC (RFC 3339)"),
            Self::new("reason", Text, "more about how this run, or else the cell, ended"),
            Self::new("exit_status", Integer, "the exit status, if the program exited by itself"),
            Self::new("signal", Integer, "the number of the signal that ended it"),
            Self::new(
                "reused",
                Boolean,
                "whether it was measured for an earlier record of the cell",
            ),
            Self::new("measures", Object, "the named numbers that it reported"),
            Self::new("build_seconds", Number, "how long the build of the environment took"),
            Self::new("backend", Text, "where the cell ran, such as `local`"),
            Self::new("as_of", Text, "the date of the index, if it is not that of the build"),
            Self::new("finished", Text, "when the measurement of the cell ended, in UTC"),
            Self::new("seed", Integer, "the random seed of this run, if its group gives one"),
        ]
    };
}

/// What stands in one column of one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Nothing,
    Text(String),
    Integer(u64),
    /// A random seed, which may be any number of 64 bits.
    Seed(u64),
    /// An exit status or a signal.
    Status(i32),
    /// A time, told in seconds.
    Nanoseconds(u64),
    Boolean(bool),
    /// An object of numbers.
    Numbers(Vec<(String, f64)>),
}

/// A row: a value for each of [`Column::ALL`].
pub(super) type Row = [Value; Column::ALL.len()];

/// A row for each run of each test, by cell. A test without a run has one row, and so has a cell without tests, such as
/// one that could not be built.
pub(super) fn rows(results: &Results) -> impl Iterator<Item = Row> {
    let current = results.cells.iter().map(|record| (record, false));
    let all = current.chain(results.stale.iter().map(|record| (record, true)));
    all.flat_map(move |(record, is_stale)| {
        let of = move |test, run| row(results, record, is_stale, test, run);
        let mut rows = Vec::new();
        // A cell that could not be measured may have tests all the same, of which nothing is told.
        let tests = if record.outcome == CellOutcome::Tested { &*record.tests } else { &[] };
        for test in tests {
            rows.extend(test.runs.iter().map(|run| of(Some(test), Some(run))));
            if test.runs.is_empty() {
                rows.push(of(Some(test), None));
            }
        }
        if tests.is_empty() {
            rows.push(of(None, None));
        }
        rows
    })
}

fn row(
    results: &Results,
    record: &Record,
    is_stale: bool,
    test: Option<&TestRecord>,
    run: Option<&Run>,
) -> Row {
    let id = record.id();
    let name = test.map(|test| test.name.as_str());
    let state = match name {
        Some(name) => record.state_of(Some(name)).map(|state| state.to_string()),
        None if record.is_excluded() => record.state_of(None).map(|state| state.to_string()),
        None => Some(record.outcome.to_string()),
    };
    let verdict = name.filter(|_| !is_stale).and_then(|name| results.verdicts.verdict(&id, name));
    let variant = (!record.variant.is_empty()).then(|| record.variant.to_string());
    let build = record.build.as_ref();
    let reason = match run {
        Some(run) => run.reason.clone(),
        None => record.reason.clone().or_else(|| Some(build?.reason?.to_string())),
    };
    [
        Value::Text(id.to_string()),
        Value::Text(record.version.to_string()),
        Value::Text(record.python.to_string()),
        text(variant),
        text(name),
        text(state),
        text(verdict),
        test.map_or(Value::Nothing, |test| Value::Integer(test.runs.len() as u64)),
        text(run.map(|run| run.outcome)),
        run.map_or(Value::Nothing, |run| Value::Nanoseconds(run.nanoseconds)),
        run.and_then(|run| run.cpu_nanoseconds).map_or(Value::Nothing, Value::Nanoseconds),
        run.and_then(|run| run.peak_memory).map_or(Value::Nothing, Value::Integer),
        Value::Boolean(is_stale),
        run.map_or(Value::Nothing, |run| Value::Integer(run.attempt.into())),
        text(run.and_then(|run| run.batch.clone())),
        text(run.and_then(|run| run.started)),
        text(reason),
        run.and_then(|run| run.retval).map_or(Value::Nothing, Value::Status),
        run.and_then(|run| run.signal).map_or(Value::Nothing, Value::Status),
        run.map_or(Value::Nothing, |run| Value::Boolean(run.reused)),
        measures(run),
        build.map_or(Value::Nothing, |build| Value::Nanoseconds(build.nanoseconds)),
        Value::Text(record.environment.backend.clone()),
        text(record.environment.as_of),
        Value::Text(record.finished.to_string()),
        run.and_then(|run| run.seed).map_or(Value::Nothing, Value::Seed),
    ]
}

fn text(value: Option<impl ToString>) -> Value {
    value.map_or(Value::Nothing, |value| Value::Text(value.to_string()))
}

/// Numbers that JSON can hold.
fn measures(run: Option<&Run>) -> Value {
    let all = run.into_iter().flat_map(|run| &run.measures);
    let numbers: Vec<(String, f64)> = all
        .filter(|(_, number)| number.is_finite())
        .map(|(name, number)| (name.clone(), *number))
        .collect();
    if numbers.is_empty() { Value::Nothing } else { Value::Numbers(numbers) }
}

/// Seconds, exactly.
pub(super) fn seconds(nanoseconds: u64) -> String {
    format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
}

/// Seconds as a number.
#[expect(clippy::cast_precision_loss, reason = "exact up to 104 days")]
pub(super) fn seconds_number(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// An object as JSON.
pub(super) fn object(numbers: &[(String, f64)]) -> String {
    let map: std::collections::BTreeMap<&str, f64> =
        numbers.iter().map(|(name, number)| (name.as_str(), *number)).collect();
    serde_json::to_string(&map).unwrap_or_default()
}

#[cfg(test)]
mod tests;
