//! What a run will do: the cells, and what is done in each.

mod file;
mod for_run;
mod kind;
mod pinned;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use file::{CellSpec, EnvironmentSpec, SCHEMA};
pub use kind::TestKind;
pub use pinned::Pins;

use crate::names::{PackageName, PythonVersion, Sha256, Timestamp};
use crate::question::grid::{CellId, Choice, DistFile, FileKind, Grid};
use crate::question::group::{Group, Seeds};
use crate::question::interpreter::Interpreter;
use crate::question::limits::Limits;
use crate::question::lock::Lock;
use crate::question::modules::{ImportChoice, Imports};
use crate::question::overlay::PackageOverlay;
use crate::question::project::{ProjectPackage, ProjectWheel};
use crate::question::requirement::Declared;
use crate::question::requirements_file::AllowedFiles;
use crate::question::selection::UnknownUploadTime;
use crate::question::template::{Args, Template};
use pep440_rs::Version;
use serde::{Deserialize, Serialize};

/// Everything that a run will do, as plain values: what to install where, and what to run in it.
///
/// It is written as environments and cells, see [`EnvironmentSpec`]: a plan can be kept, sent, and
/// run elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(into = "file::PlanFile", try_from = "file::PlanFile")]
#[schemars(with = "file::PlanFile")]
pub struct Plan {
    /// The title of the analysis.
    pub analysis: String,
    /// The package whose releases are measured.
    pub dependency: PackageName,
    /// The address of the index that its files are from, without credentials.
    pub index: Option<String>,
    /// What is done in every cell of which no axis says anything else; see [`Plan::setup_of`].
    pub setup: Setup,
    /// The Pythons, one for each column of the grid.
    pub interpreters: Vec<Interpreter>,
    /// The cells, in the order in which they are measured.
    pub cells: Vec<PlannedCell>,
    /// See [`Grid::left_out`].
    pub left_out: Vec<Version>,
}

impl Plan {
    /// Lays out `grid` for `interpreters`, which are the ones that it was resolved for.
    pub fn new(
        analysis: impl Into<String>,
        setup: Setup,
        interpreters: Vec<Interpreter>,
        grid: Grid,
    ) -> Self {
        let cells = grid.cells.into_iter().map(|cell| PlannedCell {
            id: cell.id,
            choice: cell.choice,
            setup: None,
        });
        Self {
            analysis: analysis.into(),
            dependency: grid.package,
            index: grid.index,
            setup,
            interpreters,
            cells: cells.collect(),
            left_out: grid.left_out,
        }
    }

    /// What is done in a cell of this plan.
    pub fn setup_of<'a>(&'a self, cell: &'a PlannedCell) -> &'a Setup {
        cell.setup.as_deref().unwrap_or(&self.setup)
    }

    /// Each setup that cells of this plan have, once.
    pub fn setups(&self) -> Vec<&Setup> {
        let mut setups = vec![&self.setup];
        for cell in &self.cells {
            let setup = self.setup_of(cell);
            // Cells of one combination share theirs, so that a look at the last is enough mostly.
            if setups.last().is_none_or(|last| !std::ptr::eq(*last, setup))
                && !setups.iter().any(|known| std::ptr::eq(*known, setup))
            {
                setups.push(setup);
            }
        }
        setups
    }

    /// The same plan for those of its cells that `keep` accepts.
    #[must_use]
    pub fn part(&self, keep: impl Fn(&CellId) -> bool) -> Self {
        Self {
            analysis: self.analysis.clone(),
            dependency: self.dependency.clone(),
            index: self.index.clone(),
            setup: self.setup.clone(),
            interpreters: self.interpreters.clone(),
            // A large grid is cut many times: only what is kept is copied.
            cells: self.cells.iter().filter(|cell| keep(&cell.id)).cloned().collect(),
            left_out: self.left_out.clone(),
        }
    }

