//! Makes the environment of a cell, or takes up one that was kept, and sees to it that its files are right.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use caliper_core::facts::record::BuildReason;
use caliper_core::names::{PackageName, Sha256};

use super::discarded::remove;
use super::environment::LocalEnvironment;
use super::install::Filled;
use super::kept::Held;
use super::pythons::Python;
use super::supervise::{How, Program};
use super::{Builder, Files, LocalBackend, Ready, variables};
use crate::backend::{BackendError, EnvironmentRequest, LaidOverlay};
use crate::overlay;

/// How long laying the files of overlays may take.
const LAYING: Duration = Duration::from_secs(120);

/// What came of a build.
pub(super) struct Made<'a> {
    pub(super) environment: Result<LocalEnvironment<'a>, BuildReason>,
    pub(super) log: Vec<u8>,
    pub(super) tools: BTreeMap<String, String>,
    pub(super) reused: bool,
    pub(super) overlays: Vec<LaidOverlay>,
}

impl LocalBackend {
    /// What builds: files come out of the cache by `link_mode`.
    pub(super) fn builder<'a>(&'a self, ready: &'a Ready, link_mode: &'a str) -> Builder<'a> {
        Builder {
            uv: &ready.uv,
            configuration: &ready.configuration,
            cache: &ready.cache,
            opened_cache: &ready.opened_cache,
            netrc: self.options.netrc.as_deref(),
            offline: self.options.offline,
            link_mode,
            workspace: &ready.workspace,
        }
    }

    /// Builds an environment, or takes up one that was kept.
    pub(super) fn make(
        &self,
        request: &EnvironmentRequest<'_>,
        key: &Sha256,
    ) -> Result<Made<'_>, BackendError> {
        if request.interrupt.is_raised() {
            return Err(BackendError::Interrupted);
        }
        let feature = request.interpreter.python;
        let Some(python) = self.pythons().of(feature) else {
            return Err(self.pythons().lacks(feature));
        };
        let ready = self.ready(request.run)?;
        let link_mode = if request.alone { "copy" } else { ready.link_mode };
        let builder = self.builder(&ready, link_mode);
        let name = self.name_of(&ready, request, key).filter(|_| !request.alone);
        let held = name.map(|name| ready.shelf.take(name)).transpose()?.flatten();
        let (folder, held, filled, files, reused) = if let Some(mut held) = held {
            let folder = held.environment();
            match ready.fill(&mut held, &builder, request, python) {
                Ok((filled, reused)) if filled.contents.is_ok() => {
                    (folder, Some(held), filled, None, reused)
                }
                // Nothing was made, so nothing is kept.
                failed => {
                    ready.shelf.give_back(held, &ready.linked, &ready.workspace)?;
                    let (filled, reused) = failed?;
                    (folder, None, filled, None, reused)
                }
            }
        } else {
            let place = ready.workspace.place('e')?;
            let folder = place.path().to_owned();
            let (filled, files) = ready.build(&builder, request, python, &folder)?;
            if filled.contents.is_ok() {
                place.keep();
            }
            (folder, None, filled, files, false)
        };
        let version = ready.uv_version.clone();
        let tools = version.into_iter().map(|version| ("uv".to_owned(), version)).collect();
        let Filled { contents, log } = filled;
        let overlays = contents.as_ref().map(|contents| contents.overlays.clone());
        let overlays = overlays.unwrap_or_default();
        let environment = contents.map(|contents| {
            let import = request.setup.import_test(&contents.imports);
            LocalEnvironment::new(self, Arc::clone(&ready), folder, held, contents, import, files)
        });
        Ok(Made { environment, log, tools, reused, overlays })
    }
}

