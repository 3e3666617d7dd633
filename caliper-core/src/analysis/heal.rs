//! Healing: when an old project last worked, and what it takes to make it work today.
//!
//! Nothing is measured here. [`LastGood`] says at which date of the index to measure next; [`Healing`] is what was
//! found.

use std::collections::BTreeMap;
use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::blame::{Step, Unproven};
use super::compare::Blobs;
use super::row::AlsoDiffers;
use crate::analysis::Analysis;
use crate::facts::record::{Record, State};
use crate::names::{PackageName, PythonVersion, Timestamp};
use crate::question::criteria::Criteria;

/// A search for the last day of the index on which something worked that fails today.
///
/// It tries the given moments in their order until one is good, and then halves the time between that and the
/// earliest bad moment after it. As with any bisection, if the outcome changes more than once, one of the changes is
/// found.
#[derive(Debug, Clone)]
pub struct LastGood {
    moments: Vec<Timestamp>,
    answers: BTreeMap<Timestamp, bool>,
}

/// The end of a [`LastGood`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The last good moment.
    pub good: Timestamp,
    /// The first bad moment after it, at most [`LastGood::RESOLUTION`] seconds later.
    pub bad: Timestamp,
}

impl LastGood {
    /// How near the two moments of a [`Change`] are, in seconds: a day.
    pub const RESOLUTION: i64 = 24 * 3600;

    /// A search that tries `moments` first. At `today` the outcome is known to be bad.
    pub fn new(moments: impl IntoIterator<Item = Timestamp>, today: Timestamp) -> Self {
        let moments = moments.into_iter().filter(|moment| *moment < today).collect();
        Self { moments, answers: BTreeMap::from([(today, false)]) }
    }

    /// At which date to measure next; or the end, which is `None` if no moment was good.
    pub fn step(&self) -> Step<Timestamp, Option<Change>> {
        let good = self.answers.iter().rev().find(|(_, is_good)| **is_good);
        let Some((good, _)) = good else {
            let untried = self.moments.iter().find(|moment| !self.answers.contains_key(moment));
            return untried.map_or(Step::Done(None), |moment| Step::Try(*moment));
        };
        let Some((bad, _)) = self.answers.range(good..).find(|(_, is_good)| !**is_good) else {
            return Step::Done(None);
        };
        let (from, to) = (good.unix_seconds(), bad.unix_seconds());
        if to - from <= Self::RESOLUTION {
            return Step::Done(Some(Change { good: *good, bad: *bad }));
        }
        // At the beginning of a day, if one lies between them.
        let middle = from + (to - from) / 2;
        let day = middle - middle.rem_euclid(Self::RESOLUTION);
        let next = if day > from { day } else { middle };
        Step::Try(Timestamp::from_unix_seconds(next))
    }

    /// Records whether the outcome is good at a moment.
    pub fn answer(&mut self, moment: Timestamp, is_good: bool) {
        self.answers.insert(moment, is_good);
    }

    /// The moments that were tried first and were not good, earliest first.
    pub fn failed(&self) -> Vec<Timestamp> {
        let failed = |moment: &&Timestamp| self.answers.get(moment) == Some(&false);
        let mut failed: Vec<Timestamp> = self.moments.iter().filter(failed).copied().collect();
        failed.sort_unstable();
        failed
    }
}

/// What differs between the environments of two records: the packages that have another version, or that only one of
/// them has. Nothing is known of an environment that could not be built.
pub fn differs(one: &Record, other: &Record) -> Vec<AlsoDiffers> {
    AlsoDiffers::packages(one, other)
}

/// Why a cell failed, in one line; `None` if it did not.
pub fn why(record: &Record, blobs: Blobs<'_>) -> Option<String> {
    let criteria = Criteria::default();
    let analysis = Analysis::new(std::slice::from_ref(record), None, &criteria, blobs);
    let said = analysis.causes().into_iter().next().map(|cause| cause.signature);
    let is_flaky = || record.states().iter().any(|(_, state)| *state == State::Flaky);
    said.map(|said| if is_flaky() { format!("flaky: {said}") } else { said })
}

