use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::Goal;
use crate::analysis::row::{State, Transition, TransitionKind, transitions};

/// The answer of a row to a single question, and its assumption.
///
/// `R` is the type that identifies a release, as in [`Transition`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Answer<R = Version> {
    /// The question.
    pub goal: Goal,
    /// The answer among the measured releases: the oldest that fails after one that passes, or the
    /// newest that passes.
    pub release: Option<R>,
    /// The change at that release. `None` if there is no such release, or if the newest release
    /// passes.
    pub transition: Option<Transition<R>>,
    /// The measured releases that contradict [`Answer::ASSUMPTION`], oldest first: they fail before the
    /// change, or pass after it.
    pub contradicted_by: Vec<R>,
}

impl<R> Answer<R> {
    /// What a search for one release assumes about unmeasured releases.
    pub const ASSUMPTION: &'static str =
        "the test passes up to some release and fails from the next one on";

    /// The same answer with another type for releases.
    pub fn map<S>(self, name: impl Fn(R) -> S) -> Answer<S> {
        Answer {
            goal: self.goal,
            release: self.release.map(&name),
            transition: self.transition.map(|transition| transition.map(&name)),
            contradicted_by: self.contradicted_by.into_iter().map(&name).collect(),
        }
    }
}

impl Answer<usize> {
    /// Reads the answer from a row. `None` for [`Goal::AllChanges`], which does not ask for a single
    /// release; [`super::Coverage`] answers that.
    pub fn of(states: &[State], goal: Goal) -> Option<Self> {
        let mut breaks = transitions(states, &|_, _| true);
        breaks.retain(|transition| transition.kind == TransitionKind::FirstBad);
        let newest = states.iter().rposition(|state| *state == State::Passed);
        let (release, transition) = match goal {
            Goal::AllChanges => return None,
            Goal::FirstBad => {
                let first = breaks.into_iter().next();
                (first.as_ref().map(|first| first.to), first)
            }
            Goal::LastGood => (newest, breaks.pop().filter(|last| Some(last.from) == newest)),
        };
        // The assumption: no release fails before the change, or before the newest that passes.
        let change = transition.as_ref().map_or(newest, |transition| Some(transition.from));
        let contradicts = |index: &usize| {
            change.is_some_and(|change| match states[*index] {
                State::Failed => *index < change,
                State::Passed => *index > change,
                State::Unavailable | State::Unmeasured | State::Flaky => false,
            })
        };
        let contradicted_by = (0..states.len()).filter(contradicts).collect();
        Some(Self { goal, release, transition, contradicted_by })
    }
}

impl<R: fmt::Display> fmt::Display for Answer<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.goal, &self.release) {
            (Goal::LastGood, Some(release)) => write!(formatter, "last good: {release}")?,
            (Goal::LastGood, None) => formatter.write_str("no release was seen to pass")?,
            (Goal::FirstBad | Goal::AllChanges, Some(release)) => {
                write!(formatter, "first bad: {release}")?;
            }
            (Goal::FirstBad | Goal::AllChanges, None) => {
                formatter.write_str("no release was seen to fail behind one that passes")?;
            }
        }
        if let Some(transition) = &self.transition {
            write!(formatter, "; {transition}")?;
        }
        let assumption = Self::ASSUMPTION;
        let named: Vec<String> =
            self.contradicted_by.iter().take(3).map(ToString::to_string).collect();
        let named = named.join(", ");
        match self.contradicted_by.len() {
            0 if self.transition.is_none() => Ok(()),
            0 => write!(formatter, ", if {assumption}"),
            1 => write!(formatter, "; {named} contradicts that {assumption}"),
            2 | 3 => write!(formatter, "; {named} contradict that {assumption}"),
            more => {
                let more = more - 3;
                write!(formatter, "; {named} and {more} more contradict that {assumption}")
            }
        }
    }
}
