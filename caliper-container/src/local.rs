//! The backend that needs no engine: isolated environments on the Pythons that this machine has.
//!
//! Every cell gets its own virtual environment ([PEP 405](https://peps.python.org/pep-0405/)), filled
//! by `uv` from Caliper's own cache. Every run of a test gets a fresh copy of the project, a fresh
//! home and a clean set of environment variables, and leaves no process and no file behind.
//!
//! A test runs as the user who started Caliper and can reach whatever that user can: for code that
//! nobody trusts there are containers.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use caliper_core::facts::record::Machine;
use caliper_core::names::{PythonVersion, Sha256};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::plan::{Recipe, Setup};

use crate::backend::{
    BackendError, BuildEstimate, Built, ContainerBackend, Environment, EnvironmentRequest, RunId,
};
use crate::cache::Taken;
use crate::interrupt::Interrupt;
use crate::{cache, machine};

mod budget;
mod control;
mod discarded;
mod environment;
mod family;
mod files;
mod fill;
mod install;
mod installed;
mod kept;
mod limits;
mod linked;
mod lock;
mod orphans;
mod process;
mod processes;
mod processors;
mod pythons;
mod shelf;
mod supervise;
#[cfg(test)]
mod tests;
mod uv;
mod variables;
mod wheel;
mod work;

pub use budget::{Needed, Trimmed, keep_within};
use files::Files;
use fill::Made;
use install::Builder;
pub use install::date_of_build_tools;
use kept::Name;
use limits::Keeper;
use linked::Linked;
use pythons::{Places, Pythons};
use shelf::Shelf;
pub use wheel::{BuiltWheel, WheelNotBuilt, WheelOrder};
use work::Workspace;

/// The name of this backend.
const NAME: &str = "local";

/// Gives the path of a verified `uv` wheel for this machine, as an index offers it. Asked only when an
/// environment must be made and no `uv` is at hand.
pub type UvWheel =
    dyn Fn() -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> + Send + Sync;

/// How a [`LocalBackend`] works.
pub struct LocalOptions {
    /// A folder that is Caliper's own and may be deleted between runs: for `uv`, its downloads, and
    /// what the Pythons said of themselves.
    pub cache: PathBuf,
    /// Where environments and copies of the project stand while they are used; `None` for a folder
    /// in the cache. Best on the same file system as the cache.
    pub work: Option<PathBuf>,
    /// The package indexes for what the dependency depends on, in this order: a package is taken from
    /// the first that has it. None for the one that `uv` asks by itself.
    pub index_urls: Vec<String>,
    /// The netrc file with the logins of the index and of hosts of files; `None` if there is none.
    /// `uv` is told of it, and with `uv` the source distributions that it builds; no test is.
    pub netrc: Option<PathBuf>,
    /// Install only what the cache has.
    pub offline: bool,
    /// How many bytes the environments may take that stay in the cache when their cells are done, without the files
    /// that they share with the cache of `uv` by hard links. A run takes one up again instead of making the
    /// same, as long as the index's answers would be believed: ten minutes, or always if a date fixes
    /// them. 0 keeps none.
    pub keep: u64,
    /// Whether this process may become the parent of every process below it that loses its own, for
    /// good, and end and wait for whatever child it does not know. Then nothing that a test starts gets
    /// away; without it, a daemon does that also clears its environment. Only for a program that starts
    /// no processes of its own beside this backend's. Only Linux can.
    pub adopt_orphans: bool,
    /// Whether this process may divide its control group (cgroups(7), version 2) if it is alone in it,
    /// and move to a part of it. Then tests can be given limits on processes and on shares of
    /// processors, and their memory is limited by the kernel; without it, by looking every
    /// [`Interrupt::POLL`].
    pub divide_control_group: bool,
    /// Where `uv` comes from if it is not installed.
    pub uv: Box<UvWheel>,
}

