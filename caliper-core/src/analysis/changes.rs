//! What is different between two sets of records: of two runs, or of two releases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Analysis;
use super::compare::{Evidence, Pair, Verdict};
use super::row::AlsoDiffers;
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
    /// It passes in both with results that are not the same, and that may be noise.
    MayBeNoise,
    /// It passed, and the world kept it from being measured now.
    SpuriouslyRegressed,
    /// It passes now, and the world had kept it from being measured.
    SpuriouslyFixed,
    /// Nothing.
    Same,
    /// Only the first set has it: the second has no such test, or nothing to install.
    OnlyFirst,
    /// Only the second set has it: the first has no such test, or nothing to install.
    OnlySecond,
}

/// What became of one test in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[non_exhaustive]
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
    /// How the results compare; `None` if the test does not pass in both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What that rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Box<Evidence>>,
    /// What else is not the same in the two cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_differs: Vec<AlsoDiffers>,
}

fn as_text<S: serde::Serializer>(cell: &CellId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cell)
}

/// What became of every test that one of two sets of records has. `position` says which cells of the
/// two correspond, each by one place of its own. `analysis` compares the results of tests that pass in both.
pub fn differences<P: Ord>(
    first: &[Record],
    second: &[Record],
    position: impl Fn(&Record) -> P,
    analysis: &Analysis<'_>,
) -> Vec<Difference> {
    let keyed = |records: &'_ [Record]| -> BTreeMap<P, usize> {
        records.iter().enumerate().map(|(index, record)| (position(record), index)).collect()
    };
    let (in_first, in_second) = (keyed(first), keyed(second));
    let positions: BTreeSet<&P> = in_first.keys().chain(in_second.keys()).collect();
    let mut found = Vec::new();
    // The pairs of results to compare, and whose they are: all are judged as one family.
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    let mut owners: Vec<usize> = Vec::new();
    for position in positions {
        let one = in_first.get(position).map(|index| &first[*index]);
        let other = in_second.get(position).map(|index| &second[*index]);
        let Some(cell) = other.or(one).map(Record::id) else { continue };
        let tests = test_names(one.into_iter().chain(other).flat_map(Record::judged));
        // A cell without tests is told of once.
        let mut names: Vec<Option<&str>> = tests.into_iter().map(Some).collect();
        if names.is_empty() {
            names.push(None);
        }
        let also_differs = match (one, other) {
            (Some(one), Some(other)) => AlsoDiffers::between(one, other),
            _ => Vec::new(),
        };
        for name in names {
            let state = |record: Option<&Record>| record.and_then(|record| record.state_of(name));
            let (before, after) = (state(one), state(other));
            if let (Some(one), Some(other), Some(name)) = (one, other, name)
                && (before, after) == (Some(State::Passed), Some(State::Passed))
            {
                pairs.push((one, other, name));
                owners.push(found.len());
            }
            found.push(Difference {
                cell: cell.clone(),
                test: name.map(str::to_owned),
                change: change(before, after, None),
                first: before,
                second: after,
                verdict: None,
                evidence: None,
                also_differs: also_differs.clone(),
            });
        }
    }
    for (owner, (verdict, evidence)) in owners.into_iter().zip(analysis.compare(&pairs)) {
        let difference = &mut found[owner];
        difference.change = change(difference.first, difference.second, verdict);
        (difference.verdict, difference.evidence) = (verdict, evidence.map(Box::new));
    }
    found
}

/// One total `match`: a new state does not compile until somebody has judged it.
fn change(first: Option<State>, second: Option<State>, verdict: Option<Verdict>) -> Change {
    use State::{BuildFailed, Excluded, Failed, Flaky, NotMeasured, Passed, Unavailable};
    match (first, second) {
        (Some(_), None) => Change::OnlyFirst,
        (None, Some(_)) => Change::OnlySecond,
        (Some(Passed), Some(Passed)) => match verdict {
            Some(Verdict::Different) => Change::Changed,
            Some(Verdict::Undecided) => Change::MayBeNoise,
            Some(
                Verdict::Same | Verdict::SameWithinNoise | Verdict::Flaky | Verdict::NoBaseline,
            )
            | None => Change::Same,
        },
        // A release that cannot be installed here says nothing about the test.
        (Some(Passed | Flaky | Failed | BuildFailed), Some(Unavailable | Excluded)) => {
            Change::OnlyFirst
        }
        (Some(Unavailable | Excluded), Some(Passed | Flaky | Failed | BuildFailed)) => {
            Change::OnlySecond
        }
        (Some(NotMeasured), Some(Passed | Flaky)) => Change::SpuriouslyFixed,
        (Some(Passed | Flaky), Some(NotMeasured)) => Change::SpuriouslyRegressed,
        (Some(Passed | Flaky), Some(Failed | BuildFailed)) => Change::Regressed,
        (Some(Failed | BuildFailed), Some(Passed)) => Change::Fixed,
        (Some(Passed | Failed | BuildFailed), Some(Flaky))
        | (Some(Flaky), Some(Passed))
        | (Some(Failed), Some(BuildFailed))
        | (Some(BuildFailed), Some(Failed)) => Change::Changed,
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
            Self::MayBeNoise => "undecided: not the same result, which may be noise",
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
    use crate::question::criteria::Criteria;

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
            Change::MayBeNoise => "?",
            Change::SpuriouslyRegressed => "(-)",
            Change::SpuriouslyFixed => "(+)",
            Change::Same => "=",
            Change::OnlyFirst => "<",
            Change::OnlySecond => ">",
        };
        let mut table = String::new();
        for first in STATES {
            let line = STATES.map(|second| short(change(first, second, None)));
            table += &format!("{}\n", line.map(|mark| format!("{mark:<4}")).concat().trim_end());
        }
        // From above: none, nothing to install, build failed, failed, flaky, passed, not measured.
        insta::assert_snapshot!(table, @r"
        =   >   >   >   >   >   >
        <   =   >   >   >   >   =
        <   <   =   ~   ~   +   =
        <   <   ~   =   ~   +   =
        <   <   -   -   =   ~   (-)
        <   <   -   -   ~   =   (-)
        <   =   =   =   (+) (+) =
        ");
        let passed = Some(State::Passed);
        assert_eq!(change(passed, passed, Some(Verdict::Different)), Change::Changed);
        assert_eq!(change(passed, passed, Some(Verdict::Undecided)), Change::MayBeNoise);
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
        let criteria = Criteria::default();
        let analysis = Analysis::new(&[], None, &criteria, &|_| None);
        let found = differences(&first, &second, Record::id, &analysis);
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
