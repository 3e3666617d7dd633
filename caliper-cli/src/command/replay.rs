//! Rebuilds recorded cells from their locks, and says whether they come out the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use caliper_container::backend::ContainerBackend;
use caliper_container::interrupt::Interrupt;
use caliper_container::runner::{Retry, RunContext, RunOptions, during};
use caliper_container::study::{differs, replay};
use caliper_core::analysis::Analysis;
use caliper_core::analysis::changes::{Change, Difference};
use caliper_core::analysis::replay::{self, Rebuilding, Replayed};
use caliper_core::analysis::row::AlsoDiffers;
use caliper_core::facts::event::Phase;
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::names::PythonVersion;
use caliper_core::question::grid::{CellId, CellPattern};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::report::model::{NotRebuilt, Replays};

use super::recorded::recorded;
use super::{LISTED, say_how_many_more};
use crate::args::{BackendName, FormatName, HowToReplay, IndexArgs, Replay, Select, Work};
use crate::cache_lock::CacheLock;
use crate::exit::{Exit, Failure, Outcome};
use crate::layout;
use crate::progress::{self, Removal};
use crate::setting::{self, Setting};
use crate::signals::Watch;
use crate::sources::{self, Index, Purpose};
use crate::terminal::{Terminal, printable};

pub(super) fn run(asked: Replay, terminal: Terminal) -> Outcome {
    let Replay { what, config, how, index, format } = asked;
    let pattern = match what.as_str() {
        "all" => None,
        what => Some(what.parse::<CellPattern>().map_err(Failure::question)?),
    };
    rebuild(&config, pattern.as_ref(), &how, &index, format.format, terminal)
}

/// Rebuilds the recorded cells of a configuration that `pattern` matches, or all.
pub(super) fn rebuild(
    config: &Path,
    pattern: Option<&CellPattern>,
    how: &HowToReplay,
    index: &IndexArgs,
    format: FormatName,
    terminal: Terminal,
) -> Outcome {
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let (first, results) = recorded(config, terminal)?;
    let setting = Setting::open(config)?;
    let chosen = |record: &&Record| pattern.is_none_or(|pattern| pattern.matches(&record.id()));
    let records: Vec<Record> = results.cells.iter().filter(chosen).cloned().collect();
    if records.is_empty() {
        let names: Vec<String> =
            results.cells.iter().take(3).map(|record| record.id().to_string()).collect();
        return Err(Failure::question(format!(
            "no recorded cell matches; there are {}, such as {}",
            results.cells.len(),
            names.join(", ")
        )));
    }
    let cache = setting::cache(config);
    let _in_use = CacheLock::open(&setting.folder(), &cache)?;
    let second = DirStore::open(first.folder().join("replay"))?;
    let mut done = Done { replayed: Vec::new(), not_rebuilt: Vec::new(), empty: Vec::new() };
    for (backend, records) in by_backend(&records, how.backend, &mut done) {
        let replaying = Replaying {
            setting: &setting,
            cache: &cache,
            stores: [&first, &second],
            how,
            index: index_of(index, &records),
            interrupt: &interrupt,
            terminal,
        };
        replaying.on(backend, &records, &mut done)?;
        if interrupt.is_raised() {
            break;
        }
    }
    let blobs = |blob| first.content(blob).or_else(|_| second.content(blob)).ok();
    let analysis = Analysis::new(&[], None, &setting.config.compare, &blobs);
    let cells = replay::compare(&records, &done.replayed, &analysis);
    let replays = Replays::new(cells, done.not_rebuilt, done.empty);
    match format {
        FormatName::Json => super::print_json(&replays, terminal)?,
        FormatName::Text => terminal.data(&printable(&text(&replays))),
    }
    if let Some(exit) = watch.exit() {
        terminal.note("interrupted; what was rebuilt is kept, and the same command goes on");
        return Ok(exit);
    }
    for NotRebuilt { cell, reason } in replays.not_rebuilt.iter().take(LISTED) {
        terminal.warning(&printable(&format!("{cell} could not be rebuilt: {reason}")));
    }
    say_how_many_more(replays.not_rebuilt.len(), terminal);
    Ok(match (replays.not_rebuilt.is_empty(), replays.same == replays.cells.len()) {
        (false, _) => Exit::Infrastructure,
        (true, false) => Exit::Unexpected,
        (true, true) => Exit::Done,
    })
}

