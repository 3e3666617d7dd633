use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::analysis::row::{State, Transition, releases, transitions};

/// What is known of a row, and what is not: every release that could be measured and was not lies
/// in a bracketed transition or in an unprobed stretch.
///
/// `R` is how releases are named, as in [`Transition`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Coverage<R = Version> {
    /// The changes that were seen, oldest first. Those that are proven are in the whole history too,
    /// at the same place.
    pub transitions: Vec<Transition<R>>,
    /// Where nobody looked, oldest first.
    pub unprobed: Vec<Stretch<R>>,
}

/// Neighbouring releases that nobody measured, and of which nothing says that something changes
/// there. Changes may hide among them: a release that breaks, and the next that repairs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Stretch<R = Version> {
    /// The measured release in front; `None` if there is none.
    pub after: Option<R>,
    /// The measured release behind, which is like the one in front; `None` if there is none.
    pub before: Option<R>,
    /// What was not measured, oldest first; never empty.
    pub releases: Vec<R>,
}

impl Coverage<usize> {
    /// What is known of a row; `same` as for [`super::Search::step`].
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
                        unprobed.push(Stretch { after, before: Some(index), releases });
                    }
                    after = Some(index);
                }
            }
        }
        if !unmeasured.is_empty() {
            unprobed.push(Stretch { after, before: None, releases: unmeasured });
        }
        Self { transitions, unprobed }
    }
}

impl<R> Coverage<R> {
    /// The changes that lie between neighbours.
    pub fn proven(&self) -> impl Iterator<Item = &Transition<R>> {
        self.transitions.iter().filter(|transition| transition.is_proven())
    }

    /// The changes of which it is known only between which releases they are.
    pub fn bracketed(&self) -> impl Iterator<Item = &Transition<R>> {
        self.transitions.iter().filter(|transition| !transition.is_proven())
    }

    /// Whether the whole row was measured.
    pub fn is_complete(&self) -> bool {
        self.unprobed.is_empty() && self.bracketed().next().is_none()
    }

    /// The same, with releases named in another way.
    pub fn map<S>(self, name: impl Fn(R) -> S) -> Coverage<S> {
        Coverage {
            transitions: self.transitions.into_iter().map(|found| found.map(&name)).collect(),
            unprobed: self.unprobed.into_iter().map(|stretch| stretch.map(&name)).collect(),
        }
    }
}

impl<R> Stretch<R> {
    /// The same stretch, with its releases named in another way.
    pub fn map<S>(self, name: impl Fn(R) -> S) -> Stretch<S> {
        Stretch {
            after: self.after.map(&name),
            before: self.before.map(&name),
            releases: self.releases.into_iter().map(&name).collect(),
        }
    }
}

impl<R: fmt::Display> fmt::Display for Stretch<R> {
    /// One line, which never says more than was measured.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.after, &self.before) {
            (Some(after), Some(before)) => write!(
                formatter,
                "not measured between {after} and {before}, which are alike ({})",
                releases(self.releases.len())
            ),
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
    /// A line for each transition, then one for each stretch that nobody looked at.
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
