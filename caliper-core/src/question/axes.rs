//! Further axes of the grid: the date of the index, a second package, a seed, limits, bundles.
//!
//! There is one mechanism: an axis is a named list of values, and each value is a small [`Overlay`] on
//! the [`Setup`]. The cells are grid × product of the axes, without what `exclude` takes away.

mod overlay;
mod rule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pep440_rs::Version;

pub use overlay::{AsOf, LimitChanges, Overlay};
pub use rule::{Condition, Rule};

use crate::names::{PackageName, Timestamp};
use crate::question::grid::{CellId, Choice, Grid, GridCell, Missing, MissingReason, Variant};
use crate::question::plan::{PlannedCell, Setup};
use crate::question::selection::Versions;

/// The further axes of a grid.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axes {
    /// The axes, in the order of the configuration.
    pub axes: Vec<Axis>,
    /// Combinations that are not cells.
    pub exclude: Vec<Rule>,
    /// Combinations that are cells although `exclude` matches them.
    pub include: Vec<Rule>,
}

/// A named list of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Its name, unique within an analysis.
    pub name: String,
    /// Its values.
    pub values: AxisValues,
}

/// The values of an axis.
#[derive(Debug, Clone, PartialEq)]
pub enum AxisValues {
    /// These.
    Listed(Vec<AxisValue>),
    /// One for each of these releases of another package. What they are, the index knows: see
    /// [`Axes::with_releases`].
    Releases {
        /// The package.
        package: PackageName,
        /// Which of its releases.
        versions: Versions,
    },
}

/// One value of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisValue {
    /// How the value is called in the names of cells.
    pub label: String,
    /// What it changes.
    pub overlay: Overlay,
}

/// The grids from which the files of cells are taken.
#[derive(Debug, Clone, Copy)]
pub struct Grids<'a> {
    /// Without a date limit, or with that of the whole plan.
    pub plain: &'a Grid,
    /// As of each of [`Axes::dates`].
    pub dated: &'a BTreeMap<Timestamp, Grid>,
}

/// One combination of values: its name, and all of its overlays, one on top of the other.
struct Combination {
    variant: Variant,
    overlay: Overlay,
}

impl Axes {
    /// Whether the grid stays as it is.
    pub fn is_empty(&self) -> bool {
        self.axes.is_empty() && self.exclude.is_empty() && self.include.is_empty()
    }

    /// Puts `axis` in place of the axis of the same name, or behind all others.
    pub fn set(&mut self, axis: Axis) {
        match self.axes.iter_mut().find(|old| old.name == axis.name) {
            Some(old) => *old = axis,
            None => self.axes.push(axis),
        }
    }

    /// The same with the releases of second packages listed, each pinned by a requirement.
    ///
    /// # Errors
    ///
    /// What `releases` answers.
    pub fn with_releases<E>(
        self,
        releases: impl Fn(&PackageName, &Versions) -> Result<Vec<Version>, E>,
    ) -> Result<Self, E> {
        let listed = |axis: Axis| {
            let values = match axis.values {
                AxisValues::Listed(values) => values,
                AxisValues::Releases { package, versions } => {
                    let versions = releases(&package, &versions)?;
                    versions.into_iter().map(|version| AxisValue::pin(&package, &version)).collect()
                }
            };
            Ok(Axis { values: AxisValues::Listed(values), ..axis })
        };
        let axes = self.axes.into_iter().map(listed).collect::<Result<_, E>>()?;
        Ok(Self { axes, ..self })
    }

    /// The fixed dates at which the index must be looked at. `today` is the moment that the word
    /// stands for.
    pub fn dates(&self, today: Timestamp) -> BTreeSet<Timestamp> {
        let values = self.axes.iter().flat_map(Axis::listed);
        values.filter_map(|value| value.overlay.as_of?.fixed(today)).collect()
    }

    /// Every cell: each cell of the grid in each combination of values, in the order of the axes.
    ///
    /// `setup` is what is done where no axis says anything else; `today` as for [`Axes::dates`].
    pub fn lay_out(&self, setup: &Setup, grids: Grids<'_>, today: Timestamp) -> Vec<PlannedCell> {
        let combinations = self.combinations();
        // Made once for each combination and shared by its cells, unless the date is the release's own.
        let setups: Vec<Arc<Setup>> = combinations
            .iter()
            .map(|each| {
                let mut changed = each.overlay.apply(setup);
                if let Some(date) = each.overlay.as_of.and_then(|date| date.fixed(today)) {
                    changed.as_of = Some(date);
                }
                Arc::new(changed)
            })
            .collect();
        let dated: BTreeMap<Timestamp, BTreeMap<&CellId, &Choice>> =
            grids.dated.iter().map(|(date, grid)| (*date, by_cell(grid))).collect();
        let mut cells = Vec::new();
        for GridCell { id, choice } in &grids.plain.cells {
            for (combination, setup) in combinations.iter().zip(&setups) {
                let named = CellId { variant: combination.variant.clone(), ..id.clone() };
                if !self.allows(&named) {
                    continue;
                }
                let mut cell = PlannedCell {
                    id: named,
                    choice: choice.clone(),
                    setup: Some(Arc::clone(setup)),
                };
                match combination.overlay.as_of {
                    None => {}
                    Some(AsOf::Release) => at_release(&mut cell),
                    Some(AsOf::Today | AsOf::Date(_)) => {
                        let grid = setup.as_of.and_then(|date| dated.get(&date));
                        if let Some(grid) = grid {
                            cell.choice =
                                grid.get(id).map_or_else(not_yet, |found| (*found).clone());
                        }
                    }
                }
                cells.push(cell);
            }
        }
        cells
    }