/// What came of all backends.
struct Done {
    replayed: Vec<Record>,
    not_rebuilt: Vec<NotRebuilt>,
    /// Cells that had no environment.
    empty: Vec<String>,
}

impl Done {
    fn lacks(&mut self, record: &Record, reason: String) {
        let cell = record.id().to_string();
        self.not_rebuilt.push(NotRebuilt { cell, reason });
    }
}

/// The records by the backend that rebuilds them.
fn by_backend(
    records: &[Record],
    asked: BackendName,
    done: &mut Done,
) -> Vec<(BackendName, Vec<Record>)> {
    let mut groups: BTreeMap<&str, (BackendName, Vec<Record>)> = BTreeMap::new();
    for record in records {
        let name = record.environment.backend.as_str();
        let (key, backend) = match (asked, name) {
            (BackendName::Auto, "local") => (name, BackendName::Local),
            (BackendName::Auto, "docker") => (name, BackendName::Docker),
            (BackendName::Auto, "podman") => (name, BackendName::Podman),
            (BackendName::Auto, _) => {
                done.lacks(
                    record,
                    format!("there is no backend `{name}`; choose one with `--backend`"),
                );
                continue;
            }
            (chosen, _) => ("", chosen),
        };
        groups.entry(key).or_insert_with(|| (backend, Vec::new())).1.push(record.clone());
    }
    groups.into_values().collect()
}

/// The indexes that the records were made with, unless others are named.
pub(super) fn index_of(asked: &IndexArgs, records: &[Record]) -> IndexArgs {
    let named = sources::names_index(asked);
    let recorded: BTreeSet<&String> =
        records.iter().filter_map(|record| record.environment.index.as_ref()).collect();
    let urls = if named { asked.urls.clone() } else { recorded.into_iter().cloned().collect() };
    IndexArgs { urls, timeout: asked.timeout, offline: asked.offline }
}

/// Rebuilding the cells of one backend.
struct Replaying<'a> {
    setting: &'a Setting,
    cache: &'a PathBuf,
    /// Of the records, and of what is measured now.
    stores: [&'a DirStore; 2],
    how: &'a HowToReplay,
    index: IndexArgs,
    interrupt: &'a Interrupt,
    terminal: Terminal,
}

impl Replaying<'_> {
    fn on(self, backend: BackendName, records: &[Record], done: &mut Done) -> Result<(), Failure> {
        let Self { setting, cache, stores: [first, second], how, index, interrupt, terminal } =
            self;
        let pythons: BTreeSet<PythonVersion> = records.iter().map(|record| record.python).collect();
        let reporter = progress::reporter(how.progress, terminal);
        let index_args = index;
        let index = Index::open(&index_args, cache, terminal)?;
        let selection = Select::of(index_args, pythons.iter().copied().collect(), Vec::new());
        let work = Work {
            jobs: how.jobs,
            rerun: how.rerun,
            retries: how.retries,
            ..Work::of(setting.path.clone(), backend, selection)
        };
        let backend =
            sources::backend(&work, Purpose::Run, &setting.config, &index, cache, terminal)?;
        let interpreters =
            during(&*reporter, Phase::Pythons, || interpreters(&*backend, &pythons, setting))?;
        let Rebuilding { plan, left_out } = replay::plan(&setting.config, records, interpreters);
        for (cell, why) in left_out {
            let (cell, reason) = (cell.to_string(), why.to_string());
            if why.is_empty() {
                done.empty.push(cell);
            } else {
                done.not_rebuilt.push(NotRebuilt { cell, reason });
            }
        }
        if plan.cells.is_empty() {
            return Ok(());
        }
        for setup in plan.setups() {
            backend.check(setup)?;
        }
        let project = during(&*reporter, Phase::Project, || layout::read_project(setting))?;
        let downloader = index.downloader(cache);
        let context = RunContext {
            backend: &*backend,
            project: &project,
            files: &downloader,
            store: first,
            reporter: &*reporter,
            interrupt,
        };
        for (reason, cells) in differs(&plan, context)? {
            let (of, all) = (plan.cells.len(), cells);
            terminal.note(&printable(&format!(
                "note: not as recorded, in {all} of {of} cells: {reason}"
            )));
        }
        let options = RunOptions {
            jobs: layout::jobs(how.jobs),
            rerun: layout::rerun(how.rerun),
            retry: Retry {
                // What is not here is not here a second time.
                times: if index.offline { 0 } else { how.retries },
                ..Retry::default()
            },
            ..RunOptions::default()
        };
        let outcome = replay(&plan, records, RunContext { store: second, ..context }, &options)?;
        let lost: BTreeSet<CellId> =
            outcome.not_measured.iter().map(|(cell, _)| cell.clone()).collect();
        for (cell, reason) in outcome.not_measured {
            let is_told = !index.offline || reason.contains("offline option");
            let fix = if is_told { "" } else { "; try without `--offline`" };
            let (cell, reason) = (cell.to_string(), format!("{reason}{fix}"));
            done.not_rebuilt.push(NotRebuilt { cell, reason });
        }
        // Of a cell that is lost now, there may be the record of an earlier replay.
        for record in outcome.records.into_iter().filter(|record| !lost.contains(&record.id())) {
            match record.outcome {
                CellOutcome::Tested => done.replayed.push(record),
                CellOutcome::BuildFailed => {
                    let failed = record.build.as_ref().and_then(|build| build.reason);
                    let failed = failed.map(|reason| reason.to_string()).unwrap_or_default();
                    let log = last_lines(&record, second);
                    done.lacks(&record, format!("the build failed: {failed}{log}"));
                }
                CellOutcome::Unavailable | CellOutcome::NotMeasured => {}
            }
        }
        for remark in backend.remarks() {
            terminal.note(&format!("note: {remark}"));
        }
        during(&*reporter, Phase::Removing, || {
            let removal = Removal::new(&*reporter);
            backend.finish(interrupt, &|left| removal.say(left));
        });
        Ok(())
    }
}

