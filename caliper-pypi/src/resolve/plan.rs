//! From a grid to a plan, along the further axes.

use std::collections::BTreeMap;

use caliper_core::names::{PackageName, Timestamp};
use caliper_core::question::axes::{Axes, Grids};
use caliper_core::question::grid::{Choice, Grid, MissingReason};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::plan::{Plan, PlannedCell, Setup};
use caliper_core::question::selection::{Selection, Versions};
use pep440_rs::Version;

use super::releases::{existed, select};
use super::{ResolveError, resolve_project};
use crate::index::{PackageIndex, Project, Release};

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The title of the analysis.
    pub analysis: &'a str,
    /// The package whose releases are measured.
    pub package: &'a PackageName,
    /// Which of its releases and files.
    pub selection: &'a Selection,
    /// What is done in every cell.
    pub setup: &'a Setup,
    /// The further axes.
    pub axes: &'a Axes,
    /// What `as_of: today` stands for.
    pub today: Timestamp,
}

/// Lays out every cell that `question` asks for; `offered` is what `index` answered for its package.
///
/// The index is asked again only for the packages of axes of releases.
///
/// # Errors
///
/// As [`super::resolve`], also for second packages.
pub fn plan(
    question: Question<'_>,
    offered: &Project,
    interpreters: Vec<Interpreter>,
    index: &dyn PackageIndex,
) -> Result<Plan, ResolveError> {
    let Question { analysis, package, selection, setup, axes, today } = question;
    let plain = resolve_project(offered, package, selection, &interpreters)?;
    if axes.is_empty() {
        return Ok(Plan::new(analysis, setup.clone(), interpreters, plain));
    }
    let releases = |package: &PackageName, versions: &Versions| {
        releases_of(package, versions, selection.as_of, index)
    };
    let axes = axes.clone().with_releases(releases)?;
    let mut dated = BTreeMap::new();
    for date in axes.dates(today) {
        let selection = as_of(date, selection, offered);
        let found = match resolve_project(offered, package, &selection, &interpreters) {
            Ok(grid) => grid,
            // Nothing of what is selected existed then: each cell says so for itself.
            Err(ResolveError::NoRelease { .. } | ResolveError::Empty { .. }) => {
                Grid { as_of: Some(date), cells: Vec::new(), ..plain.clone() }
            }
            Err(error) => return Err(error),
        };
        dated.insert(date, found);
    }
    let cells = axes.lay_out(setup, Grids { plain: &plain, dated: &dated }, today);
    let dateless = |cell: &PlannedCell| match &cell.choice {
        Choice::Missing(missing) => missing.reason == MissingReason::NoUploadTime,
        Choice::File { .. } => false,
    };
    if !cells.is_empty() && cells.iter().all(dateless) {
        return Err(ResolveError::NoUploadTimes { package: package.clone(), as_of: None });
    }
    Ok(Plan { cells, ..Plan::new(analysis, setup.clone(), interpreters, plain) })
}

/// What is selected at a date: all that `selection` may have chosen, as far as it existed then. A rule that
/// takes the newest would take other releases then, and of a list some may not have existed.
fn as_of(date: Timestamp, selection: &Selection, offered: &Project) -> Selection {
    let mut dated = Selection { as_of: Some(date), ..selection.clone() };
    match &mut dated.versions {
        Versions::Among(among) => (among.latest_patch, among.latest) = (false, None),
        Versions::Listed(listed) => {
            let limit = Selection { as_of: Some(date), ..Selection::default() };
            let releases = offered.releases().iter().filter(|release| existed(release, &limit));
            let existing: Vec<&Version> = releases.map(Release::version).collect();
            listed.retain(|version| existing.contains(&version));
        }
    }
    dated
}

/// The releases of a second package, the oldest first.
///
/// # Errors
///
/// As [`super::resolve`].
pub fn releases_of(
    package: &PackageName,
    versions: &Versions,
    as_of: Option<Timestamp>,
    index: &dyn PackageIndex,
) -> Result<Vec<Version>, ResolveError> {
    let project = index.project(package).map_err(|source| ResolveError::Index {
        package: package.clone(),
        source: Box::new(source),
    })?;
    let selection = Selection { versions: versions.clone(), as_of, ..Selection::default() };
    let selected = select(&project, package, &selection)?;
    Ok(selected.iter().map(|selected| selected.release.version().clone()).collect())
}
