use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pep440_rs::Version;

use super::mark::{CellMark, Legend, Mark, Tone};
use crate::analysis::compare::Verdicts;
use crate::analysis::results::Results;
use crate::facts::record::Record;
use crate::names::PythonVersion;
use crate::question::grid::{CellId, Variant};

/// The grid with a mark for each cell, as renderers draw it.
///
/// ```
/// use caliper_core::report::model::{CellMark, GridView};
///
/// /// The beginning of a renderer for HTML.
/// fn html(view: &GridView) -> String {
///     let cell = |mark: &CellMark| format!("<td>{mark}");
///     let row = |marks: &[CellMark]| marks.iter().map(cell).collect::<String>();
///     view.rows.iter().map(|one| format!("<tr><th>{one}{}", row(&one.marks))).collect()
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GridView {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// The rows, oldest releases first.
    pub rows: Vec<RowView>,
    /// The signs that are used, in the order of their text.
    pub legend: Vec<Legend>,
    /// How the cells ended.
    pub totals: Totals,
}

/// A column of a grid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// The Python.
    pub python: PythonVersion,
    /// The further axes.
    pub variant: Variant,
}

impl fmt::Display for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { python, variant } = self;
        if variant.is_empty() {
            write!(formatter, "{python}")
        } else {
            write!(formatter, "{python} {variant}")
        }
    }
}

/// Neighbouring releases that ended alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowView {
    /// The releases, oldest first; never empty.
    pub releases: Vec<Version>,
    /// How they ended, column by column.
    pub marks: Vec<CellMark>,
}

impl fmt::Display for RowView {
    /// The releases: `1.0`, `1.0, 1.1` or `1.0 … 1.5 (6)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.releases.as_slice() {
            [] => Ok(()),
            [one] => write!(formatter, "{one}"),
            [first, last] => write!(formatter, "{first}, {last}"),
            [first, .., last] => write!(formatter, "{first} … {last} ({})", self.releases.len()),
        }
    }
}

/// How the cells of a grid ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// How many there are.
    pub cells: usize,
    /// How many ended in each way, the best first.
    pub counts: Vec<Total>,
}

/// How many cells ended in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// How good that is.
    pub tone: Tone,
    /// What they are, such as `the same`.
    pub what: &'static str,
    /// How many.
    pub count: usize,
}

impl GridView {
    /// The grid of `results`.
    pub fn of(results: &Results) -> Self {
        let mark = |record: &Record, verdicts: &Verdicts| Some(Mark::of(record, verdicts));
        Self::by(&mark, results)
    }

    /// The grid of `results` as far as one test goes.
    pub fn of_test(results: &Results, test: &str) -> Self {
        Self::by(&|record, verdicts| Mark::of_test(record, verdicts, test), results)
    }

    fn by(mark: &dyn Fn(&Record, &Verdicts) -> Option<Mark>, results: &Results) -> Self {
        let nothing = Verdicts::default();
        let current = results.cells.iter().map(|record| (record, &results.verdicts, false));
        let stale = results.stale.iter().map(|record| (record, &nothing, true));
        let marked = current.chain(stale).filter_map(|(record, verdicts, is_stale)| {
            Some((record, CellMark { mark: mark(record, verdicts)?, is_stale }))
        });
        // Releases that were not selected have no line.
        let mut blank = results.unmeasured();
        blank.retain(|cell| results.left_out.binary_search(&cell.version).is_err());
        Self::marked(marked, &blank)
    }

    /// The grid of `records` with the `verdicts` on them, and with blanks for the cells in `unmeasured`, so
    /// that releases on both sides of one that was not measured do not share a row.
    pub fn new(records: &[Record], verdicts: &Verdicts, unmeasured: &BTreeSet<CellId>) -> Self {
        let marked = records
            .iter()
            .map(|record| (record, CellMark { mark: Mark::of(record, verdicts), is_stale: false }));
        Self::marked(marked, unmeasured)
    }

    fn marked<'a>(
        records: impl Iterator<Item = (&'a Record, CellMark)>,
        unmeasured: &BTreeSet<CellId>,
    ) -> Self {
        let (mut all, mut columns) = (Vec::new(), BTreeSet::new());
        let mut releases: BTreeMap<&Version, BTreeMap<Column, CellMark>> = BTreeMap::new();
        for (record, mark) in records {
            let column = Column { python: record.python, variant: record.variant.clone() };
            all.push(mark);
            columns.insert(column.clone());
            releases.entry(&record.version).or_default().insert(column, mark);
        }
        for cell in unmeasured {
            releases.entry(&cell.version).or_default();
        }
        let mut rows: Vec<RowView> = Vec::new();
        for (version, known) in releases {
            let blank = CellMark { mark: Mark::NoRecord, is_stale: false };
            let mark = |column| known.get(column).copied().unwrap_or(blank);
            let marks: Vec<CellMark> = columns.iter().map(mark).collect();
            match rows.last_mut() {
                Some(row) if row.marks == marks => row.releases.push(version.clone()),
                _ => rows.push(RowView { releases: vec![version.clone()], marks }),
            }
        }
        let used = rows.iter().flat_map(|row| &row.marks).flat_map(|mark| mark.legends());
        let used: BTreeMap<String, Legend> =
            used.map(|legend| (legend.to_string(), legend)).collect();
        Self {
            columns: columns.into_iter().collect(),
            legend: used.into_values().collect(),
            rows,
            totals: Totals::of(&all),
        }
    }
}

impl Totals {
    fn of(marks: &[CellMark]) -> Self {
        let mut counts: BTreeMap<(u8, Tone, &str), usize> = BTreeMap::new();
        for mark in marks {
            *counts.entry(mark.counts_as()).or_default() += 1;
        }
        let total = |((_, tone, what), count)| Total { tone, what, count };
        Self { cells: marks.len(), counts: counts.into_iter().map(total).collect() }
    }
}
