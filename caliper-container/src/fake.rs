//! A backend that makes nothing and runs nothing: it answers as it was told to.
//!
//! For the tests of whoever embeds Caliper, and for Caliper's own.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use caliper_core::facts::functions::ReportError;
use caliper_core::facts::record::{BuildReason, Installed, TestEnd};
use caliper_core::names::{PythonVersion, Sha256};
use caliper_core::question::grid::CellId;
use caliper_core::question::interpreter::{Interpreter, Libc, Platform};
use caliper_core::question::modules::Imports;
use caliper_core::question::plan::{Recipe, Setup, Test};

use crate::backend::{
    BackendError, Built, ContainerBackend, Environment, EnvironmentRequest, Granted, RunRequest,
    TestRun,
};
use crate::capture::Captured;
use crate::interrupt::Interrupt;

type Building = dyn Fn(&CellId) -> Result<(), BuildReason> + Send + Sync;
type Installing = dyn Fn(&CellId) -> Vec<Installed> + Send + Sync;
type Running = dyn Fn(&CellId, &str) -> Result<FakeRun, BackendError> + Send + Sync;

/// A scripted [`ContainerBackend`]. Unless told otherwise every build works and every test passes and
/// prints nothing.
pub struct FakeBackend {
    pythons: Vec<PythonVersion>,
    build: Box<Building>,
    installed: Box<Installing>,
    run: Box<Running>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The environments that were built, each by the cell that it was built for.
    builds: Vec<String>,
    /// Those that were not released.
    standing: BTreeSet<String>,
}

/// How a test ends on a [`FakeBackend`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeRun {
    /// How it ends.
    pub end: TestEnd,
    /// What it prints.
    pub output: String,
    /// Whether it changes its environment, see [`Environment::changed`].
    pub changes: bool,
    /// The report of its functions that it writes.
    pub report: Option<String>,
}

impl FakeRun {
    /// It passes and prints `output`.
    pub fn passes(output: impl Into<String>) -> Self {
        Self { end: TestEnd::Exited(0), output: output.into(), changes: false, report: None }
    }

    /// It exits with `status` and prints nothing.
    pub fn exits(status: i32) -> Self {
        Self { end: TestEnd::Exited(status), ..Self::passes("") }
    }
}

impl FakeBackend {
    /// A backend that has these Pythons.
    pub fn new(pythons: impl IntoIterator<Item = PythonVersion>) -> Self {
        Self {
            pythons: pythons.into_iter().collect(),
            build: Box::new(|_| Ok(())),
            installed: Box::new(|_| Vec::new()),
            run: Box::new(|_, _| Ok(FakeRun::passes(""))),
            state: Mutex::default(),
        }
    }

    /// Says which builds fail.
    #[must_use]
    pub fn building(
        mut self,
        build: impl Fn(&CellId) -> Result<(), BuildReason> + Send + Sync + 'static,
    ) -> Self {
        self.build = Box::new(build);
        self
    }

    /// Says what is in each environment.
    #[must_use]
    pub fn installing(
        mut self,
        installed: impl Fn(&CellId) -> Vec<Installed> + Send + Sync + 'static,
    ) -> Self {
        self.installed = Box::new(installed);
        self
    }

    /// Says how each test ends, by its cell and its name.
    #[must_use]
    pub fn running(
        mut self,
        run: impl Fn(&CellId, &str) -> Result<FakeRun, BackendError> + Send + Sync + 'static,
    ) -> Self {
        self.run = Box::new(run);
        self
    }

    /// The environments that were built and not released, each by the cell that it was built for.
    pub fn standing(&self) -> Vec<String> {
        self.state().standing.iter().cloned().collect()
    }

