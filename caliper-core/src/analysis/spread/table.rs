//! A group from a table: values with commas between them, a row for each run and a column for each metric.
//!
//! It may have a header, and it may be as `numpy.savetxt(…, delimiter=",")` writes it, with or without its `header`,
//! which stands behind a `#`. A table is untrusted: reading takes linear time, and a row that cannot be read is counted
//! and left out.

use std::collections::BTreeSet;

use super::group::{Group, Metric};
use super::problem::{Problem, counted};
use crate::analysis::compare::Nearest;

/// A table has at most this many columns.
pub const MOST_COLUMNS: usize = 1000;

/// Why a table is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// There are other names than columns.
    #[error("it has {columns} columns, and `--columns` names {named}")]
    OtherCount {
        /// How many columns the table has.
        columns: usize,
        /// How many were named.
        named: usize,
    },
    /// The header says something else.
    #[error("its header names `{header}`, and `--columns` names `{named}`: leave `--columns` out")]
    OtherHeader {
        /// The names in the header.
        header: String,
        /// The names that were given.
        named: String,
    },
    /// Two columns have one name.
    #[error("two of its columns are called `{name}`")]
    Twice {
        /// The name.
        name: String,
    },
    /// A column has no name beside others that have one.
    #[error("column {column} has no name")]
    Nameless {
        /// Which, from 1.
        column: usize,
    },
    /// Its values have something else between them than commas.
    #[error(
        "its values have {separator} between them, and commas are needed (and points in fractions), as \
         `numpy.savetxt(…, delimiter=\",\")` and `DataFrame.to_csv` write them"
    )]
    OtherSeparator {
        /// What they have between them: `semicolons`, `tabs` or `spaces`.
        separator: &'static str,
    },
    /// It has more than [`MOST_COLUMNS`] columns.
    #[error(
        "it has {columns} columns, and more than {MOST_COLUMNS} are not read: is it a table of runs?"
    )]
    TooWide {
        /// How many.
        columns: usize,
    },
}

/// Reads a group from the content of a file. `columns` are the names of its columns, which a table without a header
/// needs; without them they are called `column 1` and so on, and that is a [`Problem`].
///
/// # Errors
///
/// If the table has other columns than named, or their names are of no use.
pub fn group(
    name: &str,
    content: &[u8],
    columns: Option<&[String]>,
    planned: Option<usize>,
) -> Result<Group, TableError> {
    let text = String::from_utf8_lossy(content);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut rows = Rows::default();
    rows.read(text);
    if let Some(separator) = rows.separator {
        return Err(TableError::OtherSeparator { separator });
    }
    let mut group = Group::new(name, planned);
    // Without any row there is nothing to name.
    let names = if rows.width == 0 {
        columns.map(<[String]>::to_vec).unwrap_or_default()
    } else {
        rows.names(columns)?.unwrap_or_else(|| {
            group.problems.push(Problem::UnnamedColumns { group: name.to_owned() });
            (1..=rows.width).map(|column| format!("column {column}")).collect()
        })
    };
    if let Some((line, what)) = rows.first_unread {
        let (group_name, rows) = (name.to_owned(), rows.unread);
        group.problems.push(Problem::UnreadRows { group: group_name, rows, line, what });
    }
    group.runs = rows.values.len().checked_div(rows.width).unwrap_or(0);
    let of_column = |column: usize| {
        rows.values.iter().copied().skip(column).step_by(rows.width.max(1)).collect::<Vec<f64>>()
    };
    let named = names.into_iter().enumerate();
    group.metrics = named
        .map(|(column, name)| Metric {
            name,
            values: of_column(column),
            rounded: rows.rounded.get(column).copied().unwrap_or(0),
        })
        .collect();
    Ok(group)
}

/// What was read of a table.
#[derive(Default)]
struct Rows {
    header: Option<Vec<String>>,
    /// How many columns it has; 0 without a row.
    width: usize,
    /// The numbers, row by row.
    values: Vec<f64>,
    /// For each column how many of its numbers had to be rounded.
    rounded: Vec<usize>,
    /// What stands between the values of the first row, where that is no comma and explains why it cannot be read.
    separator: Option<&'static str>,
    unread: usize,
    first_unread: Option<(u64, String)>,
}