/// The moments to try for a project that came out at `came_out`, on a Python that came out at `python`: first when both
/// were there, then later ones, at last the day of the project itself.
///
/// A Python that is newer than the project was not there on its day, and what the project needs was not made for it.
/// The first years after both are the likely ones.
pub fn moments(came_out: Timestamp, python: Option<Timestamp>, today: Timestamp) -> Vec<Timestamp> {
    const DAYS: [i64; 7] = [0, 90, 365, 2 * 365, 4 * 365, 6 * 365, 8 * 365];
    let start = came_out.max(python.unwrap_or(came_out));
    let later = DAYS.iter().map(|days| {
        Timestamp::from_unix_seconds(start.unix_seconds() + days * LastGood::RESOLUTION)
    });
    let mut moments: Vec<Timestamp> = later.chain([came_out]).filter(|one| *one < today).collect();
    if let Some(again) = moments.iter().skip(1).position(|one| *one == start) {
        moments.remove(again + 1);
    }
    moments
}

/// What was found out about a project on one Python.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Healing {
    /// The project.
    pub project: PackageName,
    /// Its version.
    #[schemars(with = "String")]
    pub version: Version,
    /// The Python.
    pub python: PythonVersion,
    /// The moment that `today` is.
    pub today: Timestamp,
    /// How it is.
    pub state: HealState,
    /// Why it fails today, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How many environments were made or taken from an earlier run of the command.
    pub environments: usize,
    /// How often the command was run in them.
    pub runs: usize,
}

/// How a project is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
#[non_exhaustive]
pub enum HealState {
    /// It works today.
    Works,
    /// It worked at none of the moments that were tried.
    NeverWorked {
        /// The moments.
        tried: Vec<Timestamp>,
        /// Why it failed at the first of them, in one line.
        why: Option<String>,
    },
    /// It worked until a moment, and works today with the pins.
    Healed {
        /// Until when.
        worked: Worked,
        /// The pins. Taken together, with everything else of today, they make it work. This was measured.
        pins: Vec<HealingPin>,
        /// How many pins there were to choose from.
        of: usize,
    },
    /// It worked until a moment, and fails today even with every package as it was then.
    NotHealed {
        /// Until when.
        worked: Worked,
        /// Why it fails with all of these pins, in one line.
        why: Option<String>,
        /// How many pins these are.
        of: usize,
    },
}

/// Until when a project worked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Worked {
    /// The first moment that was tried and at which it worked.
    pub first: Timestamp,
    /// The last moment at which it worked.
    pub last: Timestamp,
    /// The next moment that was measured, at which it failed.
    pub failed: Timestamp,
    /// What differs between these two moments.
    pub differs: Vec<AlsoDiffers>,
    /// The moments before that were tried and at which it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Timestamp>,
}

/// A version that a project needs in order to work today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HealingPin {
    /// The package.
    pub name: PackageName,
    /// The version.
    #[schemars(with = "String")]
    pub version: Version,
    /// Whether it is needed to build packages, and not to run them.
    pub is_for_builds: bool,
    /// `None` if it was measured that the project fails without this pin, else why that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Unproven>,
}

impl fmt::Display for HealingPin {
    /// A line of a constraints file.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}=={}", self.name, self.version)
    }
}

impl Healing {
    /// Whether it works today, with pins or without.
    pub fn works(&self) -> bool {
        matches!(self.state, HealState::Works | HealState::Healed { .. })
    }

    /// The constraints with which it works today: those of what is installed, or those of builds. `None` without
    /// any.
    pub fn constraints(&self, for_builds: bool) -> Option<String> {
        let HealState::Healed { pins, worked, .. } = &self.state else { return None };
        let pins: Vec<String> = pins
            .iter()
            .filter(|pin| pin.is_for_builds == for_builds)
            .map(|pin| match pin.unproven {
                None => format!("{pin}\n"),
                Some(why) => format!("{pin}  # may not be needed: {why}\n"),
            })
            .collect();
        let what = if for_builds { "is built" } else { "works" };
        let head = format!(
            "# {} {} {what} on Python {} with these versions and all else as of {}.\n\
             # Without them it works as of {}, and fails as of {}.\n",
            self.project,
            self.version,
            self.python,
            day(self.today),
            day(worked.last),
            day(worked.failed)
        );
        (!pins.is_empty()).then(|| head + &pins.concat())
    }
}

