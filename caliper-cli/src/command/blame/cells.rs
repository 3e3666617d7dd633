//! Blaming for two recorded cells: what is installed in one is mixed with what is installed in the other.

use std::collections::BTreeMap;

use caliper_container::runner::RunContext;
use caliper_container::study::PinnedCell;
use caliper_core::analysis::Analysis;
use caliper_core::analysis::blame::{Ends, NoDifference, Pin};
use caliper_core::facts::event::Reporter;
use caliper_core::facts::record::{Record, test_names};
use caliper_core::facts::store::ResultStore as _;
use caliper_core::names::PackageName;
use caliper_core::question::axes::Axes;
use caliper_core::question::config::Config;
use caliper_core::question::grid::{CellId, Choice};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::lockfile::{LeftOut, LeftOutReason};
use caliper_core::question::plan::{Pins, Plan, PlannedCell, Setup};
use caliper_core::question::selection::{Among, Selection, Versions};
use caliper_pypi::resolve::resolve;
use pep440_rs::Version;

use super::super::no_such_test;
use super::super::recorded::recorded;
use super::super::show::find;
use super::{Around, Sides, order, releases_between};
use crate::args::{BackendName, BlameArgs, Select, Work};
use crate::exit::{Failure, Outcome};
use crate::layout::{Layout, lay_out};
use crate::progress;
use crate::setting::Setting;
use crate::sources::Purpose;

pub(super) fn run(cell: &str, against: &str, around: &Around<'_>) -> Outcome {
    let Around { how, terminal, .. } = *around;
    let (store, results) = recorded(&how.config, terminal)?;
    let record = |text: &str| -> Result<Record, Failure> {
        let id = text.parse::<CellId>().map_err(|error| Failure::question(error.to_string()))?;
        let (record, is_stale) = find(&id, &results)?;
        if is_stale {
            terminal.warning(&format!(
                "{} answered another question, so it may end in another way now",
                record.id()
            ));
        }
        Ok(record.clone())
    };
    let (one, other) = (record(against)?, record(cell)?);
    if one.id() == other.id() {
        return Err(Failure::question(format!("`{cell}` and `{against}` are the same cell")));
    }
    let blobs = |blob| store.content(blob).ok();
    let Config { compare: criteria, axes, .. } = Setting::open(&how.config)?.config;
    let analysis = Analysis::new(&[], None, &criteria, &blobs);
    let (test, is_swapped) = test(how, &one, &other, &analysis)?;
    let (good, bad) = if is_swapped { (other, one) } else { (one, other) };

    let reporter = progress::reporter(how.progress, around.terminal);
    let layout = laid_out(how, &axes, [&good, &bad], around, &*reporter)?;
    let dependency = &layout.setting.config.dependency;
    let mut sides = sides(&good, &bad, dependency, &test)?;
    let planned = layout.plan.cells.iter().find(|cell| cell.id == bad.id());
    let planned = planned.ok_or_else(|| {
        Failure::question(format!("`{}` is no cell of the configuration any more", bad.id()))
    })?;
    let date = good.environment.as_of.max(bad.environment.as_of);
    // A cell without a date was built with what was there, so both are there now.
    let date = date.filter(|_| good.environment.as_of.is_some() && bad.environment.as_of.is_some());
    let of_good = layout.plan.cells.iter().find(|cell| cell.id == good.id());
    let setup = Setup {
        as_of: date,
        ..common(layout.plan.setup_of(planned), of_good.map(|cell| layout.plan.setup_of(cell)))
    };
    layout.backend.check(&setup)?;
    let interpreter = layout.plan.interpreter(bad.python).cloned();
    let interpreter = interpreter.ok_or_else(|| {
        Failure::question(format!("there is no Python {} to measure with", bad.python))
    })?;
    let versions = [&good.version, &bad.version];
    let cells = releases(&layout, planned, versions, &interpreter, &setup)?;
    let plan = Plan { setup, cells: cells.values().cloned().collect(), ..layout.plan.clone() };
    let in_one = of_one_alone(&mut sides);
    refuse_without_difference(&sides, &good, &bad, &in_one)?;
    sides.hold(&how.except)?;
    let downloader = layout.index.downloader(&layout.cache);
    sides.requires = order::requires(
        &sides.differing(),
        plan.setup.as_of,
        &interpreter,
        &layout.index,
        &downloader,
    );

    let store = Around::store(&layout.setting.results())?;
    let context = RunContext {
        backend: &*layout.backend,
        project: &layout.project,
        files: &downloader,
        store: &store,
        reporter: &*reporter,
        interrupt: around.interrupt,
    };
    let options = around.options();
    let pinned = PinnedCell::new(&plan, context, options);
    let measure = |mixture: &Pins, repeats| {
        let version = mixture.get(dependency).unwrap_or(&bad.version);
        // Each was resolved above.
        let cell = cells.get(version).unwrap_or(planned);
        let mut pins = mixture.clone();
        pins.remove(dependency);
        pins.extend(in_one.clone());
        pinned.measure(cell, &pins, repeats)
    };
    let of_pin = |pin: &Pin| {
        if pin.name == *dependency {
            return Ok(Some(cells.keys().cloned().collect()));
        }
        releases_between(pin, &interpreter, plan.setup.as_of, &layout.index)
    };
    around.answer(&sides, &store, &criteria, &measure, &of_pin)
}

