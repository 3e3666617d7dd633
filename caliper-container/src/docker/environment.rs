//! The image of an environment, and the containers in which tests are run.

use std::time::Duration;

use caliper_core::facts::record::{Installed, TestEnd};
use caliper_core::question::limits::{Limits, Network};
use caliper_core::question::modules::Imports;
use caliper_core::question::plan::TestKind;
use serde_json::json;

use super::dockerfile::WORK;
use super::kept::Key;
use super::labels::{self, Owner};
use super::{DockerBackend, Interrupt, container, lock};
use crate::backend::{BackendError, COLUMNS, Environment, Granted, RunId, RunRequest, TestRun};
use crate::results::REPORT;

/// How many processes and threads a test may have that was given no limit: far more than a working test
/// needs, and few enough for the machine to go on working.
const MOST_PROCESSES: u32 = 4096;

/// How long a question of Caliper's own may take.
const PROBE: Duration = Duration::from_secs(120);

/// How this run holds on to an image.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) tag: String,
    /// The layers of the image that may be Caliper's, the lowest first.
    pub(super) layers: Vec<String>,
    /// Whether the image sets a locale.
    pub(super) sets_locale: bool,
    /// The name of the image that it is built on.
    pub(super) base: String,
    /// The key under which it is kept; `None` if it must not be kept.
    pub(super) key: Option<Key>,
}

/// An image in which tests can run.
pub(super) struct DockerEnvironment<'a> {
    pub(super) backend: &'a DockerBackend,
    pub(super) run: RunId,
    /// The digest of the image.
    pub(super) image: String,
    /// `None` once it was released.
    pub(super) held: Option<Held>,
    pub(super) installed: Vec<Installed>,
    pub(super) imports: Imports,
    /// Whether the template itself copies the whole project.
    pub(super) copies_all: bool,
}

impl Environment for DockerEnvironment<'_> {
    fn id(&self) -> &str {
        &self.image
    }

    fn installed(&self) -> &[Installed] {
        &self.installed
    }

    fn imports(&self) -> &Imports {
        &self.imports
    }

    fn run(&self, request: &RunRequest<'_>) -> Result<TestRun, BackendError> {
        let RunRequest { cell, test, project, limits, results, meanwhile, interrupt } = request;
        let backend = self.backend;
        let action = format!("run the test `{}` of {cell}", test.name);
        let mut container = backend.container(&action, &self.image, Some(&self.run));
        container.labels[labels::CELL] = json!(cell.to_string());
        container.command.clone_from(&test.command);
        // If the template copies the project, it also decides where it is. A test that must not find all
        // of the project gets a folder of its own all the same.
        if !self.copies_all || test.files.is_some() {
            container.folder = Some(WORK);
            container.project = Some((*project).clone());
        }
        container.results = results.to_vec();
        container.reports = !test.kind.is_command();
        let pids = limits.pids.or(backend.facts.limits_pids.then_some(MOST_PROCESSES));
        container.limits = Limits { pids, ..(*limits).clone() };
        if self.held.as_ref().is_some_and(|held| !held.sets_locale) {
            // Python 3.6 and older print only ASCII where no locale is set.
            container.environment.push("LANG=C.UTF-8".to_owned());
        }
        // As on the `local` backend: between releases the order of sets is noise.
        container.environment.push("PYTHONHASHSEED=0".to_owned());
        container.environment.push(format!("COLUMNS={COLUMNS}"));
        container
            .environment
            .extend(test.environment.iter().map(|(name, value)| format!("{name}={value}")));
        if container.reports {
            let variable = TestKind::REPORT;
            container.environment.push(format!("{variable}={}/{REPORT}", container::REPORTS));
        }
        let finished = container.run(&backend.engine, Some(interrupt), *meanwhile)?;
        Ok(TestRun {
            end: finished.end,
            elapsed: Duration::try_from_secs_f64(finished.seconds).unwrap_or_default(),
            // The engine does not tell it of a container that has ended.
            cpu_time: None,
            peak_memory: finished.peak_memory,
            granted: backend.granted(finished.granted),
            output: finished.output,
            error: finished.error,
            files: finished.files,
            report: finished.report,
        })
    }

    fn probe(&self, program: &str, interrupt: &Interrupt) -> Result<Vec<u8>, BackendError> {
        let action = "run a program of Caliper's own in an environment";
        let mut container = self.backend.container(action, &self.image, Some(&self.run));
        container.command = ["python", "-c", program].map(str::to_owned).to_vec();
        container.environment = vec!["PYTHONDONTWRITEBYTECODE=1".to_owned()];
        container.limits.network = Network::None;
        container.limits.timeout = PROBE;
        let finished = container.run(&self.backend.engine, Some(interrupt), None)?;
        match finished.end {
            TestEnd::Exited(0) => Ok(finished.output.bytes),
            end => {
                let said = String::from_utf8_lossy(&finished.error.bytes).trim().to_owned();
                let message = format!("{}: {said}", end.outcome());
                Err(BackendError::Refused { action: action.to_owned(), message })
            }
        }
    }

    /// The image stays on the engine if it is to be kept. The last image on each base stays until the
    /// backend is dropped, because the next one may have layers in common with it.
    fn release(mut self: Box<Self>) -> Result<(), BackendError> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let backend = self.backend;
        if let Some(key) = held.key.as_ref().filter(|_| backend.options.keep > 0) {
            backend.keep(&self.image, key)?;
        }
        let last = lock(&backend.standing).insert(held.base.clone(), held);
        last.map_or(Ok(()), |last| backend.let_go(&last))
    }
}

impl DockerEnvironment<'_> {
    /// Removes an image that is of no use.
    pub(super) fn abandon(mut self) -> Result<(), BackendError> {
        self.held.take().map_or(Ok(()), |held| self.backend.let_go(&held))
    }
}

impl Drop for DockerEnvironment<'_> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            // An error is on its way already; the next run finds what stays.
            let _ = self.backend.let_go(&held);
        }
    }
}

impl DockerBackend {
    fn granted(&self, limits: Limits) -> Granted {
        let cgroup = self.facts.cgroup_version.as_deref();
        let cgroup = cgroup.map(|version| format!(", control groups v{version}"));
        let version = &self.facts.version;
        let by = format!("{} {version}{}", self.facts.kind.name(), cgroup.unwrap_or_default());
        Granted { limits, by }
    }

    /// A container from `image` without limits, to be told what to run.
    pub(super) fn container(
        &self,
        action: &str,
        image: &str,
        run: Option<&RunId>,
    ) -> container::Order {
        let mut labels = json!({ labels::OURS: "1" });
        if let Some(owner) = Owner::this() {
            labels[labels::OWNER] = json!(owner.to_string());
        }
        if let Some(run) = run {
            labels[labels::RUN] = json!(run.as_str());
        }
        container::Order {
            action: action.to_owned(),
            name: format!("caliper-{}", self.fresh_name(run)),
            image: image.to_owned(),
            command: Vec::new(),
            folder: None,
            project: None,
            results: Vec::new(),
            reports: false,
            environment: Vec::new(),
            labels,
            limits: Limits::default(),
            swap_limit: self.facts.limits_swap,
            init: self.facts.init,
        }
    }
}
