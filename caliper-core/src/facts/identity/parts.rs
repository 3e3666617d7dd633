//! What an identity was made from, kept so that a later run can say what changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DecidesTest, canonical, decides};
use crate::facts::record::BlobRef;
use crate::names::Sha256;
use crate::question::plan::{Plan, PlannedCell, Recipe, Test};

/// The version of the format of [`Parts`].
///
/// 1: the first.
pub const PARTS_SCHEMA: u32 = 1;

/// What the identity of a cell was made from, without what its record holds anyway (release, file, Python,
/// Dockerfile). So the cells of a grid share one of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// The version of this format: [`PARTS_SCHEMA`].
    pub schema: u32,
    /// What decides what stands in the environment, by the names of the parts.
    pub environment: Map<String, Value>,
    /// What decides how a test ends in it, by the name of the test.
    pub tests: BTreeMap<String, TestParts>,
}

/// What decides how a test ends in an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestParts {
    /// By the names of the parts.
    pub decides: Map<String, Value>,
    /// The [`Manifest`] of the files that it finds.
    pub files: BlobRef,
}

/// The files of a project by their paths, each with a word for its kind and the digest of its content.
pub type Manifest = BTreeMap<String, String>;

impl Parts {
    /// What the identity of a cell is made from, where `found` is the manifest of the part of the project that a
    /// test finds.
    pub fn of(
        plan: &Plan,
        cell: &PlannedCell,
        recipe: &Recipe,
        found: &dyn Fn(&Test) -> BlobRef,
    ) -> Self {
        let mut environment = canonical::object(&decides(plan, cell, recipe));
        for recorded in ["version", "file", "missing", "interpreter"] {
            environment.remove(recorded);
        }
        if let Some(Value::Object(recipe)) = environment.get_mut("recipe") {
            recipe.remove("dockerfile");
            recipe.remove("base");
        }
        let setup = plan.setup_of(cell);
        let tests = setup.all_tests().map(|test| {
            let files = found(&test);
            let name = test.name.clone();
            let test = Test { repeat: 1, files: None, ..test };
            let (limits, results) = (&setup.limits, &setup.results);
            let nothing = Sha256::of(b"");
            let (environment, found) = (nothing, nothing);
            let decides = DecidesTest { environment, test: &test, limits, results, files: found };
            let mut decides = canonical::object(&decides);
            decides.remove("environment");
            decides.remove("files");
            (name, TestParts { decides, files })
        });
        Self { schema: PARTS_SCHEMA, environment, tests: tests.collect() }
    }
}
