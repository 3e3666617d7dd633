//! Where a cell runs: what the runner asks of a container engine, or of whatever stands in for one.

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
/// number of [`run`](Self::run)s side by side, then [`remove`](Self::remove). Different cells go side
/// by side. A build or a test that fails is `Ok`: it is what Caliper measures. `Err` means that the
/// backend could not do its work, so that the cell must be measured again.
pub trait ContainerBackend: Send + Sync {
    /// The name by which people choose it: `local`, `docker`.
    fn name(&self) -> &'static str;

    /// Says, before anything is done, whether this backend can give all that `setup` asks for.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unsupported`] names what it cannot give and a backend that can.
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

    /// How the environment of a cell will be made, as far as that decides a result. Makes nothing,
    /// and is asked for every cell of every run, so it should be quick.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if it cannot be told.
    fn recipe(&self, cell: &CellOrder<'_>) -> Result<Recipe, BackendError>;

    /// What it would take to make the environment of a cell. Makes nothing.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if it cannot be told.
    fn effort(&self, cell: &CellOrder<'_>, recipe: &Recipe) -> Result<Effort, BackendError> {
        let _ = (cell, recipe);
        Ok(Effort { ready: false, fetches: true, base: None, pulls: false })
    }

    /// Makes the environment of a cell. Where that fails, and the subject is at fault, the answer holds
    /// the reason in place of an environment, and there is nothing to [`remove`](Self::remove).
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend, and not the subject, is at fault. Nothing is left behind.
    fn build(&self, cell: &CellOrder<'_>, recipe: &Recipe) -> Result<Built, BackendError>;

    /// Runs a test once in an environment, in a folder that holds a fresh copy of
    /// [`CellOrder::project`]: the part of it that the test is to find.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend, and not the test, is at fault. Nothing is left behind.
    fn run(
        &self,
        cell: &CellOrder<'_>,
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

/// What a backend needs to know to work on one cell.
pub struct CellOrder<'a> {
    /// The name of this run; stands on everything that a backend makes.
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
    /// Where files to install come from.
    pub files: &'a dyn FileSource,
    /// Set when the run is to stop: work in flight is then given up with
    /// [`BackendError::Interrupted`].
    pub interrupt: &'a Interrupt,
}

/// The name of one run of Caliper: lower-case letters and digits, unique among the runs of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunId(String);

impl RunId {
    /// A name that no run before had: the time and the number of this process.
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

/// What it takes to make an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effort {
    /// It is there already, and will be taken up again.
    pub ready: bool,
    /// The cell's file is needed from the [`FileSource`].
    pub fetches: bool,
    /// The base image, for a backend that has such.
    pub base: Option<String>,
    /// That image must be pulled from its registry.
    pub pulls: bool,
}

/// What came of making an environment.
#[derive(Debug, Clone)]
pub struct Built {
    /// The environment, or why there is none.
    pub environment: Result<Environment, BuildReason>,
    /// All that the build printed, standard error and standard output as they came.
    pub log: Vec<u8>,
    /// Whether the environment was there already, made in the same way by an earlier run, whose log
    /// this is.
    pub reused: bool,
}

impl Built {
    /// What came of a build that was just done.
    pub fn new(environment: Result<Environment, BuildReason>, log: Vec<u8>) -> Self {
        Self { environment, log, reused: false }
    }
}

/// An environment that tests can be run in.
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
    /// The most memory that it used at once, in bytes, where the backend can tell.
    pub peak_memory: Option<u64>,
    /// Standard output.
    pub output: Captured,
    /// Standard error.
    pub error: Captured,
    /// The files that [`Setup::results`] names.
    pub files: Vec<ResultFile>,
}

/// What a test may use, in the words of whoever sees to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// The limits that really hold.
    pub limits: Limits,
    /// Who keeps them, and by what means.
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
        /// What it was asked to do.
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
    /// A Python that is wanted is not there.
    #[error("there is no Python {python} for the `{backend}` backend; it has {found}")]
    NoPython {
        /// The Python.
        python: PythonVersion,
        /// The backend.
        backend: &'static str,
        /// The Pythons that it has, and a fix, for people.
        found: String,
    },
    /// This backend cannot give what the configuration asks for.
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
    /// A file to install could not be had.
    #[error(transparent)]
    File(#[from] caliper_core::question::files::FileError),
    /// The machine failed: a disk, a process that could not be started.
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
    /// Whether the same may work a little later, without anybody's doing.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Machine { .. } => true,
            // Whoever fetches files has tried again already.
            Self::File(_)
            | Self::NoImage { .. }
            | Self::NoPython { .. }
            | Self::Unsupported { .. }
            | Self::Template(_)
            | Self::Interrupted => false,
        }
    }

    /// For `map_err`: the machine failed at doing `action`.
    pub fn machine(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Machine { action, source }
    }
}
