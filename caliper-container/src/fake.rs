//! A backend that makes nothing and runs nothing: it answers as it was told to.
//!
//! For the tests of whoever embeds Caliper, and for Caliper's own.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use caliper_core::facts::record::{BuildReason, TestEnd};
use caliper_core::names::PythonVersion;
use caliper_core::question::grid::CellId;
use caliper_core::question::interpreter::{Interpreter, Libc, Platform};
use caliper_core::question::plan::{Recipe, Setup, Test};

use crate::backend::{
    BackendError, Built, CellRequest, ContainerBackend, Environment, Granted, TestRun,
};
use crate::capture::Captured;

type Building = dyn Fn(&CellId) -> Result<(), BuildReason> + Send + Sync;
type Running = dyn Fn(&CellId, &str) -> Result<FakeRun, BackendError> + Send + Sync;

/// A scripted [`ContainerBackend`]. Unless told otherwise every build works and every test passes and
/// prints nothing.
pub struct FakeBackend {
    pythons: Vec<PythonVersion>,
    build: Box<Building>,
    run: Box<Running>,
    standing: Mutex<BTreeSet<String>>,
}

/// How a test ends on a [`FakeBackend`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeRun {
    /// How it ends.
    pub end: TestEnd,
    /// What it prints.
    pub output: String,
}

impl FakeRun {
    /// It passes and prints `output`.
    pub fn passes(output: impl Into<String>) -> Self {
        Self { end: TestEnd::Exited(0), output: output.into() }
    }

    /// It exits with `status` and prints nothing.
    pub fn exits(status: i32) -> Self {
        Self { end: TestEnd::Exited(status), output: String::new() }
    }
}

impl FakeBackend {
    /// A backend that has these Pythons.
    pub fn new(pythons: impl IntoIterator<Item = PythonVersion>) -> Self {
        Self {
            pythons: pythons.into_iter().collect(),
            build: Box::new(|_| Ok(())),
            run: Box::new(|_, _| Ok(FakeRun::passes(""))),
            standing: Mutex::default(),
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

    /// Says how each test ends, by its cell and its name.
    #[must_use]
    pub fn running(
        mut self,
        run: impl Fn(&CellId, &str) -> Result<FakeRun, BackendError> + Send + Sync + 'static,
    ) -> Self {
        self.run = Box::new(run);
        self
    }

    /// The environments that were made and not removed.
    pub fn standing(&self) -> Vec<String> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.iter().cloned().collect()
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

    fn recipe(&self, _: &CellRequest<'_>) -> Result<Recipe, BackendError> {
        Ok(Recipe { backend: self.name().to_owned(), ..Recipe::default() })
    }

    fn build(&self, order: &CellRequest<'_>, _: &Recipe) -> Result<Built, BackendError> {
        let id = order.cell.id.to_string();
        let environment = (self.build)(&order.cell.id).map(|()| {
            let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
            standing.insert(id.clone());
            let modules = vec![order.dependency.escaped()];
            Environment { id, installed: Vec::new(), modules }
        });
        Ok(Built::new(environment, Vec::new()))
    }

    fn run(
        &self,
        order: &CellRequest<'_>,
        _: &Environment,
        test: &Test,
    ) -> Result<TestRun, BackendError> {
        let run = (self.run)(&order.cell.id, &test.name)?;
        Ok(TestRun {
            end: run.end,
            seconds: 0.0,
            granted: Granted { limits: order.setup.limits.clone(), by: "the script".to_owned() },
            peak_memory: None,
            output: Captured { bytes: run.output.into_bytes(), ..Captured::default() },
            error: Captured::default(),
            files: Vec::new(),
        })
    }

    fn remove(&self, environment: &Environment) -> Result<(), BackendError> {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.remove(&environment.id);
        Ok(())
    }
}
