use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::analysis::row::{State, Transition, releases, transitions};

/// What is known about a row and what is not: every release that could have been measured but was not
/// lies in a bracketed transition or in an unprobed gap.
///
/// `R` is the type that identifies a release, as in [`Transition`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Coverage<R = Version> {
    /// The changes found, oldest first. Those between adjacent releases would be found at the same place if
    /// the whole row were measured.
    pub transitions: Vec<Transition<R>>,
    /// The gaps that were not measured, oldest first.
    pub unprobed: Vec<Stretch<R>>,
}

/// Neighbouring unmeasured releases between which no change was seen. Changes may be hidden among them: one
/// release breaks something and the next repairs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Stretch<R = Version> {
    /// The measured release before the gap; `None` at the start of the row.
    pub after: Option<R>,
    /// The measured release after the gap; `None` at the end of the row.
    pub before: Option<R>,
    /// What the two have in common; `None` at the start and at the end of the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
    /// The unmeasured releases, oldest first; never empty.
    pub releases: Vec<R>,
}

/// What the measured releases on the two sides of a gap have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ends {
    /// The test passes at both, with the same result.
    SameResult,
    /// It fails at both, from the same cause.
    SameFailure,
    /// It fails at both, from different causes.
    OtherFailure,
}

impl Coverage<usize> {
    /// Evaluates a row; `same` as for [`super::Search::step`].
    pub fn of(states: &[State], same: &dyn Fn(usize, usize) -> bool) -> Self {
        let transitions = transitions(states, same);
        let mut unprobed = Vec::new();
        let mut after = None;
        let mut unmeasured = Vec::new();
        for (index, state) in states.iter().copied().enumerate() {
            match state {
                State::Unavailable | State::Flaky => {}
                State::Unmeasured => unmeasured.push(index),
                State::Passed | State::Failed => {
                    let releases = std::mem::take(&mut unmeasured);
                    let changes = transitions.iter().any(|transition| transition.to == index);
                    if !changes && !releases.is_empty() {
                        let ends = after.map(|after| match state {
                            State::Failed if same(after, index) => Ends::SameFailure,
                            State::Failed => Ends::OtherFailure,
                            _ => Ends::SameResult,
                        });
                        unprobed.push(Stretch { after, before: Some(index), ends, releases });
                    }
                    after = Some(index);
                }
            }
        }
        if !unmeasured.is_empty() {
            unprobed.push(Stretch { after, before: None, ends: None, releases: unmeasured });
        }
        Self { transitions, unprobed }
    }
}

impl<R> Coverage<R> {
    /// The changes between adjacent releases.
    pub fn adjacent(&self) -> impl Iterator<Item = &Transition<R>> {
        self.transitions.iter().filter(|transition| transition.is_adjacent())
    }

    /// The changes with unmeasured releases in between.
    pub fn bracketed(&self) -> impl Iterator<Item = &Transition<R>> {
        self.transitions.iter().filter(|transition| !transition.is_adjacent())
    }

    /// Whether the whole row was measured.
    pub fn is_complete(&self) -> bool {
        self.unprobed.is_empty() && self.bracketed().next().is_none()
    }

    /// The same coverage with another type for releases.
    pub fn map<S>(self, name: impl Fn(R) -> S) -> Coverage<S> {
        Coverage {
            transitions: self.transitions.into_iter().map(|found| found.map(&name)).collect(),
            unprobed: self.unprobed.into_iter().map(|stretch| stretch.map(&name)).collect(),
        }
    }
}

impl<R> Stretch<R> {
    /// The same gap with another type for releases.
    pub fn map<S>(self, name: impl Fn(R) -> S) -> Stretch<S> {
        Stretch {
            after: self.after.map(&name),
            before: self.before.map(&name),
            ends: self.ends,
            releases: self.releases.into_iter().map(&name).collect(),
        }
    }
}

impl<R: fmt::Display> fmt::Display for Stretch<R> {
    /// One line; claims nothing beyond what was measured.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.after, &self.before) {
            (Some(after), Some(before)) => {
                let ends = match self.ends {
                    Some(Ends::SameResult) => ", which give the same result",
                    Some(Ends::SameFailure) => ", which fail from the same cause",
                    Some(Ends::OtherFailure) => ", which fail from different causes",
                    None => "",
                };
                let count = releases(self.releases.len());
                write!(formatter, "not measured between {after} and {before}{ends} ({count})")
            }
            (Some(after), None) => {
                write!(formatter, "not measured after {after} ({})", releases(self.releases.len()))
            }
            (None, Some(before)) => write!(
                formatter,
                "not measured before {before} ({})",
                releases(self.releases.len())
            ),
            (None, None) => {
                write!(formatter, "nothing was measured ({})", releases(self.releases.len()))
            }
        }
    }
}

impl<R: fmt::Display> fmt::Display for Coverage<R> {
    /// A line for each transition, then one for each unmeasured gap.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for transition in &self.transitions {
            writeln!(formatter, "{transition}")?;
        }
        for stretch in &self.unprobed {
            writeln!(formatter, "{stretch}")?;
        }
        Ok(())
    }
}