impl LocalOptions {
    /// The usual ways, with this cache and this source of `uv`.
    pub fn new(cache: impl Into<PathBuf>, uv: Box<UvWheel>) -> Self {
        Self {
            cache: cache.into(),
            work: None,
            index_urls: Vec::new(),
            netrc: None,
            offline: false,
            keep: cache::KEPT,
            adopt_orphans: false,
            divide_control_group: false,
            uv,
        }
    }
}

/// Runs cells on this machine, without a container engine.
pub struct LocalBackend {
    options: LocalOptions,
    pythons: OnceLock<Pythons>,
    keeper: OnceLock<Keeper>,
    ready: Mutex<Option<Arc<Ready>>>,
}

/// What is made when the first environment is: a run that makes none needs none of it.
struct Ready {
    workspace: Workspace,
    shelf: Shelf,
    uv: PathBuf,
    uv_version: Option<String>,
    configuration: PathBuf,
    /// The cache of `uv`.
    cache: PathBuf,
    opened_cache: fs::File,
    linked: Linked,
    link_mode: &'static str,
}

impl LocalBackend {
    /// A backend that works in this way. Looks for nothing yet.
    pub fn new(options: LocalOptions) -> Self {
        if options.adopt_orphans {
            orphans::adopt();
        }
        Self { options, pythons: OnceLock::new(), keeper: OnceLock::new(), ready: Mutex::default() }
    }

    /// Whether there is a `uv` on `PATH` that is recent enough, so that none need be fetched.
    pub fn finds_uv() -> bool {
        uv::on_path(&std::env::var_os("PATH").unwrap_or_default()).is_some()
    }

    /// What people should know of the Pythons on this machine: which of them cannot be used, and
    /// why. One sentence each.
    pub fn notes(&self) -> Vec<String> {
        self.pythons().notes()
    }

    /// The program of the Python of this feature release that environments are made with.
    ///
    /// # Errors
    ///
    /// [`BackendError::NoPython`] if this machine does not have it.
    pub fn executable(&self, python: PythonVersion) -> Result<&Path, BackendError> {
        let found = self.pythons().of(python).map(|python| python.executable.as_path());
        found.ok_or_else(|| self.pythons().lacks(python))
    }

    /// How limits are kept here, in a few words for people.
    pub fn limits(&self) -> String {
        self.keeper().describe()
    }

    fn keeper(&self) -> &Keeper {
        self.keeper.get_or_init(|| Keeper::find(self.options.divide_control_group))
    }

    fn pythons(&self) -> &Pythons {
        self.pythons.get_or_init(|| {
            Pythons::find(&Places::of_this_machine(), &self.options.cache.join(cache::PYTHONS))
        })
    }
}

impl LocalBackend {
    /// What was made for the first environment, if there was one.
    fn made(&self) -> Option<Arc<Ready>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The name of an environment in the cache; `None` if it has none.
    fn name_of(
        &self,
        ready: &Ready,
        request: &EnvironmentRequest<'_>,
        key: &Sha256,
    ) -> Option<Name> {
        let python = self.pythons().of(request.interpreter.python)?;
        Name::of(request, key, python, &ready.uv, &self.options.index_urls)
    }

    fn ready(&self, run: &RunId) -> Result<Arc<Ready>, BackendError> {
        // Held all the while: `uv` must be fetched once, not once for every thread.
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = &*ready {
            return Ok(Arc::clone(ready));
        }
        let options = &self.options;
        let root = options.work.clone().unwrap_or_else(|| options.cache.join(cache::WORK));
        let workspace = Workspace::open(&root, run)?;
        let failed =
            |path: &Path| BackendError::machine(format!("could not make `{}`", path.display()));
        let uv_cache = options.cache.join(cache::UV);
        // `uv` is run in another folder.
        let uv_cache = fs::create_dir_all(&uv_cache).and_then(|()| fs::canonicalize(&uv_cache));
        let uv_cache = uv_cache.map_err(failed(&options.cache))?;
        let opened_cache = fs::File::open(&uv_cache).map_err(failed(&uv_cache))?;
        let uv = uv::obtain(&options.cache, &*options.uv)?;
        let uv = fs::canonicalize(&uv).map_err(failed(&uv))?;
        let shelf =
            Shelf::open(&options.cache.join(cache::ENVIRONMENTS), options.keep, &workspace)?;
        let configuration = workspace.folder().join("uv.toml");
        let text = install::configuration(&options.index_urls);
        write_private(&configuration, &text).map_err(failed(&configuration))?;
        let linked = Linked::new(uv_cache.clone());
        let link_mode = linked.mode(workspace.folder());
        let made = Arc::new(Ready {
            linked,
            link_mode,
            workspace,
            shelf,
            uv_version: uv::version(&uv).map(|version| version.to_string()),
            uv,
            configuration,
            cache: uv_cache,
            opened_cache,
        });
        *ready = Some(Arc::clone(&made));
        Ok(made)
    }
}