    /// The interpreter of a column.
    pub fn interpreter(&self, python: PythonVersion) -> Option<&Interpreter> {
        self.interpreters.iter().find(|interpreter| interpreter.python == python)
    }
}

/// One cell of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCell {
    /// Which cell it is.
    pub id: CellId,
    /// What to install in it.
    pub choice: Choice,
    /// What is done in it, where an axis says something else than [`Plan::setup`].
    pub setup: Option<Arc<Setup>>,
}

impl PlannedCell {
    /// The file to install, if there is one.
    pub fn file(&self) -> Option<&DistFile> {
        match &self.choice {
            Choice::File { file, .. } => Some(file),
            Choice::Missing(_) => None,
        }
    }

    /// Whether its file is a source distribution, which is built before it is installed.
    pub fn is_built_from_source(&self) -> bool {
        self.file().is_some_and(|file| file.kind == FileKind::Sdist)
    }
}

/// What is done in a cell: how its environment is made, and what is run in it.
#[derive(Debug, Clone, PartialEq)]
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
    /// Requirements that bind only what is installed anyway
    /// ([constraints](https://pip.pypa.io/en/stable/user_guide/#constraints-files)).
    pub constraints: Vec<String>,
    /// Constraints of what a source distribution is built with.
    pub build_constraints: Vec<String>,
    /// The project's own package, which is installed too.
    pub project: Option<Arc<ProjectPackage>>,
    /// The ranges of what is measured that the project declares and that do not hold here. They stand in nothing
    /// else of this setup, nor in the wheels of [`project`](Self::project).
    pub lifted: Vec<Declared>,
    /// The files that may be installed of some packages. An environment with another one counts as not built.
    pub allowed_files: Vec<AllowedFiles>,
    /// The files that are laid over packages once everything is installed.
    pub overlays: Vec<PackageOverlay>,
    /// What the import test is about.
    pub import: ImportChoice,
    /// The tests, in the order of the configuration. The import of the dependency comes before
    /// them and does not stand here.
    pub tests: Vec<Test>,
    /// Environment variables of the import; the tests have them among their own. See
    /// [`Setup::set_variables`].
    pub variables: BTreeMap<String, String>,
    /// The runs of the tests, where the cell belongs to a group; the tests have what it says. See
    /// [`Setup::set_group`].
    pub group: Option<Group>,
    /// The files in its project that a test leaves as its results, beside what it prints: globs, in
    /// which `*` stops at a `/` and `**` does not.
    pub results: Vec<String>,
    /// What a test may use.
    pub limits: Limits,
    /// Install what the index offered then, also of the dependency's dependencies.
    pub as_of: Option<Timestamp>,
    /// Install these files and no others: rebuild an environment that was recorded.
    pub lock: Option<Arc<Lock>>,
    /// What is done, where there is a date, with files of which it is not known when they were uploaded.
    pub unknown_upload_time: UnknownUploadTime,
}

impl Setup {
    /// The import of the dependency, as far as it is known before there is an environment, and the
    /// tests.
    pub fn all_tests(&self) -> impl Iterator<Item = Test> {
        self.import_test(&Imports::Nothing).into_iter().chain(self.tests.iter().cloned())
    }

    /// The import test, if there is one: of `found` where the configuration chooses no modules.
    pub fn import_test(&self, found: &Imports) -> Option<Test> {
        let test = match &self.import {
            ImportChoice::OfTheDependency => Test::import(found),
            ImportChoice::Modules(modules) => Test::import(&Imports::All(modules.clone())),
            ImportChoice::Off => return None,
        };
        Some(Test { environment: self.variables.clone(), ..test })
    }

    /// The names of the tests that say how a cell ended: the import is one only if there are no others.
    pub fn judged_tests(&self) -> Vec<&str> {
        match self.tests.as_slice() {
            [] => vec![Test::IMPORT],
            tests => tests.iter().map(|test| test.name.as_str()).collect(),
        }
    }

