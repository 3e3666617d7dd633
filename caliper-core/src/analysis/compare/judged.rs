//! What is concluded of each test in each cell, as it is written into `results.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::verdict::Verdict;
use crate::facts::record::State;
use crate::question::grid::CellId;

/// The conclusion about one test in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Judged {
    /// The cell, as [`CellId`] prints it.
    pub cell: String,
    /// The test.
    pub test: String,
    /// How the test ended over all of its runs.
    pub state: State,
    /// How its result compares with the baseline's; `None` if the test did not pass.
    pub verdict: Option<Verdict>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Box<Evidence>>,
}

/// The conclusions about all tests of all cells, one for each pair, in the order of the records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdicts {
    judged: Vec<Judged>,
    /// For each cell, its tests and their places in `judged`.
    places: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Verdicts {
    /// All, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Judged> {
        self.judged.iter()
    }

    /// What is concluded of a test in a cell.
    pub fn of(&self, cell: &CellId, test: &str) -> Option<&Judged> {
        let place = self.places.get(&cell.to_string())?.get(test)?;
        self.judged.get(*place)
    }

    /// The verdict on a test in a cell.
    pub fn verdict(&self, cell: &CellId, test: &str) -> Option<Verdict> {
        self.of(cell, test)?.verdict
    }
}

impl FromIterator<Judged> for Verdicts {
    fn from_iter<I: IntoIterator<Item = Judged>>(judged: I) -> Self {
        let judged: Vec<Judged> = judged.into_iter().collect();
        let mut places: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (place, one) in judged.iter().enumerate() {
            places.entry(one.cell.clone()).or_default().insert(one.test.clone(), place);
        }
        Self { judged, places }
    }
}

impl<'a> IntoIterator for &'a Verdicts {
    type Item = &'a Judged;
    type IntoIter = std::slice::Iter<'a, Judged>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Verdicts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.judged.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Verdicts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(|judged: Vec<Judged>| judged.into_iter().collect())
    }
}

impl schemars::JsonSchema for Verdicts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Verdicts".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<Judged>::json_schema(generator)
    }
}
