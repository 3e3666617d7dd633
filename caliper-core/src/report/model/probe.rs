use serde::Serialize;

use super::SCHEMA;
use crate::analysis::blame::Unproven;
use crate::analysis::probe::{Effect, TestProbed};
use crate::facts::record::State;
use crate::question::factor::{Factor, FactorChange};

/// Which changes of its surroundings change what tests do: `probe --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ProbeReport {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The package.
    pub dependency: String,
    /// The cell in which they were run.
    pub cell: String,
    /// The backend.
    pub backend: String,
    /// How often each test was run with each change.
    pub repeats: u32,
    /// The tests.
    pub tests: Vec<ProbedTest>,
    /// The changes that were not made.
    pub not_tried: Vec<NotTried>,
    /// The cells that could not be measured, and why.
    pub not_measured: Vec<(String, String)>,
}

/// What changes do to one test.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ProbedTest {
    /// Its name.
    pub test: String,
    /// How it ends in the usual surroundings.
    pub usual: State,
    /// How often it was run in them.
    pub runs: u32,
    /// How many of these runs passed.
    pub passed: u32,
    /// Whether all these runs have the same result.
    pub is_constant: bool,
    /// How many of them do not have the result that most of them have.
    pub odd: u32,
    /// What each change does alone.
    pub changes: Vec<ProbedChange>,
    /// What it does to the test that it is started by the program that makes changes.
    pub instrument: Effect,
    /// What changes do together, if none does anything alone.
    pub together: Option<ChangesTogether>,
}

/// What a change does alone.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ProbedChange {
    /// The change.
    #[serde(flatten)]
    pub change: FactorChange,
    /// What it does.
    pub effect: Effect,
}

/// What changes do together.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "found")]
pub enum ChangesTogether {
    /// Nothing that was seen.
    Nothing,
    /// These act on the test.
    Set {
        /// The changes.
        changes: Vec<NeededChange>,
    },
    /// It was not decided, or could not be measured.
    Unknown,
}

/// A change of a set.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct NeededChange {
    /// The change.
    #[serde(flatten)]
    pub change: FactorChange,
    /// Why it is not known whether the set needs it; `None` if it does.
    pub unproven: Option<Unproven>,
}

/// A change that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct NotTried {
    /// The factor.
    pub factor: Factor,
    /// Why.
    pub why: String,
}

impl ProbedTest {
    /// Of what was found, in which the test without the program that makes changes is the last; `None` without it.
    pub fn of(
        probed: &TestProbed,
        changes: &[FactorChange],
        together: Option<ChangesTogether>,
    ) -> Option<Self> {
        let TestProbed { test, usual, runs, passed, is_constant, odd, mut effects } =
            probed.clone();
        let instrument = effects.pop()?;
        let changes = changes.iter().zip(effects);
        let changes = changes.map(|(change, effect)| ProbedChange { change: *change, effect });
        Some(Self {
            test,
            usual,
            runs,
            passed,
            is_constant,
            odd,
            changes: changes.collect(),
            instrument,
            together,
        })
    }

    /// Whether it is not the same where it is started as usual, so that nothing can be concluded.
    pub fn is_disturbed(&self) -> bool {
        self.instrument.kind.is_effect()
    }

    /// Whether a change acts on it, alone or with others.
    pub fn is_acted_on(&self) -> bool {
        self.changes.iter().any(|one| one.effect.kind.is_effect())
            || matches!(self.together, Some(ChangesTogether::Set { .. }))
    }

    /// Whether it is known of every change whether it acts on the test.
    pub fn is_decided(&self) -> bool {
        use crate::analysis::probe::EffectKind::{NotMeasured, Undecided};
        let open = |effect: &Effect| matches!(effect.kind, Undecided | NotMeasured);
        !self.is_disturbed()
            && !self.changes.iter().any(|one| open(&one.effect))
            && self.together != Some(ChangesTogether::Unknown)
    }
}

impl ProbeReport {
    /// A report of these tests.
    pub fn new(dependency: &str, cell: &str, backend: &str, repeats: u32) -> Self {
        Self {
            schema: SCHEMA,
            dependency: dependency.to_owned(),
            cell: cell.to_owned(),
            backend: backend.to_owned(),
            repeats,
            tests: Vec::new(),
            not_tried: Vec::new(),
            not_measured: Vec::new(),
        }
    }
}
