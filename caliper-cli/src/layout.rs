//! From a configuration and arguments to a plan: asks the backend for its Pythons and the index for
//! the releases.

mod rest;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use caliper_container::backend::{BackendError, ContainerBackend};
use caliper_container::interrupt::Interrupt;
use caliper_container::project;
use caliper_container::runner::{Rerun, Retry, RunOptions, Schedule, during};
use caliper_core::facts::event::{Phase, Reporter};
use caliper_core::facts::store::DirStore;
use caliper_core::names::{PythonVersion, Timestamp};
use caliper_core::question::axes::{AsOf, Axes, Axis, AxisValue};
use caliper_core::question::config::Config;
use caliper_core::question::grid::CellPattern;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::plan::{Plan, PlannedCell, Setup};
use caliper_core::question::selection::Selection;
use caliper_pypi::index::{PackageIndex as _, Project};
use caliper_pypi::resolve::{self, Question, ResolveError, pythons_wanted};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde_json::Value;

use crate::args::{RerunName, ScheduleName, Select, Work};
use crate::cache_lock::CacheLock;
use crate::exit::Failure;
use crate::left_out;
use crate::own;
use crate::package::{Around, Package};
use crate::setting::{self, Setting};
use crate::shadow;
use crate::sources::{self, Index, Purpose};
use crate::terminal::{Terminal, printable};

/// A plan with all that is needed to carry it out.
pub(crate) struct Layout {
    pub(crate) setting: Setting,
    pub(crate) cache: PathBuf,
    pub(crate) index: Index,
    pub(crate) backend: Box<dyn ContainerBackend>,
    pub(crate) project: project::Project,
    /// Keeps others from removing the cache; `None` if nothing is carried out.
    pub(crate) cache_in_use: Option<CacheLock>,
    /// What was asked for.
    pub(crate) plan: Plan,
    /// The cells of the configuration that the arguments leave out; for a run only.
    pub(crate) rest: Plan,
    /// Whether `plan` and `rest` are all cells of the configuration.
    pub(crate) is_whole: bool,
    pub(crate) options: RunOptions,
    /// When this began.
    pub(crate) begun: SystemTime,
}

/// Lays out what `work` asks for.
pub(crate) fn lay_out(
    work: &Work,
    purpose: Purpose,
    interrupt: &Interrupt,
    reporter: &dyn Reporter,
    terminal: Terminal,
) -> Result<Layout, Failure> {
    let begun = SystemTime::now();
    let setting = Setting::open(work.config())?;
    let config = &setting.config;
    let cache = setting::cache(&setting.path);
    match own::make(&setting.folder()) {
        // What is only looked at may be read-only.
        Err(failure) if purpose == Purpose::Run => return Err(failure),
        _ => own::make_cache(&cache),
    }
    own::remember();
    let cache_in_use = match purpose {
        Purpose::Run => Some(CacheLock::to_use(&cache)?),
        Purpose::Look => None,
    };
    let only = cell_patterns(&work.only)?;
    let selection = selection(config, &work.selection);
    let mut setup = setup(config, &selection, &work.tests)?;
    let index = Index::open(&work.selection.index, &cache, terminal)?;
    let backend = sources::backend(work, purpose, config, &index, &cache, terminal)?;
    backend.check(&setup)?;
    let project = during(reporter, Phase::Project, || read_project(&setting))?;
    for test in &setup.tests {
        project.for_test(test)?;
    }
    if purpose == Purpose::Run && !setting.has_results() {
        left_out::note(&project.left_out(), &setting.path, terminal);
    }
    let results = setting.results();
    let around = Around {
        config,
        project: &project,
        index: &index,
        cache: &cache,
        results: &results,
        interrupt,
        terminal,
    };
    if purpose == Purpose::Run {
        shadow::warn(&setting.folder(), &config.dependency, &setup, terminal);
    }
    let (mut plan, offered) = if let Some(file) = &work.plan {
        let plan = plan_of_file(file, config)?;
        during(reporter, Phase::Wheel, || built_for(&plan, around))?;
        (plan, None)
    } else {
        // Asked first: a package that does not exist is told before anything is started.
        let offered = during(reporter, Phase::Index, || index.client.project(&config.dependency))?;
        let mut pythons = during(reporter, Phase::Pythons, || {
            pythons(config, &setup, &selection, work, &offered, &*backend)
        })?;
        add_project(&mut setup, &mut pythons, work, around, reporter)?;
        let axes = axes(config, work, backend.name());
        let today = today(&axes, &setting)?;
        let plan = during(reporter, Phase::Grid, || {
            resolved(config, &setup, &selection, (&axes, today), &offered, pythons, &index)
        })?;
        (plan, Some((offered, axes, today)))
    };
    for setup in plan.setups() {
        backend.check(setup)?;
    }
    let (mut rest, is_whole) = match &offered {
        Some((offered, axes, today)) if purpose == Purpose::Run => {
            let is_usual = backend.name() == sources::usual(config);
            let asked = rest::Asked { plan: &plan, setup: &setup, axes, today: *today, is_usual };
            during(reporter, Phase::Grid, || {
                rest::of(&asked, &setting, &work.selection, offered, &index)
            })?
        }
        Some(_) | None => (plan.part(|_| false), false),
    };
    if !only.is_empty() {
        let (chosen, left) = std::mem::take(&mut plan.cells)
            .into_iter()
            .partition(|cell| only.iter().any(|pattern| pattern.matches(&cell.id)));
        let left: Vec<PlannedCell> = left;
        plan.cells = chosen;
        if plan.cells.is_empty() {
            let example = left.first().map(|cell| cell.id.to_string()).unwrap_or_default();
            return Err(Failure::question(format!(
                "`--only` matches none of the {} cells; they are called like `{example}`, and `*` stands for no `/`",
                left.len()
            )));
        }
        rest.cells.extend(left);
    }
    let options = options(work);
    Ok(Layout {
        setting,
        cache,
        index,
        backend,
        project,
        cache_in_use,
        plan,
        rest,
        is_whole,
        options,
        begun,
    })
}

