use std::fmt::Write as _;
use std::path::Path;

use caliper_container::backend::{BackendError, ContainerBackend};
use caliper_container::docker::{DockerBackend, DockerOptions, EngineKind, GpuRequests};
use caliper_container::runner::chain;
use caliper_core::names::ParsePackageNameError;
use caliper_core::question::interpreter::{Libc, Platform};
use caliper_core::question::limits::Limits;
use caliper_core::question::plan::Setup;
use caliper_core::report::model::{self, Diagnosis, EngineFacts, EnginePlace, Gpus, LimitSupport};
use caliper_pypi::index::{IndexClient, IndexError, PackageIndex as _};

use crate::args::{FormatName, IndexArgs};
use crate::exit::{Exit, Outcome};
use crate::setting;
use crate::sources::{self, Index};
use crate::terminal::{Terminal, printable};

pub(super) fn run(args: &IndexArgs, format: FormatName, terminal: Terminal) -> Outcome {
    let cache = setting::cache(Path::new("caliper.yaml"));
    let index = Index::open(args, &cache, terminal)?;
    let local = sources::local(&index, &cache, None);
    let diagnosis = Diagnosis {
        schema: model::SCHEMA,
        caliper: env!("CARGO_PKG_VERSION").to_owned(),
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        pythons: sources::found(&local),
        notes: local.notes(),
        local: given(&local, None, &[]),
        engines: places(&index, &cache),
        index: reach(&index),
    };
    match format {
        FormatName::Json => super::print_json(&diagnosis, terminal)?,
        FormatName::Text => terminal.data(&printable(&text(&diagnosis))),
    }
    Ok(Exit::Done)
}

/// What is at every place where an engine may be.
fn places(index: &Index, cache: &Path) -> Vec<EnginePlace> {
    let all = EngineKind::ALL.into_iter();
    all.flat_map(|kind| kind.addresses().into_iter().map(move |endpoint| (kind, endpoint)))
        .map(|(kind, endpoint)| {
            let options = DockerOptions {
                kind,
                host: Some(endpoint.clone()),
                ..sources::engine_options(index, cache)
            };
            let engine = engine(options).map_err(|error| chain(&error));
            EnginePlace { backend: kind.name().to_owned(), endpoint, engine }
        })
        .collect()
}

fn engine(options: DockerOptions) -> Result<EngineFacts, BackendError> {
    let backend = DockerBackend::connect(options)?;
    let facts = backend.facts();
    let more = [("swap", facts.limits_swap)];
    Ok(EngineFacts {
        name: facts.kind.to_string(),
        version: facts.version.clone(),
        api: facts.api.clone(),
        rootless: facts.rootless,
        storage_driver: facts.storage_driver.clone(),
        cgroup_version: facts.cgroup_version.clone(),
        cpus: facts.cpus,
        memory: facts.memory,
        init: facts.init,
        gpus: match facts.gpus {
            GpuRequests::None => Gpus::None,
            GpuRequests::Toolkit => Gpus::Toolkit,
            GpuRequests::Cdi => Gpus::Cdi,
        },
        limits: given(&backend, facts.runtimes.first().map(String::as_str), &more),
    })
}

/// Asks a backend for each limit by itself. `runtime` is one that it should know; `more` is what it can
/// that has no key in `limits`.
fn given(
    backend: &dyn ContainerBackend,
    runtime: Option<&str>,
    more: &[(&'static str, bool)],
) -> LimitSupport {
    let mut given = LimitSupport::default();
    for (name, limits) in Limits::each(runtime.unwrap_or("runc")) {
        let setup = Setup { limits, ..sources::plain_setup() };
        match backend.check(&setup) {
            Ok(()) => given.kept.push(name.to_owned()),
            Err(error) => {
                given.refused.insert(name.to_owned(), chain(&error));
            }
        }
    }
    given.kept.extend(more.iter().filter(|(_, can)| *can).map(|(name, _)| (*name).to_owned()));
    given
}

/// Whether the indexes answer, asked for a project that every index of this kind has.
fn reach(index: &Index) -> Result<String, String> {
    let pip = "pip".parse().map_err(|error: ParsePackageNameError| error.to_string())?;
    let mut addresses = Vec::new();
    for address in index.client.addresses() {
        // Each by itself: the first that has it would answer for all.
        let client = IndexClient::new(address.clone(), index.client.options().clone());
        match client.project(&pip) {
            Ok(_) | Err(IndexError::NotFound { .. }) => addresses.push(address.to_string()),
            Err(error) => return Err(chain(&error)),
        }
    }
    Ok(addresses.join(", "))
}

fn text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<8} {value}");
    };
    line("caliper", &format!("{}, {} CPUs", diagnosis.caliper, diagnosis.cpus));
    for python in &diagnosis.pythons {
        let platform = match &python.platform {
            Platform::Linux { arch, libc: Libc::Glibc { major, minor } } => {
                format!("{arch}, glibc {major}.{minor}")
            }
            Platform::Linux { arch, libc: Libc::Musl { major, minor } } => {
                format!("{arch}, musl {major}.{minor}")
            }
            Platform::MacOs { major, minor, arch } => format!("macOS {major}.{minor}, {arch}"),
            Platform::Windows { arch } => format!("Windows, {arch}"),
            _ => String::new(),
        };
        line("python", &format!("{} ({}, {platform})", python.version, python.abi));
    }
    if diagnosis.pythons.is_empty() {
        line("python", "none: the `local` backend needs a Python; install one");
    }
    for note in &diagnosis.notes {
        line("", note);
    }
    line("local", &limits(&diagnosis.local));
    for place in &diagnosis.engines {
        match &place.engine {
            Ok(engine) => {
                let rights = if engine.rootless { "rootless" } else { "as root" };
                let cgroup = engine.cgroup_version.as_deref().unwrap_or("?");
                line(
                    &place.backend,
                    &format!("{} {} at {}", engine.name, engine.version, place.endpoint),
                );
                line(
                    "",
                    &format!(
                        "{rights}, API {}, {}, cgroup v{cgroup}, {} CPUs, {} GiB",
                        engine.api,
                        engine.storage_driver,
                        engine.cpus,
                        engine.memory >> 30,
                    ),
                );
                line("", &limits(&engine.limits));
                for why in engine.limits.refused.values() {
                    line("", why);
                }
                if !engine.init {
                    line("", "no init program: orphans of tests are not collected");
                }
                line(
                    "",
                    match engine.gpus {
                        Gpus::Toolkit => "GPUs, with NVIDIA's toolkit",
                        Gpus::Cdi => "GPUs, if it was told of any (in /etc/cdi)",
                        Gpus::None => "no GPUs",
                    },
                );
            }
            Err(error) => line(&place.backend, &format!("not usable: {error}")),
        }
    }
    match &diagnosis.index {
        Ok(addresses) => {
            for address in addresses.split(", ") {
                line("index", &format!("{address} answers"));
            }
        }
        Err(error) => line("index", &format!("does not answer: {error}")),
    }
    text
}

fn limits(given: &LimitSupport) -> String {
    let mut text = format!("limits {}", given.kept.join(", "));
    if !given.refused.is_empty() {
        let refused: Vec<&str> = given.refused.keys().map(String::as_str).collect();
        text += &format!("; not {}", refused.join(", "));
    }
    text
}
