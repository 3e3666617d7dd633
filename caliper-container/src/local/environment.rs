//! A virtual environment in which tests are run.

#[cfg(test)]
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use caliper_core::facts::record::Installed;
use caliper_core::question::modules::Imports;
use caliper_core::question::plan::Test;

use super::files::Files;
use super::install::Contents;
use super::kept::Held;
use super::supervise::{How, Program};
use super::{LocalBackend, Ready, process, variables};
use crate::backend::{BackendError, Environment, RunRequest, TestRun};
use crate::interrupt::Interrupt;

/// How long a question of Caliper's own may take.
const PROBE: Duration = Duration::from_secs(120);

/// A virtual environment.
pub(super) struct LocalEnvironment<'a> {
    backend: &'a LocalBackend,
    ready: Arc<Ready>,
    folder: PathBuf,
    /// The folder as text.
    id: String,
    /// The place where it may stay for later runs; `None` if it must not.
    held: Option<Held>,
    contents: Contents,
    /// What compiles, before the first test, the bytecode that may stay.
    import: Option<Test>,
    /// The state of its files when it was built, where no place knows it.
    files: Option<Files>,
    /// Whether other environments and the cache have some of its files.
    is_shared: bool,
    released: bool,
}

impl<'a> LocalEnvironment<'a> {
    pub(super) fn new(
        backend: &'a LocalBackend,
        ready: Arc<Ready>,
        folder: PathBuf,
        held: Option<Held>,
        contents: Contents,
        import: Option<Test>,
        files: Option<Files>,
    ) -> Self {
        let id = folder.to_string_lossy().into_owned();
        let known = held.as_ref().and_then(Held::files).or(files.as_ref());
        let is_shared = known.is_some_and(|files| files.linked().next().is_some());
        Self {
            backend,
            ready,
            folder,
            id,
            held,
            contents,
            import,
            files,
            is_shared,
            released: false,
        }
    }

    /// Runs the import before the first test of an environment that was made anew, if its result is recorded and it is
    /// not run for its own sake. So a test finds the same bytecode as in the first run, and prints the same
    /// warnings; and the next run need not compile it.
    fn import_first(&self, request: &RunRequest<'_>) {
        let (Some(held), Some(import)) = (&self.held, &self.import) else { return };
        held.compile(|| {
            // What is wrong is wrong with the test too, whose outcome counts.
            let Ok(project) = request.project.for_test(import) else { return };
            let request = RunRequest {
                test: import,
                project: &project,
                results: &[],
                meanwhile: None,
                ..*request
            };
            let keeper = self.backend.keeper();
            if let Ok(run) = process::run(&self.folder, &request, &self.ready.workspace, keeper) {
                held.look_at(&run.error.bytes);
            }
        });
    }

    /// Where it is.
    #[cfg(test)]
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn give_back(&mut self) -> Result<(), BackendError> {
        if std::mem::replace(&mut self.released, true) {
            return Ok(());
        }
        let Ready { shelf, workspace, linked, .. } = &*self.ready;
        match self.held.take() {
            Some(held) => shelf.give_back(held, linked, workspace),
            None => workspace.discard(&self.folder),
        }
    }
}

impl Environment for LocalEnvironment<'_> {
    fn id(&self) -> &str {
        &self.id
    }

    fn installed(&self) -> &[Installed] {
        &self.contents.installed
    }

    fn imports(&self) -> &Imports {
        &self.contents.imports
    }

    fn run(&self, request: &RunRequest<'_>) -> Result<TestRun, BackendError> {
        if request.interrupt.is_raised() {
            return Err(BackendError::Interrupted);
        }
        let is_import = request.test.name == Test::IMPORT;
        if !is_import {
            self.import_first(request);
        }
        let keeper = self.backend.keeper();
        let run = process::run(&self.folder, request, &self.ready.workspace, keeper)?;
        if let Some(held) = &self.held {
            held.look_at(&run.error.bytes);
            if is_import {
                held.compile(|| {});
            }
        }
        Ok(run)
    }

    fn changed(&self) -> Vec<String> {
        let known = self.held.as_ref().and_then(Held::files).or(self.files.as_ref());
        let found = known.and_then(|files| self.ready.changes(&self.folder, files).ok());
        // What cannot be looked at is not what it was.
        found.unwrap_or_else(|| vec![".".to_owned()])
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn probe(&self, program: &str, interrupt: &Interrupt) -> Result<Vec<u8>, BackendError> {
        let action = "run a program of Caliper's own in an environment";
        let place = self.ready.workspace.place('q')?;
        let (home, temporary) = (place.folder("home")?, place.folder("tmp")?);
        let mut command = Command::new(self.folder.join("bin/python"));
        command.args(["-c", program]).current_dir(&home).env_clear();
        command.envs(variables::of_test(&self.folder, &home, &temporary));
        // An environment that is kept must stay as it was built.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let ended = Program::new(command, PROBE).until(interrupt).run();
        let ended = ended.map_err(BackendError::machine(action))?;
        match ended.how {
            How::Ended(status) if status.success() => Ok(ended.output.bytes),
            How::Interrupted => Err(BackendError::Interrupted),
            how => {
                let said = String::from_utf8_lossy(&ended.error.bytes).trim().to_owned();
                let message = format!("{how:?}: {said}");
                Err(BackendError::Refused { action: action.to_owned(), message })
            }
        }
    }

    fn release(mut self: Box<Self>) -> Result<(), BackendError> {
        self.give_back()
    }
}

impl Drop for LocalEnvironment<'_> {
    fn drop(&mut self) {
        // An error is on its way already; the next run removes what stays.
        let _ = self.give_back();
    }
}
