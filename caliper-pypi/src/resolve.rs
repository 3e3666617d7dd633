//! The right file for every release × Python, or the reason why no file fits.
//!
//! The choice is pip's: the wheel with the best tag, of those the highest build tag, and a source
//! distribution where no wheel fits. Where specifications leave a choice open the file whose name
//! sorts first is taken, so that the order of the index's answer never matters.

mod cell;
mod error;
mod made_for;
mod plan;
mod releases;
mod requires_python;

use std::collections::BTreeMap;

use caliper_core::names::{PackageName, PythonVersion};
use caliper_core::question::grid::{CellId, Grid, GridCell, SCHEMA};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::selection::Selection;

pub use error::ResolveError;
pub use made_for::{PythonsMadeFor, SUPPORTED_PYTHONS, pythons_made_for, pythons_wanted};
pub use plan::{Question, plan, releases_of};

use crate::compatibility::SupportedTags;
use crate::index::{PackageIndex, Project};

/// Asks `index` for `package`, and lays out its grid: one cell for each selected release ×
/// interpreter, sorted by version and Python.
///
/// An interpreter that is given twice counts once.
///
/// # Errors
///
/// [`ResolveError::Index`] if the index could not be asked; [`ResolveError::NoRelease`],
/// [`ResolveError::NotListed`] or [`ResolveError::Empty`] if the selection asks for what the index
/// does not have; [`ResolveError::SamePython`] if two different interpreters would share a column.
pub fn resolve(
    package: &PackageName,
    selection: &Selection,
    interpreters: &[Interpreter],
    index: &dyn PackageIndex,
) -> Result<Grid, ResolveError> {
    let project = index.project(package).map_err(|source| ResolveError::Index {
        package: package.clone(),
        source: Box::new(source),
    })?;
    resolve_project(&project, package, selection, interpreters)
}

/// Lays out the grid of a project that an index has answered; see [`resolve`].
///
/// # Errors
///
/// As [`resolve`], without [`ResolveError::Index`].
pub fn resolve_project(
    project: &Project,
    package: &PackageName,
    selection: &Selection,
    interpreters: &[Interpreter],
) -> Result<Grid, ResolveError> {
    let mut columns: BTreeMap<PythonVersion, &Interpreter> = BTreeMap::new();
    for interpreter in interpreters {
        let column = columns.entry(interpreter.python).or_insert(interpreter);
        if *column != interpreter {
            return Err(ResolveError::SamePython {
                python: interpreter.python,
                abis: [column.abi.clone(), interpreter.abi.clone()],
            });
        }
    }
    let requires_python = requires_python::Table::of(project);
    let columns: Vec<cell::Column<'_>> = columns
        .into_values()
        .map(|interpreter| cell::Column {
            interpreter,
            tags: SupportedTags::of(interpreter),
            admitted: requires_python.admitting(&interpreter.version),
        })
        .collect();
    let releases = releases::select(project, package, selection)?;
    let left_out = releases::left_out(project, selection, &releases);
    let mut cells = Vec::with_capacity(releases.len() * columns.len());
    for selected in releases {
        for column in &columns {
            cells.push(GridCell {
                id: CellId::new(selected.release.version().clone(), column.interpreter.python),
                choice: cell::choose(&selected, column, selection),
            });
        }
    }
    Ok(Grid {
        schema: SCHEMA,
        package: package.clone(),
        as_of: selection.as_of,
        index: project.index().map(str::to_owned),
        cells,
        left_out,
    })
}

#[cfg(test)]
mod tests;