/// One line for each finding.
impl fmt::Display for Healing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, version, python, today, state, why, environments, runs } = self;
        let because =
            |why: &Option<String>| why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        writeln!(formatter, "{project} {version} on Python {python}")?;
        let today = day(*today);
        if *state == HealState::Works {
            writeln!(formatter, "  as of today ({today}) it works")?;
        } else {
            writeln!(formatter, "  as of today ({today}) it fails{}", because(why))?;
        }
        match state {
            HealState::Works => {}
            HealState::NeverWorked { tried, why } => {
                let days: Vec<String> = tried.iter().map(|one| day(*one)).collect();
                let days = days.join(", ");
                writeln!(
                    formatter,
                    "  not healed: it failed at each date that was tried ({days})"
                )?;
                if let Some(why) = why {
                    writeln!(formatter, "  at the first of them: {why}")?;
                }
            }
            HealState::Healed { worked, pins, of } => {
                worked.write(formatter)?;
                let s = if pins.len() == 1 { "" } else { "s" };
                writeln!(formatter, "  healed with {} pin{s} of {of} that differ:", pins.len())?;
                for pin in pins {
                    write!(formatter, "    {pin}")?;
                    if pin.is_for_builds {
                        write!(formatter, " (for builds)")?;
                    }
                    match pin.unproven {
                        None => writeln!(formatter)?,
                        Some(why) => writeln!(formatter, ", may not be needed: {why}")?,
                    }
                }
            }
            HealState::NotHealed { worked, why, of } => {
                worked.write(formatter)?;
                let why = because(why);
                writeln!(formatter, "  not healed: with all {of} pins of that day it fails{why}")?;
            }
        }
        let of = if *environments == 1 { "environment" } else { "environments" };
        write!(formatter, "  it took {environments} {of} and {runs} runs")
    }
}

impl Worked {
    fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last, failed) = (day(self.first), day(self.last), day(self.failed));
        if !self.before.is_empty() {
            let days: Vec<String> = self.before.iter().map(|one| day(*one)).collect();
            writeln!(formatter, "  as of {} it fails", days.join(", "))?;
        }
        let both = if first == last { first } else { format!("{first} and {last}") };
        writeln!(formatter, "  as of {both} it works, as of {failed} it fails")?;
        match super::row::list(&self.differs) {
            Some(named) => writeln!(formatter, "  what differs between these: {named}"),
            None => writeln!(formatter, "  no installed package differs between these"),
        }
    }
}

