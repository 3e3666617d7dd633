use serde::{Deserialize, Serialize};

use crate::analysis::row::{Alike, Drift, Row, Transition, TransitionKind};
use crate::analysis::search::{Coverage, Stretch};
use crate::names::PythonVersion;
use crate::question::grid::Variant;

/// What a row tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowSummary {
    /// The test.
    pub test: String,
    /// The Python.
    pub python: PythonVersion,
    /// The further axes of the grid.
    #[serde(default)]
    pub variant: Variant,
    /// Where something changes, oldest first.
    pub transitions: Vec<Transition<String>>,
    /// Where it changes so slowly that no step shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drifts: Vec<Drift<String>>,
    /// The unmeasured gaps, between equal ends or at the ends of the row.
    pub unprobed: Vec<Stretch<String>>,
    /// Whether it changes between passing and failing once at most.
    pub monotone: bool,
    /// The releases at which the test passes and fails.
    pub flaky: Vec<String>,
}

impl RowSummary {
    /// Sums up a row; `alike` says whether the results of two releases at which the test passes, and
    /// between which it does not, are the same.
    pub fn of(
        row: &Row,
        test: &str,
        python: PythonVersion,
        variant: &Variant,
        alike: &dyn Fn(usize, usize) -> Alike,
    ) -> Self {
        let mut coverage =
            Coverage::of(row.states(), &|one, other| alike(one, other) == Alike::Same);
        for one in &mut coverage.transitions {
            let undecided = |from| alike(from, one.to) == Alike::Undecided;
            if one.kind == TransitionKind::ResultChanged && undecided(one.from) {
                one.kind = TransitionKind::ResultDiffers;
            }
            one.differs_from = one.differs_from.filter(|from| !undecided(*from));
        }
        let Coverage { transitions, unprobed } = coverage.map(|index| row.name(index).to_string());
        Self {
            test: test.to_owned(),
            python,
            variant: variant.clone(),
            transitions,
            drifts: Vec::new(),
            unprobed,
            monotone: row.is_monotone(),
            flaky: row.flaky().iter().map(ToString::to_string).collect(),
        }
    }
}
