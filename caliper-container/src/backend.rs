//! The interface between the runner and what builds environments and runs tests in them.

use std::collections::BTreeSet;
use std::fmt;

use caliper_core::facts::record::{BuildReason, Installed, TestEnd};
use caliper_core::names::{PackageName, PythonVersion};
use caliper_core::question::files::FileSource;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::limits::Limits;
use caliper_core::question::plan::{PlannedCell, Recipe, Setup, Test};

use crate::capture::Captured;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::results::ResultFile;

/// Makes environments and runs tests in them.
///
/// The calls for one cell come in order: [`recipe`](Self::recipe), [`build`](Self::build), then any
/// number of concurrent [`run`](Self::run)s, then [`remove`](Self::remove). Calls for different cells
/// may be concurrent. A build or a test that fails is `Ok`: it is what Caliper measures. `Err` means that the
/// backend could not do its work, so that the cell must be measured again.
pub trait ContainerBackend: Send + Sync {
    /// The name by which users choose it: `local`, `docker`.
    fn name(&self) -> &'static str;

    /// Checks, before anything is done, whether this backend supports everything in `setup`.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unsupported`] names what is not supported, and a backend that supports it.
    fn check(&self, setup: &Setup) -> Result<(), BackendError>;

    /// The Pythons that this backend has: those in `wanted`, or all if that is empty.
    ///
    /// # Errors
    ///
    /// [`BackendError::NoPython`] if it lacks one that is wanted.
    fn interpreters(
        &self,
        wanted: &BTreeSet<PythonVersion>,
        setup: &Setup,
    ) -> Result<Vec<Interpreter>, BackendError>;

