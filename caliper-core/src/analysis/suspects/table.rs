//! What the environments are made of, factor by factor, and every way to part them in two.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::chance::Counts;
use super::split::{Condition, Split, SplitFactor};
use crate::analysis::row::normalized;
use crate::facts::record::Record;
use crate::names::PackageName;

/// A set of rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    fn of(rows: usize, holds: impl Fn(usize) -> bool) -> Self {
        let mut words = vec![0; rows.div_ceil(64)];
        for row in (0..rows).filter(|row| holds(*row)) {
            words[row / 64] |= 1 << (row % 64);
        }
        Self(words)
    }

    fn with(&self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| join(*one, *other)).collect())
    }

    /// Whether a row is in it.
    pub(super) fn holds(&self, row: usize) -> bool {
        (self.0[row / 64] >> (row % 64)) & 1 == 1
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many rows are in both.
    fn common(&self, other: &Self) -> usize {
        self.0.iter().zip(&other.0).map(|(one, other)| (one & other).count_ones() as usize).sum()
    }
}

/// What a factor is in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// The package is not installed.
    Absent,
    /// It has a version that PEP 440 does not order.
    Unordered,
    /// The place among the values of the column.
    Rank(usize),
}

/// A factor over all rows, which has more than one value.
struct Column {
    factor: SplitFactor,
    name: String,
    /// The values that can be ordered.
    labels: Vec<String>,
    values: Vec<Value>,
}

/// A way to part the rows in two by one factor.
pub(super) struct Candidate {
    pub(super) column: usize,
    by: By,
    /// The rows on one side.
    pub(super) bits: Bits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// From this rank on.
    From(usize),
    /// Before this rank.
    Before(usize),
    Presence,
}

/// Environments and how the test ended there. A row is a set of values with an outcome, in an order of its own, so that
/// the order of the cells does not matter.
pub(super) struct Table {
    rows: usize,
    row_of: Vec<usize>,
    failing: Bits,
    all: Bits,
    columns: Vec<Column>,
    /// Every split, by the order of the columns.
    pub(super) candidates: Vec<Candidate>,
}

impl Candidate {
    pub(super) fn factor(&self, table: &Table) -> SplitFactor {
        table.columns[self.column].factor
    }
}

impl Table {
    /// The table of the cells, each with whether it fails.
    pub(super) fn of(seen: &[(&Record, bool)], dependency: &PackageName) -> Self {
        let records: Vec<&Record> = seen.iter().map(|(record, _)| *record).collect();
        let mut columns = columns(&records, dependency);
        columns.retain(|column| column.values.windows(2).any(|two| two[0] != two[1]));
        let key = |cell: usize| -> (Vec<Value>, bool) {
            (columns.iter().map(|column| column.values[cell]).collect(), seen[cell].1)
        };
        let distinct: BTreeSet<(Vec<Value>, bool)> = (0..seen.len()).map(key).collect();
        let places: BTreeMap<&(Vec<Value>, bool), usize> = distinct.iter().zip(0..).collect();
        let row_of = (0..seen.len()).map(|cell| places[&key(cell)]).collect();
        let rows = distinct.len();
        let by_row: Vec<&(Vec<Value>, bool)> = distinct.iter().collect();
        for (index, column) in columns.iter_mut().enumerate() {
            column.values = by_row.iter().map(|(values, _)| values[index]).collect();
        }
        let failing = Bits::of(rows, |row| by_row[row].1);
        let all = Bits::of(rows, |_| true);
        let candidates = Vec::new();
        let mut table = Self { rows, row_of, failing, all, columns, candidates };
        table.candidates = (0..table.columns.len()).flat_map(|one| table.splits(one)).collect();
        table
    }

    /// Every way in which a column parts the rows, each once.
    fn splits(&self, column: usize) -> Vec<Candidate> {
        let Column { labels, values, .. } = &self.columns[column];
        let ranks = || 1..labels.len();
        let ways = ranks().map(By::From).chain(ranks().map(By::Before)).chain([By::Presence]);
        let mut known = BTreeSet::new();
        let mut found = Vec::new();
        for by in ways {
            let bits = Bits::of(self.rows, |row| by.holds(values[row]));
            let parts = (1..self.rows).contains(&bits.count());
            if parts && known.insert(self.partition(&bits)) {
                found.push(Candidate { column, by, bits });
            }
        }
        found
    }