    /// What is done in a cell of this variant, whose date of the index is left to the caller. A date or a backend that
    /// was typed on the command line need not be among the axes.
    ///
    /// # Errors
    ///
    /// [`UnknownValueError`] if the axes do not have such a value.
    pub fn setup_of(&self, setup: &Setup, variant: &Variant) -> Result<Setup, UnknownValueError> {
        let mut overlay = Overlay::default();
        for (name, label) in variant.iter() {
            let axis = self.axes.iter().find(|axis| axis.name == name);
            match axis.and_then(|axis| axis.value(label)) {
                Some(value) => overlay = overlay.with(&value.overlay),
                None if TYPED.contains(&name) => {}
                None => {
                    let (axis, label) = (name.to_owned(), label.to_owned());
                    return Err(UnknownValueError { axis, label });
                }
            }
        }
        Ok(overlay.apply(setup))
    }

    /// Whether this combination is a cell.
    fn allows(&self, cell: &CellId) -> bool {
        let any = |rules: &[Rule]| rules.iter().any(|rule| rule.matches(cell));
        !any(&self.exclude) || any(&self.include)
    }

    /// The product of the axes, the last of which moves fastest.
    fn combinations(&self) -> Vec<Combination> {
        let mut all =
            vec![Combination { variant: Variant::default(), overlay: Overlay::default() }];
        for axis in &self.axes {
            let with = |before: &Combination| -> Vec<Combination> {
                let values = axis.listed().iter();
                let joined = values.map(|value| {
                    let mut variant = before.variant.clone();
                    variant.insert(&axis.name, &value.label);
                    Combination { variant, overlay: before.overlay.clone().with(&value.overlay) }
                });
                joined.collect()
            };
            all = all.iter().flat_map(with).collect();
        }
        all
    }
}

/// The axes that options of the command line stand for.
const TYPED: [&str; 2] = ["as_of", "backend"];

/// A cell has a value that its axis does not have any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has no value `{label}` of an axis `{axis}`")]
pub struct UnknownValueError {
    axis: String,
    label: String,
}

impl Axis {
    /// The value with this label; of an axis of releases, any release.
    fn value(&self, label: &str) -> Option<AxisValue> {
        match &self.values {
            AxisValues::Listed(values) => values.iter().find(|value| value.label == label).cloned(),
            AxisValues::Releases { package, .. } => {
                Some(AxisValue::pin(package, &label.parse().ok()?))
            }
        }
    }

    /// An axis with values that are known.
    pub fn new(name: impl Into<String>, values: Vec<AxisValue>) -> Self {
        Self { name: name.into(), values: AxisValues::Listed(values) }
    }

    /// The values; none of an axis of releases that were not looked up yet.
    pub fn listed(&self) -> &[AxisValue] {
        match &self.values {
            AxisValues::Listed(values) => values,
            AxisValues::Releases { .. } => &[],
        }
    }
}

impl AxisValue {
    /// A value that only names what differs, and changes nothing in the setup.
    pub fn named(label: impl Into<String>) -> Self {
        Self { label: label.into(), overlay: Overlay::default() }
    }

    /// A date of the index.
    pub fn as_of(label: impl Into<String>, as_of: AsOf) -> Self {
        let overlay = Overlay { as_of: Some(as_of), ..Overlay::default() };
        Self { label: label.into(), overlay }
    }

    /// A release of a second package.
    fn pin(package: &PackageName, version: &Version) -> Self {
        let requirements = vec![format!("{}=={version}", package.normalized())];
        let overlay = Overlay { requirements, ..Overlay::default() };
        Self { label: version.to_string(), overlay }
    }
}

fn by_cell(grid: &Grid) -> BTreeMap<&CellId, &Choice> {
    grid.cells.iter().map(|cell| (&cell.id, &cell.choice)).collect()
}

/// A release that did not exist at a date.
fn not_yet() -> Choice {
    Choice::Missing(Missing { reason: MissingReason::NoFiles, nearest: None, mismatch: None })
}

/// Sets the date of the index to the moment at which the cell's own file was uploaded.
fn at_release(cell: &mut PlannedCell) {
    let Some(file) = cell.file() else { return };
    if let Some(time) = file.upload_time {
        let setup = cell.setup.as_deref().cloned();
        cell.setup = setup.map(|setup| Arc::new(Setup { as_of: Some(time), ..setup }));
    } else {
        let nearest = Some(file.filename.clone());
        let reason = MissingReason::NoUploadTime;
        cell.choice = Choice::Missing(Missing { reason, nearest, mismatch: None });
    }
}

#[cfg(test)]
mod tests;
