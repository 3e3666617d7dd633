//! Which package's version failing goes with, over all cells, without a run.
//!
//! The idea is that of the analysis of the CPAN testers (`ctgetreports --solve`): cells pass and fail with many sets
//! of packages, and the package whose version parts the failing from the passing ones best is the suspect. Here the
//! release itself and the Python are rivals of the packages, and stand before them where they explain as much. Nothing is proven by this: versions that move together cannot be told apart by looking, and
//! they are named together. [`blame`](super::blame) tells them apart, by runs.
//!
//! A *split* parts the cells in two by one factor: `numpy >= 2.0.0` and the others. It is scored by the reduction of
//! deviance (the G statistic, Sokal and Rohlf, "Biometry"), which is the mutual information with the outcome
//! times 2 n. Whether that is more than chance is Fisher's exact test, times the number of splits tried (Bonferroni).
//! A second stage looks for a package among the cells on one side of a split by the release or the Python:
//! "of jinja2 < 3.0.0, failing goes with markupsafe >= 2.1.0". It is told only if each of the two is needed: both tests,
//! of the package there and of the rival there, are significant after all pairs tried.
//!
//! Cells with the same environment and outcome count once, because fifty seeds say nothing new of a package. Where other
//! axes of the grid decide, cells of one environment pass and fail, and no package is named.

mod chance;
mod split;
mod table;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::row::{self, State};
use crate::facts::record::{CellOutcome, Record};
use crate::names::PackageName;
use crate::question::grid::CellId;
use chance::{gain, tail, tie};
pub use split::{Condition, Split, SplitFactor};
use table::{Bits, Candidate, Table};

/// The probability, in each of the two stages, of naming something although failing goes with nothing; also of telling two
/// splits apart although one is as good as the other.
const RATE: f64 = 0.05;

/// What failing of a test goes with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Suspects {
    /// The test.
    pub test: String,
    /// Only among the cells on this side of a split; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub among: Option<Split>,
    /// What failing goes with. If there are several, they part these cells in exactly the same way, and no cell can
    /// tell them apart: the release itself first, then the Python, and packages by name.
    pub splits: Vec<Split>,
    /// Splits that explain failing nearly as well, the best of each factor: where they differ from the first ones, they
    /// are right too often to be ruled out. Where the first ones leave failures open, these may be a further cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub close: Vec<Close>,
    /// The cells for which the split holds.
    pub with: Share,
    /// Those for which it does not.
    pub without: Share,
    /// The cells that are not looked at, because they are on the other side of `among`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Share>,
    /// How many different environments the cells have, those counted twice in which the test passes and fails.
    pub environments: usize,
    /// How many splits were tried.
    pub tried: usize,
    /// At most so probable is a split as good as this, if failing goes with nothing: Fisher's exact test, times the
    /// number of splits tried.
    pub p: f64,
    /// A failing cell and a passing one between which the suspects differ, and as little else as possible:
    /// `blame` finds by runs what it is. `None` if no package is suspect, or there are no two such cells on one Python.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide: Option<Pairing>,
}

/// A split that explains failing nearly as well as another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Close {
    /// The split.
    pub split: Split,
    /// In how many environments the two say different things.
    pub differs_in: usize,
}

/// How many of some cells fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Share {
    /// The cells that fail.
    pub failing: usize,
    /// All of them.
    pub cells: usize,
}

/// Two cells of the grid: what `blame` is to compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Pairing {
    /// The cell that fails.
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    #[schemars(with = "String")]
    pub failing: CellId,
    /// The cell that passes.
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    #[schemars(with = "String")]
    pub passing: CellId,
}

fn as_text<S: Serializer>(cell: &CellId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cell)
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CellId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// What failing of each test goes with, by the records of one package. Tests of which nothing can be said are left out.
pub(super) fn suspects(records: &[Record], dependency: &PackageName) -> Vec<Suspects> {
    let names: BTreeSet<&str> =
        records.iter().flat_map(Record::judged).map(|test| &*test.name).collect();
    names.into_iter().filter_map(|test| Suspects::of(test, records, dependency)).collect()
}