impl Ready {
    /// Takes up the environment that is kept in this place, or makes it there. The second value says whether
    /// it was there.
    fn fill(
        &self,
        held: &mut Held,
        builder: &Builder<'_>,
        request: &EnvironmentRequest<'_>,
        python: &Python,
    ) -> Result<(Filled, bool), BackendError> {
        if let Some(filled) = held.reuse(&self.linked)? {
            return Ok((filled, true));
        }
        let (filled, files) = self.build(builder, request, python, &held.environment())?;
        if let (Ok(contents), Some(files)) = (&filled.contents, files) {
            held.made(contents, &filled.log, files);
        }
        Ok((filled, false))
    }

    /// Builds an environment in an empty folder, and checks the files that came out of the cache. What is
    /// wrong is taken out of the cache and fetched anew, once.
    fn build(
        &self,
        builder: &Builder<'_>,
        request: &EnvironmentRequest<'_>,
        python: &Python,
        folder: &Path,
    ) -> Result<(Filled, Option<Files>), BackendError> {
        let failed = || {
            BackendError::machine(format!(
                "could not check the environment in `{}`",
                folder.display()
            ))
        };
        let mut has_purged = false;
        loop {
            let filled = builder.build(request, python, folder)?;
            if filled.contents.is_err() {
                return Ok((filled, None));
            }
            let (wrong, files) =
                self.linked.wrong_in_new(folder, request.alone).map_err(failed())?;
            let Some(first) = wrong.first() else {
                return self.overlaid(request, folder, filled, files);
            };
            if has_purged {
                let error = format!("`{first}` does not have the content that its wheel records");
                return Err(failed()(io::Error::other(error)));
            }
            self.linked.purge(folder, &wrong, &self.workspace)?;
            remove(folder).and_then(|()| fs::create_dir(folder)).map_err(failed())?;
            has_purged = true;
        }
    }

    /// Lays the files of the overlays over an environment that was just made. Not before, because what is shared is checked
    /// against what its wheel records.
    fn overlaid(
        &self,
        request: &EnvironmentRequest<'_>,
        folder: &Path,
        mut filled: Filled,
        files: Files,
    ) -> Result<(Filled, Option<Files>), BackendError> {
        let Ok(contents) = &mut filled.contents else { return Ok((filled, None)) };
        let version = |package: &PackageName| overlay::version_in(&contents.installed, package);
        let order = overlay::Order::new(request.setup, request.project, version)?;
        let Some(order) = order else { return Ok((filled, Some(files))) };
        let action = "lay the files of an overlay";
        let place = self.workspace.place('o')?;
        let (home, temporary) = (place.folder("home")?, place.folder("tmp")?);
        let files = order.write(place.path()).map_err(BackendError::machine(action))?;
        let report = place.path().join("report.json");
        let mut command = Command::new(folder.join("bin/python"));
        command.arg("-B").args(&files).arg(&report).current_dir(&home).env_clear();
        command.envs(variables::of_test(folder, &home, &temporary));
        let program = Program::new(command, LAYING).until(request.interrupt);
        let ended = program.run().map_err(BackendError::machine(action))?;
        match ended.how {
            How::Interrupted => return Err(BackendError::Interrupted),
            How::Ended(status) if status.success() => {}
            _ => return Err(overlay::refused(&String::from_utf8_lossy(&ended.error.bytes))),
        }
        let told = fs::read(&report).map_err(BackendError::machine(action))?;
        contents.overlays = order.laid(overlay::read(&told).map_err(overlay::unreadable)?)?;
        let files = Files::of(folder).map_err(BackendError::machine(action))?;
        Ok((filled, Some(files)))
    }

    /// The files of an environment that changed since they were `files`, apart from bytecode. What others share
    /// with it is taken out of the cache.
    pub(super) fn changes(
        &self,
        folder: &Path,
        files: &Files,
    ) -> Result<Vec<String>, BackendError> {
        let failed = || {
            BackendError::machine(format!(
                "could not look at the environment in `{}`",
                folder.display()
            ))
        };
        let now = Files::of(folder).map_err(failed())?;
        let changed = self.linked.compare(folder, files, &now).map_err(failed())?;
        if !changed.is_empty() {
            self.linked.purge(folder, &changed, &self.workspace)?;
        }
        Ok(changed)
    }
}
