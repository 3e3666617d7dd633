use serde::Serialize;

use super::SCHEMA;
use crate::analysis::replay::Replayed;

/// What came of rebuilding recorded cells: `replay --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Replays {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// How many cells are the same: their files, and how their tests end.
    pub same: usize,
    /// The cells that were rebuilt.
    pub cells: Vec<Replayed>,
    /// The cells that could not be rebuilt.
    pub not_rebuilt: Vec<NotRebuilt>,
    /// The cells that had no environment, because their builds failed or there was nothing to install.
    pub without_environment: Vec<String>,
}

/// A cell that could not be rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct NotRebuilt {
    /// The cell.
    pub cell: String,
    /// Why.
    pub reason: String,
}

impl Replays {
    /// Counts the cells that are the same.
    pub fn new(
        cells: Vec<Replayed>,
        not_rebuilt: Vec<NotRebuilt>,
        without_environment: Vec<String>,
    ) -> Self {
        let same = cells.iter().filter(|cell| cell.same).count();
        Self { schema: SCHEMA, same, cells, not_rebuilt, without_environment }
    }
}
