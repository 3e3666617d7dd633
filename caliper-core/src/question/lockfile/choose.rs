//! Which packages of a lock are installed for one Python.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::{Edge, LeftOut, LeftOutReason, LockFile, LockFileError, Locked, Pinned, Roots};
use crate::names::PackageName;
use crate::question::interpreter::Interpreter;
use crate::question::marker;

pub(super) fn pins(lock: &LockFile, interpreter: &Interpreter) -> Result<Pinned, LockFileError> {
    let chosen = Choice { lock, interpreter, by_name: by_name(lock) }.chosen();
    let mut pinned = Pinned { left_out: lock.options.clone(), ..Pinned::default() };
    let mut versions: BTreeMap<&PackageName, BTreeSet<&Version>> = BTreeMap::new();
    for (place, requires) in &chosen {
        let package = &lock.packages[*place];
        let why =
            package.left_out.or(package.version.is_none().then_some(LeftOutReason::NoVersion));
        match (why, &package.version) {
            (None, Some(version)) => {
                versions.entry(&package.name).or_default().insert(version);
                pinned
                    .requires
                    .entry(package.name.clone())
                    .or_default()
                    .extend(requires.iter().cloned());
            }
            (Some(why), _) => pinned.left_out.push(LeftOut { what: package.name.to_string(), why }),
            (None, None) => {}
        }
    }
    for (name, of_it) in versions {
        let mut of_it = of_it.into_iter();
        if let (Some(version), None) = (of_it.next(), of_it.next()) {
            pinned.pins.insert(name.clone(), version.clone());
        } else {
            let all = lock.packages.iter().enumerate();
            let versions =
                all.filter(|(place, one)| one.name == *name && chosen.contains_key(place));
            let mut versions: Vec<Version> =
                versions.filter_map(|(_, one)| one.version.clone()).collect();
            versions.sort();
            versions.dedup();
            return Err(LockFileError::Forks {
                package: name.clone(),
                python: interpreter.version.clone(),
                versions,
            });
        }
    }
    Ok(pinned)
}

fn by_name(lock: &LockFile) -> BTreeMap<&PackageName, Vec<usize>> {
    let mut by_name: BTreeMap<&PackageName, Vec<usize>> = BTreeMap::new();
    for (place, package) in lock.packages.iter().enumerate() {
        by_name.entry(&package.name).or_default().push(place);
    }
    by_name
}

struct Choice<'a> {
    lock: &'a LockFile,
    interpreter: &'a Interpreter,
    by_name: BTreeMap<&'a PackageName, Vec<usize>>,
}

impl Choice<'_> {
    /// The places of the packages that are installed, each with what it requires.
    fn chosen(&self) -> BTreeMap<usize, BTreeSet<PackageName>> {
        let packages = &self.lock.packages;
        let mut next: Vec<(usize, Option<String>)> = match &self.lock.roots {
            Roots::All => (0..packages.len())
                .filter(|place| self.applies(*place))
                .map(|place| (place, None))
                .collect(),
            Roots::Reached(roots) => {
                let roots = roots.iter().filter(|(place, _)| self.applies(*place));
                roots
                    .flat_map(|(place, extras)| {
                        let extras = extras.iter().cloned().map(Some);
                        std::iter::once(None).chain(extras).map(|extra| (*place, extra))
                    })
                    .collect()
            }
        };
        // What a package requires without an extra and for each extra is followed once.
        let mut seen: BTreeSet<(usize, Option<String>)> = BTreeSet::new();
        let mut chosen: BTreeMap<usize, BTreeSet<PackageName>> = BTreeMap::new();
        while let Some((place, extra)) = next.pop() {
            if !seen.insert((place, extra.clone())) {
                continue;
            }
            let package = &packages[place];
            let requires = chosen.entry(place).or_default();
            let edges = match &extra {
                None => Some(&package.requires),
                Some(extra) => package.extras.get(extra),
            };
            for edge in edges.into_iter().flatten().filter(|edge| self.holds(edge.marker.as_ref()))
            {
                requires.insert(edge.name.clone());
                if self.lock.roots == Roots::All {
                    continue;
                }
                for found in self.found(edge) {
                    let extras = edge.extras.iter().cloned().map(Some);
                    next.extend(std::iter::once(None).chain(extras).map(|extra| (found, extra)));
                }
            }
        }
        chosen
    }

    /// The packages that an edge leads to.
    fn found(&self, edge: &Edge) -> impl Iterator<Item = usize> {
        let places = self.by_name.get(&edge.name).into_iter().flatten().copied();
        let is_meant = |package: &Locked| match (&edge.versions, &package.version) {
            (Some(versions), Some(version)) => versions.contains(version),
            _ => true,
        };
        places.filter(move |place| is_meant(&self.lock.packages[*place]) && self.applies(*place))
    }

    /// Whether a package may be installed. What is not known may.
    fn applies(&self, place: usize) -> bool {
        let Locked { markers, requires_python, .. } = &self.lock.packages[place];
        let is_for = requires_python
            .as_ref()
            .is_none_or(|wanted| wanted.contains(&self.interpreter.version));
        is_for && (markers.is_empty() || markers.iter().any(|marker| self.holds(Some(marker))))
    }

    fn holds(&self, marker: Option<&String>) -> bool {
        marker.is_none_or(|text| marker::holds(text, self.interpreter) != Some(false))
    }
}
