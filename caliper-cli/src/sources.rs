//! Picks the implementations: which index, which backend.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use caliper_container::backend::ContainerBackend;
use caliper_container::docker::{DockerBackend, DockerOptions, EngineKind};
use caliper_container::local::{LocalBackend, LocalOptions};
use caliper_core::names::PythonVersion;
use caliper_core::question::config::Config;
use caliper_core::question::files::FileSource as _;
use caliper_core::question::grid::Choice;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::limits::Limits;
use caliper_core::question::modules::ImportChoice;
use caliper_core::question::plan::Setup;
use caliper_core::question::selection::{Selection, UnknownUploadTime};
use caliper_core::question::template::{Args, Template};
use caliper_pypi::download::{DownloadOptions, Downloader};
use caliper_pypi::index::{ClientOptions, IndexAddress, IndexClient};
use caliper_pypi::netrc::Netrc;
use caliper_pypi::resolve::resolve;
use caliper_pypi::{Notice, Notices};

use crate::args::{BackendName, IndexArgs, Work};
use crate::exit::{Exit, Failure};
use crate::index_of_builds::IndexOfBuilds;
use crate::terminal::Terminal;

/// An index, and how it was chosen.
pub(crate) struct Index {
    pub(crate) client: IndexClient,
    /// The addresses for installers, with credentials; empty if no index was chosen.
    pub(crate) chosen: Vec<String>,
    pub(crate) offline: bool,
}

impl Index {
    pub(crate) fn open(
        args: &IndexArgs,
        cache: &Path,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        let chosen = chosen(args);
        let addresses: Result<Vec<IndexAddress>, _> =
            chosen.iter().map(|url| url.parse()).collect();
        let mut addresses = addresses?.into_iter();
        let first = addresses.next().unwrap_or_default();
        let notices = Notices::to(move |notice| match notice {
            Notice::Retrying { .. } => terminal.warning(&notice.to_string()),
            _ => terminal.detail(&notice.to_string()),
        });
        let options = ClientOptions {
            cache: Some(cache.join(caliper_pypi::cache::INDEX)),
            offline: args.offline,
            netrc: Netrc::of_user()?,
            notices,
            answer_timeout: Duration::from_secs(args.timeout.into()),
            whole_timeout: Duration::from_secs(u64::from(args.timeout) * 6),
            ..ClientOptions::default()
        };
        let client = IndexClient::of_several(first, addresses, options);
        Ok(Self { client, chosen, offline: args.offline })
    }

    pub(crate) fn downloader(&self, cache: &Path) -> Downloader {
        Downloader::new(&self.client, cache, download_options())
    }
}

/// The user chose the index. If it gives no digests, its files are used unverified.
fn download_options() -> DownloadOptions {
    DownloadOptions { allow_unverified: true, ..DownloadOptions::default() }
}

/// The indexes that the arguments or the environment name.
fn chosen(args: &IndexArgs) -> Vec<String> {
    let from = |name: &str| std::env::var(name).unwrap_or_default();
    let mut chosen = args.urls.clone();
    if chosen.is_empty() {
        chosen = from("CALIPER_INDEX_URL").split_whitespace().map(str::to_owned).collect();
    }
    if chosen.is_empty() {
        // Not what stands in PIP_EXTRA_INDEX_URL: pip takes a package from any of its indexes.
        chosen.extend(Some(from("PIP_INDEX_URL")).filter(|url| !url.trim().is_empty()));
    }
    chosen
}

/// Whether the arguments or the environment name an index.
pub(crate) fn names_index(args: &IndexArgs) -> bool {
    !chosen(args).is_empty()
}

/// The name of the backend that needs no engine.
pub(crate) const LOCAL: &str = "local";

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be looked at: what a run would fetch is not fetched.
    Look,
    /// To be carried out.
    Run,
}

/// The name of the backend that a configuration leads to without `--backend`.
pub(crate) fn usual(config: &Config) -> &'static str {
    if config.dockerfile.is_some() { EngineKind::Docker.name() } else { LOCAL }
}

/// The backend that was asked for, or the one that the configuration needs.
pub(crate) fn backend(
    work: &Work,
    purpose: Purpose,
    config: &Config,
    index: &Index,
    cache: &Path,
    terminal: Terminal,
) -> Result<Box<dyn ContainerBackend>, Failure> {
    let engine = match work.backend {
        BackendName::Docker => Some(EngineKind::Docker),
        BackendName::Podman => Some(EngineKind::Podman),
        BackendName::Local => None,
        BackendName::Auto => config.dockerfile.is_some().then_some(EngineKind::Docker),
    };
    if let Some(kind) = engine {
        // What a build is given stays in the history of its image; so it gets no login.
        let has_login = !index.chosen.is_empty() && index.client.has_login();
        let backend = DockerBackend::connect(DockerOptions {
            kind,
            keep: work.disk.unwrap_or(if work.keep_images { u64::MAX } else { 0 }),
            anew: work.rerun.is_some(),
            pull_nothing: purpose == Purpose::Look,
            build_index: Some(Arc::new(IndexOfBuilds::new(
                index.client.clone(),
                cache,
                download_options(),
                work.config(),
                config.selection.unknown_upload_time,
            ))),
            only_build_index: index.chosen.len() > 1 || has_login || index.offline,
            ..engine_options(index, cache)
        })?;
        return Ok(Box::new(backend));
    }
    let backend = local(index, cache, work.disk);
    if work.selection.python.is_empty() && config.python_versions.is_empty() {
        for note in backend.notes() {
            terminal.note(&format!("note: {note}"));
        }
    }
    Ok(Box::new(backend))
}

