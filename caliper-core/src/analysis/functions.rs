//! What each function of a test tells along the releases.
//!
//! A function has a row as a test has: it passes, fails, or is not known at each release, and [`RowSummary`] says where
//! that changes. A suite has hundreds of functions, and few things happen to them. So functions that fare alike in all
//! cells, and fail from the same causes, are one group with one set of rows.

mod table;

use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::causes::Logs;
use super::compare::cells::Cells;
use super::is_zero;
use super::row::{Alike, AlsoDiffers, Row, State, Sure};
use super::row_summary::{Known, RowSummary};
use crate::facts::record::{Record, test_names};
use crate::names::PythonVersion;
use crate::question::grid::Variant;
use table::{Fate, Table};

/// What the functions of one test tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct FunctionsSummary {
    /// The test.
    pub test: String,
    /// How many functions there are, over all cells.
    pub count: usize,
    /// How many of them pass, or fail as expected, in every cell in which anything is known of the functions.
    pub passing: usize,
    /// The others, the largest group of those that fail first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<FunctionGroup>,
    /// How many functions are in groups that are left out, because there are too many groups.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
    /// The cells in which the test was run and nothing is known of its functions, each with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, String>,
}

/// Functions that fare alike in every cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct FunctionGroup {
    /// Their ids, sorted.
    pub functions: Vec<String>,
    /// Why they fail, as in [`Cause::signature`](super::causes::Cause::signature), the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The cells in which they fail, by release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<String>,
    /// The cells in which they pass and fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaky: Vec<String>,
    /// The cells in which they are skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// The cells in which they are not among the functions that were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// What they tell along the releases on each Python on which they run; nothing if that is only that they pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowSummary>,
}

/// More groups than these are counted, not listed.
const MOST_GROUPS: usize = 300;

/// What the functions of all tests tell; nothing of tests of which no functions are known.
pub(super) fn summaries(
    cells: &Cells<'_>,
    releases: &[Version],
    logs: &Logs<'_>,
) -> Vec<FunctionsSummary> {
    let tests = cells.records.iter().flat_map(Record::judged);
    let tests =
        test_names(tests.filter(|test| test.runs.iter().any(|run| run.functions.is_some())));
    tests.into_iter().map(|test| summary(test, cells, releases, logs)).collect()
}

fn summary(
    test: &str,
    cells: &Cells<'_>,
    releases: &[Version],
    logs: &Logs<'_>,
) -> FunctionsSummary {
    let table = Table::of(test, cells, logs);
    // Functions that fare alike in every cell have equal lines.
    let mut alike: BTreeMap<&[Fate], Vec<&str>> = BTreeMap::new();
    for (id, fates) in table.functions() {
        alike.entry(fates).or_default().push(id);
    }
    let count = alike.values().map(Vec::len).sum();
    let mut passing = 0;
    let mut groups: Vec<(&[Fate], Vec<&str>)> = Vec::new();
    for (fates, functions) in alike {
        if is_quiet(fates) {
            passing += functions.len();
        } else {
            groups.push((fates, functions));
        }
    }
    let fails = |fates: &[Fate]| fates.iter().any(|fate| fate.fails());
    groups.sort_by_key(|(fates, functions)| {
        (!fails(fates), std::cmp::Reverse(functions.len()), functions[0])
    });
    let left_out = groups.iter().skip(MOST_GROUPS).map(|(_, functions)| functions.len()).sum();
    groups.truncate(MOST_GROUPS);
    let columns = Columns::of(&table, releases);
    let groups = groups.into_iter();
    let groups = groups.map(|(fates, functions)| columns.group(test, fates, &functions)).collect();
    FunctionsSummary {
        test: test.to_owned(),
        count,
        passing,
        groups,
        left_out,
        unknown: table.unknown().collect(),
    }
}

/// Whether functions always pass, or always fail as expected.
fn is_quiet(fates: &[Fate]) -> bool {
    let always = |expected: Fate| {
        fates.iter().all(|fate| [expected, Fate::Unknown, Fate::NotRun].contains(fate))
    };
    always(Fate::Passed) || always(Fate::Xfailed)
}

/// The rows of the grid, each with the releases that it goes along.
struct Columns<'a> {
    table: &'a Table<'a>,
    rows: Vec<Column<'a>>,
}

struct Column<'a> {
    python: PythonVersion,
    variant: &'a Variant,
    /// The releases, and the place in the table of those that have a record.
    releases: Vec<(&'a Version, Option<usize>)>,
}

