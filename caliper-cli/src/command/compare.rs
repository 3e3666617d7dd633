mod morin;

use std::collections::BTreeSet;
use std::path::Path;

use caliper_core::analysis::Analysis;
use caliper_core::analysis::changes::{Change, Difference, differences};
use caliper_core::analysis::compare::{Evidence, Rung};
use caliper_core::analysis::results::Results;
use caliper_core::analysis::row::AlsoDiffers;
use caliper_core::facts::record::Record;
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::names::PythonVersion;
use caliper_core::question::criteria::Criteria;
use caliper_core::question::grid::{CellId, Variant};
use caliper_core::report::details;
use caliper_core::report::model::Comparison;
use pep440_rs::Version;

use super::recorded::recorded;
use crate::args::CompareFormat;
use crate::exit::{Exit, Failure, Outcome};
use crate::setting::Setting;
use crate::terminal::Terminal;

/// More than these of a kind are counted, not listed.
const LISTED: usize = 20;

/// One side: records, and where their long outputs are.
struct Side {
    records: Vec<Record>,
    store: DirStore,
}

pub(super) fn run(
    sides: &[String],
    config: &Path,
    by: Option<&str>,
    format: CompareFormat,
    terminal: Terminal,
) -> Outcome {
    let (first, second, is_json) = match (format, sides) {
        (CompareFormat::Morin, []) => return morin::run(config, by, terminal),
        (CompareFormat::Morin, [config]) => return morin::run(Path::new(config), by, terminal),
        (CompareFormat::Morin, _) => {
            return Err(Failure::question(
                "`--format morin` compares the runs of each group of one configuration: name one, or none",
            ));
        }
        (CompareFormat::Text | CompareFormat::Json, _) if by.is_some() => {
            return Err(Failure::question("`--by` is for `--format morin`, which compares groups"));
        }
        (CompareFormat::Text | CompareFormat::Json, [first, second]) => {
            (first.as_str(), second.as_str(), format == CompareFormat::Json)
        }
        (CompareFormat::Text | CompareFormat::Json, _) => {
            return Err(Failure::question(
                "name the two sides that are compared: folders of results, configurations, releases or cells",
            ));
        }
    };
    let are_folders = Path::new(first).exists() && Path::new(second).exists();
    let grid = if are_folders { None } else { Some(recorded(config, terminal)?) };
    let side = |name| side(name, config, grid.as_ref(), terminal);
    let (one, other) = (side(first)?, side(second)?);
    let criteria = criteria([first, second], config)?;
    let blobs = |blob| one.store.content(blob).or_else(|_| other.store.content(blob)).ok();
    // Two releases of one grid: what `run` says of them depends on all results of the grid.
    let cells: &[Record] = grid.as_ref().map_or(&[], |(_, results)| &results.cells);
    let baseline = Setting::open(config).ok().and_then(|setting| setting.config.baseline);
    let analysis = Analysis::new(cells, baseline.as_ref(), &criteria, &blobs);
    let found = if are_folders {
        differences(&one.records, &other.records, Record::id, &analysis)
    } else {
        // Releases, or single cells: what corresponds is what they have besides.
        let ids: Vec<CellId> =
            [first, second].iter().filter_map(|name| name.parse().ok()).collect();
        let python_matters = ids.len() < 2;
        // Two variants that are named are compared with each other; else each with its like.
        let variant_matters = ids.iter().filter(|id| !id.variant.is_empty()).count() < 2;
        let position = |record: &Record| -> (Option<PythonVersion>, Option<Variant>) {
            let variant = variant_matters.then(|| record.variant.clone());
            (python_matters.then_some(record.python), variant)
        };
        for (side, name) in [(&one, first), (&other, second)] {
            let places: BTreeSet<_> = side.records.iter().map(position).collect();
            if places.len() < side.records.len() {
                return Err(Failure::question(format!(
                    "`{name}` holds several releases of a Python, and the other side one; name one \
                     release or cell of it, or two folders"
                )));
            }
        }
        differences(&one.records, &other.records, position, &analysis)
    };
    let comparison = Comparison::new(first, second, found);
    if is_json {
        super::print_json(&comparison, terminal)?;
    } else {
        terminal.prose(&text(&comparison));
    }
    Ok(Exit::Done)
}

