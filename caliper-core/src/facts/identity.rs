//! What a result depends on, as digests.

use std::fmt;

use crate::facts::record::{Record, TestRecord};
use crate::names::{Sha256, Sha256Stream};
use crate::question::grid::Choice;
use crate::question::plan::{Plan, PlannedCell, Recipe, Test};

/// What decides the results of a cell.
///
/// Two records with equal digests answer the same question, so that one can stand for the other. What
/// a digest is made over has names and lengths and cannot run into each other; it begins with the
/// version of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Over all that decides what stands in the environment: the file's digest (or its URL, where the
    /// index gives none), the interpreter, the recipe, the requirements and the index date.
    pub environment: Sha256,
    /// For each test, in the order of [`Setup::all_tests`](crate::question::plan::Setup::all_tests), its name
    /// and a digest over the environment and all that decides how it ends in that: its command,
    /// environment variables and limits, which files are results, and the files that it finds.
    pub tests: Vec<(String, Sha256)>,
    /// Over all of that.
    pub cell: Sha256,
}

impl Identity {
    /// The identity of a cell, where `found` is the digest of the part of the project that a test
    /// finds.
    pub fn of(
        plan: &Plan,
        cell: &PlannedCell,
        recipe: &Recipe,
        found: &dyn Fn(&Test) -> Sha256,
    ) -> Self {
        let environment = environment(plan, cell, recipe);
        // A cell without a file builds nothing and runs nothing: what would be run cannot matter.
        let tests = plan.setup.all_tests().filter(|_| cell.file().is_some());
        let tests: Vec<(String, Sha256)> = tests
            .map(|test| {
                let mut fields = Fields::default();
                fields.put("environment", &environment.to_string());
                fields.put("name", &test.name);
                fields.put("command", &test.command);
                fields.put("variables", &test.environment);
                fields.put("timeout", &test.timeout);
                fields.put("limits", &plan.setup.limits);
                fields.put("results", &plan.setup.results);
                fields.put("files", &found(&test).to_string());
                (test.name, fields.finish())
            })
            .collect();
        let mut fields = Fields::default();
        fields.put("environment", &environment.to_string());
        for (_, test) in &tests {
            fields.put("test", &test.to_string());
        }
        Self { environment, tests, cell: fields.finish() }
    }

    /// The digest of a test.
    pub fn test(&self, name: &str) -> Option<Sha256> {
        self.tests.iter().find(|(test, _)| test == name).map(|(_, digest)| *digest)
    }

    /// What an earlier record of the same cell still says: its environment and those of its tests that
    /// would be run in the same way now, in the order of [`Identity::tests`]. `None` if that is
    /// nothing.
    pub fn part_of(&self, mut record: Record) -> Option<Record> {
        if record.environment.key != Some(self.environment) || record.outcome.is_spurious() {
            return None;
        }
        let mut all = std::mem::take(&mut record.tests);
        for (name, digest) in &self.tests {
            let same = |test: &mut TestRecord| test.name == *name && test.key == Some(*digest);
            record.tests.extend(all.extract_if(.., same).filter_map(|mut test| {
                test.runs.retain(|run| !run.outcome.is_spurious());
                (!test.runs.is_empty()).then_some(test)
            }));
        }
        Some(record)
    }
}

fn environment(plan: &Plan, cell: &PlannedCell, recipe: &Recipe) -> Sha256 {
    let setup = &plan.setup;
    let mut fields = Fields::default();
    // Raised whenever what any of the digests is made over changes: what an older Caliper measured is
    // then measured again.
    fields.put("key", &4);
    fields.put("cell", &cell.id.to_string());
    match &cell.choice {
        Choice::File { file, .. } => match &file.sha256 {
            Some(digest) => fields.put("file", &digest.to_string()),
            None => fields.put("url", &file.url),
        },
        Choice::Missing(missing) => fields.put("missing", missing),
    }
    fields.put("backend", &recipe.backend);
    if cell.file().is_some() {
        fields.put("interpreter", &plan.interpreter(cell.id.python));
        fields.put("base", &recipe.base);
        fields.put("dockerfile", &recipe.dockerfile);
        fields.put("context", &recipe.context);
        fields.put("requirements", &setup.requirements);
        fields.put("as_of", &setup.as_of.map(|time| time.to_string()));
    }
    fields.finish()
}

#[derive(Default)]
struct Fields(Sha256Stream);

impl Fields {
    fn put(&mut self, name: &str, value: &dyn fmt::Debug) {
        self.0.field(name.as_bytes());
        // `Debug` of these plain values is injective: strings are quoted and escaped.
        self.0.field(format!("{value:?}").as_bytes());
    }

    fn finish(self) -> Sha256 {
        self.0.finish()
    }
}