/// Adds the project's own package to what is done in every cell, if the configuration asks for it.
fn add_project(
    setup: &mut Setup,
    pythons: &mut Vec<Interpreter>,
    work: &Work,
    around: Around<'_>,
    reporter: &dyn Reporter,
) -> Result<(), Failure> {
    let config = around.config;
    let Some(choice) = &config.project else { return Ok(()) };
    let chosen = !work.selection.python.is_empty() || !config.python_versions.is_empty();
    let package =
        during(reporter, Phase::Wheel, || Package::build(choice, around, pythons, chosen))?;
    let files = around.index.downloader(around.cache);
    let measured = std::slice::from_ref(&config.dependency);
    let (installed, lifted) = package.without_ranges(measured, around.cache, &files)?;
    setup.project = Some(Arc::new(installed));
    setup.lifted.splice(0..0, lifted);
    shadow::warn_of_package(&package, &config.dependency, around.terminal);
    let lifted: Vec<String> =
        setup.lifted.iter().map(|one| format!("`{}`", one.requirement)).collect();
    let lifted = match lifted.as_slice() {
        [] => String::new(),
        lifted => format!(", without what it declares of releases: {}", lifted.join(", ")),
    };
    let (name, version) = (&package.name, &package.version);
    around
        .terminal
        .note(&printable(&format!("{name} {version} is installed in every cell{lifted}")));
    Ok(())
}

/// Makes sure that the project's wheels are here that a plan of a file names.
fn built_for(plan: &Plan, around: Around<'_>) -> Result<(), Failure> {
    let files = around.index.downloader(around.cache);
    let lacking = || {
        let packages = plan.setups().into_iter().filter_map(|setup| setup.project.as_deref());
        let mut wheels = packages.flat_map(|package| &package.wheels);
        wheels.any(|wheel| files.cached(&wheel.file).is_none())
    };
    if !lacking() {
        return Ok(());
    }
    if let Some(choice) = &around.config.project {
        let package = Package::build(choice, around, &mut plan.interpreters.clone(), true)?;
        let measured = std::slice::from_ref(&plan.dependency);
        package.without_ranges(measured, around.cache, &files)?;
    }
    if lacking() {
        return Err(Failure::question(
            "the plan is for another state of the project's own package than that of this folder; make it anew",
        ));
    }
    Ok(())
}

/// What is done in every cell, with the tests that `--tests` chooses.
fn setup(config: &Config, selection: &Selection, chosen: &[String]) -> Result<Setup, Failure> {
    let mut setup = Setup { as_of: selection.as_of, ..config.setup() };
    let Some(chosen) = patterns("--tests", chosen)? else { return Ok(setup) };
    let all: Vec<String> = setup.tests.iter().map(|test| format!("`{}`", test.name)).collect();
    setup.tests.retain(|test| chosen.is_match(&test.name));
    if setup.tests.is_empty() {
        return Err(Failure::question(format!(
            "`--tests` matches none of the tests, which are {}",
            if all.is_empty() { "the import alone".to_owned() } else { all.join(", ") }
        )));
    }
    Ok(setup)
}

/// How the run works.
fn options(work: &Work) -> RunOptions {
    let rerun = rerun(work.rerun);
    let schedule = match work.schedule {
        ScheduleName::Parallel => Schedule::Parallel,
        ScheduleName::Exclusive => Schedule::Exclusive,
        ScheduleName::Interleaved => Schedule::Interleaved,
    };
    let retry = Retry { times: work.retries, ..Retry::default() };
    RunOptions { jobs: jobs(work.jobs), schedule, rerun, retry, ..RunOptions::default() }
}

/// Which recorded cells are measured again.
pub(crate) fn rerun(asked: Option<RerunName>) -> Rerun {
    match asked {
        None => Rerun::Nothing,
        Some(RerunName::Failed) => Rerun::Failed,
        Some(RerunName::All) => Rerun::All,
    }
}

/// Reads the project of a configuration.
pub(crate) fn read_project(setting: &Setting) -> Result<project::Project, Failure> {
    let folder = setting.folder();
    Ok(project::Project::read_without(&folder, Some(&setting.path), &own::outputs(&folder))?)
}

