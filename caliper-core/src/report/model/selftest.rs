use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::SCHEMA;

/// How the self-test of a machine ended: `selftest --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SelftestReport {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// Why backends were left out that were not asked for by name.
    pub left_out: Vec<String>,
    /// Folders that runs left behind.
    pub left_behind: Vec<PathBuf>,
    /// Each scenario on each backend.
    pub results: Vec<ScenarioResult>,
}

/// One scenario on one backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ScenarioResult {
    /// The name of the scenario.
    pub scenario: String,
    /// What it is about.
    pub about: String,
    /// The name of the backend.
    pub backend: String,
    /// Whether it ended as expected.
    pub passed: bool,
    /// What was expected.
    pub expected: String,
    /// What was observed.
    pub observed: String,
    /// What else is wrong.
    pub faults: Vec<String>,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
}