impl<'a> Columns<'a> {
    fn of(table: &'a Table<'a>, releases: &'a [Version]) -> Self {
        let mut rows: BTreeMap<(PythonVersion, &Variant), BTreeMap<&Version, Option<usize>>> =
            BTreeMap::new();
        for (place, record) in table.records().enumerate() {
            let row = rows
                .entry((record.python, &record.variant))
                .or_insert_with(|| releases.iter().map(|release| (release, None)).collect());
            row.insert(&record.version, Some(place));
        }
        let rows = rows.into_iter().map(|((python, variant), releases)| Column {
            python,
            variant,
            releases: releases.into_iter().collect(),
        });
        Self { table, rows: rows.collect() }
    }

    fn group(&self, test: &str, fates: &[Fate], functions: &[&str]) -> FunctionGroup {
        let names = |of: &dyn Fn(Fate) -> bool| -> Vec<String> {
            let here = self.table.records().zip(fates).filter(|(_, fate)| of(**fate));
            here.map(|(record, _)| record.id().to_string()).collect()
        };
        let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
        for cause in fates.iter().filter_map(|fate| self.table.cause(*fate)) {
            *causes.entry(cause).or_default() += 1;
        }
        let mut causes: Vec<(&str, usize)> = causes.into_iter().collect();
        causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let is_told = self.rows.iter().any(|column| says_more(&column.fates(fates)));
        let runs = |column: &&Column<'_>| {
            let undecided = [State::Unavailable, State::Unmeasured];
            column.fates(fates).into_iter().any(|fate| !undecided.contains(&state(fate)))
        };
        let rows = self.rows.iter().filter(|column| is_told && runs(column));
        let rows = rows.filter_map(|column| self.row(column, test, fates));
        FunctionGroup {
            functions: functions.iter().map(ToString::to_string).collect(),
            causes: causes.into_iter().map(|(cause, _)| cause.to_owned()).collect(),
            failing: names(&|fate| matches!(fate, Fate::Failed(_))),
            flaky: names(&|fate| matches!(fate, Fate::Flaky(_))),
            skipped: names(&|fate| fate == Fate::Skipped),
            absent: names(&|fate| fate == Fate::Absent),
            rows: rows.collect(),
        }
    }

    /// What the functions of a group tell on one Python.
    fn row(&self, column: &Column<'_>, test: &str, fates: &[Fate]) -> Option<RowSummary> {
        let fates = column.fates(fates);
        let fate = |release: usize| fates[release];
        let record =
            |release: usize| column.releases[release].1.map(|place| self.table.record(place));
        let states = column.releases.iter().enumerate();
        let states =
            states.map(|(release, (version, _))| ((*version).clone(), state(fate(release))));
        // The releases are the keys of a map, so that they are in order.
        let row = Row::new(states).ok()?;
        let known = Known {
            alike: &|one, other| {
                if fate(one) == fate(other) {
                    Alike::Same
                } else {
                    Alike::Different(Sure::SingleRun)
                }
            },
            fail_alike: &|one, other| fate(one) == fate(other),
            runs: &|release| record(release).map_or(0, |record| record.attempts(test)),
            is_withdrawn: &|release| record(release).is_some_and(Record::is_yanked),
            also_differs: &|one, other| match (record(one), record(other)) {
                (Some(one), Some(other)) => AlsoDiffers::between(one, other),
                _ => Vec::new(),
            },
        };
        Some(RowSummary::of(&row, test, column.python, column.variant, &known))
    }
}

impl Column<'_> {
    /// How functions fared at each release.
    fn fates(&self, fates: &[Fate]) -> Vec<Fate> {
        let fate =
            |(_, place): &(_, Option<usize>)| place.map_or(Fate::Unknown, |place| fates[place]);
        self.releases.iter().map(fate).collect()
    }
}

/// Whether there is more to say of functions on a Python than that they pass, or that they fail as expected.
fn says_more(here: &[Fate]) -> bool {
    here.iter().any(|fate| fate.fails())
        || [Fate::Passed, Fate::Xfailed].iter().all(|fate| here.contains(fate))
}

/// What a row knows of how a function fared. One that is skipped or not there says nothing of the release, and neither
/// does a release that cannot be built.
fn state(fate: Fate) -> State {
    match fate {
        Fate::NotRun | Fate::Absent | Fate::Skipped => State::Unavailable,
        Fate::Unknown => State::Unmeasured,
        Fate::Passed | Fate::Xfailed => State::Passed,
        Fate::Failed(_) => State::Failed,
        Fate::Flaky(_) => State::Flaky,
    }
}

#[cfg(test)]
mod tests;