fn text(comparison: &Comparison) -> String {
    let Comparison { counts, differences: found, .. } = comparison;
    let mut text = String::new();
    for (change, count) in counts {
        if *change == Change::Same {
            continue;
        }
        text += &format!("{change} ({count})\n");
        let of_it = found.iter().filter(|difference| difference.change == *change);
        for difference in of_it.take(LISTED) {
            let Difference { cell, test, first, second, evidence, also_differs, .. } = difference;
            let test = test.as_ref().map(|test| format!(" `{test}`")).unwrap_or_default();
            let states = match (first, second) {
                (Some(first), Some(second)) if first != second => {
                    format!(": {first}, then {second}")
                }
                _ => String::new(),
            };
            text += &format!("  {cell}{test}{states}\n");
            if let Some(evidence) = evidence {
                text += &what_differs(evidence);
            }
            if let Some(list) = AlsoDiffers::list(also_differs) {
                text += &format!("    not only the release differs: {list}\n");
            }
        }
        if *count > LISTED {
            text += &format!("  … and {} more\n", count - LISTED);
        }
    }
    let same = counts.get(&Change::Same).copied().unwrap_or_default();
    text + &format!("{same} of {} the same\n", found.len())
}

/// What is not the same in the results of a test, and how sure it is.
fn what_differs(evidence: &Evidence) -> String {
    let mut text = String::new();
    let others = evidence.others.iter().map(|other| (&other.part, &other.comparison));
    for (part, comparison) in std::iter::once((&evidence.part, &evidence.comparison)).chain(others)
    {
        let Some(divergence) = &comparison.divergence else { continue };
        if comparison.rung <= Rung::WithinTolerance {
            continue;
        }
        let count = match &comparison.numbers {
            Some(numbers) => {
                format!("{} of {} numbers differ: ", numbers.beyond, numbers.compared)
            }
            None => String::new(),
        };
        text += &format!("    {part}: {count}{divergence}\n");
        // A weaker comparison than that of the format has its reason.
        let unread = comparison.unread.iter().cloned();
        for line in unread.chain(details::arrays(comparison)) {
            text += &format!("      {line}\n");
        }
    }
    if let Some(noise) = &evidence.noise {
        text += &format!("    {noise}\n");
    }
    text
}

/// What is looked past: what the configuration says that belongs to one of the sides, or else the usual.
fn criteria(sides: [&str; 2], config: &Path) -> Result<Criteria, Failure> {
    let beside = |path: &Path| {
        let folders = [path, path.parent().unwrap_or(path)];
        let files = folders.map(|folder| folder.join("caliper.yaml"));
        std::iter::once(path.to_owned()).chain(files).find(|path| path.is_file())
    };
    let mut named = sides.into_iter().map(Path::new).filter(|path| path.exists());
    let found = named.find_map(beside).or_else(|| config.is_file().then(|| config.to_owned()));
    Ok(match found {
        Some(path) => Setting::open(&path)?.config.compare,
        None => Criteria::default(),
    })
}

/// A folder of results, a configuration, or a cell or a release of the results in `config`, which `grid` is.
fn side(
    name: &str,
    config: &Path,
    grid: Option<&(DirStore, Results)>,
    terminal: Terminal,
) -> Result<Side, Failure> {
    if let Some((store, results)) = grid
        && !Path::new(name).exists()
    {
        let store = DirStore::read_only(store.folder());
        if let Ok(id) = name.parse::<CellId>() {
            return chosen(store, results, |record| same_cell(record, &id), name, terminal);
        }
        let version: Version = name.parse().map_err(|_| {
            Failure::question(format!(
                "`{name}` is neither a folder of results, nor a configuration, a cell such as \
                 `2.10.1/3.11`, or a release of `{}`",
                config.display()
            ))
        })?;
        return chosen(store, results, |record| record.version == version, name, terminal);
    }
    let (store, results) = recorded(Path::new(name), terminal)?;
    chosen(store, &results, |_| true, name, terminal)
}

/// Whether a record is of this cell; a cell that is named without a variant stands for all of them.
fn same_cell(record: &Record, id: &CellId) -> bool {
    record.version == id.version
        && record.python == id.python
        && (id.variant.is_empty() || record.variant == id.variant)
}

/// The records that are wanted, of which there must be some.
fn chosen(
    store: DirStore,
    results: &Results,
    wanted: impl Fn(&Record) -> bool,
    name: &str,
    terminal: Terminal,
) -> Result<Side, Failure> {
    let records: Vec<Record> = results.cells.iter().filter(|one| wanted(one)).cloned().collect();
    match (records.is_empty(), results.stale.iter().filter(|one| wanted(one)).count()) {
        (false, 0) => {}
        (false, stale) => {
            terminal.warning(&format!("stale cells of `{name}` are left out: {stale}"));
        }
        (true, 0) => {
            return Err(Failure::question(format!(
                "there is nothing of `{name}` in the results in `{}`",
                store.folder().display()
            )));
        }
        (true, _) => {
            return Err(Failure::question(format!(
                "all that is recorded of `{name}` is stale; `caliper run` measures it again"
            )));
        }
    }
    Ok(Side { records, store })
}