/// The test to blame for, and whether `one`, and not `other`, is the bad side.
fn test(
    how: &BlameArgs,
    one: &Record,
    other: &Record,
    analysis: &Analysis<'_>,
) -> Result<(String, bool), Failure> {
    let names = test_names(one.judged().iter().chain(other.judged()));
    if let Some(test) = &how.test
        && !names.contains(&test.as_str())
    {
        return Err(no_such_test(test, " in these cells", &names));
    }
    // A build that failed has no tests; then those of the other one count.
    let wanted = names.iter().filter(|name| how.test.as_ref().is_none_or(|test| test == *name));
    let mut differing = Vec::new();
    let mut why = NoDifference::NeitherPasses;
    for name in wanted {
        match Ends::of(one, other, name, analysis) {
            Ok(ends) => differing.push(((*name).to_owned(), std::ptr::eq(ends.bad, one))),
            // Repeats will tell.
            Err(NoDifference::Undecided) => differing.push(((*name).to_owned(), false)),
            Err(reason) => why = reason,
        }
    }
    let Some((first, is_swapped)) = differing.first().cloned() else {
        return Err(Failure::question(format!(
            "{} and {} do not differ: {why}; one must pass where the other fails, or both pass with different results",
            one.id(),
            other.id()
        )));
    };
    Ok((first, is_swapped))
}

/// Lays out the two cells as the run did that recorded them.
fn laid_out(
    how: &BlameArgs,
    axes: &Axes,
    [good, bad]: [&Record; 2],
    around: &Around<'_>,
    reporter: &dyn Reporter,
) -> Result<Layout, Failure> {
    let backend = match bad.environment.backend.as_str() {
        "docker" => BackendName::Docker,
        "podman" => BackendName::Podman,
        _ => BackendName::Local,
    };
    let mut python = vec![bad.python, good.python];
    python.dedup();
    // The axis may have been given on the command line alone.
    let has_axis = axes.axes.iter().any(|axis| axis.name == "as_of");
    let mut as_of = Vec::new();
    for record in [good, bad] {
        let date =
            record.variant.get("as_of").filter(|_| !has_axis).and_then(|label| label.parse().ok());
        if let Some(date) = date
            && !as_of.contains(&date)
        {
            as_of.push(date);
        }
    }
    let selection = Select::of(how.index.clone(), python, as_of);
    let work = Work {
        jobs: how.jobs,
        retries: how.retries,
        ..Work::of(how.config.clone(), backend, selection)
    };
    lay_out(&work, Purpose::Run, around.interrupt, reporter, around.terminal)
}

