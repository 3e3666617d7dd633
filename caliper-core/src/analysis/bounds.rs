//! Bounds: which releases of its dependencies a project works with, measured one dependency at a time and then
//! together.
//!
//! A *mixture* is one way to install the project: some dependencies are pinned, and a resolver picks the others from
//! what the project declares. [`Bounds`] says which mixtures to measure next, and at last what they come to: for each
//! dependency and Python the ends of what passes ([`Row`]), whether the lower ends hold together ([`Lowest`]), and what
//! a resolver picks today. [`Verdict`] compares this with what is declared.
//!
//! Nothing is measured here. The steps are computed from the answers alone, as in [`blame`](super::blame), so an
//! interrupted search goes on with recorded answers.
//!
//! What may be said:
//!
//! - A release that the declared range allows, that can be installed, and with which the suite fails, refutes the range.
//! - A release that cannot be installed refutes nothing: the suite was never run with it.
//! - Between two releases that pass, others may fail: they are counted as unmeasured and not called good.
//! - If the suite fails with what a resolver picks today, the dependencies at fault are held back, and the others are
//!   measured so ([`Row::held`]). If nothing helps, nothing is said of any bound.
//! - A flaky release proves nothing in either direction.

mod declared;
mod edit;
mod joint;
mod on_python;
mod row;
mod search;
mod specifier;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

pub use declared::{Declared, declared};
pub use edit::{Edit, EditError, edited};
pub use joint::{Lowest, Raised, WhyRaised};
pub use on_python::{OnPython, Stuck};
pub use row::{Beyond, End, Release, Row};
pub use specifier::narrowed;
pub use verdict::{Bound, Check, Evidence, NotInstallable, Verdict};

use super::blame::Step;
use crate::facts::record::{CellOutcome, Record, State};
use crate::names::{PackageName, PythonVersion};
use crate::question::plan::Pins;

/// What is known of a whole test suite in one environment.
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
pub enum Seen {
    /// Nobody tried.
    Untried,
    /// It passes.
    Passed,
    /// It fails.
    Failed,
    /// It passes and fails.
    Flaky,
    /// The environment cannot be made.
    CannotBeInstalled,
    /// The infrastructure failed.
    NotMeasured,
}

impl Seen {
    /// What a record says of all its tests together.
    pub fn of(record: &Record) -> Self {
        match record.outcome {
            CellOutcome::Unavailable | CellOutcome::BuildFailed => return Self::CannotBeInstalled,
            CellOutcome::NotMeasured => return Self::NotMeasured,
            CellOutcome::Tested => {}
        }
        let states: BTreeSet<Self> = record
            .states()
            .into_iter()
            .map(|(_, state)| match state {
                State::Passed => Self::Passed,
                State::Flaky => Self::Flaky,
                State::NotMeasured => Self::NotMeasured,
                _ => Self::Failed,
            })
            .collect();
        let order = [Self::Failed, Self::NotMeasured, Self::Flaky, Self::Passed];
        order.into_iter().find(|one| states.contains(one)).unwrap_or(Self::NotMeasured)
    }
}

/// One way to install the project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mixture {
    /// On this Python.
    pub python: PythonVersion,
    /// With these releases of dependencies.
    pub pins: Pins,
    /// With at most these releases of others.
    pub at_most: Pins,
}

/// What was measured with a [`Mixture`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How the suite ended.
    pub seen: Seen,
    /// What is installed.
    pub installed: Pins,
    /// Why it does not pass, in one line. Two failures with the same text count as the same.
    pub why: Option<String>,
}

/// A release that an index offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The release.
    pub version: Version,
    /// Whether the project's declared range allows it.
    pub is_allowed: bool,
    /// Whether there is a file for the Python.
    pub has_file: bool,
}

/// A direct dependency of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// Its name.
    pub name: PackageName,
    /// Its releases on each Python on which the project requires it, oldest first.
    pub releases: BTreeMap<PythonVersion, Vec<Offered>>,
}

/// What is to be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The dependencies.
    pub dependencies: Vec<Direct>,
    /// The Pythons.
    pub pythons: Vec<PythonVersion>,
    /// Whether releases beyond the declared ranges are tried too.
    pub widen: bool,
}

/// The search for the bounds of a project.
#[derive(Debug, Clone)]
pub struct Bounds {
    question: Question,
    answers: BTreeMap<Mixture, Answer>,
}

/// These mixtures must be measured first.
#[derive(Debug, PartialEq, Eq)]
struct Wanted(Vec<Mixture>);

impl Bounds {
    /// A search without answers.
    pub fn new(question: Question) -> Self {
        Self { question, answers: BTreeMap::new() }
    }

    /// What is asked.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// The mixtures to measure next, in any order or at the same time; or what was found on each Python.
    ///
    /// The search terminates: no mixture is asked for twice.
    pub fn step(&self) -> Step<Vec<Mixture>, Vec<OnPython>> {
        let mut wanted = Vec::new();
        let mut found = Vec::new();
        for python in &self.question.pythons {
            match on_python::conclude(self, *python) {
                Ok(one) => found.push(one),
                Err(Wanted(mixtures)) => wanted.extend(mixtures),
            }
        }
        if wanted.is_empty() { Step::Done(found) } else { Step::Try(wanted) }
    }

    /// Records what was measured.
    pub fn answer(&mut self, mixture: Mixture, answer: Answer) {
        self.answers.insert(mixture, answer);
    }

    /// How many mixtures were measured.
    pub fn installs(&self) -> usize {
        self.answers.len()
    }

    fn known(&self, mixture: &Mixture) -> Result<&Answer, Wanted> {
        self.answers.get(mixture).ok_or_else(|| Wanted(vec![mixture.clone()]))
    }
}

#[cfg(test)]
mod tests;
