use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::SCHEMA;
use crate::analysis::clocks::{Clocks, Course};
use crate::analysis::results::{Results, RowSummary};
use crate::analysis::row::TransitionKind;
use crate::analysis::suggest::{
    Candidate, Columns, Declared, Overtaken, Suggested, candidates, on_python, overtaken, releases,
    suggest, suggest_python,
};
use crate::names::{PackageName, PythonVersion};
use crate::question::grid::Variant;

/// The version specifiers that results support: `suggest --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Advice {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The package that was measured.
    pub package: PackageName,
    /// The specifier for all tests on all Pythons together.
    pub all: Suggested,
    /// The specifier for each test.
    pub tests: BTreeMap<String, Suggested>,
    /// The specifier for each Python, all tests together.
    #[schemars(with = "BTreeMap<String, Suggested>")]
    pub pythons: BTreeMap<PythonVersion, Suggested>,
    /// The specifier for the Pythons.
    pub requires_python: Suggested,
    /// The specifier for each variant, all tests together; empty if there is only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantAdvice>,
    /// What the bounds of the specifiers rest on: where each test changes between passing and failing, how sure
    /// that is, and what else is not the same there. Rows without such a change are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rests_on: Vec<RowSummary>,
    /// The releases that fail at one date of the index and not at another: what a bound excludes of these is not
    /// the fault of the release alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<Clocks>,
    /// Bounds on other packages that may let in releases that fail: for those, a bound on this package is not the only
    /// repair.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// Releases that fail with packages that came out after them, which may be at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overtaken: Option<Overtaken>,
    /// What a project declares, checked against the results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<Checked>,
    /// How many cells have a record that answers another question, and so are no evidence.
    #[serde(default, skip_serializing_if = "is_none")]
    pub stale: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What the cells of one variant support by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VariantAdvice {
    /// The variant.
    pub variant: Variant,
    /// The specifier.
    pub suggested: Suggested,
}

/// A declaration, checked against the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Checked {
    /// Where it is declared, such as `project.dependencies`.
    pub section: String,
    /// The specifier, and what the results say of it.
    pub declared: Declared,
}

impl Advice {
    /// The requirement that the results support over all tests and Pythons, such as `jinja2>=3.0`, and why; `None` if
    /// there is none.
    pub fn answer(&self) -> (Option<String>, String) {
        match &self.all {
            Suggested::Specifier(suggestion) => {
                let name = self.package.normalized();
                let why = if suggestion.nothing_fails {
                    "nothing that was measured fails"
                } else {
                    "it allows what passes everywhere, and nothing that fails somewhere"
                };
                let unproven = match suggestion.unproven.len() {
                    0 => String::new(),
                    1 => ", and 1 release that was not measured".to_owned(),
                    more => format!(", and {more} releases that were not measured"),
                };
                (Some(format!("{name}{}", suggestion.specifier)), format!("{why}{unproven}"))
            }
            Suggested::NothingPasses => {
                (None, "no release that was measured passes all tests everywhere".to_owned())
            }
            Suggested::Inseparable { .. } => {
                (None, "no specifier allows exactly what passes".to_owned())
            }
        }
    }

    /// What `results` support, from the tests whose names `wanted` accepts.
    pub fn of(results: &Results, wanted: &dyn Fn(&str) -> bool) -> Self {
        let tests: BTreeSet<&str> = results
            .cells
            .iter()
            .flat_map(|record| record.judged().iter().map(|test| test.name.as_str()))
            .filter(|name| wanted(name))
            .collect();
        let pythons: BTreeSet<PythonVersion> =
            results.cells.iter().map(|record| record.python).collect();
        let variants: BTreeSet<&Variant> =
            results.cells.iter().map(|record| &record.variant).collect();
        // One variant alone supports what all cells together support.
        let variants = if variants.len() > 1 { variants } else { BTreeSet::new() };
        let of_test = |test: &str| {
            suggest(&releases(results, &|name: &str| name == test, Columns::default()))
        };
        let of_python = |python| suggest(&releases(results, wanted, Columns::of_python(python)));
        let of_variant = |variant: &Variant| {
            let columns = Columns { variant: Some(variant), ..Columns::default() };
            let suggested = suggest(&releases(results, wanted, columns));
            VariantAdvice { variant: variant.clone(), suggested }
        };
        let passing: Vec<_> =
            pythons.iter().map(|python| (*python, on_python(results, wanted, *python))).collect();
        let candidates = candidates(results, wanted);
        Self {
            schema: SCHEMA,
            package: results.dependency.clone(),
            all: suggest(&releases(results, wanted, Columns::default())),
            tests: tests.into_iter().map(|test| (test.to_owned(), of_test(test))).collect(),
            pythons: pythons.into_iter().map(|python| (python, of_python(python))).collect(),
            requires_python: suggest_python(&passing),
            variants: variants.into_iter().map(of_variant).collect(),
            rests_on: results
                .rows
                .iter()
                .filter(|row| wanted(&row.test))
                .filter_map(bounds)
                .collect(),
            clocks: results
                .clocks
                .iter()
                .filter(|one| {
                    wanted(&one.test) && matches!(one.course, Course::Drifted | Course::Healed)
                })
                .cloned()
                .collect(),
            overtaken: overtaken(results, wanted, &candidates),
            candidates,
            declared: Vec::new(),
            stale: results.stale.len(),
        }
    }
}

/// What a row says of where its test passes; `None` if the test does not change between passing and failing.
fn bounds(row: &RowSummary) -> Option<RowSummary> {
    let is_bound = |kind| matches!(kind, TransitionKind::FirstBad | TransitionKind::GoodAgain);
    let mut row = row.clone();
    row.transitions.retain(|transition| is_bound(transition.kind));
    row.drifts.clear();
    row.unprobed.clear();
    (!row.transitions.is_empty()).then_some(row)
}
