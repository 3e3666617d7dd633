//! The `docker` and `podman` backends: every cell is an image, and every run of a test a container of
//! its own. Both engines speak Docker's protocol; what differs is told where it matters.
//!
//! Everything that it makes carries the label `dev.caliper`, and goes when it is no longer needed;
//! nothing else is ever removed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

use caliper_core::facts::record::{BuildReason, Machine};
use caliper_core::names::{PythonVersion, Sha256};
use caliper_core::question::grid::CellId;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::plan::{Recipe, Setup};

use crate::backend::{
    BackendError, BuildEstimate, Built, ContainerBackend, EnvironmentRequest, RunId,
};
use crate::interrupt::Interrupt;

mod build;
mod carry;
mod container;
mod context;
mod dockerfile;
mod engine;
mod environment;
mod facts;
mod host;
mod images;
mod index;
mod installed;
mod kept;
mod kind;
mod labels;
mod leftovers;
mod make;
mod origin;
mod overlay;
mod pythons;
mod recipe;
mod ssh;
mod tls;
mod tunnel;

pub use facts::{EngineFacts, GpuRequests};
pub use index::{BuildIndex, FromIndex};
pub use kind::EngineKind;
pub use leftovers::Cleaned;

use engine::Engine;
use host::{BadHost, Host};
use images::Bases;
use leftovers::Which;

/// How to reach an engine, and how to use it.
#[derive(Debug, Clone, Default)]
pub struct DockerOptions {
    /// Which engine.
    pub kind: EngineKind,
    /// The address of the engine: `unix:///path`, `tcp://name:port` or `ssh://user@name:port/path`.
    /// With `DOCKER_TLS_VERIFY` in the environment, `tcp` to Docker is encrypted, with the files
    /// `ca.pem`, `cert.pem` and `key.pem` in `DOCKER_CERT_PATH`. `None` for where engines of this
    /// kind are: for Docker the environment variable `DOCKER_HOST`, or else
    /// `unix:///var/run/docker.sock`; for Podman `CONTAINER_HOST`, or else the socket of this user's
    /// service (`$XDG_RUNTIME_DIR/podman/podman.sock`), or else that of the machine's
    /// (`/run/podman/podman.sock`).
    pub host: Option<String>,
    /// The folder in which is kept what images were found to be, and how they were built; safe to
    /// delete.
    pub cache: PathBuf,
    /// The package index that pip uses in builds. `None` for pip's own.
    pub index_url: Option<String>,
    /// The index on this machine that is given to builds of a date. Without one, dates are refused.
    pub build_index: Option<Arc<dyn BuildIndex>>,
    /// Give it to all builds: because there are several indexes, or one wants a login, or none may be asked.
    pub only_build_index: bool,
    /// How many bytes the images of cells may take that stay on the engine, so that they need not be
    /// built again; what their base images take is not counted. The ones that were not used for the
    /// longest time go first. 0 keeps none, and leaves those alone that are there.
    pub keep: u64,
    /// Build anew also where an image was kept.
    pub anew: bool,
    /// Pull no base image: one that is not there is taken for what the official ones are. For
    /// planning, which must not cost what the run would.
    pub pull_nothing: bool,
}

/// A container engine that speaks Docker's protocol.
///
/// Removes, when it is dropped, the last of what it made: a program that uses one must not leave
/// through [`std::process::exit`] before that.
#[derive(Debug)]
pub struct DockerBackend {
    engine: Engine,
    options: DockerOptions,
    facts: EngineFacts,
    bases: Bases,
    /// For the names of containers and images.
    counter: AtomicU64,
    /// What the Dockerfiles of cells have before their file to install, by the name of their base.
    planned: Mutex<BTreeMap<String, BTreeMap<CellId, String>>>,
    /// What the next cell on a base can start from, by the name of the base: at first what all begin
    /// with, then the image of the last cell that was done.
    standing: Mutex<BTreeMap<String, environment::Held>>,
    /// Held by whoever makes what the cells on a base begin with; whether that was tried.
    turns: Mutex<BTreeMap<String, Arc<Mutex<bool>>>>,
    /// Held by whoever makes room for images that are kept.
    making_room: tokio::sync::Mutex<()>,
    swept: Once,
    /// What is told at the end of a run.
    remarks: Mutex<BTreeSet<String>>,
}