/// The Pythons that are asked for, or else those that the backend has.
fn pythons(
    config: &Config,
    setup: &Setup,
    selection: &Selection,
    work: &Work,
    offered: &Project,
    backend: &dyn ContainerBackend,
) -> Result<Vec<Interpreter>, Failure> {
    let mut wanted: BTreeSet<PythonVersion> = if work.selection.python.is_empty() {
        &config.python_versions
    } else {
        &work.selection.python
    }
    .iter()
    .copied()
    .collect();
    if wanted.is_empty() && backend.name() != sources::LOCAL {
        wanted = pythons_wanted(offered, selection, || {
            let present = backend.interpreters(&BTreeSet::new(), setup)?;
            Ok::<_, BackendError>(present.iter().map(|interpreter| interpreter.python).collect())
        })?;
    }
    let interpreters = backend.interpreters(&wanted, setup)?;
    if interpreters.is_empty() {
        return Err(Failure::question(format!(
            "there is no Python for the `{}` backend; install one, or use `--backend docker`",
            backend.name()
        )));
    }
    Ok(interpreters)
}

/// Lays out the cells of these Pythons, of what the index offers.
fn resolved(
    config: &Config,
    setup: &Setup,
    selection: &Selection,
    (axes, today): (&Axes, Timestamp),
    offered: &Project,
    pythons: Vec<Interpreter>,
    index: &Index,
) -> Result<Plan, ResolveError> {
    let question = Question {
        analysis: &config.name,
        package: &config.dependency,
        selection,
        setup,
        axes,
        today,
    };
    resolve::plan(question, offered, pythons, &index.client)
}

/// The axes of the configuration, and those that the command line stands for.
///
/// A date or a backend that was typed is an axis of its own, so that what it measures does not replace
/// what was measured without it: records have names of their own.
fn axes(config: &Config, work: &Work, backend: &str) -> Axes {
    let mut axes = config.axes.clone();
    if !work.selection.as_of.is_empty() {
        let mut values: Vec<AxisValue> = Vec::new();
        for as_of in &work.selection.as_of {
            let value = AxisValue::as_of(label(*as_of), *as_of);
            if values.iter().all(|known| known.label != value.label) {
                values.push(value);
            }
        }
        axes.set(Axis::new("as_of", values));
    }
    if backend != sources::usual(config) {
        axes.set(Axis::new("backend", vec![AxisValue::named(backend)]));
    }
    axes
}

/// Dates are shown as they are typed: a day, where it is the beginning of one.
fn label(as_of: AsOf) -> String {
    match as_of {
        AsOf::Release => "release".to_owned(),
        AsOf::Today => "today".to_owned(),
        AsOf::Date(date) => {
            let text = date.to_string();
            text.strip_suffix("T00:00:00Z").unwrap_or(&text).to_owned()
        }
    }
}

/// What `as_of: today` stands for: the moment of an earlier run, if that is less than a day ago, or else now. So a
/// release that comes out meanwhile splits no grid, and a run that was stopped goes on.
fn today(axes: &Axes, setting: &Setting) -> Result<Timestamp, Failure> {
    const DAY: i64 = 24 * 3600;
    let now = Timestamp::from(SystemTime::now());
    let yesterday = Timestamp::from_unix_seconds(now.unix_seconds() - DAY);
    let written = axes.dates(yesterday);
    if !axes.dates(now).contains(&now) {
        return Ok(now);
    }
    let (records, _) = DirStore::read_only(setting.results()).records()?;
    let moments = records.iter().filter_map(|record| record.environment.as_of);
    let earlier = moments.filter(|moment| (yesterday..=now).contains(moment));
    Ok(earlier.filter(|moment| !written.contains(moment)).max().unwrap_or(now))
}

/// A plan that was kept: alone, or in what `plan --format json` prints.
fn plan_of_file(path: &Path, config: &Config) -> Result<Plan, Failure> {
    let read = || -> Result<Plan, String> {
        let text = std::fs::read(path).map_err(|error| error.to_string())?;
        let mut value: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let inner = value.get_mut("plan").map(Value::take);
        serde_json::from_value(inner.unwrap_or(value)).map_err(|error| error.to_string())
    };
    let told = |problem: String| {
        Failure::question(format!("`{}` is not a plan that can be run: {problem}", path.display()))
    };
    let plan = read().map_err(told)?;
    if plan.dependency != config.dependency {
        let (planned, configured) = (&plan.dependency, &config.dependency);
        return Err(told(format!("it is for {planned}, and the configuration for {configured}")));
    }
    Ok(plan)
}

/// What the configuration selects, with what the arguments say in its place.
fn selection(config: &Config, args: &Select) -> Selection {
    Selection {
        versions: args.versions.clone().unwrap_or_else(|| config.selection.versions.clone()),
        pre: args.pre || config.selection.pre,
        yanked: args.yanked || config.selection.yanked,
        sdist: config.selection.sdist,
        as_of: args.date().or(config.selection.as_of),
        unknown_upload_time: config.selection.unknown_upload_time,
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