    /// The same for both sides.
    fn partition(&self, bits: &Bits) -> Bits {
        let has_first = bits.0.first().is_some_and(|word| word & 1 == 1);
        self.side(bits, has_first)
    }

    /// How many ways there are to part the rows.
    pub(super) fn distinct(&self) -> usize {
        self.distinct_of(|_| true).len()
    }

    /// The first candidate of each way to part the rows, among those that are wanted.
    pub(super) fn distinct_of(&self, wanted: impl Fn(&Candidate) -> bool) -> Vec<&Candidate> {
        let mut known = BTreeSet::new();
        let all = self.candidates.iter().filter(|one| wanted(one));
        all.filter(|one| known.insert(self.partition(&one.bits))).collect()
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The row of a cell.
    pub(super) fn row_of(&self, cell: usize) -> usize {
        self.row_of[cell]
    }

    /// The rows of `bits`, or all others.
    pub(super) fn side(&self, bits: &Bits, is_in: bool) -> Bits {
        if is_in { bits.clone() } else { self.all.with(bits, |all, one| all & !one) }
    }

    /// How many rows there are and fail, on a side and in all, among those of `mask`.
    pub(super) fn counts(&self, bits: &Bits, mask: Option<&Bits>) -> Counts {
        let mask = mask.unwrap_or(&self.all);
        let side = bits.with(mask, |one, other| one & other);
        Counts {
            side: side.count(),
            failing_side: side.common(&self.failing),
            all: mask.count(),
            failing: mask.common(&self.failing),
        }
    }

    /// Whether among the rows of `mask` a larger share of those in `bits` fails than of the others.
    pub(super) fn is_guilty_above(&self, bits: &Bits, mask: Option<&Bits>) -> bool {
        let Counts { side, failing_side, all, failing } = self.counts(bits, mask);
        failing_side * all >= failing * side
    }

    /// Of the rows of `mask`, those on the side on which a larger share fails.
    pub(super) fn guilty(&self, bits: &Bits, mask: Option<&Bits>) -> Bits {
        let side = self.side(bits, self.is_guilty_above(bits, mask));
        side.with(mask.unwrap_or(&self.all), |one, other| one & other)
    }

    /// Whether exactly these rows fail.
    pub(super) fn is_exact(&self, guess: &Bits) -> bool {
        *guess == self.failing
    }

    /// In how many rows two guesses of what fails are not the same, and in how many of these the first is right.
    pub(super) fn disagreement(&self, one: &Bits, other: &Bits) -> (usize, usize) {
        let differing = one.with(other, |one, other| one ^ other);
        let wrong = one.with(&self.failing, |one, fails| one ^ fails);
        let count = differing.count();
        (count, count - differing.common(&wrong))
    }

    /// How many packages are not the same in two rows.
    pub(super) fn packages_apart(&self, one: usize, other: usize) -> usize {
        let packages = self.columns.iter().filter(|one| one.factor == SplitFactor::Package);
        packages.filter(|column| column.values[one] != column.values[other]).count()
    }

    /// The side of a candidate on which a larger share of the rows of `mask` fails, in words.
    pub(super) fn split(&self, candidate: &Candidate, mask: Option<&Bits>) -> Split {
        let is_in = self.is_guilty_above(&candidate.bits, mask);
        self.worded(candidate, is_in, mask.unwrap_or(&self.all))
    }

    /// A side of a candidate, in words.
    pub(super) fn split_on(&self, candidate: &Candidate, is_in: bool) -> Split {
        self.worded(candidate, is_in, &self.all)
    }

    fn worded(&self, candidate: &Candidate, is_in: bool, mask: &Bits) -> Split {
        let Column { factor, name, labels, values } = &self.columns[candidate.column];
        let label = |rank: usize| labels[rank].clone();
        let mut seen: BTreeSet<Value> = BTreeSet::new();
        seen.extend((0..self.rows).filter(|row| mask.holds(*row)).map(|row| values[row]));
        // The versions next to the border that were in one of these cells.
        let border = |rank: usize, is_newer: bool| {
            let all = || seen.iter().copied();
            let newer = all().find(|value| matches!(value, Value::Rank(one) if *one >= rank));
            let older = all().rfind(|value| matches!(value, Value::Rank(one) if *one < rank));
            let text = |value: Option<Value>| match value {
                Some(Value::Rank(rank)) => Some(label(rank)),
                Some(Value::Absent | Value::Unordered) | None => None,
            };
            let version = text(newer).unwrap_or_else(|| label(rank));
            let older = text(older);
            // The side that has a rank has no cell without one; the other side has them all.
            let has_absent = seen.contains(&Value::Absent) || seen.contains(&Value::Unordered);
            let or_absent = !is_in && has_absent;
            if is_newer {
                Condition::AtLeast { version, older, or_absent }
            } else {
                Condition::Below { version, older, or_absent }
            }
        };
        let condition = match candidate.by {
            By::From(rank) => border(rank, is_in),
            By::Before(rank) => border(rank, !is_in),
            By::Presence if is_in => Condition::Present,
            By::Presence => Condition::Absent,
        };
        Split { factor: *factor, name: name.clone(), condition }
    }
}

impl By {
    fn holds(self, value: Value) -> bool {
        match (self, value) {
            (Self::From(rank), Value::Rank(one)) => one >= rank,
            (Self::Before(rank), Value::Rank(one)) => one < rank,
            (Self::Presence, value) => value != Value::Absent,
            (Self::From(_) | Self::Before(_), Value::Absent | Value::Unordered) => false,
        }
    }
}

/// The factors of the cells: the release, the Python, and packages by name.
fn columns(records: &[&Record], dependency: &PackageName) -> Vec<Column> {
    let release = ranked(records, |record| (record.version.clone(), record.version.to_string()));
    let python = ranked(records, |record| (record.python, record.python.to_string()));
    let column = |factor, name: &str, (labels, values)| {
        let name = name.to_owned();
        Column { factor, name, labels, values }
    };
    let mut columns = vec![
        column(SplitFactor::Release, dependency.normalized(), release),
        column(SplitFactor::Python, "Python", python),
    ];
    let installed: Vec<BTreeMap<String, &str>> = records
        .iter()
        .map(|record| {
            let all = record.environment.installed.iter();
            all.map(|one| (normalized(&one.name), one.version.as_str())).collect()
        })
        .collect();
    let names: BTreeSet<&str> =
        installed.iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
    for name in names.into_iter().filter(|name| *name != dependency.normalized()) {
        let versions: Vec<Option<&str>> =
            installed.iter().map(|all| all.get(name).copied()).collect();
        columns.push(column(SplitFactor::Package, name, package(&versions)));
    }
    columns
}

type Values = (Vec<String>, Vec<Value>);

/// The values of a factor that every cell has, in their order, and which each cell has.
fn ranked<K: Ord>(records: &[&Record], value: impl Fn(&&Record) -> (K, String)) -> Values {
    let labels: BTreeMap<K, String> = records.iter().map(&value).collect();
    let place = |key: &K| labels.keys().position(|one| one == key).unwrap_or_default();
    let values = records.iter().map(|record| Value::Rank(place(&value(record).0))).collect();
    (labels.into_values().collect(), values)
}

/// The versions of a package, oldest first, and which each cell has.
fn package(versions: &[Option<&str>]) -> Values {
    let parsed = |text: &str| text.parse::<Version>().ok();
    let mut labels: BTreeMap<Version, String> = BTreeMap::new();
    for text in versions.iter().flatten() {
        if let Some(version) = parsed(text) {
            // Of two spellings of one version the first in the alphabet, in whatever order the cells come.
            let label = labels.entry(version).or_insert_with(|| (*text).to_owned());
            if **text < **label {
                (*text).clone_into(label);
            }
        }
    }
    let ranks: BTreeMap<&Version, usize> = labels.keys().zip(0..).collect();
    let value = |text: Option<&str>| match text {
        None => Value::Absent,
        Some(text) => parsed(text).map_or(Value::Unordered, |one| Value::Rank(ranks[&one])),
    };
    let values = versions.iter().copied().map(value).collect();
    (labels.into_values().collect(), values)
}