/// What is installed on both sides. Only the bad side's own release is measured if both have the same.
fn sides<'a>(
    good: &Record,
    bad: &Record,
    dependency: &PackageName,
    test: &'a str,
) -> Result<Sides<'a>, Failure> {
    let mut left_out = Vec::new();
    let mut lock = |record: &Record| -> Result<Pins, Failure> {
        if record.environment.installed.is_empty() {
            return Err(Failure::question(format!(
                "it is not recorded what was installed in {}: {}",
                record.id(),
                record.outcome
            )));
        }
        let mut pins = Pins::new();
        for one in &record.environment.installed {
            let Some((name, version)) = one.pin() else {
                left_out.push(LeftOut { what: one.name.clone(), why: LeftOutReason::NoVersion });
                continue;
            };
            pins.insert(name, version);
        }
        if let Some(project) = &record.environment.project {
            // It is built from the folder.
            pins.remove(&project.name);
        }
        pins.insert(dependency.clone(), record.version.clone());
        Ok(pins)
    };
    let locks = [lock(good)?, lock(bad)?];
    left_out.sort();
    left_out.dedup();
    let names = [good.id().to_string(), bad.id().to_string()];
    Ok(Sides { names, locks, requires: BTreeMap::new(), left_out, test })
}

/// Takes the packages out that only one side has. They are installed because something requires them, so they come and
/// go by themselves, in the one version that is known.
fn of_one_alone(sides: &mut Sides<'_>) -> Pins {
    let alone = sides.in_one();
    for lock in &mut sides.locks {
        lock.retain(|name, _| !alone.contains_key(name));
    }
    alone
}

fn refuse_without_difference(
    sides: &Sides<'_>,
    good: &Record,
    bad: &Record,
    in_one: &Pins,
) -> Result<(), Failure> {
    if !sides.differing().is_empty() {
        return Ok(());
    }
    let names = format!("{} and {}", good.id(), bad.id());
    Err(Failure::question(if good.python != bad.python {
        format!(
            "{names} differ in the Python alone, and blame is about packages; `caliper compare` shows what differs"
        )
    } else if let Some((name, _)) = in_one.first_key_value() {
        format!(
            "{names} have all packages at equal versions, and only one of them has {name}, because something requires it"
        )
    } else {
        format!("the same packages are installed in {names}, so no package is guilty")
    }))
}

/// The setup of the bad cell, without what holds packages at a version on one side alone.
fn common(bad: &Setup, good: Option<&Setup>) -> Setup {
    let Some(good) = good else { return bad.clone() };
    let mut setup = bad.clone();
    setup.constraints.retain(|one| good.constraints.contains(one));
    for requirement in &mut setup.requirements {
        if !good.requirements.contains(requirement) {
            // The name alone: the version comes from the constraints.
            let (name, rest) = PackageName::split(requirement);
            if rest.starts_with(['=', '<', '>', '~', '!']) {
                *requirement = name.to_owned();
            }
        }
    }
    setup
}

/// The cell of each release of the dependency from one version to the other.
fn releases(
    layout: &Layout,
    bad: &PlannedCell,
    versions: [&Version; 2],
    interpreter: &Interpreter,
    setup: &Setup,
) -> Result<BTreeMap<Version, PlannedCell>, Failure> {
    let config = &layout.setting.config;
    let [one, other] = versions;
    let mut cells =
        BTreeMap::from([(bad.id.version.clone(), PlannedCell { setup: None, ..bad.clone() })]);
    if one == other {
        return Ok(cells);
    }
    let (oldest, newest) = if one < other { (one, other) } else { (other, one) };
    let between = format!(">={oldest},<={newest}").parse();
    let between = between
        .map_err(|_| Failure::question(format!("{oldest} and {newest} cannot be compared")))?;
    let pre = one.any_prerelease() || other.any_prerelease() || config.selection.pre;
    let among = Selection {
        versions: Versions::Among(Among { specifiers: between, ..Among::default() }),
        pre,
        as_of: setup.as_of,
        ..config.selection.clone()
    };
    let listed = Selection {
        versions: Versions::Listed(vec![one.clone(), other.clone()]),
        yanked: true,
        ..among.clone()
    };
    // A yanked release that was measured is one end all the same.
    for selection in [among, listed] {
        let grid = resolve(
            &config.dependency,
            &selection,
            std::slice::from_ref(interpreter),
            &layout.index.client,
        )?;
        for cell in grid.cells {
            if let Choice::File { .. } = cell.choice {
                let mut id = bad.id.clone();
                id.version = cell.id.version.clone();
                let planned = PlannedCell { id, choice: cell.choice, setup: None };
                cells.entry(cell.id.version).or_insert(planned);
            }
        }
    }
    Ok(cells)
}
