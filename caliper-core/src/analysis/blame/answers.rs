use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome of one measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As with the good side.
    Good,
    /// As with the bad side.
    Bad,
    /// It says nothing: the combination cannot be installed, or the test ended in a third way ("unresolved" in Zeller
    /// and Hildebrandt 2002).
    Unresolvable,
    /// Repeats of the test disagree.
    Flaky,
}

/// Why something is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    /// The combination cannot be installed, or the test ended in a third way.
    Unresolvable,
    /// It was measured as often as [`Effort::tries`] allows, and was flaky each time.
    Flaky,
    /// The number of runs was used up.
    Untried,
}

impl fmt::Display for Unproven {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unresolvable => "cannot be installed or judged",
            Self::Flaky => "flaky",
            Self::Untried => "not tried: the number of runs was used up",
        })
    }
}

/// What is known about one combination after all its measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// As with the good side.
    Good,
    /// As with the bad side.
    Bad,
    /// Neither, for this reason.
    Unproven(Unproven),
}

/// How many measurements may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Effort {
    /// How often a combination is measured at most as long as it is flaky. At least 1.
    pub tries: u32,
    /// How many measurements are made at most in all; `None` for as many as are needed.
    pub runs: Option<u32>,
}

/// Three tries, and as many runs as are needed.
impl Default for Effort {
    fn default() -> Self {
        Self { tries: 3, runs: None }
    }
}

/// This must be measured first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted<K>(pub(super) K);

/// The answers so far.
#[derive(Debug, Clone)]
pub(super) struct Answers<K> {
    effort: Effort,
    runs: u32,
    given: BTreeMap<K, Given>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Given {
    settled: Option<Known>,
    flaky: u32,
}

impl<K: Ord + Clone> Answers<K> {
    pub(super) fn new(effort: Effort) -> Self {
        Self { effort, runs: 0, given: BTreeMap::new() }
    }

    /// What is known about `key`, or that it must be measured first.
    ///
    /// When the runs are used up, everything else is [`Unproven::Untried`]. An algorithm that copes with combinations
    /// that cannot be measured then concludes with what it has.
    pub(super) fn known(&self, key: &K) -> Result<Known, Wanted<K>> {
        let given = self.given.get(key).copied().unwrap_or_default();
        let used_up = self.effort.runs.is_some_and(|most| self.runs >= most);
        match given {
            Given { settled: Some(known), .. } => Ok(known),
            Given { flaky, .. } if flaky >= self.effort.tries.max(1) => {
                Ok(Known::Unproven(Unproven::Flaky))
            }
            Given { .. } if used_up => Ok(Known::Unproven(Unproven::Untried)),
            Given { .. } => Err(Wanted(key.clone())),
        }
    }

    /// Records one measurement. A settled answer replaces an earlier one; a flaky one never does.
    pub(super) fn record(&mut self, key: K, outcome: Outcome) {
        self.runs = self.runs.saturating_add(1);
        let given = self.given.entry(key).or_default();
        match outcome {
            Outcome::Good => given.settled = Some(Known::Good),
            Outcome::Bad => given.settled = Some(Known::Bad),
            Outcome::Unresolvable => {
                given.settled = Some(Known::Unproven(Unproven::Unresolvable));
            }
            Outcome::Flaky => given.flaky = given.flaky.saturating_add(1),
        }
    }

    pub(super) fn runs(&self) -> u32 {
        self.runs
    }

    /// Everything that was measured to be `known`.
    pub(super) fn with(&self, known: Known) -> impl Iterator<Item = &K> {
        self.given.iter().filter(move |(_, given)| given.settled == Some(known)).map(|(key, _)| key)
    }
}
