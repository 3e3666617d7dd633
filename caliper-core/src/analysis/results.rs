//! The summary of a run: `results.json`, which a person or a script reads first.

use std::collections::BTreeSet;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::analysis::causes::Cause;
use crate::analysis::clocks::Clocks;
use crate::analysis::compare::{Blind, StagesOfRuns, Verdicts};
use crate::analysis::functions::FunctionsSummary;
pub use crate::analysis::row_summary::RowSummary;
use crate::analysis::suspects::Suspects;
use crate::facts::asked::{Asked, Sorted};
use crate::facts::record::Record;
use crate::names::{PackageName, Timestamp};
use crate::question::grid::CellId;

/// The version of the format that [`Results`] is written in.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// Every cell of a grid that has a record, and what follows from the records: facts and conclusions side
/// by side, never mixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Results {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The title of the analysis.
    pub analysis: String,
    /// The package that was measured.
    pub dependency: PackageName,
    /// The name of the backend of the last run.
    pub backend: String,
    /// When the first of these cells was begun, the stale ones too.
    pub started: Timestamp,
    /// When the last of these cells ended.
    pub finished: Timestamp,
    /// The version of Caliper that wrote this.
    pub caliper: String,
    /// Why builds and tests fail, the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Why imports fail in cells whose tests all pass: parts of the dependency that nothing needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Cause>,
    /// What each test on each Python tells along the releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowSummary>,
    /// What the functions of each test tell along the releases, where a test says how its functions ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionsSummary>,
    /// How each release fared at its own date and at others, where the date of the index is an axis.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<Clocks>,
    /// Where the runs of each cell part, stage by stage, where the configuration names stages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StagesOfRuns>,
    /// What failing of each test goes with, over all cells: the version of a package, the release itself, or the
    /// Python. Tests of which nothing can be said are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<Suspects>,
    /// How the verdicts fare where there is nothing to find; `None` if no cell was measured twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<Blind>,
    /// The releases on the index that the grid leaves out, oldest first; as far as that is known. Nothing is
    /// known of how they behave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub left_out: Vec<Version>,
    /// The records, sorted by release, Python and variant.
    pub cells: Vec<Record>,
    /// Records of further cells of the grid that answered another question, for example before an edit of a
    /// test. They are shown and count for nothing: no verdict, row, cause or specifier rests on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<Record>,
    /// What is concluded of each test in each cell.
    pub verdicts: Verdicts,
}

impl Results {
    /// The cells without a record, as far as the rows tell, such as those that a search left out. The release
    /// may have a record on another Python or in another variant.
    pub fn unmeasured(&self) -> BTreeSet<CellId> {
        let measured: BTreeSet<CellId> = self.cells.iter().map(Record::id).collect();
        let of_row = |row: &RowSummary| -> Vec<CellId> {
            let bracketed = row.transitions.iter().flat_map(|one| &one.unmeasured);
            let names = bracketed.chain(row.unprobed.iter().flat_map(|stretch| &stretch.releases));
            let id = |name: &String| {
                let version = name.parse().ok()?;
                Some(CellId { version, python: row.python, variant: row.variant.clone() })
            };
            names.filter_map(id).collect()
        };
        let cells = self.rows.iter().flat_map(of_row);
        cells.filter(|cell| !measured.contains(cell)).collect()
    }

    /// What the results say of one test. Its verdicts and transitions are those of the whole, which were judged
    /// together; `causes` finds the causes of the failures that remain. Cells without this test are left out.
    #[must_use]
    pub fn of_test(mut self, test: &str, causes: &dyn Fn(&[Record]) -> Vec<Cause>) -> Self {
        for records in [&mut self.cells, &mut self.stale] {
            records.retain(|record| record.state_of(Some(test)).is_some());
            for record in records {
                record.tests.retain(|known| known.name == test);
            }
        }
        self.causes = causes(&self.cells);
        self.notes.clear();
        self.rows.retain(|row| row.test == test);
        self.functions.retain(|functions| functions.test == test);
        self.clocks.retain(|clocks| clocks.test == test);
        self.stages.retain(|stages| stages.test == test);
        self.suspects.retain(|suspects| suspects.test == test);
        self.verdicts = self.verdicts.iter().filter(|one| one.test == test).cloned().collect();
        self.blind = None;
        self
    }

