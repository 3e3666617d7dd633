//! Tables: values with commas between them, as RFC 4180 and Python's `csv` have them.
//!
//! Where the first row of both tables is a header with the same names, columns are matched by name,
//! in whatever order; else by place. Lines without any value count for nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;
use super::{Outcome, ResultFormat, in_memory, text};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::{Place, ReadAs};
use crate::analysis::compare::items::Item;
use crate::analysis::compare::nearest::Nearest;
use crate::analysis::compare::rules::Lens;
use crate::analysis::compare::show;
use crate::analysis::compare::tokens::{Token, Tokens};

/// Values with commas between them.
pub(super) struct Csv;

impl ResultFormat for Csv {
    fn endings(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Csv
    }

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let (expected, actual) = in_memory("a table", sides)?;
        let (expected, actual) = (show::decoded(expected), show::decoded(actual));
        compare(&read(&expected), &read(&actual), collector);
        Ok(Vec::new())
    }

    fn items(&self, result: &[u8], lens: &Lens<'_>) -> Option<Vec<Item>> {
        if lens.policy.ignore.fields.is_empty() {
            return Some(text::items(result, lens));
        }
        let text = show::decoded(result);
        let table = read(&text);
        let names = header(&table);
        let is_kept = |column: usize| {
            let name = names.as_ref().map(|_| table.row(0).cell(column));
            name.is_none_or(|name| lens.policy.ignored(&[name]).is_none())
        };
        let columns = names.as_ref().map_or(0, BTreeMap::len);
        let kept: Vec<bool> = (0..columns).map(is_kept).collect();
        let row = |row: usize| {
            let cells = table.row(row).cells().enumerate();
            let cells = cells.filter(|(column, _)| kept.get(*column).copied().unwrap_or(true));
            Item::line(&cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(","), lens)
        };
        Some((0..table.rows.len()).map(row).collect())
    }

    /// Of a table of several rows, no column has one number.
    fn labelled(&self, result: &[u8], lens: &Lens<'_>, found: &mut dyn FnMut(&str, Nearest)) {
        let text = show::decoded(result);
        let table = read(&text);
        if table.rows.len() != 2 || header(&table).is_none() {
            return;
        }
        for (name, cell) in table.row(0).cells().zip(table.row(1).cells()) {
            let number = Nearest::read(cell.trim());
            if let Some(number) = number.filter(|_| lens.policy.ignored(&[name]).is_none()) {
                found(name, number);
            }
        }
    }
}

/// The values of a table, one behind the other: a table of many small ones should not take many
/// times its size.
struct Table {
    text: String,
    /// Where each value ends in the text.
    cells: Vec<usize>,
    /// Where each row ends among the values.
    rows: Vec<usize>,
}

impl Table {
    fn row(&self, row: usize) -> Row<'_> {
        let from = row.checked_sub(1).map_or(0, |before| self.rows[before]);
        Row { table: self, from, to: self.rows[row] }
    }
}

#[derive(Clone, Copy)]
struct Row<'a> {
    table: &'a Table,
    from: usize,
    to: usize,
}

impl<'a> Row<'a> {
    fn len(self) -> usize {
        self.to - self.from
    }

    fn cell(self, column: usize) -> &'a str {
        let cell = self.from + column;
        let from = cell.checked_sub(1).map_or(0, |before| self.table.cells[before]);
        &self.table.text[from..self.table.cells[cell]]
    }

    fn cells(self) -> impl Iterator<Item = &'a str> {
        (0..self.len()).map(move |column| self.cell(column))
    }
}

/// Reads a table. Never fails: any text parses as CSV.
fn read(text: &str) -> Table {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut table = Table { text: String::new(), cells: Vec::new(), rows: Vec::new() };
    let mut record = csv::StringRecord::new();
    // The reader fails for rows of other lengths, which are allowed, for what is not UTF-8, and for
    // what cannot be read at all; neither can be with text in memory.
    while matches!(reader.read_record(&mut record), Ok(true)) {
        for cell in &record {
            table.text.push_str(cell);
            table.cells.push(table.text.len());
        }
        table.rows.push(table.cells.len());
    }
    table
}

