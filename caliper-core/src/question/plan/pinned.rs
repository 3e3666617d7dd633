//! One cell of a plan, with other packages at chosen versions.

use std::collections::BTreeMap;

use pep440_rs::Version;

use super::{Plan, PlannedCell, Setup};
use crate::names::{PackageName, Sha256};

/// Versions of packages.
pub type Pins = BTreeMap<PackageName, Version>;

impl Plan {
    /// The plan of the cell `cell` alone, whose environment has the packages of `pins` at these versions, if it has
    /// them at all.
    ///
    /// The pins are constraints. So they say nothing about whether a package is installed, and the requirements of
    /// all packages hold too. The cell gets the axis `pins`, if there are any, or if its setup has other constraints of
    /// builds than the plan. Its label is a digest of all constraints. Pins of the dependency itself have no effect,
    /// because its file is that of the cell.
    #[must_use]
    pub fn pinned(&self, cell: &PlannedCell, pins: &Pins) -> Self {
        let mut setup = self.setup_of(cell).clone();
        let others = pins.iter().filter(|(name, _)| **name != self.dependency);
        setup
            .constraints
            .extend(others.map(|(name, version)| format!("{}=={version}", name.normalized())));
        let mut id = cell.id.clone();
        let all = |setup: &Setup| (setup.constraints.clone(), setup.build_constraints.clone());
        if all(&setup) != all(&self.setup) {
            let digest = Sha256::of(format!("{:?}", all(&setup)).as_bytes()).hex();
            id.variant.insert(Self::PINS, &digest[..12]);
        }
        let cell = PlannedCell { id, choice: cell.choice.clone(), setup: None };
        Self { setup, cells: vec![cell], ..self.part(|_| false) }
    }

    /// The axis of [`Plan::pinned`].
    pub const PINS: &'static str = "pins";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::testing;

    #[test]
    fn a_cell_is_pinned() {
        let python = "3.11".parse().unwrap();
        let grid = testing::grid(vec![testing::cell("1.0", python), testing::cell("1.1", python)]);
        let config = crate::question::config::Config::from_yaml(
            "caliper.yaml",
            "analysis:\n  dependency: demo\n  constraints: [six<2]\n",
            &|_| unreachable!(),
        );
        let setup = config.unwrap().setup();
        let plan = Plan::new("t", setup, vec![testing::interpreter("3.11")], grid);
        let pins = |list: &[(&str, &str)]| -> Pins {
            let pin =
                |(name, version): &(&str, &str)| (name.parse().unwrap(), version.parse().unwrap());
            list.iter().map(pin).collect()
        };
        let pinned = plan.pinned(&plan.cells[1], &pins(&[("Helper", "2.0"), ("demo", "1.0")]));
        let [cell] = pinned.cells.as_slice() else { panic!("{:?}", pinned.cells) };
        assert_eq!(cell.id.to_string(), "1.1/3.11[pins=846f324a1bf2]");
        assert_eq!(cell.choice, plan.cells[1].choice);
        assert_eq!(pinned.setup_of(cell).constraints, ["six<2", "helper==2.0"]);
        let other = plan.pinned(&plan.cells[1], &pins(&[("helper", "2.1")]));
        assert_ne!(other.cells[0].id, cell.id);
        assert_eq!(plan.pinned(&plan.cells[1], &pins(&[])).setup.constraints, ["six<2"]);
    }
}