    /// The same with what its records say together, by the question of `analysis`: verdicts, rows,
    /// causes, and the blind check with the second measurements in `again`.
    #[must_use]
    pub fn read_through(mut self, analysis: &Analysis<'_>, again: &[Record]) -> Self {
        let analysis = analysis.with(&self.cells);
        let (rows, blind) = (analysis.rows(), analysis.blind(again));
        let (causes, notes) = (analysis.causes(), analysis.notes());
        self.functions = analysis.functions();
        self.clocks = analysis.clocks();
        self.stages = analysis.stages();
        self.suspects = analysis.suspects(&self.dependency);
        let verdicts = analysis.into_verdicts();
        (self.rows, self.blind, self.verdicts) = (rows, blind, verdicts);
        (self.causes, self.notes) = (causes, notes);
        self
    }

    /// A summary of records alone, by the question of `analysis`; `again` as in [`Results::read_through`].
    /// It knows of no release without a record, and names the backend of the record that ended last.
    ///
    /// `None` if there is no record.
    pub fn of_records(
        name: impl Into<String>,
        dependency: PackageName,
        records: Vec<Record>,
        analysis: &Analysis<'_>,
        again: &[Record],
    ) -> Option<Self> {
        let last = records.iter().max_by_key(|record| record.finished)?;
        let backend = last.environment.backend.clone();
        Some(Self::new(name, dependency, backend, records)?.read_through(analysis, again))
    }

    /// A summary of the records of a grid, by the question of `analysis`; `again` as in
    /// [`Results::read_through`]. The rows know of the releases without a record too.
    ///
    /// `None` if there is no record of the grid.
    pub fn of_asked(
        name: impl Into<String>,
        dependency: PackageName,
        asked: &Asked,
        records: Vec<Record>,
        analysis: &Analysis<'_>,
        again: &[Record],
    ) -> Option<Self> {
        let mut releases: BTreeSet<Version> = asked.cells().map(|cell| cell.version).collect();
        let mut results = Self::begin(name, dependency, &asked.backend, asked.sort(records))?;
        results.left_out = asked.left_out().to_vec();
        // What is left out between two of them may change, too. What is older or newer was not asked about.
        if let (Some(first), Some(last)) = (releases.first().cloned(), releases.last().cloned()) {
            let between = |release: &&Version| **release > first && **release < last;
            releases.extend(results.left_out.iter().filter(between).cloned());
        }
        let releases: Vec<Version> = releases.into_iter().collect();
        Some(results.read_through(&analysis.with(&[]).along(&releases), again))
    }

    /// A summary of `records`, without conclusions yet; `None` if `records` is empty.
    pub fn new(
        analysis: impl Into<String>,
        dependency: PackageName,
        backend: impl Into<String>,
        records: Vec<Record>,
    ) -> Option<Self> {
        let sorted = Sorted { current: records, stale: Vec::new() };
        Self::begin(analysis, dependency, backend, sorted)
    }

    fn begin(
        analysis: impl Into<String>,
        dependency: PackageName,
        backend: impl Into<String>,
        Sorted { current: mut records, mut stale }: Sorted,
    ) -> Option<Self> {
        records.sort_by_key(Record::id);
        stale.sort_by_key(Record::id);
        let all = || records.iter().chain(&stale);
        Some(Self {
            schema: SCHEMA,
            analysis: analysis.into(),
            dependency,
            backend: backend.into(),
            started: all().map(|record| record.started).min()?,
            finished: all().map(|record| record.finished).max()?,
            caliper: env!("CARGO_PKG_VERSION").to_owned(),
            causes: Vec::new(),
            notes: Vec::new(),
            rows: Vec::new(),
            functions: Vec::new(),
            clocks: Vec::new(),
            stages: Vec::new(),
            suspects: Vec::new(),
            blind: None,
            left_out: Vec::new(),
            cells: records,
            stale,
            verdicts: Verdicts::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

    #[test]
    fn a_cell_is_unmeasured_whatever_is_known_of_its_release_elsewhere() {
        let cell = |version, seed, outcome| {
            let mut record = record(version, "3.11");
            record.variant.insert("seed", seed);
            record.tests.push(test("t", outcome, ""));
            record
        };
        let cells = vec![
            cell("1.0", "0", Passed),
            cell("1.1", "0", Passed),
            cell("1.3", "0", Failed),
            cell("1.0", "1", Passed),
            cell("1.3", "1", Passed),
        ];
        let releases = ["1.0", "1.1", "1.2", "1.3"].map(|name| name.parse::<Version>().unwrap());
        let criteria = Criteria::default();
        let analysis = Analysis::new(&[], None, &criteria, &|_| None).along(&releases);
        let results = Results::new("a", "demo".parse().unwrap(), "local", cells).unwrap();
        let results = results.read_through(&analysis, &[]);
        let unmeasured: Vec<String> =
            results.unmeasured().iter().map(ToString::to_string).collect();
        assert_eq!(unmeasured, ["1.1/3.11[seed=1]", "1.2/3.11[seed=0]", "1.2/3.11[seed=1]"]);
    }
}