impl DockerBackend {
    /// Connects to an engine.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unreachable`] if no engine of that kind answers, with what to do about it, and
    /// [`BackendError::Unsupported`] for a kind of address that Caliper cannot reach.
    pub fn connect(options: DockerOptions) -> Result<Self, BackendError> {
        let kind = options.kind;
        let given = options.host.clone().filter(|host| !host.is_empty());
        let address = given.unwrap_or_else(|| kind.addresses().swap_remove(0));
        let variable = kind.variable();
        let host = Host::parse(&address, kind.certificates()?).map_err(|bad| match bad {
            BadHost::Malformed => BackendError::Unreachable {
                endpoint: address.clone(),
                source: format!(
                    "this is not the address of an engine: set {variable} to \
                     `unix:///path/to/socket`, `tcp://name:port` or `ssh://user@name`, or unset it"
                )
                .into(),
            },
            BadHost::Scheme(scheme) => BackendError::Unsupported {
                backend: kind.name(),
                what: format!("a connection over {scheme} to `{address}`"),
                fix: format!(
                    "set {variable} to `unix:///path/to/socket`, `tcp://name:port` (with \
                     DOCKER_TLS_VERIFY for TLS) or `ssh://user@name`"
                ),
            },
        })?;
        let endpoint = host.to_string();
        let mut engine = Engine::new(host, kind)?;
        let facts = engine
            .block_on(EngineFacts::ask(&engine, endpoint.clone()))
            .map_err(|fault| engine.error("ask the engine what it is", fault))?;
        if kind == EngineKind::Podman && facts.kind != kind {
            return Err(BackendError::Unreachable {
                endpoint,
                source: format!(
                    "what answers there is {} {}, not Podman: use `--backend docker`, or point \
                     CONTAINER_HOST at Podman",
                    facts.kind, facts.version
                )
                .into(),
            });
        }
        engine.answers = facts.kind;
        engine.containerd_store = facts.containerd_store;
        Ok(Self {
            engine,
            options,
            facts,
            bases: Bases::default(),
            counter: AtomicU64::new(0),
            planned: Mutex::default(),
            standing: Mutex::default(),
            turns: Mutex::default(),
            making_room: tokio::sync::Mutex::default(),
            swept: Once::new(),
            remarks: Mutex::default(),
        })
    }

    /// What the engine is and can do.
    pub fn facts(&self) -> &EngineFacts {
        &self.facts
    }

    /// What of Caliper's is on the engine and not in use: what [`clean`](Self::clean) would remove.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the engine does not say.
    pub fn leftovers(&self) -> Result<Cleaned, BackendError> {
        let found = self.engine.block_on(leftovers::find(&self.engine, Which::All, &|image| {
            self.log_of(image).exists()
        }));
        found
            .map(|found| found.describe())
            .map_err(|fault| self.engine.error("look for what Caliper left behind", fault))
    }

    /// Removes what Caliper made and no run uses: images that were kept, and what runs left behind
    /// that did not come to their end. Touches nothing else.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if something could not be removed.
    pub fn clean(&self) -> Result<Cleaned, BackendError> {
        self.sweep(Which::All)
    }

    fn sweep(&self, which: Which) -> Result<Cleaned, BackendError> {
        let engine = &self.engine;
        engine
            .block_on(async {
                let found =
                    leftovers::find(engine, which, &|image| self.log_of(image).exists()).await?;
                found.remove(engine).await?;
                for (name, image) in &found.kept {
                    // One that a container of the user needs keeps its name, and is this project's by its log.
                    if images::inspect(engine, name).await?.is_none() {
                        let _ = std::fs::remove_file(self.log_of(image));
                    }
                }
                Ok(found.describe())
            })
            .map_err(|fault| engine.error("remove what Caliper left behind", fault))
    }

    /// Removes, once, what dead runs left. Not before something is to be built: to look at an engine
    /// must not change it.
    fn sweep_once(&self) {
        self.swept.call_once(|| {
            // Somebody else's litter is no reason not to work.
            let _ = self.sweep(Which::Dead);
        });
    }

    /// The next name for something of `run`, or of no run.
    fn fresh_name(&self, run: Option<&RunId>) -> String {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let run = run.map_or_else(|| RunId::fresh().to_string(), ToString::to_string);
        format!("{run}-{number}")
    }

    /// The error for a limit that the engine cannot keep.
    fn cannot(&self, what: impl Into<String>, fix: impl Into<String>) -> Result<(), BackendError> {
        let backend = self.options.kind.name();
        Err(BackendError::Unsupported { backend, what: what.into(), fix: fix.into() })
    }
}

impl Drop for DockerBackend {
    fn drop(&mut self) {
        self.release_all();
        if self.swept.is_completed() {
            // Once more: what a dead run had asked of a busy engine may have come to be only after the
            // first time.
            let _ = self.sweep(Which::Dead);
        }
    }
}