    /// The wheel of the project's own package for a Python, if that package is installed.
    pub fn project_wheel(&self, python: PythonVersion) -> Option<&ProjectWheel> {
        self.project.as_ref().and_then(|package| package.wheel(python))
    }

    /// Gives all tests these environment variables, in place of those of the same name.
    pub fn set_variables(&mut self, variables: &BTreeMap<String, String>) {
        self.variables.extend(variables.clone());
        for test in &mut self.tests {
            test.environment.extend(variables.clone());
        }
    }

    /// Gives all tests the runs of this group. The import is run once all the same.
    pub fn set_group(&mut self, group: &Group) {
        for test in &mut self.tests {
            test.repeat = group.repeat;
            test.seeds.clone_from(&group.seeds);
        }
        self.group = Some(group.clone());
    }
}

/// A command that is run in every cell, and whose outcome is what Caliper measures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Test {
    /// Its name, unique within an analysis.
    pub name: String,
    /// The program and its arguments; nothing is left to a shell.
    pub command: Vec<String>,
    /// What it is known to be, and with that how its result is read.
    #[serde(default, skip_serializing_if = "TestKind::is_command")]
    pub kind: TestKind,
    /// Environment variables, beside the few that every test gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Its own limit on wall-clock time, in place of [`Limits::timeout`]; in seconds where it is
    /// written down.
    #[serde(
        default,
        with = "crate::question::limits::seconds::or_none",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<f64>")]
    pub timeout: Option<Duration>,
    /// How many times it is run in each cell; at least 1.
    pub repeat: u32,
    /// The random seeds of its runs, where a group gives them some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// Which files of the project it finds in its folder, as globs in which `*` stops at a `/` and
    /// `**` does not; a folder stands for all in it. `None` for the whole project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
}

impl Test {
    /// The name of the test that imports the dependency.
    pub const IMPORT: &'static str = "import";

    /// The line that the import test prints when it has come to its end. A module, or a `.pth` file,
    /// that ends the process with status 0 has not been imported.
    pub const IMPORTED: &'static str = "caliper: imported\n";

    /// The test that imports modules. It finds no file of the project, which would be imported in a
    /// module's place if it had that name. Its program is for Python 2.7 and later.
    pub fn import(imports: &Imports) -> Self {
        let mut program = "import os\n".to_owned();
        match imports {
            Imports::Nothing => {}
            // No `import` statement: a module may have a name that has become a keyword.
            Imports::All(modules) => {
                program.extend(modules.iter().map(|name| format!("__import__('{name}')\n")));
            }
            Imports::Any(modules) => {
                let names: Vec<String> = modules.iter().map(|name| format!("'{name}'")).collect();
                program += &format!("import sys, traceback\nfor name in [{}]:\n", names.join(", "));
                program += "    try:\n        __import__(name)\n        break\n";
                program += "    except (Exception, SystemExit):\n        traceback.print_exc()\n";
                program += "else:\n    sys.exit(1)\n";
            }
        }
        // Not by way of `sys.stdout`, which a module may have replaced.
        program += &format!("os.write(1, b{:?})\n", Self::IMPORTED);
        Self {
            name: Self::IMPORT.to_owned(),
            command: vec!["python".into(), "-c".into(), program],
            kind: TestKind::Command,
            environment: BTreeMap::new(),
            timeout: None,
            repeat: 1,
            seeds: None,
            files: Some(Vec::new()),
        }
    }
}

/// How a backend will make the environment of one cell, as far as that decides a result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recipe {
    /// The name of the backend.
    pub backend: String,
    /// The image that the environment starts from.
    pub base: Option<Base>,
    /// The rendered Dockerfile.
    pub dockerfile: Option<String>,
    /// The digest of the part of the project that the environment may be made from; `None` if that
    /// is never any.
    pub context: Option<Sha256>,
}

/// An image that environments start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Base {
    /// The name that it was asked for by, such as `python:3.11`.
    pub name: String,
    /// The digest of the image that the name stood for.
    pub digest: String,
}
