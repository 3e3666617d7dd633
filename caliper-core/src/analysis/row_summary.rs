use serde::{Deserialize, Serialize};

use crate::analysis::row::{
    Alike, AlsoDiffers, Drift, Row, State, Sure, Transition, TransitionKind,
};
use crate::analysis::search::{Coverage, Stretch};
use crate::names::PythonVersion;
use crate::question::grid::Variant;

/// What a row tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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

/// What is known of the releases of a row beside how the test ended there. All speak of releases by their
/// index in the row.
pub(crate) struct Known<'a> {
    /// Whether the results of two releases at which the test passes, and between which it does not, are
    /// the same.
    pub(crate) alike: &'a dyn Fn(usize, usize) -> Alike,
    /// Whether it fails from the same cause at two releases at which it fails.
    pub(crate) fail_alike: &'a dyn Fn(usize, usize) -> bool,
    /// How often the test was run at a release; 0 if it was not run, for example because the build failed.
    pub(crate) runs: &'a dyn Fn(usize) -> u32,
    /// Whether a release was withdrawn (yanked), so that it is not measured although it existed.
    pub(crate) is_withdrawn: &'a dyn Fn(usize) -> bool,
    /// What sets two releases apart besides the release.
    pub(crate) also_differs: &'a dyn Fn(usize, usize) -> Vec<AlsoDiffers>,
}

impl Known<'_> {
    /// How sure it is that a test that passes at one release fails at the other.
    fn of_ends(&self, from: usize, to: usize) -> Sure {
        match (self.runs)(from).min((self.runs)(to)) {
            0 | 1 => Sure::SingleRun,
            runs => Sure::Repeats { runs },
        }
    }
}

impl RowSummary {
    /// Sums up a row.
    pub(crate) fn of(
        row: &Row,
        test: &str,
        python: PythonVersion,
        variant: &Variant,
        known: &Known<'_>,
    ) -> Self {
        let alike = known.alike;
        let mut coverage = Coverage::of(row.states(), &|one, other| {
            if row.states()[other] == State::Failed {
                (known.fail_alike)(one, other)
            } else {
                alike(one, other) == Alike::Same
            }
        });
        for one in &mut coverage.transitions {
            one.sure = match one.kind {
                TransitionKind::FirstBad | TransitionKind::GoodAgain => {
                    known.of_ends(one.from, one.to)
                }
                TransitionKind::ResultChanged | TransitionKind::ResultDiffers => {
                    match alike(one.from, one.to) {
                        Alike::Different(sure) => sure,
                        Alike::Undecided { needed } => Sure::Undecided { needed },
                        Alike::Same => Sure::SingleRun,
                    }
                }
            };
            if matches!(one.sure, Sure::Undecided { .. }) {
                one.kind = TransitionKind::ResultDiffers;
            }
            one.also_differs = (known.also_differs)(one.from, one.to);
            one.add_unmeasured((one.from + 1..one.to).filter(|index| (known.is_withdrawn)(*index)));
            let to = one.to;
            one.differs_from =
                one.differs_from.filter(|from| matches!(alike(*from, to), Alike::Different(_)));
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