impl Suspects {
    fn of(test: &str, records: &[Record], dependency: &PackageName) -> Option<Self> {
        let observed = |record: &Record| {
            let is_known = !record.environment.installed.is_empty();
            match State::of(record, test) {
                _ if !is_known || record.outcome != CellOutcome::Tested => None,
                State::Passed => Some(false),
                State::Failed => Some(true),
                // A flaky cell is no evidence for either.
                State::Flaky | State::Unavailable | State::Unmeasured => None,
            }
        };
        let seen: Vec<(&Record, bool)> =
            records.iter().filter_map(|record| Some((record, observed(record)?))).collect();
        let table = Table::of(&seen, dependency);
        let found = best_pair(&table).or_else(|| best_single(&table))?;
        Some(found.told(test, &table, &seen))
    }

    /// Whether a package is among what failing goes with.
    pub fn names_a_package(&self) -> bool {
        self.packages().next().is_some()
    }

    /// The packages that failing goes with, as well as can be told.
    pub fn packages(&self) -> impl Iterator<Item = &Split> {
        self.splits.iter().filter(|split| split.factor == SplitFactor::Package)
    }
}

/// A split, or two of them, that failing goes with.
struct Found<'a> {
    /// The cells that are looked at, and the split that chose them.
    among: Option<(&'a Candidate, bool)>,
    best: &'a Candidate,
    /// Those for which the whole holds.
    bits: Bits,
    p: f64,
    tried: usize,
}

/// The best split of all; `None` if it may be chance.
fn best_single(table: &Table) -> Option<Found<'_>> {
    let tried = table.distinct();
    let scored = table.candidates.iter().map(|one| (gain(table.counts(&one.bits, None)), one));
    // Of equals the first: the release, then the Python.
    let best = scored.reduce(|best, one| if one.0 > best.0 { one } else { best })?.1;
    let p = tail(table.counts(&best.bits, None)) * as_number(tried);
    let bits = table.guilty(&best.bits, None);
    (p <= RATE).then_some(Found { among: None, best, bits, p, tried })
}

/// The best split by a package among the cells on one side of a split by the release or the Python; `None` if one of the
/// two suffices, or it may be chance.
fn best_pair(table: &Table) -> Option<Found<'_>> {
    let is_package = |one: &&Candidate| one.factor(table) == SplitFactor::Package;
    if table.candidates.iter().any(|one| table.is_exact(&table.guilty(&one.bits, None))) {
        return None;
    }
    let single = table.candidates.iter().map(|one| gain(table.counts(&one.bits, None)));
    let single = single.fold(0.0, f64::max);
    let packages: Vec<&Candidate> = table.distinct_of(|one| is_package(&one));
    let rivals: Vec<&Candidate> = table.distinct_of(|one| !is_package(&one));
    let tried = 4 * packages.len() * rivals.len();
    let mut best: Option<(f64, Found<'_>)> = None;
    for rival in rivals {
        for side in [true, false] {
            let mask = table.side(&rival.bits, side);
            for package in &packages {
                let bits = table.guilty(&package.bits, Some(&mask));
                let score = gain(table.counts(&bits, None));
                if score > single && best.as_ref().is_none_or(|(known, _)| score > *known) {
                    let among = Some((rival, side));
                    let found = Found { among, best: package, bits, p: 1.0, tried };
                    best = Some((score, found));
                }
            }
        }
    }
    let (_, mut found) = best?;
    let (rival, side) = found.among?;
    let mask = table.side(&rival.bits, side);
    // Each must be needed beside the other one.
    let is_above = table.is_guilty_above(&found.best.bits, Some(&mask));
    let of_package = tail(table.counts(&found.best.bits, Some(&mask)));
    let of_rival = tail(table.counts(&mask, Some(&table.side(&found.best.bits, is_above))));
    found.p = of_package.max(of_rival) * as_number(tried);
    (found.p <= RATE).then_some(found)
}

