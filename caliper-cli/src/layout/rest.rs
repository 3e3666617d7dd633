//! The cells of a configuration that a partial run leaves out.

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::facts::record::Record;
use caliper_core::facts::store::DirStore;
use caliper_core::names::PythonVersion;
use caliper_core::question::grid::CellId;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::plan::{Plan, Setup};
use caliper_pypi::index::Project;
use caliper_pypi::resolve::ResolveError;

use super::resolved;
use crate::args::{Select, Work};
use crate::exit::Failure;
use crate::setting::Setting;
use crate::sources::Index;

/// The cells that the configuration selects, that `plan` does not have, and that have a record. `None` if the
/// configuration selects nothing by itself.
///
/// They are laid out to tell whether their records are stale. A Python that is not asked for now is
/// taken from the records: to start it, or to pull its image, would be too much for a look.
pub(super) fn of(
    setting: &Setting,
    setup: &Setup,
    plan: &Plan,
    work: &Work,
    offered: &Project,
    index: &Index,
) -> Result<Option<Plan>, Failure> {
    let config = &setting.config;
    let Select { index: _, python, versions, pre, yanked, as_of } = &work.selection;
    let is_partial = !python.is_empty() || versions.is_some() || *pre || *yanked || as_of.is_some();
    if !is_partial {
        return Ok(Some(plan.part(|_| false)));
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
    let pythons = pythons.into_values().collect();
    let setup = Setup { as_of: config.selection.as_of, ..setup.clone() };
    let whole = resolved(config, &setup, &config.selection, &config.axes, offered, pythons, index);
    match whole {
        Ok(mut whole) => {
            let known: BTreeSet<&CellId> = plan.cells.iter().map(|cell| &cell.id).collect();
            whole.cells.retain(|cell| kept.contains(&cell.id) && !known.contains(&cell.id));
            Ok(Some(whole))
        }
        Err(error @ ResolveError::Index { .. }) => Err(error.into()),
        Err(_) => Ok(None),
    }
}
