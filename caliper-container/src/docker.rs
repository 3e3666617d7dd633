//! The `docker` backend: every cell is an image, and every run of a test a container of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;

use caliper_core::interpreter::Interpreter;
use caliper_core::names::PythonVersion;
use caliper_core::plan::{Recipe, Setup, Test};

use crate::backend::{BackendError, Built, CellOrder, ContainerBackend, Environment, TestRun};

mod engine;
mod host;

use engine::Engine;
use host::{BadHost, Host};

/// How to reach an engine, and how to use it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DockerOptions {
    /// The address of the engine: `unix:///path` or `tcp://name:port`. `None` for the environment
    /// variable `DOCKER_HOST`, and where that is not set `unix:///var/run/docker.sock`.
    pub host: Option<String>,
    /// The folder in which is kept what images were found to be; safe to delete.
    pub cache: PathBuf,
    /// The package index that pip uses in builds. `None` for pip's own.
    pub index_url: Option<String>,
    /// Keep the images of cells, so that they need not be built again.
    pub keep_images: bool,
}

impl DockerOptions {
    /// The usual options, with the folder `cache`.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), ..Self::default() }
    }
}

/// A container engine that speaks Docker's protocol.
#[derive(Debug)]
pub struct DockerBackend {
    engine: Engine,
    options: DockerOptions,
}

impl DockerBackend {
    const NAME: &'static str = "docker";

    /// Connects to an engine.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unreachable`] if no engine answers, with what to do about it, and
    /// [`BackendError::Unsupported`] for a kind of address that Caliper cannot reach.
    pub fn connect(options: DockerOptions) -> Result<Self, BackendError> {
        let address = options
            .host
            .clone()
            .or_else(|| std::env::var("DOCKER_HOST").ok())
            .filter(|host| !host.is_empty())
            .unwrap_or_else(|| Host::DEFAULT.to_owned());
        let host = Host::parse(&address).map_err(|bad| match bad {
            BadHost::Malformed => BackendError::Unreachable {
                endpoint: address.clone(),
                source: "DOCKER_HOST is not an address: write `unix:///path/to/socket` or \
                         `tcp://name:port`"
                    .into(),
            },
            BadHost::Scheme(scheme) => BackendError::Unsupported {
                backend: Self::NAME,
                what: format!("a connection over {scheme} (DOCKER_HOST is `{address}`)"),
                fix: "use `unix://` or `tcp://`".to_owned(),
            },
        })?;
        let engine = Engine::new(host)?;
        Ok(Self { engine, options })
    }
}

impl ContainerBackend for DockerBackend {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn check(&self, _setup: &Setup) -> Result<(), BackendError> {
        Ok(())
    }

    fn interpreters(
        &self,
        _wanted: &BTreeSet<PythonVersion>,
        _setup: &Setup,
    ) -> Result<Vec<Interpreter>, BackendError> {
        Ok(Vec::new())
    }

    fn recipe(&self, _cell: &CellOrder<'_>) -> Result<Recipe, BackendError> {
        Err(BackendError::Interrupted)
    }

    fn build(&self, _cell: &CellOrder<'_>, _recipe: &Recipe) -> Result<Built, BackendError> {
        Err(BackendError::Interrupted)
    }

    fn run(
        &self,
        _cell: &CellOrder<'_>,
        _environment: &Environment,
        _test: &Test,
    ) -> Result<TestRun, BackendError> {
        Err(BackendError::Interrupted)
    }

    fn remove(&self, _environment: &Environment) -> Result<(), BackendError> {
        Ok(())
    }
}