/// The names of the columns, if the first row has names: different ones, and no numbers, above others.
fn header(table: &Table) -> Option<BTreeMap<&str, usize>> {
    let first = (table.rows.len() > 1).then(|| table.row(0))?;
    let names: BTreeMap<&str, usize> = first.cells().zip(0..).collect();
    let is_number = |name: &str| {
        let mut tokens = Tokens::of(name);
        matches!((tokens.next(), tokens.next()), (Some((_, Token::Number(_))), None))
    };
    let named = names.len() == first.len() && names.keys().any(|name| !name.is_empty());
    (named && !names.keys().any(|name| is_number(name))).then_some(names)
}

fn compare(expected: &Table, actual: &Table, collector: &mut Collector<'_>) {
    let policy = collector.policy();
    // A column that is ignored may be missing on one side.
    let same = |names: &(BTreeMap<&str, usize>, BTreeMap<&str, usize>)| {
        let compared = |names: &BTreeMap<&str, usize>| -> BTreeSet<String> {
            let names = names.keys().filter(|name| policy.ignored(&[name]).is_none());
            names.map(ToString::to_string).collect()
        };
        compared(&names.0) == compared(&names.1)
    };
    let names = header(expected).zip(header(actual)).filter(same);
    // For each column of the expected table the name, and the place in the actual one.
    let columns: Vec<(&str, usize)> = names.as_ref().map_or_else(Vec::new, |(_, places)| {
        let columns = expected.row(0).cells();
        columns.map(|name| (name, places.get(name).copied().unwrap_or_default())).collect()
    });
    let mut ignored: Vec<bool> = Vec::new();
    for (name, _) in &columns {
        ignored.push(collector.ignores_field(&[name]));
    }
    let has_ignored = ignored.contains(&true);
    let tolerances: Vec<_> = columns.iter().map(|(name, _)| policy.of_field(&[name])).collect();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    for row in usize::from(names.is_some())..expected.rows.len().max(actual.rows.len()) {
        let place = |column: usize| {
            let name = columns.get(column).map(|(name, _)| show::excerpt(name));
            Place::Cell { row: count(row + 1), column: count(column + 1), name }
        };
        if row >= expected.rows.len() || row >= actual.rows.len() {
            let shown = |table: &Table| {
                let row = (row < table.rows.len()).then(|| table.row(row));
                let cells = row.map(|row| row.cells().take(80).collect::<Vec<_>>());
                cells.map_or_else(|| "the end".to_owned(), |cells| cells.join(","))
            };
            collector.other(&|| place(0), &shown(expected), &shown(actual));
            return;
        }
        let (left, right) = (expected.row(row), actual.row(row));
        let width = if has_ignored { left.len() } else { left.len().min(right.len()) };
        for column in 0..width {
            if ignored.get(column).copied().unwrap_or_default() {
                continue;
            }
            let matched = columns.get(column).map_or(column, |(_, matched)| *matched);
            // A row may be too short for the column that the header puts here.
            if matched < right.len() {
                let tolerance = tolerances.get(column).copied().unwrap_or(&policy.tolerance);
                collector
                    .text(left.cell(column), right.cell(matched), tolerance, &|| place(column));
            }
        }
        // A row that has as many values as the header has names is whole.
        let whole = |row: Row<'_>, names: &BTreeMap<&str, usize>| row.len() == names.len();
        let are_whole =
            names.as_ref().is_some_and(|(here, there)| whole(left, here) && whole(right, there));
        if left.len() != right.len() && !are_whole {
            let shown = |row: Row<'_>| format!("{} values", row.len());
            collector.other(&|| place(left.len().min(right.len())), &shown(left), &shown(right));
        }
        if collector.decided() {
            return;
        }
    }
}
