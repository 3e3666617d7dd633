use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::SCHEMA;
use crate::facts::identity::Stale;
use crate::question::left_out::LeftOut;
use crate::question::plan::Plan;

/// What a run would do: `plan --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Forecast {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The name of the backend.
    pub backend: String,
    /// How many cells the plan has.
    pub cells: usize,
    /// How many cells have no file to install.
    pub nothing_to_install: usize,
    /// How many cells have a valid record.
    pub recorded: usize,
    /// The cells that would be measured.
    pub to_measure: Vec<String>,
    /// Why, with the cells that have the same reasons together.
    pub why: Vec<WhyMeasured>,
    /// Those of `to_measure` that are built from a source distribution of the dependency, without what
    /// it depends on.
    pub from_source: Vec<String>,
    /// The cells that cannot be measured now, and why.
    pub not_measurable: Vec<(String, String)>,
    /// How many of the cells to measure have an environment that an earlier run kept.
    pub environments_kept: usize,
    /// The base images of the cells to measure; empty on the `local` backend.
    pub images: BTreeSet<String>,
    /// The base images that would be pulled, because the engine does not have them.
    pub images_to_pull: BTreeSet<String>,
    /// How many files of the dependency would be downloaded, without what they depend on.
    pub downloads: usize,
    /// The size of these files as far as the index gives it, in bytes.
    pub download_bytes: u64,
    /// How many of these files have a size that the index does not give.
    pub downloads_of_unknown_size: usize,
    /// The expected time of the run in seconds, from the times of recorded cells; `None` if there are
    /// none.
    pub expected_seconds: Option<f64>,
    /// What lies in the project's folder and is left out of the project.
    pub left_out: Vec<LeftOut>,
    /// Everything that would be done, for `run --plan`.
    pub plan: Plan,
}

/// Why cells would be measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WhyMeasured {
    /// All reasons.
    pub reasons: Vec<Stale>,
    /// The cells that have them.
    pub cells: Vec<String>,
}

impl Forecast {
    /// Adds a cell that would be measured.
    pub fn measures(&mut self, cell: String, reasons: Vec<Stale>) {
        match self.why.iter_mut().find(|why| why.reasons == reasons) {
            Some(why) => why.cells.push(cell.clone()),
            None => self.why.push(WhyMeasured { reasons, cells: vec![cell.clone()] }),
        }
        self.to_measure.push(cell);
    }

    /// A forecast for a plan of which nothing else is known yet.
    pub fn new(backend: impl Into<String>, plan: Plan) -> Self {
        Self {
            schema: SCHEMA,
            backend: backend.into(),
            cells: plan.cells.len(),
            nothing_to_install: 0,
            recorded: 0,
            to_measure: Vec::new(),
            why: Vec::new(),
            from_source: Vec::new(),
            not_measurable: Vec::new(),
            environments_kept: 0,
            images: BTreeSet::new(),
            images_to_pull: BTreeSet::new(),
            downloads: 0,
            download_bytes: 0,
            downloads_of_unknown_size: 0,
            expected_seconds: None,
            left_out: Vec::new(),
            plan,
        }
    }
}
