//! Which releases of its dependencies the project of a folder works with.

mod project;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use caliper_container::backend::ContainerBackend as _;
use caliper_container::interrupt::Interrupt;
use caliper_container::project::Project;
use caliper_container::runner::{Retry, RunContext, RunOptions, during};
use caliper_container::study::{Bounding, BoundsWorld, Mixtures, PinnedError, bounds};
use caliper_core::analysis::bounds::{Declared, Direct, Mixture, Question, Verdict};
use caliper_core::facts::event::Phase;
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::names::{PythonVersion, Timestamp};
use caliper_core::question::grid::{Choice, GridCell};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::plan::Plan;
use caliper_core::question::selection::Selection;
use caliper_core::report::model::BoundsReport;
use caliper_pypi::resolve::resolve;

use crate::args::{Bounds, FormatName};
use crate::cache_lock::CacheLock;
use crate::exit::{Exit, Failure, Outcome};
use crate::layout;
use crate::own;
use crate::progress;
use crate::setting::{self, OWN};
use crate::sources::{self, Index};
use crate::terminal::{Terminal, printable};
use crate::today;

/// The folder of its records, beside those of runs.
const FOLDER: &str = "bounds";

/// The axis of the day on which the index was asked, in the cells.
const DAY: &str = "day";

pub(super) fn run(how: &Bounds, terminal: Terminal) -> Outcome {
    super::resumable(terminal, |interrupt| measure(how, interrupt, terminal))
}

fn measure(how: &Bounds, interrupt: &Interrupt, terminal: Terminal) -> Outcome {
    let folder = fs::canonicalize(&how.project).map_err(|error| {
        Failure::question(format!("there is no folder `{}`: {error}", how.project.display()))
    })?;
    own::make(&folder)?;
    let cache = setting::cache(&folder.join(setting::FILE));
    let _in_use = CacheLock::open(&folder, &cache)?;
    let index = Index::open(&how.index, &cache, terminal)?;
    let reporter = progress::reporter(how.progress, terminal);
    let backend = sources::local(&index, &cache, None);
    let files = Project::read_without(&folder, None, &own::outputs(&folder))?;
    let kept = folder.join(OWN).join(FOLDER);
    let store = DirStore::open(&kept)?;
    let around = project::Around {
        how,
        folder: &folder,
        files: &files,
        index: &index,
        cache: &cache,
        results: &kept,
        interrupt,
        terminal,
    };
    let asked = during(&*reporter, Phase::Wheel, || project::Asked::of(&around, &backend))?;
    let mut left_out = asked.left_out.clone();
    let (chosen, directs) =
        during(&*reporter, Phase::Index, || dependencies(how, &asked, &index, &mut left_out))?;
    let plan = with_day(asked.plan.clone(), how, &kept, terminal)?;
    for setup in plan.setups() {
        backend.check(setup)?;
    }
    let pythons: Vec<PythonVersion> = plan.interpreters.iter().map(|one| one.python).collect();
    let names: Vec<String> = pythons.iter().map(ToString::to_string).collect();
    terminal.note(&printable(&format!(
        "{} {} with {} on Python {}",
        plan.dependency,
        plan.cells[0].id.version,
        count(directs.len(), "dependency", "dependencies"),
        names.join(", ")
    )));
    let downloader = index.downloader(&cache);
    let context = RunContext {
        backend: &backend,
        project: &files,
        files: &downloader,
        store: &store,
        reporter: &*reporter,
        interrupt,
    };
    let options = RunOptions {
        jobs: layout::jobs(how.jobs),
        retry: Retry { times: how.retries, ..Retry::default() },
        ..RunOptions::default()
    };
    let declared = |mixture: &Mixture| -> Vec<String> {
        let free = asked.declared.iter().filter(|one| !mixture.pins.contains_key(&one.name));
        free.filter_map(|one| one.line(mixture.python)).collect()
    };
    let mixtures = Mixtures::new(&plan, &declared, context, options);
    let measure = |wanted: &[Mixture], repeats| mixtures.measure(wanted, repeats);
    let world = BoundsWorld { measure: &measure, blobs: &|blob| store.content(blob).ok() };
    let question = Question { dependencies: directs, pythons, widen: how.widen };
    let bounding = match bounds(question.clone(), how.repeats, &world) {
        Err(PinnedError::Interrupted) => {
            return Err(Failure { exit: Exit::Interrupted, error: "interrupted".into() });
        }
        bounding => bounding?,
    };
    drop(mixtures);
    let report = report(&asked, &chosen, &question, &bounding, left_out);
    match how.format.format {
        FormatName::Json => super::print_json(&report, terminal)?,
        FormatName::Text => {
            terminal.prose(&report.lines().join("\n"));
        }
    }
    if how.write || how.diff {
        write::write(&folder, &report, asked.pyproject.as_deref(), how.write, terminal)?;
    }
    Ok(exit(how, &report, &bounding, terminal))
}

