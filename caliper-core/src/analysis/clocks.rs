//! What a release did on the index of its own day, and what it does on the index of today.
//!
//! A release that fails today may have worked on the day it came out: then another package has moved since. The
//! axis `as_of` with the value `release` measures each release with the index as it was when the release was
//! uploaded. Here the two cells of a release are held against each other. Which packages have another version is
//! told; which of them did it is not known from two cells.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::compare::{Pair, Verdict};
use super::row::{self, AlsoDiffers, State};
use crate::facts::record::{CellOutcome, Record};
use crate::names::PythonVersion;
use crate::question::grid::Variant;

/// The axis of the date of the index.
pub(in crate::analysis) const AXIS: &str = "as_of";

/// Releases that fared alike at their own date and at a later one, in one test on one Python.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Clocks {
    /// The test.
    pub test: String,
    /// The Python.
    pub python: PythonVersion,
    /// The further axes of the grid, without the date of the index.
    #[serde(default)]
    pub variant: Variant,
    /// The later date, as the axis `as_of` has it, such as `today`.
    pub until: String,
    /// How they fared.
    pub course: Course,
    /// The releases, oldest first.
    #[schemars(with = "Vec<String>")]
    pub releases: Vec<Version>,
    /// The other packages of which all of these have another version at the later date. Empty where what was
    /// installed is not known, because a build failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Moved>,
}

/// How a release fared between its own date and a later one.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Course {
    /// It passed at its date and fails at the later one.
    Drifted,
    /// It passes at both, with another result.
    ResultDrifted,
    /// It failed at its date and passes at the later one.
    Healed,
    /// It fails at both.
    BrokenFromBirth,
    /// It cannot be built at its date. That may be because the Python or the tools for builds are newer than the
    /// release, so it says little of how it was on its day.
    Unbuilt,
    /// It passes at both, and whether the results are the same is not decided; or it is flaky at one of them.
    Undecided,
    /// It passes at both, with the same result.
    Fine,
}

/// A package that has other versions at two dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Moved {
    /// Its normalized name.
    pub name: String,
    /// Its versions at the earlier dates, each once, oldest first; empty if it was not there.
    pub from: Vec<String>,
    /// The same at the later date.
    pub to: Vec<String>,
}

/// What two cells of a release have in common with those of others.
type Key<'a> = (&'a str, PythonVersion, Variant, &'a str, Course, BTreeSet<String>);
/// A release, and what sets its two cells apart.
type Found<'a> = (&'a Version, Vec<AlsoDiffers>);

