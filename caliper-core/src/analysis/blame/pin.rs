use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::names::PackageName;

/// A package that differs between two locks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Pin {
    /// The package.
    pub name: PackageName,
    /// Its version in the good lock; `None` if it is not in it.
    #[schemars(with = "Option<String>")]
    pub from: Option<Version>,
    /// Its version in the bad lock; `None` if it is not in it.
    #[schemars(with = "Option<String>")]
    pub to: Option<Version>,
}

impl Pin {
    /// The packages whose version differs between two locks, or that only one of them has, sorted by name.
    pub fn differing(
        good: &BTreeMap<PackageName, Version>,
        bad: &BTreeMap<PackageName, Version>,
    ) -> Vec<Self> {
        let names: BTreeSet<&PackageName> = good.keys().chain(bad.keys()).collect();
        let pin = |name: &PackageName| Self {
            name: name.clone(),
            from: good.get(name).cloned(),
            to: bad.get(name).cloned(),
        };
        names.into_iter().map(pin).filter(|pin| pin.from != pin.to).collect()
    }
}

/// As in `numpy 1.26.4 -> 2.0.0`.
impl fmt::Display for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |version: &Option<Version>| {
            version.as_ref().map_or_else(|| "(absent)".to_owned(), Version::to_string)
        };
        write!(formatter, "{} {} -> {}", self.name, side(&self.from), side(&self.to))
    }
}