/// A moment as people write it: its day, if it is the first moment of one.
pub fn day(moment: Timestamp) -> String {
    let text = moment.to_string();
    let day = text.split('T').next().unwrap_or(&text);
    if text.ends_with("T00:00:00Z") {
        day.to_owned()
    } else {
        text.replace('T', " ").replace('Z', "")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn search(moments: &[&str], is_good: impl Fn(Timestamp) -> bool) -> (Option<Change>, usize) {
        let mut search = LastGood::new(moments.iter().map(|one| at(one)), at("2026-01-01"));
        for tries in 0.. {
            match search.step() {
                Step::Done(change) => return (change, tries),
                Step::Try(moment) => search.answer(moment, is_good(moment)),
            }
        }
        unreachable!()
    }

    #[test]
    fn the_last_good_day_is_found() {
        let broken = at("2022-02-18T05:00:00Z");
        let (change, tries) = search(&["2019-05-01T12:34:56Z"], |moment| moment < broken);
        let change = change.unwrap();
        assert_eq!((change.good, change.bad), (at("2022-02-18"), at("2022-02-19")));
        assert!(tries <= 14, "{tries}");
        // It did not work on its day.
        let (later, _) =
            search(&["2019-05-01", "2020-05-01"], |one| one > at("2020-01-01") && one < broken);
        assert_eq!(later, Some(change));
        assert_eq!(search(&["2019-05-01", "2020-05-01", "2027-01-01"], |_| false), (None, 2));
    }

    #[test]
    fn a_python_that_is_newer_than_the_project_comes_first() {
        let said = |python: Option<&str>, today: &str| {
            let moments = moments(at("2016-01-01"), python.map(at), at(today));
            moments.into_iter().map(day).collect::<Vec<_>>().join(" ")
        };
        insta::assert_snapshot!(said(Some("2020-10-05"), "2026-11-28"), @"2020-10-05 2021-01-03 2021-10-05 2022-10-05 2024-10-04 2026-10-04 2016-01-01");
        insta::assert_snapshot!(said(Some("2015-09-13"), "2018-06-01"), @"2016-01-01 2016-03-31 2016-12-31 2017-12-31");
        insta::assert_snapshot!(said(None, "2015-09-13"), @"");
    }

    #[test]
    fn what_was_found_is_said() {
        let mut healing = Healing {
            project: "weather-kit".parse().unwrap(),
            version: "1.2".parse().unwrap(),
            python: "3.9".parse().unwrap(),
            today: at("2026-11-28T10:11:12Z"),
            state: HealState::Works,
            why: None,
            environments: 1,
            runs: 3,
        };
        insta::assert_snapshot!(healing, @"
        weather-kit 1.2 on Python 3.9
          as of today (2026-11-28 10:11:12) it works
          it took 1 environment and 3 runs
        ");
        let worked = Worked {
            first: at("2021-01-01"),
            last: at("2022-02-18"),
            failed: at("2022-02-19"),
            differs: Vec::new(),
            before: vec![at("2020-10-05")],
        };
        let pin = |name: &str, is_for_builds, unproven| HealingPin {
            name: name.parse().unwrap(),
            version: "2.0.1".parse().unwrap(),
            is_for_builds,
            unproven,
        };
        let pins = vec![
            pin("markupsafe", false, None),
            pin("six", false, Some(Unproven::Flaky)),
            pin("setuptools", true, None),
        ];
        healing.state = HealState::Healed { worked: worked.clone(), pins, of: 9 };
        healing.why = Some("ImportError: soft_unicode".to_owned());
        insta::assert_snapshot!(healing, @"
        weather-kit 1.2 on Python 3.9
          as of today (2026-11-28 10:11:12) it fails: ImportError: soft_unicode
          as of 2020-10-05 it fails
          as of 2021-01-01 and 2022-02-18 it works, as of 2022-02-19 it fails
          no installed package differs between these
          healed with 3 pins of 9 that differ:
            markupsafe==2.0.1
            six==2.0.1, may not be needed: flaky
            setuptools==2.0.1 (for builds)
          it took 1 environment and 3 runs
        ");
        insta::assert_snapshot!(healing.constraints(false).unwrap(), @"
        # weather-kit 1.2 works on Python 3.9 with these versions and all else as of 2026-11-28 10:11:12.
        # Without them it works as of 2022-02-18, and fails as of 2022-02-19.
        markupsafe==2.0.1
        six==2.0.1  # may not be needed: flaky
        ");
        insta::assert_snapshot!(healing.constraints(true).unwrap(), @"
        # weather-kit 1.2 is built on Python 3.9 with these versions and all else as of 2026-11-28 10:11:12.
        # Without them it works as of 2022-02-18, and fails as of 2022-02-19.
        setuptools==2.0.1
        ");
        healing.state = HealState::NotHealed { worked, why: Some("SyntaxError".to_owned()), of: 9 };
        insta::assert_snapshot!(healing, @"
        weather-kit 1.2 on Python 3.9
          as of today (2026-11-28 10:11:12) it fails: ImportError: soft_unicode
          as of 2020-10-05 it fails
          as of 2021-01-01 and 2022-02-18 it works, as of 2022-02-19 it fails
          no installed package differs between these
          not healed: with all 9 pins of that day it fails: SyntaxError
          it took 1 environment and 3 runs
        ");
        assert_eq!(healing.constraints(false), None);
        let tried = vec![at("2020-10-05"), at("2021-01-03")];
        healing.state = HealState::NeverWorked { tried, why: None };
        insta::assert_snapshot!(healing, @"
        weather-kit 1.2 on Python 3.9
          as of today (2026-11-28 10:11:12) it fails: ImportError: soft_unicode
          not healed: it failed at each date that was tried (2020-10-05, 2021-01-03)
          it took 1 environment and 3 runs
        ");
    }

    proptest! {
        #[test]
        fn where_it_breaks_once_the_day_is_exact(start in 0_i64..1_700_000_000, length in 1_i64..200_000_000, share in 0.0..1.0_f64) {
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a share")]
            let broken = start + 1 + (length as f64 * share) as i64;
            let today = Timestamp::from_unix_seconds(start + length + 1);
            let mut search = LastGood::new([Timestamp::from_unix_seconds(start)], today);
            let mut tries = 0;
            let change = loop {
                match search.step() {
                    Step::Done(change) => break change.unwrap(),
                    Step::Try(moment) => search.answer(moment, moment.unix_seconds() < broken),
                }
                tries += 1;
                prop_assert!(tries < 40);
            };
            prop_assert!(change.good.unix_seconds() < broken && broken <= change.bad.unix_seconds());
            prop_assert!(change.bad.unix_seconds() - change.good.unix_seconds() <= LastGood::RESOLUTION);
        }
    }
}