/// How a container engine is used, whichever it is.
pub(crate) fn engine_options(index: &Index, cache: &Path) -> DockerOptions {
    DockerOptions {
        cache: cache.to_owned(),
        // Of several, builds are given the mirror.
        index_url: index.chosen.first().cloned(),
        ..DockerOptions::default()
    }
}

/// The backend that needs no engine, which keeps environments of `disk` bytes.
pub(crate) fn local(index: &Index, cache: &Path, disk: Option<u64>) -> LocalBackend {
    let mut options = local_options(index, cache);
    options.keep = disk.unwrap_or(options.keep);
    // This program starts no processes but the backend's.
    options.adopt_orphans = true;
    options.divide_control_group = true;
    LocalBackend::new(options)
}

/// The same beside another backend, for builds only.
pub(crate) fn builder(index: &Index, cache: &Path) -> LocalBackend {
    LocalBackend::new(local_options(index, cache))
}

fn local_options(index: &Index, cache: &Path) -> LocalOptions {
    let client = index.client.clone();
    let folder = cache.to_owned();
    let uv = Box::new(move || uv_wheel(&client, &folder));
    let mut options = LocalOptions::new(cache, uv);
    // Named also where it is the default: for an index with a name uv is told how long to believe it.
    options.index_urls.clone_from(&index.chosen);
    if options.index_urls.is_empty() {
        options.index_urls = index.client.addresses().map(ToString::to_string).collect();
    }
    options.offline = index.offline;
    let netrc = &index.client.options().netrc;
    // Tools are started elsewhere.
    options.netrc = netrc.path().and_then(|path| std::path::absolute(path).ok());
    options
}

/// The setup of cells without a configuration.
pub(crate) fn plain_setup() -> Setup {
    Setup {
        dockerfile: None,
        base: Template::new("base", Config::BASE),
        args: Args::default(),
        requirements: Vec::new(),
        constraints: Vec::new(),
        build_constraints: Vec::new(),
        project: None,
        lifted: Vec::new(),
        allowed_files: Vec::new(),
        overlays: Vec::new(),
        import: ImportChoice::default(),
        variables: BTreeMap::new(),
        group: None,
        tests: Vec::new(),
        results: Vec::new(),
        limits: Limits::default(),
        as_of: None,
        lock: None,
        unknown_upload_time: UnknownUploadTime::default(),
    }
}

/// The Pythons of this machine.
pub(crate) fn found(local: &LocalBackend) -> Vec<Interpreter> {
    local.interpreters(&BTreeSet::new(), &plain_setup()).unwrap_or_default()
}

/// The feature releases among the Pythons of this machine, for a folder that has no cache yet.
pub(crate) fn pythons_at_hand() -> std::io::Result<Vec<PythonVersion>> {
    let cache = tempfile::tempdir()?;
    let nothing = || unreachable!("listing Pythons needs no uv");
    let local = LocalBackend::new(LocalOptions::new(cache.path(), Box::new(nothing)));
    Ok(found(&local).iter().map(|interpreter| interpreter.python).collect())
}

/// A wheel of uv, if this machine has none of its own.
pub(crate) fn uv_if_needed(index: &Index, cache: &Path) -> Result<Option<PathBuf>, Failure> {
    if LocalBackend::finds_uv() {
        return Ok(None);
    }
    let wheel = uv_wheel(&index.client, cache);
    wheel.map(Some).map_err(|error| Failure { exit: Exit::Infrastructure, error })
}

/// Fetches the newest uv for this machine.
fn uv_wheel(
    client: &IndexClient,
    cache: &Path,
) -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> {
    let nothing = || unreachable!("listing Pythons needs no uv");
    let pythons = found(&LocalBackend::new(LocalOptions::new(cache, Box::new(nothing))));
    let python = pythons.last().cloned().ok_or("there is no Python on this machine")?;
    let grid = resolve(&"uv".parse()?, &Selection::default(), &[python], client)?;
    let newest = grid.cells.into_iter().rev().find_map(|cell| match cell.choice {
        Choice::File { file, .. } if file.kind == caliper_core::question::grid::FileKind::Wheel => {
            Some(file)
        }
        _ => None,
    });
    let newest = newest.ok_or("the index has no uv for this machine")?;
    Ok(Downloader::new(client, cache, DownloadOptions::default()).fetch(&newest)?)
}