impl ContainerBackend for DockerBackend {
    fn name(&self) -> &'static str {
        self.options.kind.name()
    }

    fn remarks(&self) -> Vec<String> {
        lock(&self.remarks).iter().cloned().collect()
    }

    #[expect(clippy::too_many_lines, reason = "one question after the other")]
    fn check(&self, setup: &Setup) -> Result<(), BackendError> {
        // The engine's own least, below which it does not start a container.
        const LEAST_MEMORY: u64 = 6 << 20;
        let limits = &setup.limits;
        let facts = &self.facts;
        if self.needs_mirror(setup)
            && let Some((what, fix)) = self.fault_of_mirror(setup)
        {
            return self.cannot(what, fix);
        }
        if let Some(package) = setup.project.as_ref().filter(|package| !package.is_pure()) {
            return self.cannot(
                format!(
                    "the wheel of {}, which was built for this machine and may not fit an image",
                    package.name
                ),
                "leave `project` out, and write a `dockerfile` that copies the project and builds it (`COPY . /project` \
                 and `pip install /project`), or use `--backend local`",
            );
        }
        let older = if facts.rootless {
            "use an engine that runs as root, or cgroup v2 with controllers that are delegated to \
             this user, or leave it out of `limits`"
        } else {
            "use an engine on a kernel that can, or leave it out of `limits`"
        };
        match limits.memory {
            Some(_) if !facts.limits_memory => return self.cannot("a limit on memory", older),
            Some(_) if !facts.tells_out_of_memory => {
                // A test whose child was killed would pass.
                let what = format!(
                    "a limit on memory: {} {} does not say when a test exceeds it",
                    facts.kind, facts.version
                );
                return self.cannot(what, "use Podman 5.0 or newer, or `--backend docker`");
            }
            Some(memory) if memory < LEAST_MEMORY => {
                return self.cannot(
                    format!("a memory limit of {memory} bytes"),
                    "a container needs 6 MiB at least",
                );
            }
            _ => {}
        }
        match limits.cpus {
            Some(_) if !facts.limits_cpus => return self.cannot("a limit on processors", older),
            #[expect(clippy::cast_precision_loss, reason = "no machine has so many processors")]
            Some(cpus) if facts.cpus > 0 && cpus > facts.cpus as f64 => {
                let fix = format!("its machine has {}", facts.cpus);
                return self.cannot(format!("{cpus} processors"), fix);
            }
            Some(cpus) if cpus < 0.01 => {
                return self.cannot(format!("{cpus} processors"), "0.01 is the least");
            }
            _ => {}
        }
        if limits.pids.is_some() && !facts.limits_pids {
            return self.cannot("a limit on processes", older);
        }
        if limits.idle.is_some() && !facts.sees_idle {
            return self.cannot("a limit on idle time", older);
        }
        if let Some(cpuset) = &limits.cpuset {
            if !facts.limits_cpuset {
                return self.cannot("a choice of processors", older);
            }
            if let Some(number) = cpuset.numbers().find(|number| u64::from(*number) >= facts.cpus) {
                let fix = format!("its machine has 0 to {}", facts.cpus.saturating_sub(1));
                return self.cannot(format!("processor {number}"), fix);
            }
        }
        if limits.disk.is_some() && !facts.limits_disk {
            return self.cannot(
                format!("a limit on the disk with the storage driver `{}`", facts.storage_driver),
                "use an engine on btrfs, on zfs, or with overlay2 on xfs with project quotas, and \
                 without containerd's image store, or leave `disk` out of `limits`",
            );
        }
        if let Some(runtime) = &limits.runtime
            && !facts.runtimes.contains(runtime)
        {
            let runtimes: Vec<&str> = facts.runtimes.iter().map(String::as_str).collect();
            let fix = match facts.kind {
                EngineKind::Docker => format!("it has {}", runtimes.join(", ")),
                EngineKind::Podman => {
                    "its engine takes none from us; use `--backend docker`, or make it Podman's own in \
                     containers.conf"
                        .to_owned()
                }
            };
            return self.cannot(format!("the runtime `{runtime}`"), fix);
        }
        if limits.gpus.is_some() && facts.gpus == GpuRequests::None {
            let fix = match facts.kind {
                EngineKind::Docker => {
                    "install NVIDIA's container toolkit and run `nvidia-ctk runtime configure`, or \
                     leave `gpus` out of `limits`"
                }
                EngineKind::Podman => {
                    "use Podman 5.4 or newer, or `--backend docker`, or leave `gpus` out of `limits`"
                }
            };
            return self.cannot("graphics processors", fix);
        }
        Ok(())
    }

    fn interpreters(
        &self,
        wanted: &BTreeSet<PythonVersion>,
        setup: &Setup,
    ) -> Result<Vec<Interpreter>, BackendError> {
        if wanted.is_empty() { self.present(setup) } else { self.wanted(wanted, setup) }
    }

    fn machine(&self) -> Option<Machine> {
        Some(self.facts.machine())
    }

    fn recipe(&self, request: &EnvironmentRequest<'_>) -> Result<Recipe, BackendError> {
        self.recipe_of(request)
    }

    fn prepare(&self, requests: &[(EnvironmentRequest<'_>, Sha256)]) {
        self.take_down(requests.iter().map(|(request, _)| request));
    }

    fn estimate(
        &self,
        request: &EnvironmentRequest<'_>,
        recipe: &Recipe,
        key: &Sha256,
    ) -> Result<BuildEstimate, BackendError> {
        self.estimate_of(request, recipe, key)
    }

    fn build<'a>(
        &'a self,
        request: &EnvironmentRequest<'_>,
        recipe: &Recipe,
        key: &Sha256,
    ) -> Result<Built<'a>, BackendError> {
        self.sweep_once();
        let engine = (self.facts.kind.name().to_owned(), self.facts.version.clone());
        let tools = BTreeMap::from([engine]);
        Ok(Built { tools, ..self.build_image(request, recipe, key)? })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
