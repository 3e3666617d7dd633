//! How results are compared: which differences are ignored, and at which error rate.

mod ignore;
mod policy;
mod rule;
mod stage;

use std::collections::BTreeMap;

pub use ignore::{Ignore, Pattern, PatternError};
pub use policy::{Nan, Policy, Tolerance, ToleranceError};
pub use rule::Rule;
pub use stage::Stage;

/// How results are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Criteria {
    /// What the result of a test is, and which differences are ignored, where [`tests`](Self::tests) says
    /// nothing else.
    pub usual: TestCriteria,
    /// The same for single tests, by their names.
    pub tests: BTreeMap<String, TestCriteria>,
    /// The stages that result files belong to, in order; empty where the configuration names none.
    pub stages: Vec<Stage>,
    /// The accepted share of false positives among the results that are called different.
    pub alpha: f64,
}

impl Default for Criteria {
    /// The default of all tests, at an error rate of 0.05.
    fn default() -> Self {
        Self {
            usual: TestCriteria::default(),
            tests: BTreeMap::new(),
            stages: Vec::new(),
            alpha: 0.05,
        }
    }
}

impl Criteria {
    /// How the results of a test are compared.
    pub fn of(&self, test: &str) -> &TestCriteria {
        self.tests.get(test).unwrap_or(&self.usual)
    }
}

/// How the results of one test are compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TestCriteria {
    /// Which differences are ignored.
    pub policy: Policy,
    /// Whether standard output is part of the result. `None` for what is usual for the kind of test, see
    /// [`TestKind::compares_output`](crate::question::plan::TestKind::compares_output).
    pub stdout: Option<bool>,
    /// Whether standard error is part of the result.
    pub stderr: bool,
    /// Whether the exit status is the whole result: neither what the test prints nor its files are
    /// compared.
    pub exit_status: bool,
}