    /// The environments that were built, in order, each by the cell that it was built for.
    pub fn builds(&self) -> Vec<String> {
        self.state().builds.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ContainerBackend for FakeBackend {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn check(&self, _: &Setup) -> Result<(), BackendError> {
        Ok(())
    }

    fn interpreters(
        &self,
        wanted: &BTreeSet<PythonVersion>,
        _: &Setup,
    ) -> Result<Vec<Interpreter>, BackendError> {
        if let Some(python) = wanted.iter().find(|python| !self.pythons.contains(python)) {
            let pythons: Vec<String> = self.pythons.iter().map(ToString::to_string).collect();
            let found = pythons.join(", ");
            return Err(BackendError::NoPython { python: *python, backend: self.name(), found });
        }
        let libc = Libc::Glibc { major: 2, minor: 36 };
        let platform = Platform::Linux { arch: "x86_64".to_owned(), libc };
        let pythons = self.pythons.iter();
        let chosen = pythons.filter(|python| wanted.is_empty() || wanted.contains(python));
        Ok(chosen.map(|python| Interpreter::assumed(*python, platform.clone())).collect())
    }

    fn recipe(&self, _: &EnvironmentRequest<'_>) -> Result<Recipe, BackendError> {
        Ok(Recipe { backend: self.name().to_owned(), ..Recipe::default() })
    }

    fn build<'a>(
        &'a self,
        request: &EnvironmentRequest<'_>,
        _: &Recipe,
        _: &Sha256,
    ) -> Result<Built<'a>, BackendError> {
        let id = request.cell.id.to_string();
        self.state().builds.push(id.clone());
        let environment = (self.build)(&request.cell.id).map(|()| {
            self.state().standing.insert(id.clone());
            let imports = request.dependency.escaped().parse().map(|name| Imports::All(vec![name]));
            let imports = imports.unwrap_or_default();
            let is_intact = AtomicBool::new(true);
            let is_shared = !request.alone;
            let installed = (self.installed)(&request.cell.id);
            Box::new(FakeEnvironment {
                backend: self,
                id,
                installed,
                imports,
                is_intact,
                is_shared,
            }) as Box<dyn Environment>
        });
        Ok(Built::new(environment, Vec::new()))
    }
}

/// An environment of a [`FakeBackend`].
struct FakeEnvironment<'a> {
    backend: &'a FakeBackend,
    /// The cell that it was built for.
    id: String,
    installed: Vec<Installed>,
    imports: Imports,
    is_intact: AtomicBool,
    is_shared: bool,
}

impl Environment for FakeEnvironment<'_> {
    fn id(&self) -> &str {
        &self.id
    }

    fn installed(&self) -> &[Installed] {
        &self.installed
    }

    fn imports(&self) -> &Imports {
        &self.imports
    }

    fn run(&self, request: &RunRequest<'_>) -> Result<TestRun, BackendError> {
        let mut run = (self.backend.run)(request.cell, &request.test.name)?;
        if request.test.name == Test::IMPORT && run.end == TestEnd::Exited(0) {
            run.output += Test::IMPORTED;
        }
        self.is_intact.fetch_and(!run.changes, Ordering::SeqCst);
        Ok(TestRun {
            end: run.end,
            elapsed: Duration::ZERO,
            cpu_time: None,
            granted: Granted { limits: request.limits.clone(), by: "the script".to_owned() },
            peak_memory: None,
            output: Captured { bytes: run.output.into_bytes(), ..Captured::default() },
            error: Captured::default(),
            files: Vec::new(),
            report: run.report.map(String::into_bytes).ok_or(ReportError::Missing),
        })
    }

    fn changed(&self) -> Vec<String> {
        let is_intact = self.is_intact.load(Ordering::SeqCst);
        if is_intact { Vec::new() } else { vec!["lib/changed".to_owned()] }
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn probe(&self, _: &str, _: &Interrupt) -> Result<Vec<u8>, BackendError> {
        Ok(Vec::new())
    }

    fn release(self: Box<Self>) -> Result<(), BackendError> {
        self.backend.state().standing.remove(&self.id);
        Ok(())
    }
}
