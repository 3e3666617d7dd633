//! A row: one test on one Python, along the releases of a package.
//!
//! The releases stand in the order of [PEP 440](https://peps.python.org/pep-0440/). Where a test
//! goes from passing to failing, back, or on to another result, there is a [`Transition`], and it
//! says two things apart: [`Where`] it is, and how [`Sure`] it is that anything changes at all.
//!
//! Whether two results are the same is the caller's to say, by a relation between the indices of
//! releases that pass. It need not be transitive, and tolerances are not: see [`Row::drifts`].

mod also_differs;
mod transition;

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

pub use also_differs::{AlsoDiffers, Factor};
pub(in crate::analysis) use also_differs::{list, normalized, write_change};
pub use transition::{Alike, Drift, Sure, Transition, TransitionKind, Where, drifts, transitions};
pub(crate) use transition::{change, releases};

use crate::facts::record::{CellOutcome, Record, TestOutcome};
use crate::names::PythonVersion;
use crate::question::grid::Variant;

/// What is known of a test at one release.
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
pub enum State {
    /// There is nothing to install, or the user's own requirements exclude it.
    Unavailable,
    /// Nobody tried, or the world kept it from being measured.
    Unmeasured,
    /// The build failed, or the test did.
    Failed,
    /// It passes and fails, with all that decides the result being equal.
    Flaky,
    /// It passes.
    Passed,
}

impl State {
    /// What `record` says of `test`, over all its repeats.
    pub fn of(record: &Record, test: &str) -> Self {
        match record.outcome {
            CellOutcome::Unavailable => return Self::Unavailable,
            CellOutcome::BuildFailed if record.is_excluded() => return Self::Unavailable,
            CellOutcome::BuildFailed => return Self::Failed,
            CellOutcome::NotMeasured => return Self::Unmeasured,
            CellOutcome::Tested => {}
        }
        let runs = record.test(test).into_iter().flat_map(|test| &test.runs);
        runs.fold(Self::Unmeasured, |state, run| state.joined(Self::from(run.outcome)))
    }

    /// What two measurements under one key say together.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        match (self, other) {
            (Self::Flaky, _)
            | (_, Self::Flaky)
            | (Self::Passed, Self::Failed)
            | (Self::Failed, Self::Passed) => Self::Flaky,
            (Self::Passed, _) | (_, Self::Passed) => Self::Passed,
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (Self::Unavailable, _) | (_, Self::Unavailable) => Self::Unavailable,
            (Self::Unmeasured, Self::Unmeasured) => Self::Unmeasured,
        }
    }

    /// Whether the test passes or fails here, and not both. Only such releases bound a transition.
    pub fn is_decided(self) -> bool {
        match self {
            Self::Passed | Self::Failed => true,
            Self::Unavailable | Self::Unmeasured | Self::Flaky => false,
        }
    }
}

impl From<TestOutcome> for State {
    fn from(outcome: TestOutcome) -> Self {
        match outcome {
            TestOutcome::Passed => Self::Passed,
            TestOutcome::Failed
            | TestOutcome::TimedOut
            | TestOutcome::Idle
            | TestOutcome::OutOfMemory
            | TestOutcome::ResultsOverLimit
            | TestOutcome::NotRun => Self::Failed,
            TestOutcome::Killed | TestOutcome::NotMeasured => Self::Unmeasured,
        }
    }
}

/// One test on one Python along the releases, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    versions: Vec<Version>,
    states: Vec<State>,
    records: Vec<Option<usize>>,
}

/// A row, and what it is a row of.
#[derive(Debug, Clone)]
pub struct TestRow<'a> {
    /// The test.
    pub test: &'a str,
    /// The Python.
    pub python: PythonVersion,
    /// The further axes.
    pub variant: &'a Variant,
    /// The row.
    pub row: Row,
}

impl<'a> TestRow<'a> {
    /// Every row of `records`, by test, Python and variant; `releases` as for [`Row::read`].
    pub fn all(releases: &[Version], records: &'a [Record]) -> Vec<Self> {
        let rows: BTreeSet<(&str, PythonVersion, &Variant)> = records
            .iter()
            .flat_map(|record| {
                let tests = record.judged().iter();
                tests.map(|test| (test.name.as_str(), record.python, &record.variant))
            })
            .collect();
        let read = |(test, python, variant): (&'a str, PythonVersion, &'a Variant)| {
            let row = Row::read(releases, records, python, variant, test);
            Self { test, python, variant, row }
        };
        rows.into_iter().map(read).collect()
    }
}

