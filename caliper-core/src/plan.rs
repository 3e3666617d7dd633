//! What a run will do: the cells, and what is done in each.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::grid::{CellId, Choice, DistFile, Grid};
use crate::interpreter::Interpreter;
use crate::limits::Limits;
use crate::names::{PackageName, PythonVersion, Sha256, Sha256Stream, Timestamp};
use crate::record::Base;
use crate::template::{Args, Template};

/// Everything that a run will do, as plain values: what to install where, and what to run in it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The title of the analysis.
    pub analysis: String,
    /// The package whose releases are measured.
    pub dependency: PackageName,
    /// The address of the index that its files are from, without credentials.
    pub index: Option<String>,
    /// What is done in every cell.
    pub setup: Setup,
    /// The Pythons, one for each column of the grid.
    pub interpreters: Vec<Interpreter>,
    /// The cells, in the order in which they are measured.
    pub cells: Vec<PlannedCell>,
}

impl Plan {
    /// Lays out `grid` for `interpreters`, which are the ones that it was resolved for.
    pub fn new(
        analysis: impl Into<String>,
        setup: Setup,
        interpreters: Vec<Interpreter>,
        grid: Grid,
    ) -> Self {
        let cells =
            grid.cells.into_iter().map(|cell| PlannedCell { id: cell.id, choice: cell.choice });
        Self {
            analysis: analysis.into(),
            dependency: grid.package,
            index: grid.index,
            setup,
            interpreters,
            cells: cells.collect(),
        }
    }

    /// The interpreter of a column.
    pub fn interpreter(&self, python: PythonVersion) -> Option<&Interpreter> {
        self.interpreters.iter().find(|interpreter| interpreter.python == python)
    }
}

/// One cell of a plan.
#[derive(Debug, Clone)]
pub struct PlannedCell {
    /// Which cell it is.
    pub id: CellId,
    /// What to install in it.
    pub choice: Choice,
}

impl PlannedCell {
    /// The file to install, if there is one.
    pub fn file(&self) -> Option<&DistFile> {
        match &self.choice {
            Choice::File { file, .. } => Some(file),
            Choice::Missing(_) => None,
        }
    }
}

/// What is done in every cell: how its environment is made, and what is run in it.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The user's Dockerfile template; `None` for the built-in one.
    pub dockerfile: Option<Template>,
    /// The template of a base image's name, such as `python:{{ python }}`.
    pub base: Template,
    /// The user's own template variables.
    pub args: Args,
    /// Requirements ([PEP 508](https://peps.python.org/pep-0508/)) that are installed beside the
    /// dependency.
    pub requirements: Vec<String>,
    /// The tests, in the order of the configuration. The import of the dependency comes before
    /// them and does not stand here.
    pub tests: Vec<Test>,
    /// The files in its project that a test leaves as its results, beside what it prints: globs, in
    /// which `*` stops at a `/` and `**` does not.
    pub results: Vec<String>,
    /// What a test may use.
    pub limits: Limits,
    /// Install what the index offered then, also of the dependency's dependencies.
    pub as_of: Option<Timestamp>,
}

/// A command that is run in every cell, and whose outcome is what Caliper measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Its name, unique within an analysis.
    pub name: String,
    /// The program and its arguments; nothing is left to a shell.
    pub command: Vec<String>,
    /// Environment variables, beside the few that every test gets.
    pub environment: BTreeMap<String, String>,
    /// Its own limit on wall-clock time, in place of [`Limits::timeout`].
    pub timeout: Option<Duration>,
    /// How many times it is run in each cell; at least 1.
    pub repeat: u32,
}

impl Test {
    /// The name of the test that imports the dependency.
    pub const IMPORT: &'static str = "import";

    /// The test that imports `modules`, the top-level modules that a file really installs.
    pub fn import(modules: &[String]) -> Self {
        Self {
            name: Self::IMPORT.to_owned(),
            command: vec!["python".into(), "-c".into(), format!("import {}", modules.join(", "))],
            environment: BTreeMap::new(),
            timeout: None,
            repeat: 1,
        }
    }
}

/// How a backend will make the environment of one cell, as far as that decides a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipe {
    /// The name of the backend.
    pub backend: String,
    /// The image that the environment starts from.
    pub base: Option<Base>,
    /// The rendered Dockerfile.
    pub dockerfile: Option<String>,
}

/// The identity of a cell: a digest over all that decides its result.
///
/// Two records with equal keys answer the same question, so one can stand for the other. It covers
/// the file's digest (or its URL, where the index gives none), the interpreter, the recipe (base image
/// digest and rendered Dockerfile), the requirements, the commands, environments and limits of the
/// tests, the index date, and the digest of the project's files.
pub fn cell_key(plan: &Plan, cell: &PlannedCell, recipe: &Recipe, project: &Sha256) -> Sha256 {
    let setup = &plan.setup;
    let mut stream = Sha256Stream::default();
    let mut put = |name: &str, value: &dyn fmt::Debug| {
        stream.field(name.as_bytes());
        // `Debug` of these plain values is injective: strings are quoted and escaped.
        stream.field(format!("{value:?}").as_bytes());
    };
    // Raised whenever this list changes: what an older Caliper measured is then measured again.
    put("key", &3);
    put("cell", &cell.id.to_string());
    match &cell.choice {
        Choice::File { file, .. } => match &file.sha256 {
            Some(digest) => put("file", &digest.to_string()),
            None => put("url", &file.url),
        },
        Choice::Missing(missing) => put("missing", missing),
    }
    put("backend", &recipe.backend);
    // A cell without a file builds nothing and runs nothing: what would be run cannot matter.
    if cell.file().is_some() {
        put("interpreter", &plan.interpreter(cell.id.python));
        put("base", &recipe.base);
        put("dockerfile", &recipe.dockerfile);
        put("requirements", &setup.requirements);
        put("tests", &setup.tests);
        put("results", &setup.results);
        put("limits", &setup.limits);
        put("as_of", &setup.as_of.map(|time| time.to_string()));
        put("project", &project.to_string());
    }
    stream.finish()
}