/// The address of an index may hold a password.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

impl ContainerBackend for LocalBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn check(&self, setup: &Setup) -> Result<(), BackendError> {
        if setup.dockerfile.is_some() {
            return Err(BackendError::Unsupported {
                backend: NAME,
                what: "what a `dockerfile` says".to_owned(),
                fix: "pass `--backend docker`, or remove it from the configuration".to_owned(),
            });
        }
        if setup.as_of.is_some() && !setup.unknown_upload_time.excludes() {
            return Err(BackendError::Unsupported {
                backend: NAME,
                what: "`unknown_upload_time: include` at a date, because uv leaves such files out"
                    .to_owned(),
                fix: "pass `--backend docker`, or leave it out".to_owned(),
            });
        }
        self.keeper().check(&setup.limits)
    }

    fn interpreters(
        &self,
        wanted: &BTreeSet<PythonVersion>,
        _: &Setup,
    ) -> Result<Vec<Interpreter>, BackendError> {
        self.pythons().choose(wanted)
    }

    fn machine(&self) -> Option<Machine> {
        Some(machine::here().clone())
    }

    fn recipe(&self, _: &EnvironmentRequest<'_>) -> Result<Recipe, BackendError> {
        Ok(Recipe { backend: NAME.to_owned(), ..Recipe::default() })
    }

    fn prepare(&self, requests: &[(EnvironmentRequest<'_>, Sha256)]) {
        let Some((first, _)) = requests.first() else { return };
        // What is in the way of this is in the way of every build too, which says so.
        let Ok(ready) = self.ready(first.run) else { return };
        let names = requests.iter().filter_map(|(request, key)| self.name_of(&ready, request, key));
        // What could not be removed stays in the account.
        let _ = ready.shelf.announce(names, &ready.workspace);
    }

    fn estimate(
        &self,
        request: &EnvironmentRequest<'_>,
        _: &Recipe,
        key: &Sha256,
    ) -> Result<BuildEstimate, BackendError> {
        // Before anything was made it is not known which `uv` would be used, and so not what is there.
        let ready = self.made().is_some_and(|ready| {
            self.name_of(&ready, request, key).is_some_and(|name| ready.shelf.has(&name))
        });
        Ok(BuildEstimate { ready, fetches: !ready, base: None, pulls: false })
    }

    fn remarks(&self) -> Vec<String> {
        self.made().and_then(|ready| ready.shelf.shortage()).into_iter().collect()
    }

    fn finish(&self, interrupt: &Interrupt, left: &dyn Fn(Taken)) {
        if let Some(ready) = self.made() {
            ready.workspace.finish(interrupt, left);
        }
    }

    fn build<'a>(
        &'a self,
        request: &EnvironmentRequest<'_>,
        _: &Recipe,
        key: &Sha256,
    ) -> Result<Built<'a>, BackendError> {
        let Made { environment, log, tools, reused, overlays } = self.make(request, key)?;
        let environment = environment.map(|made| Box::new(made) as Box<dyn Environment + 'a>);
        Ok(Built { tools, reused, overlays, ..Built::new(environment, log) })
    }
}