/// Holds the cells of each release at its own date against those at other dates. `judge` compares the results of
/// tests that pass at both.
pub(super) fn clocks(
    records: &[Record],
    judge: &dyn Fn(&[Pair<'_>]) -> Vec<Option<Verdict>>,
) -> Vec<Clocks> {
    let pairs = pairs(records);
    let states = |(before, after, test): &Pair<'_>| [before, after].map(|one| State::of(one, test));
    let states: Vec<[State; 2]> = pairs.iter().map(states).collect();
    let both_pass = pairs.iter().zip(&states).filter(|(_, states)| **states == [State::Passed; 2]);
    let both_pass: Vec<_> = both_pass.map(|(pair, _)| *pair).collect();
    let mut verdicts = judge(&both_pass).into_iter();
    let mut found: BTreeMap<Key<'_>, Vec<Found<'_>>> = BTreeMap::new();
    for ((before, after, test), states) in pairs.into_iter().zip(states) {
        let course = match states {
            [State::Failed, State::Passed | State::Failed | State::Flaky]
                if before.outcome == CellOutcome::BuildFailed =>
            {
                Course::Unbuilt
            }
            [State::Passed, State::Passed] => match verdicts.next().flatten() {
                Some(Verdict::Same | Verdict::SameWithinNoise) => Course::Fine,
                Some(Verdict::Different) => Course::ResultDrifted,
                Some(Verdict::Undecided | Verdict::Flaky | Verdict::NoBaseline) | None => {
                    Course::Undecided
                }
            },
            [State::Passed, State::Failed] => Course::Drifted,
            [State::Failed, State::Passed] => Course::Healed,
            [State::Failed, State::Failed] => Course::BrokenFromBirth,
            [State::Flaky, State::Passed | State::Failed | State::Flaky]
            | [State::Passed | State::Failed, State::Flaky] => Course::Undecided,
            [State::Unmeasured | State::Unavailable, _]
            | [_, State::Unmeasured | State::Unavailable] => continue,
        };
        // What moved and did no harm only sets alike releases apart.
        let differs = match course {
            Course::Fine => Vec::new(),
            _ => AlsoDiffers::packages(before, after),
        };
        let names = differs.iter().map(|one| one.name.clone()).collect();
        let until = after.variant.get(AXIS).unwrap_or_default();
        let key = (test, before.python, rest(&before.variant), until, course, names);
        found.entry(key).or_default().push((&before.version, differs));
    }
    let told = |((test, python, variant, until, course, names), mut all): (Key<'_>, Vec<_>)| {
        all.sort_by_key(|(version, _)| *version);
        let moved = names.into_iter().map(|name| Moved::of(name, &all)).collect();
        let releases = all.into_iter().map(|(version, _)| version.clone()).collect();
        let (test, until) = (test.to_owned(), until.to_owned());
        Clocks { test, python, variant, until, course, releases, moved }
    };
    found.into_iter().map(told).collect()
}

/// The cells of each release at its own date, with those at other dates that are the same in all other axes, for
/// each test of both.
fn pairs(records: &[Record]) -> Vec<Pair<'_>> {
    type Place<'a> = (&'a Version, PythonVersion, Variant);
    let mut places: BTreeMap<Place<'_>, Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.variant.get(AXIS).is_some()) {
        let place = (&record.version, record.python, rest(&record.variant));
        places.entry(place).or_default().push(record);
    }
    let is_first = |record: &Record| record.variant.get(AXIS) == Some(Clocks::RELEASE);
    let mut pairs = Vec::new();
    for records in places.values() {
        let Some(before) = records.iter().find(|record| is_first(record)) else { continue };
        for after in records.iter().filter(|record| !is_first(record)) {
            // A build that failed has no tests, and fails each of them.
            let tests: BTreeSet<&str> = [before, after]
                .iter()
                .flat_map(|record| record.judged())
                .map(|test| &*test.name)
                .collect();
            pairs.extend(tests.into_iter().map(|test| (*before, *after, test)));
        }
    }
    pairs
}

impl Clocks {
    /// The value of the axis `as_of` for the day on which a release came out.
    pub(in crate::analysis) const RELEASE: &str = "release";
}

/// The axes apart from the date of the index.
fn rest(variant: &Variant) -> Variant {
    variant.iter().filter(|(axis, _)| *axis != AXIS).collect()
}

impl Moved {
    fn of(name: String, all: &[Found<'_>]) -> Self {
        let differs = || all.iter().flat_map(|(_, differs)| differs).filter(|one| one.name == name);
        let sorted = |versions: BTreeSet<&String>| {
            let mut versions: Vec<String> = versions.into_iter().cloned().collect();
            versions.sort_by_key(|version| version.parse::<Version>().ok());
            versions
        };
        let from = sorted(differs().filter_map(|one| one.from.as_ref()).collect());
        let to = sorted(differs().filter_map(|one| one.to.as_ref()).collect());
        Self { name, from, to }
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        row::write_change(formatter, &self.name, span(&self.from), span(&self.to))
    }
}

/// From the first to the last.
fn span<T: fmt::Display>(all: &[T]) -> Option<String> {
    match all {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first} … {last}")),
    }
}