/// What a build said at its end.
fn last_lines(record: &Record, store: &DirStore) -> String {
    const LINES: usize = 5;
    let log = record.build.as_ref().and_then(|build| store.blob(build.log?).ok());
    let log = log.map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    if last.is_empty() { String::new() } else { format!("\n    {}", last.join("\n    ")) }
}

/// The Pythons that are there, of those in `wanted`.
fn interpreters(
    backend: &dyn ContainerBackend,
    wanted: &BTreeSet<PythonVersion>,
    setting: &Setting,
) -> Result<Vec<Interpreter>, Failure> {
    let setup = setting.config.setup();
    let mut found = Vec::new();
    for python in wanted {
        match backend.interpreters(&BTreeSet::from([*python]), &setup) {
            Ok(interpreters) => found.extend(interpreters),
            // Its cells are told of by name.
            Err(caliper_container::backend::BackendError::NoPython { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// More cells that are not the same are counted, not listed.
const MOST: usize = 20;

fn text(replays: &Replays) -> String {
    let mut text = String::new();
    let differing = || replays.cells.iter().filter(|cell| !cell.same);
    for cell in differing().take(MOST) {
        text += &of_cell(cell);
    }
    let more = differing().count().saturating_sub(MOST);
    if more > 0 {
        text += &format!("… and {more} more cells (`--format json`)\n");
    }
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    for list in replays.cells.iter().filter_map(|cell| AlsoDiffers::list(&cell.also_differs)) {
        *others.entry(list).or_default() += 1;
    }
    for (list, cells) in others {
        text += &format!("{cells} cells were rebuilt elsewhere: {list}\n");
    }
    if !replays.without_environment.is_empty() {
        text += &format!(
            "{} cells have no environment to rebuild: their builds failed, or there is nothing to install\n",
            replays.without_environment.len()
        );
    }
    let (rebuilt, lost) = (replays.cells.len(), replays.not_rebuilt.len());
    let packages: usize = replays.cells.iter().map(|cell| cell.packages).sum();
    text += &format!(
        "{rebuilt} of {} cells rebuilt from their locks ({packages} packages): {} the same in files and results, {} not\n",
        rebuilt + lost,
        replays.same,
        rebuilt - replays.same
    );
    text
}

fn of_cell(cell: &Replayed) -> String {
    let mut text = format!("{}: not the same\n", cell.cell);
    for package in &cell.files {
        text += &format!("  {package}\n");
    }
    for Difference { test, change, first, second, verdict, .. } in &cell.tests {
        if *change == Change::Same {
            continue;
        }
        let test = test.as_ref().map(|test| format!("`{test}`: ")).unwrap_or_default();
        let states = match (first, second, verdict) {
            (Some(first), Some(second), _) if first != second => format!("{first}, then {second}"),
            (_, _, Some(verdict)) => verdict.to_string(),
            _ => change.to_string(),
        };
        text += &format!("  {test}{states}\n");
    }
    text
}
