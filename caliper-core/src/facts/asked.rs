//! What the last run asked: by it, records that answer this are told from records of earlier questions.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::record::Record;
use crate::question::grid::CellId;

/// The version of the format that [`Asked`] is written in.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// The cells of a grid, with what decides the results of each.
///
/// A record does not say whether it is still the answer: the configuration or the project may have
/// changed since. A run keeps this before it measures, so that what is recorded can be sorted at any
/// time, also while the run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The name of the backend of the run.
    pub backend: String,
    /// By the cell, as [`CellId`] prints it; `None` for what was not looked at.
    cells: BTreeMap<String, Option<Identity>>,
    /// The releases on the index that are in no cell, oldest first. Nothing is known of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<Version>,
}

/// Records of the cells of a grid.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sorted {
    /// Those that answer what is asked.
    pub current: Vec<Record>,
    /// Those that answered something else, for example before an edit of a test, and those of cells that were
    /// not looked at.
    pub stale: Vec<Record>,
}

impl Asked {
    /// A grid that the backend of this name measures. A cell without an identity was not looked at: whatever is
    /// recorded of it is stale.
    pub fn new(
        backend: impl Into<String>,
        cells: impl IntoIterator<Item = (CellId, Option<Identity>)>,
    ) -> Self {
        let cells = cells.into_iter().map(|(cell, identity)| (cell.to_string(), identity));
        let (schema, backend, cells) = (SCHEMA, backend.into(), cells.collect());
        Self { schema, backend, cells, left_out: Vec::new() }
    }

    /// The same, where the index has these releases too.
    #[must_use]
    pub fn beside(mut self, releases: &[Version]) -> Self {
        let versions: BTreeSet<Version> = self.cells().map(|cell| cell.version).collect();
        let others = releases.iter().filter(|version| !versions.contains(version));
        self.left_out = others.cloned().collect();
        self
    }

    /// The releases on the index that are in no cell, oldest first.
    pub fn left_out(&self) -> &[Version] {
        &self.left_out
    }

    /// The cells, in no particular order.
    pub fn cells(&self) -> impl Iterator<Item = CellId> {
        self.cells.keys().filter_map(|name| name.parse().ok())
    }

    /// The names of the tests.
    pub fn tests(&self) -> BTreeSet<&str> {
        let tests = self.cells.values().flatten().flat_map(|identity| &identity.tests);
        tests.map(|(name, _)| name.as_str()).collect()
    }

    /// Sorts records of this grid. Those of other cells are left out, and so are those that are no
    /// answer to anything: of infrastructure failures under another question, and of interrupted
    /// measurements that lack tests.
    pub fn sort(&self, records: Vec<Record>) -> Sorted {
        let mut sorted = Sorted::default();
        for record in records {
            let Some(asked) = self.cells.get(&record.id().to_string()) else { continue };
            match asked.as_ref().and_then(|identity| identity.answered_by(&record)) {
                Some(current) => sorted.current.push(current),
                None if record.interrupted || record.outcome.is_spurious() => {}
                None => sorted.stale.push(record),
            }
        }
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::tests::{record, test};
    use crate::facts::record::{CellOutcome, TestOutcome};
    use crate::names::Sha256;

    /// A record of the test `t`, which was made under the digest of `environment` and of `program`.
    fn recorded(version: &str, environment: &str, program: &str) -> Record {
        let mut record = record(version, "3.11");
        record.environment.key = Some(Sha256::of(environment.as_bytes()));
        let mut test = test("t", TestOutcome::Passed, "");
        test.key = Some(Sha256::of(program.as_bytes()));
        record.tests = vec![test];
        record
    }

    #[test]
    fn records_are_sorted_by_what_is_asked_now() {
        let identity = Identity {
            environment: Sha256::of(b"env"),
            tests: vec![("t".to_owned(), Sha256::of(b"new"))],
            cell: Sha256::of(b"cell"),
        };
        let cells = ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6"];
        let mut cells =
            cells.map(|version| (record(version, "3.11").id(), Some(identity.clone()))).to_vec();
        cells.push((record("1.7", "3.11").id(), None));
        let asked = Asked::new("local", cells);
        let mut more = recorded("1.3", "env", "new");
        more.tests.push(test("removed", TestOutcome::Failed, ""));
        let mut interrupted = recorded("1.4", "env", "new");
        (interrupted.interrupted, interrupted.tests) = (true, Vec::new());
        let mut lost = recorded("1.5", "env", "new");
        lost.outcome = CellOutcome::NotMeasured;
        let mut lost_now = lost.clone();
        (lost_now.version, lost_now.key) = ("1.6".parse().unwrap(), identity.cell);
        let sorted = asked.sort(vec![
            recorded("1.0", "env", "new"),
            recorded("1.1", "env", "old"),
            recorded("1.2", "older", "new"),
            more,
            interrupted,
            lost,
            lost_now,
            recorded("1.7", "env", "new"), // not looked at
            recorded("2.0", "env", "new"), // not in the grid
        ]);
        let names = |records: &[Record]| -> Vec<String> {
            records.iter().map(|record| record.version.to_string()).collect()
        };
        assert_eq!(names(&sorted.current), ["1.0", "1.3", "1.6"]);
        assert_eq!(names(&sorted.stale), ["1.1", "1.2", "1.7"]);
        assert!(sorted.current.iter().all(|record| record.key == identity.cell));
        assert_eq!(sorted.current[1].tests.len(), 1, "what is not asked is no part of the answer");
        let text = serde_json::to_string(&asked).unwrap();
        assert_eq!(serde_json::from_str::<Asked>(&text).unwrap(), asked);
    }
}
