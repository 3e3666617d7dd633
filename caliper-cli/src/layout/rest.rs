//! The cells that a partial run leaves out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use caliper_core::facts::record::Record;
use caliper_core::facts::store::DirStore;
use caliper_core::names::{PythonVersion, Timestamp};
use caliper_core::question::axes::Axes;
use caliper_core::question::grid::CellId;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::plan::{Plan, PlannedCell, Setup};
use caliper_core::question::selection::Selection;
use caliper_pypi::index::Project;
use caliper_pypi::resolve::ResolveError;

use super::resolved;
use crate::args::Select;
use crate::exit::Failure;
use crate::setting::Setting;
use crate::sources::Index;

/// What a run asks for.
pub(super) struct Asked<'a> {
    pub(super) plan: &'a Plan,
    pub(super) setup: &'a Setup,
    pub(super) axes: &'a Axes,
    /// What `as_of: today` stands for.
    pub(super) today: Timestamp,
    /// Whether the backend is the one that the configuration leads to.
    pub(super) is_usual: bool,
}

/// The cells that the run would have too without `--python`, `--versions`, `--pre`, `--yanked` and `--as-of`, as
/// far as they have a record; and whether these are all. The cells of another backend cannot be described by
/// this one.
///
/// They are laid out to tell whether their records are stale. A Python that is not asked for now is
/// taken from the records: to start it, or to pull its image, would be too much for a look.
pub(super) fn of(
    asked: &Asked<'_>,
    setting: &Setting,
    select: &Select,
    offered: &Project,
    index: &Index,
) -> Result<(Plan, bool), Failure> {
    let config = &setting.config;
    let Asked { plan, setup, axes, today, is_usual } = *asked;
    let mut rest = plan.part(|_| false);
    let Select { index: _, python, versions, pre, yanked, as_of } = select;
    let is_partial =
        !python.is_empty() || versions.is_some() || *pre || *yanked || !as_of.is_empty();
    if !is_partial {
        return Ok((rest, is_usual));
    }
    let (mut records, _) = DirStore::read_only(setting.results()).records()?;
    records.sort_by_key(|record| record.finished);
    let kept: BTreeSet<CellId> = records.iter().map(Record::id).collect();
    let wanted = |one: &Interpreter| {
        config.python_versions.is_empty() || config.python_versions.contains(&one.python)
    };
    let recorded = records.iter().filter_map(|record| record.environment.interpreter.clone());
    let known = recorded.filter(wanted).chain(plan.interpreters.iter().cloned());
    let pythons: BTreeMap<PythonVersion, Interpreter> =
        known.map(|one| (one.python, one)).collect();
    rest.interpreters = pythons.into_values().collect();

    // With the date that was typed, and without it.
    let dated = Selection { as_of: setup.as_of, ..config.selection.clone() };
    let mut layouts = vec![(setup.clone(), dated, axes)];
    if is_usual && !as_of.is_empty() {
        let setup = Setup { as_of: config.selection.as_of, ..setup.clone() };
        layouts.push((setup, config.selection.clone(), &config.axes));
    }
    let mut seen: BTreeSet<CellId> = plan.cells.iter().map(|cell| cell.id.clone()).collect();
    let mut is_whole = is_usual;
    for (setup, selection, axes) in layouts {
        let pythons = rest.interpreters.clone();
        let cells =
            match resolved(config, &setup, &selection, (axes, today), offered, pythons, index) {
                Ok(whole) => whole.cells,
                Err(error @ ResolveError::Index { .. }) => return Err(error.into()),
                // The configuration selects nothing by itself.
                Err(_) => {
                    is_whole = false;
                    continue;
                }
            };
        let setup = Arc::new(setup);
        let own = |cell: PlannedCell| PlannedCell {
            setup: Some(cell.setup.unwrap_or_else(|| Arc::clone(&setup))),
            ..cell
        };
        let new = cells
            .into_iter()
            .filter(|cell| kept.contains(&cell.id) && seen.insert(cell.id.clone()));
        rest.cells.extend(new.map(own));
    }
    Ok((rest, is_whole))
}