/// The dependencies that are chosen, and what the index offers of them.
fn dependencies(
    how: &Bounds,
    asked: &project::Asked,
    index: &Index,
    left_out: &mut Vec<String>,
) -> Result<(Vec<Declared>, Vec<Direct>), Failure> {
    let all = &asked.declared;
    for name in &how.dependency {
        if !all.iter().any(|one| one.name == *name) {
            let names: Vec<String> = all.iter().map(|one| one.name.to_string()).collect();
            let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Failure::question(format!(
                "`--dependency {name}`: it is no direct dependency of the project; it has {has}"
            )));
        }
    }
    let is_chosen =
        |one: &&Declared| how.dependency.is_empty() || how.dependency.contains(&one.name);
    let chosen: Vec<Declared> = all.iter().filter(is_chosen).cloned().collect();
    if chosen.is_empty() {
        return Err(Failure::question(
            "the project has no direct dependencies, so there are no bounds",
        ));
    }
    if !how.dependency.is_empty() {
        let others: Vec<&Declared> = all.iter().filter(|one| !is_chosen(one)).collect();
        left_out.extend(others.iter().map(|one| format!("{}: not chosen", one.name)));
    }
    let mut directs = Vec::new();
    for one in &chosen {
        directs.push(offered(one, &asked.plan.interpreters, how.as_of, index)?);
    }
    Ok((chosen, directs))
}

fn offered(
    declared: &Declared,
    interpreters: &[Interpreter],
    as_of: Option<Timestamp>,
    index: &Index,
) -> Result<Direct, Failure> {
    let selection = Selection { pre: declared.names_pre_releases(), as_of, ..Selection::default() };
    let grid = resolve(&declared.name, &selection, interpreters, &index.client)?;
    let cell = |cell: GridCell| {
        (cell.id.python, cell.id.version, matches!(cell.choice, Choice::File { .. }))
    };
    let offered: Vec<_> = grid.cells.into_iter().map(cell).collect();
    Ok(declared.offered(&offered))
}

/// The plan with the day of the index in the names of its cells: what a resolver picks changes with the index, so what
/// was measured on another day answers another question.
fn with_day(
    mut plan: Plan,
    how: &Bounds,
    kept: &Path,
    terminal: Terminal,
) -> Result<Plan, Failure> {
    let day = if let Some(date) = how.as_of {
        caliper_core::analysis::heal::day(date)
    } else {
        let today = today::of(kept, terminal)?;
        caliper_core::analysis::heal::day(today).split(' ').next().unwrap_or_default().to_owned()
    };
    for cell in &mut plan.cells {
        cell.id.variant.insert(DAY, day.clone());
    }
    Ok(plan)
}

fn report(
    asked: &project::Asked,
    chosen: &[Declared],
    question: &Question,
    bounding: &Bounding,
    mut left_out: Vec<String>,
) -> BoundsReport {
    let verdict = |(declared, direct): (&Declared, &Direct)| {
        let verdict = Verdict::of(direct, declared.everywhere(), &bounding.found, question.widen);
        (declared.text.clone(), verdict)
    };
    let verdicts = chosen.iter().zip(&question.dependencies).map(verdict).collect();
    let lost: BTreeMap<&str, usize> =
        bounding.not_measured.iter().fold(BTreeMap::new(), |mut lost, (_, reason)| {
            *lost.entry(reason.as_str()).or_default() += 1;
            lost
        });
    let lost = lost
        .into_iter()
        .map(|(reason, many)| format!("{}: {reason}", count(many, "environment", "environments")));
    left_out.extend(lost);
    let name = asked.plan.dependency.to_string();
    BoundsReport::of(
        &name,
        verdicts,
        &bounding.found,
        left_out,
        (bounding.installs, bounding.seconds),
    )
}

fn exit(how: &Bounds, report: &BoundsReport, bounding: &Bounding, terminal: Terminal) -> Exit {
    if !bounding.not_measured.is_empty() {
        terminal
            .warning("some environments could not be measured; the same command tries them again");
        return Exit::Infrastructure;
    }
    match (how.check, report.is_refuted(), report.is_decided()) {
        (true, true, _) => Exit::Unexpected,
        (true, false, false) => {
            terminal
                .verdict("not decided: of some declared ranges it is not known whether they hold");
            Exit::Infrastructure
        }
        _ => Exit::Done,
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
