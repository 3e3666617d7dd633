//! How the verdicts of cells changed over several sets of results: what passed last month and fails today.
//!
//! A set of results says how things stood when it was gathered. Between two of them a test may have been measured anew, or
//! only be judged in another way, because its baseline or the criteria changed; and it may have been asked another question,
//! because the test itself was edited. Each change says which of these it is, so that nobody blames a release for an edit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::analysis::compare::Verdict;
use crate::analysis::results::Results;
use crate::facts::record::{Record, State, test_names};
use crate::names::{Sha256, Timestamp};

/// The version of the format that [`History`] is written in.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// How verdicts changed over time: `history --format json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct History {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// Each analysis of each dependency by itself.
    pub studies: Vec<StudyHistory>,
}

/// How the verdicts of one analysis changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StudyHistory {
    /// The package that was measured.
    pub dependency: String,
    /// The title of the analysis.
    pub analysis: String,
    /// The sets of results, oldest first.
    pub snapshots: Vec<SnapshotInfo>,
    /// What changed, oldest first, then by release.
    pub changes: Vec<VerdictChange>,
    /// How many tests of cells are in more than one set and never changed.
    pub unchanged: usize,
}

/// A set of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SnapshotInfo {
    /// When the last of its cells was measured.
    pub finished: Timestamp,
    /// The version of Caliper that wrote it.
    pub caliper: String,
    /// How many cells it has.
    pub cells: usize,
}

/// A test in a cell that stands differently in two sets of results, with no other set that has it in between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VerdictChange {
    /// The cell.
    pub cell: String,
    /// The test; empty for a cell of an analysis without tests.
    pub test: String,
    /// How it stood before.
    pub from: Standing,
    /// How it stands since.
    pub to: Standing,
    /// When the set of results ended that is the first to show it.
    pub seen: Timestamp,
    /// Whether it was measured in between. If not, only what it is compared with, or how, has changed.
    pub measured_anew: bool,
    /// Whether the test, its files, its limits or what is installed was asked for in another way: then the release need not
    /// have to do with it.
    pub question_changed: bool,
    /// The installed packages that have other versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<PackageChange>,
}

/// How a test stands in a cell.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Standing {
    /// How it ended.
    pub state: State,
    /// How its result compares with the baseline's; `None` if it did not pass.
    pub verdict: Option<Verdict>,
    /// When the measurement of its cell ended.
    pub measured: Timestamp,
}

/// A package whose version is another.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct PackageChange {
    /// Its name.
    pub name: String,
    /// Its version before; `None` if it was not installed.
    pub from: Option<String>,
    /// Its version since; `None` if it is not installed any more.
    pub to: Option<String>,
}

/// A set of results, reduced to what its history needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// When the last of its cells was measured, and by what.
    pub info: SnapshotInfo,
    /// A line for each test of each cell.
    pub lines: Vec<SnapshotLine>,
}

/// A test of a cell in a set of results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotLine {
    /// The cell.
    pub cell: String,
    /// The test.
    pub test: String,
    /// How it stands.
    pub standing: Standing,
    /// The digest of everything that determines it.
    pub key: Sha256,
    /// What was installed, by name.
    pub packages: BTreeMap<String, String>,
}

impl Snapshot {
    /// What a set of results says now. Stale cells answer earlier questions, and are left out.
    pub fn of(results: &Results) -> Self {
        let tests = test_names(results.cells.iter().flat_map(Record::judged));
        // Without any test, a cell is told by itself.
        let tests = if tests.is_empty() { vec![""] } else { tests };
        let lines = results.cells.iter().flat_map(|record| {
            let (id, installed) = (record.id(), &record.environment.installed);
            let packages: BTreeMap<String, String> =
                installed.iter().map(|one| (one.name.clone(), one.version.clone())).collect();
            let line = move |test: &&str| {
                let name = (!test.is_empty()).then_some(*test);
                Some(SnapshotLine {
                    cell: id.to_string(),
                    test: (*test).to_owned(),
                    standing: Standing {
                        state: record.state_of(name)?,
                        verdict: results.verdicts.verdict(&id, test),
                        measured: record.finished,
                    },
                    key: record.key,
                    packages: packages.clone(),
                })
            };
            tests.iter().filter_map(line).collect::<Vec<_>>()
        });
        Self {
            lines: lines.collect(),
            info: SnapshotInfo {
                finished: results.finished,
                caliper: results.caliper.clone(),
                cells: results.cells.len(),
            },
        }
    }
}

impl StudyHistory {
    /// What changed over sets of results, which are sorted by their dates; of equal dates the order stays.
    pub fn of(
        dependency: impl Into<String>,
        analysis: impl Into<String>,
        mut snapshots: Vec<Snapshot>,
    ) -> Self {
        snapshots.sort_by_key(|snapshot| snapshot.info.finished);
        let mut last: BTreeMap<(&str, &str), (&SnapshotLine, usize)> = BTreeMap::new();
        let mut changes = Vec::new();
        for snapshot in &snapshots {
            for line in &snapshot.lines {
                let place = (line.cell.as_str(), line.test.as_str());
                let Some((before, seen)) = last.get_mut(&place) else {
                    last.insert(place, (line, 0));
                    continue;
                };
                let is_same = (before.standing.state, before.standing.verdict)
                    == (line.standing.state, line.standing.verdict);
                if is_same {
                    *seen += usize::from(*seen != usize::MAX);
                } else {
                    changes.push(VerdictChange::between(before, line, snapshot.info.finished));
                    *seen = usize::MAX;
                }
                *before = line;
            }
        }
        // Those that changed are marked, and those that were seen once have nothing to be unchanged from.
        let unchanged = last.values().filter(|(_, seen)| (1..usize::MAX).contains(seen)).count();
        Self {
            dependency: dependency.into(),
            analysis: analysis.into(),
            snapshots: snapshots.into_iter().map(|snapshot| snapshot.info).collect(),
            changes,
            unchanged,
        }
    }
}

impl VerdictChange {
    fn between(before: &SnapshotLine, after: &SnapshotLine, seen: Timestamp) -> Self {
        let names = before.packages.keys().chain(after.packages.keys());
        let names: std::collections::BTreeSet<&String> = names.collect();
        let known = !before.packages.is_empty() && !after.packages.is_empty();
        let packages = names.into_iter().filter(|_| known).filter_map(|name| {
            let (from, to) = (before.packages.get(name), after.packages.get(name));
            (from != to).then(|| PackageChange {
                name: name.clone(),
                from: from.cloned(),
                to: to.cloned(),
            })
        });
        Self {
            cell: after.cell.clone(),
            test: after.test.clone(),
            from: before.standing,
            to: after.standing,
            seen,
            measured_anew: before.standing.measured != after.standing.measured,
            question_changed: before.key != after.key,
            packages: packages.collect(),
        }
    }
}

#[cfg(test)]
mod tests;
