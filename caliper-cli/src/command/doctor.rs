use std::fmt::Write as _;
use std::path::Path;

use caliper_container::docker::DockerBackend;
use caliper_container::runner::chain;
use caliper_core::interpreter::{Interpreter, Libc, Platform};
use caliper_core::names::ParsePackageNameError;
use caliper_pypi::index::{IndexClient, IndexError, PackageIndex as _};
use serde::Serialize;

use crate::args::{FormatName, IndexArgs};
use crate::exit::{Exit, Outcome};
use crate::setting;
use crate::sources::{self, Index};
use crate::terminal::{Terminal, printable};

/// What this machine can do.
#[derive(Debug, Serialize)]
struct Diagnosis {
    schema: u32,
    caliper: &'static str,
    cpus: usize,
    pythons: Vec<Interpreter>,
    notes: Vec<String>,
    docker: Result<Engine, String>,
    index: Result<String, String>,
}

#[derive(Debug, Serialize)]
struct Engine {
    endpoint: String,
    version: String,
    api: String,
    storage_driver: String,
    cgroup_version: Option<String>,
    cpus: u64,
    memory: u64,
    /// The limits that it can set.
    limits: Vec<&'static str>,
}

pub(super) fn run(args: &IndexArgs, format: FormatName, terminal: Terminal) -> Outcome {
    let cache = setting::cache(Path::new("caliper.yaml"));
    let index = Index::open(args, &cache, terminal)?;
    let local = sources::local(&index, &cache, None);
    let diagnosis = Diagnosis {
        schema: 1,
        caliper: env!("CARGO_PKG_VERSION"),
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        pythons: sources::found(&local),
        notes: local.notes(),
        docker: engine(&index, &cache),
        index: reach(&index),
    };
    match format {
        FormatName::Json => super::print_json(&diagnosis, terminal)?,
        FormatName::Text => terminal.data(&printable(&text(&diagnosis))),
    }
    Ok(Exit::Done)
}

fn engine(index: &Index, cache: &Path) -> Result<Engine, String> {
    let backend = DockerBackend::connect(sources::docker_options(index, cache))
        .map_err(|error| chain(&error))?;
    let facts = backend.facts();
    let limits = [
        ("memory", facts.limits_memory),
        ("swap", facts.limits_swap),
        ("cpus", facts.limits_cpus),
        ("pids", facts.limits_pids),
        ("network", true),
    ];
    Ok(Engine {
        endpoint: facts.endpoint.clone(),
        version: facts.version.clone(),
        api: facts.api.clone(),
        storage_driver: facts.storage_driver.clone(),
        cgroup_version: facts.cgroup_version.clone(),
        cpus: facts.cpus,
        memory: facts.memory,
        limits: limits.into_iter().filter(|(_, can)| *can).map(|(name, _)| name).collect(),
    })
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
    match &diagnosis.docker {
        Ok(engine) => line(
            "docker",
            &format!(
                "{} at {} (API {}, {}, cgroup v{}); {} CPUs, {} GiB; limits {}",
                engine.version,
                engine.endpoint,
                engine.api,
                engine.storage_driver,
                engine.cgroup_version.as_deref().unwrap_or("?"),
                engine.cpus,
                engine.memory >> 30,
                engine.limits.join(", ")
            ),
        ),
        Err(error) => line("docker", &format!("not usable: {error}")),
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