impl Rows {
    fn read(&mut self, text: &str) {
        // A comment in front may be a header; `csv` would skip it.
        let mut rest = text;
        let mut line = 1;
        let mut comment = None;
        while let Some(after) = rest.trim_start_matches(' ').strip_prefix('#') {
            let (one, more) = after.split_once('\n').unwrap_or((after, ""));
            comment = Some(one);
            rest = more;
            line += 1;
        }
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(rest.as_bytes());
        let mut record = csv::StringRecord::new();
        // Reading fails for nothing that is text in memory.
        while matches!(reader.read_record(&mut record), Ok(true)) {
            let at = record.position().map_or(0, csv::Position::line) + line - 1;
            let cells: Vec<&str> = record.iter().collect();
            if self.width == 0 {
                self.width = cells.len();
                if is_header(&cells) {
                    self.header = Some(cells.iter().map(ToString::to_string).collect());
                    continue;
                }
                let of_comment: Vec<&str> = comment
                    .map(|text| text.split(',').map(str::trim).collect())
                    .unwrap_or_default();
                if of_comment.len() == self.width && is_header(&of_comment) {
                    self.header = Some(of_comment.iter().map(ToString::to_string).collect());
                }
            }
            self.row(&cells, at);
        }
    }

    fn row(&mut self, cells: &[&str], line: u64) {
        let what = if cells.len() == self.width {
            let read: Result<Vec<Nearest>, &str> =
                cells.iter().map(|cell| Nearest::read(cell).ok_or(*cell)).collect();
            match read {
                Ok(numbers) => {
                    self.rounded.resize(self.width, 0);
                    for (rounded, number) in self.rounded.iter_mut().zip(&numbers) {
                        *rounded += usize::from(number.is_rounded);
                    }
                    self.values.extend(numbers.iter().map(|number| number.value));
                    return;
                }
                Err(cell) => format!("`{}` is no number", shortened(cell)),
            }
        } else {
            let values = counted(cells.len(), "value", "values");
            format!("it has {values}, and the first row has {}", self.width)
        };
        // Where the first row is separated otherwise, the whole table is.
        if self.values.is_empty() && self.unread == 0 {
            self.separator = separator(cells);
        }
        self.unread += 1;
        self.first_unread.get_or_insert((line, what));
    }

    /// The names of the columns; `None` if they have none.
    fn names(&self, columns: Option<&[String]>) -> Result<Option<Vec<String>>, TableError> {
        if self.width > MOST_COLUMNS {
            return Err(TableError::TooWide { columns: self.width });
        }
        let names = match (&self.header, columns) {
            (Some(header), Some(named)) if header != named => {
                let joined = |names: &[String]| shortened(&names.join(","));
                return Err(TableError::OtherHeader {
                    header: joined(header),
                    named: joined(named),
                });
            }
            (Some(header), _) => header,
            (None, Some(named)) if named.len() != self.width => {
                return Err(TableError::OtherCount { columns: self.width, named: named.len() });
            }
            (None, Some(named)) => named,
            (None, None) => return Ok(None),
        };
        let mut known = BTreeSet::new();
        for (column, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(TableError::Nameless { column: column + 1 });
            }
            if !known.insert(name) {
                return Err(TableError::Twice { name: shortened(name) });
            }
        }
        Ok(Some(names.to_vec()))
    }
}

/// Whether these are names: none of them begins with a number.
fn is_header(cells: &[&str]) -> bool {
    let begins_with_number = |cell: &&str| {
        let word = cell.split_whitespace().next().unwrap_or_default();
        word.parse::<f64>().is_ok()
    };
    !cells.iter().any(begins_with_number) && cells.iter().any(|cell| !cell.is_empty())
}

/// What stands between the numbers of a row that cannot be read with commas, if it is one of the usual separators.
/// Fractions may have a comma then.
fn separator(cells: &[&str]) -> Option<&'static str> {
    let row = cells.join(",");
    let is_number = |value: &str| value.trim().replace(',', ".").parse::<f64>().is_ok();
    let separates = |by: char| {
        let values: Vec<&str> = row.split(by).filter(|value| !value.trim().is_empty()).collect();
        values.len() > 1 && values.into_iter().all(is_number)
    };
    let usual = [(';', "semicolons"), ('\t', "tabs"), (' ', "spaces")];
    usual.into_iter().find(|(sign, _)| separates(*sign)).map(|(_, name)| name)
}

fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(MOST).collect::<String>())
}

#[cfg(test)]
mod tests;
