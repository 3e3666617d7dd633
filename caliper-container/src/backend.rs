//! The interface between the runner and what builds environments and runs tests in them.

mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use caliper_core::facts::functions::ReportError;
use caliper_core::facts::record::{BuildReason, Installed, Machine, OverlaidFile, TestEnd};
use caliper_core::names::{PackageName, PythonVersion, Sha256};
use caliper_core::question::files::FileSource;
use caliper_core::question::grid::CellId;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::limits::Limits;
use caliper_core::question::modules::Imports;
use caliper_core::question::plan::{PlannedCell, Recipe, Setup, Test};
use pep440_rs::Version;
use serde::{Deserialize, Serialize};

pub use error::BackendError;

use crate::cache::Taken;
use crate::capture::Captured;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::results::{ResultFile, TakeUp};

/// Makes environments.
///
/// The calls come in order: [`recipe`](Self::recipe) for every cell, [`prepare`](Self::prepare) once with
/// all environments that will be built, then [`build`](Self::build) for each. Calls for different
/// environments may be concurrent. A build or a test that fails is `Ok`: it is what Caliper measures. `Err`
/// means that the backend could not do its work, so that the cell must be measured again.
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

    /// The machine on which tests run, as far as it is known.
    fn machine(&self) -> Option<Machine> {
        None
    }

    /// Describes how an environment will be built, as far as that can change a result. Builds nothing and
    /// remembers nothing. Called for every cell of every run, so it should be quick.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend cannot find out.
    fn recipe(&self, request: &EnvironmentRequest<'_>) -> Result<Recipe, BackendError>;

    /// Announces environments that are likely to be built, each with its key as in [`build`](Self::build). So what
    /// they have in common can be built once, and what an earlier run kept of them is not removed for
    /// others. Optional: environments can be built without it, only slower.
    fn prepare(&self, requests: &[(EnvironmentRequest<'_>, Sha256)]) {
        let _ = requests;
    }

    /// Estimates what it takes to build an environment; `key` is as in [`build`](Self::build). Builds
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend cannot find out.
    fn estimate(
        &self,
        request: &EnvironmentRequest<'_>,
        recipe: &Recipe,
        key: &Sha256,
    ) -> Result<BuildEstimate, BackendError> {
        let _ = (request, recipe, key);
        Ok(BuildEstimate { ready: false, fetches: true, base: None, pulls: false })
    }

    /// Builds an environment. If the build fails because of what is built, the answer holds the reason in
    /// place of an environment.
    ///
    /// `key` is the digest of everything that decides what the environment holds, see
    /// [`Identity::environment`](caliper_core::facts::identity::Identity::environment): an environment
    /// that an earlier run built under the same key may be reused.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend itself failed. Nothing is left behind.
    fn build<'a>(
        &'a self,
        request: &EnvironmentRequest<'_>,
        recipe: &Recipe,
        key: &Sha256,
    ) -> Result<Built<'a>, BackendError>;

    /// What users should know of the builds so far: what makes the next run slower than it could be. One sentence
    /// each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Completes what the backend removes in the background. `left` is told from time to time what is left. If
    /// `interrupt` is raised meanwhile, that stays, and the next run removes it. Optional: a backend that is
    /// dropped completes it without a word.
    fn finish(&self, interrupt: &Interrupt, left: &dyn Fn(Taken)) {
        let _ = (interrupt, left);
    }
}

/// A built environment, in which tests can run. Any number of [`run`](Self::run)s may be concurrent.
///
/// One that is dropped is released too, but cannot say what was left behind.
pub trait Environment: Send + Sync {
    /// What the backend calls it: a folder, the digest of an image.
    fn id(&self) -> &str;

    /// What is installed in it, sorted by name.
    fn installed(&self) -> &[Installed];

    /// What to import of what the dependency's file installed, see
    /// [`imports`](caliper_core::question::modules::imports).
    fn imports(&self) -> &Imports;

    /// Runs a test once, in a folder that holds a fresh copy of [`RunRequest::project`].
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the backend itself failed. Nothing is left behind.
    fn run(&self, request: &RunRequest<'_>) -> Result<TestRun, BackendError>;

    /// What differs in it from when it was built, apart from compiled bytecode: paths in it, sorted. Nothing in an
    /// environment that no test can change.
    fn changed(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether other environments have some of its files too, so that a test that writes to one of these changes
    /// it for all.
    fn is_shared(&self) -> bool {
        false
    }

    /// Runs a Python program in the environment, with access to what is installed, and returns what it
    /// printed on standard output. For questions of Caliper's own, not for tests.
    ///
    /// # Errors
    ///
    /// [`BackendError::Refused`] if the program failed, with what it said; others if the backend failed.
    fn probe(&self, program: &str, interrupt: &Interrupt) -> Result<Vec<u8>, BackendError>;

    /// Releases the environment and removes all that belongs to it, unless it is kept for later runs.
    /// Called once, when no run is left.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if something is left behind.
    fn release(self: Box<Self>) -> Result<(), BackendError>;
}

/// What a backend needs to know to build an environment.
#[derive(Clone, Copy)]
pub struct EnvironmentRequest<'a> {
    /// The name of this run. A backend labels everything that it makes with it.
    pub run: &'a RunId,
    /// The package that is measured.
    pub dependency: &'a PackageName,
    /// A cell that uses the environment; others may share it. It has a file to install.
    pub cell: &'a PlannedCell,
    /// The Python of the cell.
    pub interpreter: &'a Interpreter,
    /// What is done in the cell.
    pub setup: &'a Setup,
    /// The user's files, from which the environment may be built.
    pub project: &'a Project,
    /// Provides the files to install.
    pub files: &'a dyn FileSource,
    /// It must share nothing with other environments, because one of its cells was measured in one that was
    /// changed.
    pub alone: bool,
    /// Raised when the run must stop: unfinished work then returns
    /// [`BackendError::Interrupted`].
    pub interrupt: &'a Interrupt,
}

/// How wide a test is told that the terminal is, on every backend: programs cut or fill their lines to it,
/// and take 80 where nothing says otherwise.
#[cfg(any(feature = "docker", feature = "local"))]
pub(crate) const COLUMNS: &str = "200";

/// What a backend needs to know to run a test once.
#[derive(Clone, Copy)]
pub struct RunRequest<'a> {
    /// The cell that the test is run for.
    pub cell: &'a CellId,
    /// The test.
    pub test: &'a Test,
    /// The files that the test finds in its folder.
    pub project: &'a Project,
    /// What this run may use: the test's own limit on time is among them.
    pub limits: &'a Limits,
    /// Globs of the files that the test leaves as results, see [`Setup::results`].
    pub results: &'a [String],
    /// Is given each result file that is complete while the test goes on; `None` if they are to be taken at the end only.
    /// It may be given a file again that was changed.
    pub meanwhile: Option<TakeUp<'a>>,
    /// As in [`EnvironmentRequest::interrupt`].
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
pub struct Built<'a> {
    /// The environment, or why the build failed.
    pub environment: Result<Box<dyn Environment + 'a>, BuildReason>,
    /// Everything that the build printed, standard output and standard error interleaved.
    pub log: Vec<u8>,
    /// The programs that built it, with their versions.
    pub tools: BTreeMap<String, String>,
    /// Whether an earlier run built this environment in the same way; the log is then the log of that
    /// build.
    pub reused: bool,
    /// The names of the files without upload time that were left out because a date was asked for
    /// ([`Setup::as_of`]).
    pub without_upload_time: Vec<String>,
    /// What was laid over packages, see [`Setup::overlays`].
    pub overlays: Vec<LaidOverlay>,
}

/// Files of the project that were laid over a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaidOverlay {
    /// The package.
    pub package: PackageName,
    /// The version that the files are for.
    pub version: Version,
    /// The folder of the project that held the files.
    pub folder: String,
    /// The files.
    pub files: Vec<OverlaidFile>,
    /// How those that are text differ from those of the package: a unified diff.
    pub diff: String,
    /// Whether the diff was longer than is kept.
    pub is_diff_cut: bool,
}

