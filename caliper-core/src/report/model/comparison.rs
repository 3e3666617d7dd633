use std::collections::BTreeMap;

use serde::Serialize;

use super::SCHEMA;
use crate::analysis::changes::{Change, Difference};

/// What became of each test between two sets of results: `compare --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Comparison {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The name of the first side, as the user gave it.
    pub first: String,
    /// The name of the second side.
    pub second: String,
    /// How many tests changed in each way.
    #[schemars(with = "BTreeMap<String, usize>")]
    pub counts: BTreeMap<Change, usize>,
    /// Each test of each cell.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// Counts `differences` between two sides of these names.
    pub fn new(
        first: impl Into<String>,
        second: impl Into<String>,
        differences: Vec<Difference>,
    ) -> Self {
        let mut counts: BTreeMap<Change, usize> = BTreeMap::new();
        for difference in &differences {
            *counts.entry(difference.change).or_default() += 1;
        }
        Self { schema: SCHEMA, first: first.into(), second: second.into(), counts, differences }
    }
}