impl fmt::Display for Clocks {
    /// One line: `drifted: 2.8 … 2.11.3 (17 releases) pass at their date and fail today; what differs: markupsafe
    /// 0.23 … 1.1.1 → 3.0.4`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { until, course, releases, moved, .. } = self;
        let is_one = releases.len() == 1;
        let whose = if is_one { "its" } else { "their" };
        // The endings of `fails` and `passes`.
        let (s, es) = if is_one { ("s", "es") } else { ("", "") };
        let until = if until == "today" { "today".to_owned() } else { format!("as of {until}") };
        let named = span(releases).unwrap_or_default();
        let count = if is_one { String::new() } else { format!(" ({} releases)", releases.len()) };
        let releases = format!("{named}{count}");
        match course {
            Course::Drifted => {
                write!(
                    formatter,
                    "drifted: {releases} pass{es} at {whose} date and fail{s} {until}"
                )
            }
            Course::ResultDrifted => {
                write!(
                    formatter,
                    "result drifted: {releases} give{s} another result {until} than at {whose} date"
                )
            }
            Course::Healed => {
                write!(formatter, "healed: {releases} failed at {whose} date and pass{es} {until}")
            }
            Course::BrokenFromBirth => {
                write!(
                    formatter,
                    "broken from birth: {releases} fail{s} at {whose} date and {until}"
                )
            }
            Course::Unbuilt => {
                write!(formatter, "not known: {releases} cannot be built at {whose} date")
            }
            Course::Undecided => {
                write!(formatter, "undecided: {releases}, at {whose} date and {until}")
            }
            Course::Fine => {
                write!(formatter, "fine: {releases} pass{es} at {whose} date and {until}")
            }
        }?;
        let says_enough =
            matches!(course, Course::BrokenFromBirth | Course::Unbuilt | Course::Fine);
        match row::list(moved).filter(|_| !says_enough) {
            Some(named) => write!(formatter, "; what differs: {named}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;
    use crate::facts::record::Installed;
    use crate::facts::record::TestOutcome::{Failed, Passed};
    use crate::facts::record::tests::{record, test};
    use crate::question::criteria::Criteria;

    fn cell(version: &str, date: &str, helper: &str, passes: bool, output: &str) -> Record {
        let mut record = record(version, "3.9");
        record.variant.insert("as_of", date);
        record.variant.insert("seed", "0");
        record.environment.installed =
            vec![Installed::new("helper", helper), Installed::new("six", "1.16")];
        let outcome = if passes { Passed } else { Failed };
        record.with_runs([test("t", outcome, output), test("t", outcome, output)])
    }

    #[test]
    fn each_release_has_its_course() {
        let unbuilt = |version, date| {
            let mut unbuilt = cell(version, date, "2.1", false, "");
            unbuilt.outcome = CellOutcome::BuildFailed;
            unbuilt.tests.clear();
            unbuilt.environment.installed.clear();
            unbuilt
        };
        let cells = vec![
            cell("1.0", "release", "0.9", true, "5\n"),
            cell("1.0", "today", "2.1", false, ""),
            cell("1.1", "release", "1.1", true, "5\n"),
            cell("1.1", "today", "2.1", false, ""),
            cell("1.2", "release", "1.1", false, ""),
            cell("1.2", "today", "2.1", false, ""),
            cell("1.3", "release", "2.0", false, ""),
            cell("1.3", "today", "2.1", true, "5\n"),
            cell("1.4", "release", "2.1", true, "5\n"),
            cell("1.4", "today", "2.1", true, "5\n"),
            cell("1.5", "release", "2.1", true, "5\n"),
            unbuilt("1.5", "today"),
            unbuilt("0.9", "release"),
            cell("0.9", "today", "2.1", true, "5\n"),
            // Measured at one date only.
            cell("1.6", "today", "2.1", true, "5\n"),
        ];
        let criteria = Criteria::default();
        let analysis = Analysis::new(&cells, None, &criteria, &|_| None);
        let said: Vec<String> = analysis
            .clocks()
            .iter()
            .map(|one| format!("{} {}: {one}", one.test, one.variant))
            .collect();
        insta::assert_snapshot!(said.join("\n"), @"
        t seed=0: drifted: 1.5 passes at its date and fails today
        t seed=0: drifted: 1.0 … 1.1 (2 releases) pass at their date and fail today; what differs: helper 0.9 … 1.1 → 2.1
        t seed=0: healed: 1.3 failed at its date and passes today; what differs: helper 2.0 → 2.1
        t seed=0: broken from birth: 1.2 fails at its date and today
        t seed=0: not known: 0.9 cannot be built at its date
        t seed=0: fine: 1.4 passes at its date and today
        ");
    }
}
