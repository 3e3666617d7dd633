//! What is different between two sets of records: of two runs, or of two releases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::record::{Record, State, test_names};
use crate::question::grid::CellId;

/// What became of a test.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It passed, and does not any more.
    Regressed,
    /// It passes now, and did not.
    Fixed,
    /// It passes in both with another result, or does not pass for another reason.
    Changed,
    /// It passed, and the world kept it from being measured now.
    SpuriouslyRegressed,
    /// It passes now, and the world had kept it from being measured.
    SpuriouslyFixed,
    /// Nothing.
    Same,
    /// Only the first set has it.
    OnlyFirst,
    /// Only the second set has it.
    OnlySecond,
}

/// What became of one test in one cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Difference {
    /// The cell; of two releases, that of the second.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    pub cell: CellId,
    /// The test; `None` for a cell without tests.
    pub test: Option<String>,
    /// What became of it.
    pub change: Change,
    /// How it ended in the first set.
    pub first: Option<State>,
    /// How it ended in the second set.
    pub second: Option<State>,
}

fn as_text<S: serde::Serializer>(cell: &CellId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cell)
}

/// What became of every test that one of two sets of records has. `position` says which cells of the
/// two correspond, each by one place of its own; `same` says whether a test that passes in two has the
/// same result there, the first set's first.
pub fn differences<P: Ord>(
    first: &[Record],
    second: &[Record],
    position: impl Fn(&Record) -> P,
    mut same: impl FnMut(&Record, &Record, &str) -> bool,
) -> Vec<Difference> {
    let keyed = |records: &'_ [Record]| -> BTreeMap<P, usize> {
        records.iter().enumerate().map(|(index, record)| (position(record), index)).collect()
    };
    let (in_first, in_second) = (keyed(first), keyed(second));
    let positions: BTreeSet<&P> = in_first.keys().chain(in_second.keys()).collect();
    let mut found = Vec::new();
    for position in positions {
        let one = in_first.get(position).map(|index| &first[*index]);
        let other = in_second.get(position).map(|index| &second[*index]);
        let Some(cell) = other.or(one).map(Record::id) else { continue };
        let tests = test_names(one.into_iter().chain(other).flat_map(|record| record.judged()));
        // A cell without tests is told of once.
        let mut names: Vec<Option<&str>> = tests.into_iter().map(Some).collect();
        if names.is_empty() {
            names.push(None);
        }
        for name in names {
            let state = |record: Option<&Record>| record.and_then(|record| record.state_of(name));
            let (before, after) = (state(one), state(other));
            let mut alike = || match (one, other, name) {
                (Some(one), Some(other), Some(name)) => same(one, other, name),
                _ => true,
            };
            let change = change(before, after, &mut alike);
            let test = name.map(str::to_owned);
            found.push(Difference {
                cell: cell.clone(),
                test,
                change,
                first: before,
                second: after,
            });
        }
    }
    found
}

