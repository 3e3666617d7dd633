use serde::Serialize;

use super::SCHEMA;
use crate::analysis::spread::{Place, Problem, Spread, Verdict};

/// How much the runs of groups vary: `spread --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct SpreadReport {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The axis whose labels are the groups; `None` for tables.
    pub axis: Option<String>,
    /// The groups, for each place where they were measured.
    pub places: Vec<SpreadAt>,
}

/// Groups that were measured in one place.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct SpreadAt {
    /// Where; `None` for tables.
    pub place: Option<Place>,
    /// How they vary.
    pub spread: Spread,
}

impl SpreadReport {
    /// Of these places.
    pub fn new(axis: Option<String>, places: Vec<SpreadAt>) -> Self {
        Self { schema: SCHEMA, axis, places }
    }

    /// Whether groups are not compared somewhere because of a mistake in the question.
    pub fn is_wrong_question(&self) -> bool {
        let withheld = self.places.iter().filter(|at| at.spread.withheld);
        withheld.flat_map(|at| &at.spread.problems).any(Problem::is_of_question)
    }

    /// Whether groups are not compared somewhere.
    pub fn is_withheld(&self) -> bool {
        self.places.iter().any(|at| at.spread.withheld)
    }

    /// Whether there is no metric anywhere.
    pub fn has_nothing(&self) -> bool {
        self.places.iter().all(|at| at.spread.metrics.is_empty())
    }

    /// Whether there are comparisons, and all of them say that this group varies more.
    pub fn always_larger(&self, name: &str) -> bool {
        let metrics = self.places.iter().flat_map(|at| &at.spread.metrics);
        let concerned = metrics.flat_map(|metric| &metric.contrasts);
        let mut verdicts = concerned
            .filter(|contrast| contrast.group == name || contrast.reference == name)
            .map(|contrast| &contrast.verdict)
            .peekable();
        let is_it =
            |verdict: &Verdict| matches!(verdict, Verdict::Larger { group } if group == name);
        verdicts.peek().is_some() && verdicts.all(is_it)
    }
}