    /// Describes how the environment of a cell will be built, as far as that can change a result.
    /// Builds nothing. Called for every cell of every run, so it should be quick.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend cannot find out.
    fn recipe(&self, cell: &CellRequest<'_>) -> Result<Recipe, BackendError>;

    /// Estimates what it takes to build the environment of a cell. Builds nothing.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend cannot find out.
    fn estimate(
        &self,
        cell: &CellRequest<'_>,
        recipe: &Recipe,
    ) -> Result<BuildEstimate, BackendError> {
        let _ = (cell, recipe);
        Ok(BuildEstimate { ready: false, fetches: true, base: None, pulls: false })
    }

    /// Builds the environment of a cell. If the build fails because of what is built, the answer holds
    /// the reason in place of an environment, and there is nothing to [`remove`](Self::remove).
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend itself failed. Nothing is left behind.
    fn build(&self, cell: &CellRequest<'_>, recipe: &Recipe) -> Result<Built, BackendError>;

    /// Runs a test once in an environment, in a folder that holds a fresh copy of
    /// [`CellRequest::project`]: the part of it that the test is to find.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend itself failed. Nothing is left behind.
    fn run(
        &self,
        cell: &CellRequest<'_>,
        environment: &Environment,
        test: &Test,
    ) -> Result<TestRun, BackendError>;

    /// Removes an environment and all that belongs to it.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if something is left behind.
    fn remove(&self, environment: &Environment) -> Result<(), BackendError>;
}

/// What a backend needs to know about one cell.
pub struct CellRequest<'a> {
    /// The name of this run. A backend labels everything that it makes with it.
    pub run: &'a RunId,
    /// The package that is measured.
    pub dependency: &'a PackageName,
    /// The cell. It has a file to install.
    pub cell: &'a PlannedCell,
    /// The Python of the cell.
    pub interpreter: &'a Interpreter,
    /// What is done in every cell.
    pub setup: &'a Setup,
    /// The user's files.
    pub project: &'a Project,
    /// Provides the files to install.
    pub files: &'a dyn FileSource,
    /// Raised when the run must stop: unfinished work then returns
    /// [`BackendError::Interrupted`].
    pub interrupt: &'a Interrupt,
}

/// The name of one run of Caliper: lower-case letters and digits, unique among the runs of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunId(String);

impl RunId {
    /// A name that no earlier run had: the time and the process id.
    pub fn fresh() -> Self {
        let elapsed =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(format!("{:x}p{:x}", elapsed.as_micros(), std::process::id()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What it takes to build an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildEstimate {
    /// It was kept by an earlier run and will be reused.
    pub ready: bool,
    /// The cell's file is needed from the [`FileSource`].
    pub fetches: bool,
    /// The base image, for a backend that uses images.
    pub base: Option<String>,
    /// That image must be pulled from its registry.
    pub pulls: bool,
}

/// The result of a build.
#[derive(Debug, Clone)]
pub struct Built {
    /// The environment, or why the build failed.
    pub environment: Result<Environment, BuildReason>,
    /// Everything that the build printed, standard output and standard error interleaved.
    pub log: Vec<u8>,
    /// Whether an earlier run built this environment in the same way; the log is then the log of that
    /// build.
    pub reused: bool,
}

impl Built {
    /// The result of a build that this run made.
    pub fn new(environment: Result<Environment, BuildReason>, log: Vec<u8>) -> Self {
        Self { environment, log, reused: false }
    }
}

/// A built environment, in which tests can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// What the backend calls it: a directory, the digest of an image.
    pub id: String,
    /// What is installed in it, sorted by name.
    pub installed: Vec<Installed>,
    /// The top-level modules that the dependency's file installed; never empty.
    pub modules: Vec<String>,
}

/// One run of one test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestRun {
    /// How it ended.
    pub end: TestEnd,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
    /// What it was granted.
    pub granted: Granted,
    /// Peak memory in bytes, if the backend measures it.
    pub peak_memory: Option<u64>,
    /// Standard output.
    pub output: Captured,
    /// Standard error.
    pub error: Captured,
    /// The files that [`Setup::results`] names.
    pub files: Vec<ResultFile>,
}

/// The limits of a test, as they are enforced.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// The limits that are enforced.
    pub limits: Limits,
    /// What enforces them, and how, in words for people.
    pub by: String,
}

/// Why a backend could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The engine did not answer.
    #[error("could not reach the container engine at `{endpoint}`")]
    Unreachable {
        /// Where it should be.
        endpoint: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine answered that it could not do something.
    #[error("{action}: the container engine refused: {message}")]
    Refused {
        /// What the engine was asked to do.
        action: String,
        /// Its answer.
        message: String,
    },
    /// A base image is not on the engine, and could not be pulled.
    #[error("there is no image `{image}`, and it could not be pulled: {message}")]
    NoImage {
        /// The image.
        image: String,
        /// What the engine said.
        message: String,
    },
    /// A wanted Python is missing.
    #[error("there is no Python {python} for the `{backend}` backend; it has {found}")]
    NoPython {
        /// The Python.
        python: PythonVersion,
        /// The backend.
        backend: &'static str,
        /// The Pythons that it has, and a fix, for people.
        found: String,
    },
    /// This backend does not support what the configuration asks for.
    #[error("the `{backend}` backend cannot give {what}; {fix}")]
    Unsupported {
        /// The backend.
        backend: &'static str,
        /// What was asked for.
        what: String,
        /// What to do instead.
        fix: String,
    },
    /// A template could not be rendered.
    #[error(transparent)]
    Template(#[from] caliper_core::question::template::TemplateError),
    /// A file to install could not be fetched.
    #[error(transparent)]
    File(#[from] caliper_core::question::files::FileError),
    /// The machine failed: for example a full disk, or a process that could not be started.
    #[error("{action}")]
    Machine {
        /// What was being done.
        action: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The run was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl BackendError {
    /// Whether the same operation may succeed a little later without a change by the user.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Machine { .. } => true,
            // Downloads were retried already.
            Self::File(_)
            | Self::NoImage { .. }
            | Self::NoPython { .. }
            | Self::Unsupported { .. }
            | Self::Template(_)
            | Self::Interrupted => false,
        }
    }

    /// For `map_err`: an I/O error while doing `action`.
    pub fn machine(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Machine { action, source }
    }
}