impl Found<'_> {
    fn told(self, test: &str, table: &Table, seen: &[(&Record, bool)]) -> Suspects {
        let mask = self.among.map(|(rival, side)| table.side(&rival.bits, side));
        let mask = mask.as_ref();
        let mut splits: Vec<Split> = Vec::new();
        let mut close: Vec<Close> = Vec::new();
        for column in 0..table.columns() {
            let of_column = || table.candidates.iter().filter(|one| one.column == column);
            // Within the same cells, and over all: a split by itself may explain as much as two.
            let within = of_column().map(|one| (one, mask));
            let alone = of_column().map(|one| (one, None)).filter(|_| mask.is_some());
            let mut nearest: Option<(usize, &Candidate, Option<&Bits>)> = None;
            for (one, mask) in within.chain(alone) {
                let bits = table.guilty(&one.bits, mask);
                let (differs_in, right) = table.disagreement(&self.bits, &bits);
                let is_open = tie(differs_in, right) > RATE;
                if is_open && nearest.is_none_or(|(known, ..)| differs_in < known) {
                    nearest = Some((differs_in, one, mask));
                }
            }
            let Some((differs_in, one, mask)) = nearest else { continue };
            let split = table.split(one, mask);
            if differs_in == 0 {
                splits.push(split);
            } else {
                close.push(Close { split, differs_in });
            }
        }
        let within = |index: usize| mask.is_none_or(|mask| mask.holds(index));
        let share = |wanted: &dyn Fn(usize) -> bool| {
            let cells = seen.iter().enumerate().filter(|(index, _)| wanted(table.row_of(*index)));
            let (failing, cells) = cells.fold((0, 0), |(failing, cells), (_, (_, fails))| {
                (failing + usize::from(*fails), cells + 1)
            });
            Share { failing, cells }
        };
        let holds = |index: usize| self.bits.holds(index);
        let names_a_package = splits.iter().any(|split| split.factor == SplitFactor::Package);
        let pairing = || pairing(seen, table, &self.bits, &within);
        Suspects {
            test: test.to_owned(),
            among: self.among.map(|(rival, side)| table.split_on(rival, side)),
            with: share(&holds),
            without: share(&|index| within(index) && !holds(index)),
            elsewhere: mask.map(|_| share(&|index| !within(index))),
            decide: names_a_package.then(pairing).flatten(),
            environments: table.rows(),
            tried: self.tried,
            p: self.p,
            splits,
            close,
        }
    }
}

/// The two cells that differ in the suspects and as little else as possible. Of equals those of the newest releases.
fn pairing(
    seen: &[(&Record, bool)],
    table: &Table,
    bits: &Bits,
    within: &dyn Fn(usize) -> bool,
) -> Option<Pairing> {
    let chosen = |fails: bool| {
        let cells = seen.iter().enumerate().filter(move |(_, (_, known))| *known == fails);
        cells
            .map(|(index, (record, _))| (table.row_of(index), *record))
            .filter(move |(index, _)| within(*index) && bits.holds(*index) == fails)
    };
    let passing: Vec<(usize, &Record)> = chosen(false).collect();
    let order = |(one, failing): (usize, &Record), (other, passing): (usize, &Record)| {
        let is_other = failing.version != passing.version;
        let apart = table.packages_apart(one, other);
        let newest = [failing, passing].map(|record| Reverse(record.version.clone()));
        (is_other, apart, newest, failing.id(), passing.id())
    };
    let pairs = chosen(true).flat_map(|one| {
        let fits = move |(_, passing): &&(usize, &Record)| passing.python == one.1.python;
        passing.iter().filter(fits).map(move |other| (one, *other))
    });
    let (failing, passing) = pairs.min_by_key(|(one, other)| order(*one, *other))?;
    Some(Pairing { failing: failing.1.id(), passing: passing.1.id() })
}

#[expect(clippy::cast_precision_loss, reason = "counts of splits are far below 2^52")]
fn as_number(count: usize) -> f64 {
    count as f64
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.failing, self.cells)
    }
}

impl fmt::Display for Suspects {
    /// One line: `failing goes with markupsafe >= 2.1.0: 17 of 17 cells; otherwise 0 of 28`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { among, splits, close, with, without, elsewhere, .. } = self;
        if let Some(among) = among {
            write!(formatter, "in cells with {among}, ")?;
        }
        let named: Vec<String> = splits.iter().take(LISTED).map(ToString::to_string).collect();
        write!(formatter, "failing goes with {}", named.join(" or "))?;
        if splits.len() > LISTED {
            write!(formatter, " or {} more", splits.len() - LISTED)?;
        }
        if splits.len() > 1 {
            formatter.write_str(" (the same cells)")?;
        }
        write!(formatter, ": {with} cells fail; otherwise {without}")?;
        if let Some(elsewhere) = elsewhere {
            write!(formatter, "; in all other cells {elsewhere}")?;
        }
        let close: Vec<&Split> = close.iter().map(|one| &one.split).collect();
        match row::list(&close) {
            Some(named) => write!(formatter, "; nearly as well with {named}"),
            None => Ok(()),
        }
    }
}

/// More splits that part the cells in the same way than these are counted, not listed.
const LISTED: usize = 3;

#[cfg(test)]
mod tests;