/// One total `match`: a new state does not compile until somebody has judged it.
fn change(first: Option<State>, second: Option<State>, same: &mut dyn FnMut() -> bool) -> Change {
    use State::{BuildFailed, Excluded, Failed, Flaky, NotMeasured, Passed, Unavailable};
    match (first, second) {
        (Some(_), None) => Change::OnlyFirst,
        (None, Some(_)) => Change::OnlySecond,
        (Some(Passed), Some(Passed)) => {
            if same() {
                Change::Same
            } else {
                Change::Changed
            }
        }
        (Some(NotMeasured), Some(Passed | Flaky)) => Change::SpuriouslyFixed,
        (Some(Passed | Flaky), Some(NotMeasured)) => Change::SpuriouslyRegressed,
        (Some(Passed | Flaky), Some(Failed | BuildFailed | Unavailable | Excluded)) => {
            Change::Regressed
        }
        (Some(Failed | BuildFailed | Unavailable | Excluded), Some(Passed)) => Change::Fixed,
        (Some(Passed | Failed | BuildFailed | Unavailable | Excluded), Some(Flaky))
        | (Some(Flaky), Some(Passed))
        | (Some(Failed), Some(BuildFailed | Unavailable | Excluded))
        | (Some(BuildFailed), Some(Failed | Unavailable | Excluded))
        | (Some(Unavailable | Excluded), Some(Failed | BuildFailed)) => Change::Changed,
        // Where it was not measured nobody knows whether it would have passed.
        (None, None)
        | (Some(Flaky), Some(Flaky))
        | (Some(Failed), Some(Failed | NotMeasured))
        | (Some(BuildFailed), Some(BuildFailed | NotMeasured))
        | (Some(Unavailable | Excluded), Some(Unavailable | Excluded | NotMeasured))
        | (Some(NotMeasured), Some(Failed | BuildFailed | Unavailable | Excluded | NotMeasured)) => {
            Change::Same
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Regressed => "regressed",
            Self::Fixed => "fixed",
            Self::Changed => "changed",
            Self::SpuriouslyRegressed => "spuriously regressed",
            Self::SpuriouslyFixed => "spuriously fixed",
            Self::Same => "the same",
            Self::OnlyFirst => "only in the first",
            Self::OnlySecond => "only in the second",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::TestOutcome;
    use crate::facts::record::tests::{record, test};

    const STATES: [Option<State>; 7] = [
        None,
        Some(State::Unavailable),
        Some(State::BuildFailed),
        Some(State::Failed),
        Some(State::Flaky),
        Some(State::Passed),
        Some(State::NotMeasured),
    ];

    #[test]
    fn every_pair_has_its_change() {
        let short = |change| match change {
            Change::Regressed => "-",
            Change::Fixed => "+",
            Change::Changed => "~",
            Change::SpuriouslyRegressed => "(-)",
            Change::SpuriouslyFixed => "(+)",
            Change::Same => "=",
            Change::OnlyFirst => "<",
            Change::OnlySecond => ">",
        };
        let mut table = String::new();
        for first in STATES {
            let line = STATES.map(|second| short(change(first, second, &mut || true)));
            table += &format!("{}\n", line.map(|mark| format!("{mark:<4}")).concat().trim_end());
        }
        // From above: none, unavailable, build failed, failed, flaky, passed, not measured.
        insta::assert_snapshot!(table, @r"
        =   >   >   >   >   >   >
        <   =   ~   ~   ~   +   =
        <   ~   =   ~   ~   +   =
        <   ~   ~   =   ~   +   =
        <   -   -   -   =   ~   (-)
        <   -   -   -   ~   =   (-)
        <   =   =   =   (+) (+) =
        ");
        let passed = Some(State::Passed);
        assert_eq!(change(passed, passed, &mut || false), Change::Changed);
    }

    #[test]
    fn two_runs_are_held_against_each_other() {
        use TestOutcome::{Failed, Passed};
        let with = |version, tests: &[(&str, TestOutcome)]| {
            let runs = tests.iter().map(|(name, outcome)| test(name, *outcome, name));
            record(version, "3.11").with_runs(runs)
        };
        let first = [with("1.0", &[("a", Passed), ("b", Failed)]), with("1.1", &[("a", Passed)])];
        let second = [
            with("1.0", &[("a", Passed), ("a", Failed), ("b", Passed)]),
            with("1.2", &[("a", Passed)]),
        ];
        let found = differences(&first, &second, Record::id, |one, other, name| {
            let output =
                |record: &Record| record.test(name).map(|test| test.runs[0].output.clone());
            output(one) == output(other)
        });
        let lines: Vec<String> = found
            .iter()
            .map(|one| format!("{} {} {}", one.cell, one.test.as_deref().unwrap_or(""), one.change))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        1.0/3.11 a changed
        1.0/3.11 b fixed
        1.1/3.11 a only in the first
        1.2/3.11 a only in the second
        ");
    }
}