impl<'a> Built<'a> {
    /// The result of a build that this run made.
    pub fn new(environment: Result<Box<dyn Environment + 'a>, BuildReason>, log: Vec<u8>) -> Self {
        Self {
            environment,
            log,
            tools: BTreeMap::new(),
            reused: false,
            without_upload_time: Vec::new(),
            overlays: Vec::new(),
        }
    }

    /// The result of a build that failed.
    pub fn failed(reason: BuildReason, log: Vec<u8>) -> Self {
        Self::new(Err(reason), log)
    }
}

impl fmt::Debug for Built<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let environment = self.environment.as_ref().map(|environment| environment.id());
        formatter
            .debug_struct("Built")
            .field("environment", &environment)
            .field("reused", &self.reused)
            .finish_non_exhaustive()
    }
}

/// One run of one test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestRun {
    /// How it ended.
    pub end: TestEnd,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// Processor time of the program and of those of its children that it waited for, or of all of its
    /// processes where a control group counts it; `None` if the backend cannot tell.
    pub cpu_time: Option<Duration>,
    /// What it was granted.
    pub granted: Granted,
    /// Peak memory in bytes, if the backend measures it. `docker` asks the engine while the test runs, and has the
    /// largest answer; `None` for a test of less than a few seconds.
    pub peak_memory: Option<u64>,
    /// Standard output.
    pub output: Captured,
    /// Standard error.
    pub error: Captured,
    /// The files that [`Setup::results`] names.
    pub files: Vec<ResultFile>,
    /// The report of its functions, as it was written at the path in the variable
    /// [`TestKind::REPORT`](caliper_core::question::plan::TestKind::REPORT), if the
    /// [kind](Test::kind) of the test writes one.
    pub report: Result<Vec<u8>, ReportError>,
}

/// The limits of a test, as they are enforced.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// The limits that are enforced.
    pub limits: Limits,
    /// What enforces them, and how, in words for people.
    pub by: String,
}
