//! From a configuration and arguments to a plan: asks the backend for its Pythons and the index for
//! the releases.

use std::collections::BTreeSet;
use std::path::PathBuf;

use caliper_container::backend::{BackendError, ContainerBackend};
use caliper_container::project::Project;
use caliper_container::runner::{Rerun, Retry, RunOptions};
use caliper_core::names::PythonVersion;
use caliper_core::question::config::Config;
use caliper_core::question::grid::CellPattern;
use caliper_core::question::plan::{Plan, Setup};
use caliper_core::question::selection::Selection;
use caliper_pypi::index::PackageIndex as _;
use caliper_pypi::resolve::{pythons_wanted, resolve_project};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::args::{RerunName, Select, Work};
use crate::exit::Failure;
use crate::setting::{self, Setting};
use crate::sources::{self, Index, Purpose};
use crate::terminal::Terminal;

/// A plan with all that is needed to carry it out.
pub(crate) struct Layout {
    pub(crate) setting: Setting,
    pub(crate) cache: PathBuf,
    pub(crate) index: Index,
    pub(crate) backend: Box<dyn ContainerBackend>,
    pub(crate) project: Project,
    /// What was asked for.
    pub(crate) plan: Plan,
    /// The cells that `--only` leaves out.
    pub(crate) rest: Plan,
    pub(crate) options: RunOptions,
}

/// Lays out what `work` asks for.
pub(crate) fn lay_out(
    work: &Work,
    purpose: Purpose,
    terminal: Terminal,
) -> Result<Layout, Failure> {
    let setting = Setting::open(work.config())?;
    let config = &setting.config;
    let cache = setting::cache(&setting.path);
    let only = cell_patterns(&work.only)?;
    let tests = patterns("--tests", &work.tests)?;
    let selection = selection(config, &work.selection);
    let mut setup = Setup { as_of: selection.as_of, ..config.setup() };
    if let Some(tests) = tests {
        let all: Vec<String> = setup.tests.iter().map(|test| format!("`{}`", test.name)).collect();
        setup.tests.retain(|test| tests.is_match(&test.name));
        if setup.tests.is_empty() {
            return Err(Failure::question(format!(
                "`--tests` matches none of the tests, which are {}",
                if all.is_empty() { "the import alone".to_owned() } else { all.join(", ") }
            )));
        }
    }
    let index = Index::open(&work.selection.index, &cache, terminal)?;
    let backend = sources::backend(work, purpose, config, &index, &cache, terminal)?;
    backend.check(&setup)?;
    let project = Project::read(&setting.folder(), Some(&setting.path))?;
    // Asked first: a package that does not exist is told before anything is started.
    let offered = index.client.project(&config.dependency)?;
    let mut wanted: BTreeSet<PythonVersion> = if work.selection.python.is_empty() {
        &config.python_versions
    } else {
        &work.selection.python
    }
    .iter()
    .copied()
    .collect();
    if wanted.is_empty() && backend.name() != sources::LOCAL {
        wanted = pythons_wanted(&offered, &selection, || {
            let present = backend.interpreters(&BTreeSet::new(), &setup)?;
            Ok::<_, BackendError>(present.iter().map(|interpreter| interpreter.python).collect())
        })?;
    }
    let interpreters = backend.interpreters(&wanted, &setup)?;
    if interpreters.is_empty() {
        return Err(Failure::question(format!(
            "there is no Python for the `{}` backend; install one, or use `--backend docker`",
            backend.name()
        )));
    }
    let grid = resolve_project(&offered, &config.dependency, &selection, &interpreters)?;
    let mut plan = Plan::new(&config.name, setup, interpreters, grid);
    let mut rest = plan.part(|_| false);
    if !only.is_empty() {
        let (chosen, left) = std::mem::take(&mut plan.cells)
            .into_iter()
            .partition(|cell| only.iter().any(|pattern| pattern.matches(&cell.id)));
        (plan.cells, rest.cells) = (chosen, left);
        if plan.cells.is_empty() {
            let example = rest.cells.first().map(|cell| cell.id.to_string()).unwrap_or_default();
            return Err(Failure::question(format!(
                "`--only` matches none of the {} cells; they are called like `{example}`",
                rest.cells.len()
            )));
        }
    }
    let rerun = match work.rerun {
        None => Rerun::Nothing,
        Some(RerunName::Failed) => Rerun::Failed,
        Some(RerunName::All) => Rerun::All,
    };
    let jobs = jobs(work.jobs);
    let retry = Retry { times: work.retries, ..Retry::default() };
    let options = RunOptions { jobs, rerun, retry, ..RunOptions::default() };
    Ok(Layout { setting, cache, index, backend, project, plan, rest, options })
}

/// What the configuration selects, with what the arguments say in its place.
fn selection(config: &Config, args: &Select) -> Selection {
    Selection {
        versions: args.versions.clone().unwrap_or_else(|| config.selection.versions.clone()),
        pre: args.pre || config.selection.pre,
        yanked: args.yanked || config.selection.yanked,
        sdist: config.selection.sdist,
        as_of: args.as_of.or(config.selection.as_of),
    }
}

/// What `--only` chooses.
fn cell_patterns(patterns: &[String]) -> Result<Vec<CellPattern>, Failure> {
    let parsed = patterns.iter().map(|pattern| pattern.parse::<CellPattern>());
    let parsed = parsed.collect::<Result<_, _>>();
    parsed.map_err(|error| Failure::question(format!("--only: {error}")))
}

pub(crate) fn patterns(flag: &str, patterns: &[String]) -> Result<Option<GlobSet>, Failure> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(&pattern.replace('[', "[[]"))
            .literal_separator(true)
            .build()
            .map_err(|error| {
            Failure::question(format!("{flag} `{pattern}`: {}", error.kind()))
        })?;
        set.add(glob);
    }
    let set = set.build().map_err(|error| Failure::question(format!("{flag}: {error}")))?;
    Ok(Some(set))
}

/// How many things to do at once: as many as were asked for, or as there are CPUs that this process may
/// use.
pub(crate) fn jobs(asked: Option<u16>) -> usize {
    let cpus = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    asked.map_or_else(cpus, usize::from)
}
