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

impl Pin {
    /// The pins in an order in which packages stand before those that require them, as far as `requires` tells, and
    /// else sorted by name. In this order few mixtures of two locks are impossible to install.
    ///
    /// Requirements also lead through packages that do not differ. A circle of them is cut somewhere.
    #[must_use]
    pub fn ordered(
        pins: Vec<Self>,
        requires: &BTreeMap<PackageName, BTreeSet<PackageName>>,
    ) -> Vec<Self> {
        let mut left: BTreeMap<PackageName, Self> =
            pins.into_iter().map(|pin| (pin.name.clone(), pin)).collect();
        let mut seen: BTreeSet<PackageName> = BTreeSet::new();
        let mut ordered = Vec::new();
        for start in left.keys().cloned().collect::<Vec<_>>() {
            // Depth first: a package is left, and stands in the order, after all that it requires.
            let mut path = vec![(start, false)];
            while let Some((name, is_left)) = path.pop() {
                if is_left {
                    ordered.extend(left.remove(&name));
                } else if seen.insert(name.clone()) {
                    let required = requires.get(&name).into_iter().flatten().rev();
                    let required: Vec<_> = required.map(|name| (name.clone(), false)).collect();
                    path.push((name, true));
                    path.extend(required);
                }
            }
        }
        ordered
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(names: &[&str]) -> Vec<Pin> {
        let version = |text: &str| Some(text.parse().unwrap());
        let pin =
            |name: &&str| Pin { name: name.parse().unwrap(), from: version("1"), to: version("2") };
        names.iter().map(pin).collect()
    }

    fn graph(edges: &[(&str, &str)]) -> BTreeMap<PackageName, BTreeSet<PackageName>> {
        let mut graph: BTreeMap<PackageName, BTreeSet<PackageName>> = BTreeMap::new();
        for (from, to) in edges {
            graph.entry(from.parse().unwrap()).or_default().insert(to.parse().unwrap());
        }
        graph
    }

    fn ordered(names: &[&str], edges: &[(&str, &str)]) -> String {
        let pins = Pin::ordered(named(names), &graph(edges));
        pins.iter().map(|pin| pin.name.normalized()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn packages_stand_before_those_that_require_them() {
        assert_eq!(ordered(&["c", "a", "b"], &[]), "a b c");
        assert_eq!(ordered(&["a", "b", "c"], &[("a", "b"), ("b", "c")]), "c b a");
        // Through one that does not differ.
        assert_eq!(ordered(&["a", "c"], &[("a", "b"), ("b", "c")]), "c a");
        assert_eq!(ordered(&["a", "b", "c"], &[("a", "b"), ("b", "a"), ("a", "c")]), "b c a");
    }

    proptest! {
        #[test]
        fn each_pin_stands_once_whatever_requires_what(
            edges in proptest::collection::vec((0_u8..8, 0_u8..8), 0..30),
        ) {
            let name = |index: u8| format!("p{index}");
            let names: Vec<String> = (0..8).map(name).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            // Those that differ require only what stands later in the alphabet: no circles.
            let edges: Vec<(String, String)> =
                edges.into_iter().filter(|(one, other)| one < other).map(|(one, other)| (name(one), name(other))).collect();
            let edges: Vec<(&str, &str)> = edges.iter().map(|(one, other)| (one.as_str(), other.as_str())).collect();
            let pins = Pin::ordered(named(&names), &graph(&edges));
            let place = |name: &str| pins.iter().position(|pin| pin.name.normalized() == name);
            prop_assert_eq!(pins.len(), 8);
            for (from, to) in edges {
                prop_assert!(place(to) < place(from));
            }
        }
    }
}