/// Why releases are not a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// They are not in order, or one stands there twice.
    #[error("`{second}` stands behind `{first}`: a row holds each release once, oldest first")]
    NotInOrder {
        /// The release in front.
        first: Version,
        /// The release behind it.
        second: Version,
    },
}

impl Row {
    /// A row of these releases, which must come oldest first and once each.
    ///
    /// # Errors
    ///
    /// [`RowError::NotInOrder`]: indices would mean other releases if they were sorted here.
    pub fn new(releases: impl IntoIterator<Item = (Version, State)>) -> Result<Self, RowError> {
        let (versions, states): (Vec<Version>, Vec<State>) = releases.into_iter().unzip();
        if let Some(pair) = versions.windows(2).find(|pair| pair[0] >= pair[1]) {
            let (first, second) = (pair[0].clone(), pair[1].clone());
            return Err(RowError::NotInOrder { first, second });
        }
        let records = vec![None; versions.len()];
        Ok(Self { versions, states, records })
    }

    /// Reads the row of `test` on `python` and `variant` from `records`.
    ///
    /// `releases` are those that there are, in any order; of those without a record nothing is
    /// known. If a cell has several records, those with the key of the one that ended last count,
    /// because under another key another question was answered.
    pub fn read(
        releases: &[Version],
        records: &[Record],
        python: PythonVersion,
        variant: &Variant,
        test: &str,
    ) -> Self {
        let mut row: BTreeMap<&Version, (State, Option<usize>)> =
            releases.iter().map(|version| (version, (State::Unmeasured, None))).collect();
        let in_row = |record: &Record| record.python == python && record.variant == *variant;
        for (index, record) in records.iter().enumerate().filter(|(_, record)| in_row(record)) {
            let entry = row.entry(&record.version).or_insert((State::Unmeasured, None));
            let state = State::of(record, test);
            *entry = match entry.1.map(|index| &records[index]) {
                Some(other) if other.key == record.key => (entry.0.joined(state), entry.1),
                Some(other) if other.finished > record.finished => continue,
                Some(_) | None => (state, Some(index)),
            };
        }
        let mut read = Self { versions: Vec::new(), states: Vec::new(), records: Vec::new() };
        for (version, (state, record)) in row {
            read.versions.push(version.clone());
            read.states.push(state);
            read.records.push(record);
        }
        read
    }

    /// The releases, oldest first. Everything else here speaks of their indices.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// What is known at each release.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// Which of the records that were given to [`Row::read`] tells of a release.
    pub fn record(&self, release: usize) -> Option<usize> {
        self.records.get(release).copied().flatten()
    }

    /// Where the row changes, oldest first. `same` says whether the results of two releases that
    /// pass are the same.
    pub fn transitions(&self, same: &dyn Fn(usize, usize) -> bool) -> Vec<Transition> {
        transitions(&self.states, same)
            .into_iter()
            .map(|transition| transition.map(|release| self.name(release)))
            .collect()
    }

    /// The pairs of releases between which the test goes from passing to failing or back.
    pub(crate) fn changes_between_ends(&self) -> impl Iterator<Item = [usize; 2]> {
        transitions(&self.states, &|_, _| true).into_iter().map(|one| [one.from, one.to])
    }

    /// Whether the row changes between passing and failing once at most, as far as it was measured.
    pub fn is_monotone(&self) -> bool {
        let ends = transitions(&self.states, &|_, _| true);
        ends.len() <= 1
    }

    /// The releases at which the test passes and fails.
    pub fn flaky(&self) -> Vec<Version> {
        let flaky = |index: &usize| self.states[*index] == State::Flaky;
        (0..self.states.len()).filter(flaky).map(|index| self.name(index)).collect()
    }

    /// The stretches over which the result changed although no step did: each release gives the
    /// same as the one before it, and the last does not give the same as the first.
    pub fn drifts(&self, same: &dyn Fn(usize, usize) -> bool) -> Vec<Drift> {
        drifts(&self.states, same)
            .into_iter()
            .map(|drift| drift.map(|release| self.name(release)))
            .collect()
    }

    /// The version of a release, for whoever turns indices into something to read.
    ///
    /// # Panics
    ///
    /// If the row has no such release.
    pub fn name(&self, release: usize) -> Version {
        self.versions[release].clone()
    }
}

#[cfg(test)]
pub(crate) mod tests;
