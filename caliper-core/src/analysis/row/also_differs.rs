//! What sets two cells apart besides the release.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::record::{Record, RecordedFile};
use crate::names::PackageName;
use crate::question::grid::FileKind;

/// Something besides the release that is not the same in two cells.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[non_exhaustive]
pub struct AlsoDiffers {
    /// What kind of thing it is.
    #[serde(default, skip_serializing_if = "Factor::is_package")]
    pub factor: Factor,
    /// Its name: of a package the normalised one.
    pub name: String,
    /// Its version or value in the first cell; `None` if it is not there.
    pub from: Option<String>,
    /// The same in the second cell.
    pub to: Option<String>,
}

/// What may set two cells apart.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Factor {
    /// An installed distribution.
    #[default]
    Package,
    /// The patch release of the Python.
    Python,
    /// The base image.
    Base,
    /// The backend, or the machine.
    Machine,
}

impl Factor {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_package(&self) -> bool {
        *self == Self::Package
    }
}

/// More of these than so many are counted, not listed.
const LISTED: usize = 3;

impl AlsoDiffers {
    /// What is not the same in the environments of two records, apart from the dependency itself and the packages
    /// that it requires in one of them only. What only one record knows is not told: a cell whose build failed
    /// has no list of what was installed.
    pub(in crate::analysis) fn between(one: &Record, other: &Record) -> Vec<Self> {
        type Value<'a> = &'a dyn Fn(&Record) -> Option<String>;
        let mut found = Self::packages(one, other);
        let interpreter =
            |record: &Record| Some(record.environment.interpreter.as_ref()?.version.to_string());
        let base = |record: &Record| Some(record.environment.base.as_ref()?.digest.clone());
        let processor = |record: &Record| record.machine.as_ref()?.cpu.clone();
        let backend = |record: &Record| Some(record.environment.backend.clone());
        let factors: [(Factor, &str, Value<'_>); 4] = [
            (Factor::Python, "Python", &interpreter),
            (Factor::Base, "base image", &base),
            (Factor::Machine, "processor", &processor),
            (Factor::Machine, "backend", &backend),
        ];
        for (factor, name, value) in factors {
            if let (Some(from), Some(to)) = (value(one), value(other))
                && from != to
            {
                let (from, to) = (Some(from), Some(to));
                found.push(Self { factor, name: name.to_owned(), from, to });
            }
        }
        found
    }

    /// The same of other packages alone.
    pub(in crate::analysis) fn packages(one: &Record, other: &Record) -> Vec<Self> {
        let installed = |record: &Record| -> BTreeMap<String, String> {
            let all = record.environment.installed.iter();
            let named = all.map(|one| (normalized(&one.name), one.version.clone()));
            let dependency = dependency(record);
            named.filter(|(name, _)| dependency.as_ref() != Some(name)).collect()
        };
        let is_known = |record: &Record| !record.environment.installed.is_empty();
        if !is_known(one) || !is_known(other) {
            return Vec::new();
        }
        let (left, right) = (installed(one), installed(other));
        let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
        let differing = |name: &String| {
            let (from, to) = (left.get(name).cloned(), right.get(name).cloned());
            let factor = Factor::Package;
            (from != to).then(|| Self { factor, name: name.clone(), from, to })
        };
        let differing: Vec<Self> = names.into_iter().filter_map(differing).collect();
        // If no other package has another version, what comes and goes is what the release itself requires.
        let has_moved = differing.iter().any(|one| one.from.is_some() && one.to.is_some());
        if has_moved { differing } else { Vec::new() }
    }

    /// A distribution that has these versions in the two cells.
    #[cfg(test)]
    pub(crate) fn package(name: &str, from: &str, to: &str) -> Self {
        let [from, to] = [from, to].map(|version| Some(version.to_owned()));
        Self { factor: Factor::Package, name: name.to_owned(), from, to }
    }

    /// The first few of them, on one line; `None` if there are none.
    pub fn list(all: &[Self]) -> Option<String> {
        list(all)
    }
}

/// The first few of some changes, on one line; `None` if the list is empty.
pub(in crate::analysis) fn list<T: fmt::Display>(all: &[T]) -> Option<String> {
    let mut named: Vec<String> = all.iter().take(LISTED).map(ToString::to_string).collect();
    if all.len() > LISTED {
        named.push(format!("{} more", all.len() - LISTED));
    }
    (!named.is_empty()).then(|| named.join(", "))
}

/// What became of something, such as `numpy 1.26 → 2.0`, `numpy 1.26 gone` or `numpy 2.0 new`.
pub(in crate::analysis) fn write_change<T: fmt::Display>(
    formatter: &mut fmt::Formatter<'_>,
    name: &str,
    from: Option<T>,
    to: Option<T>,
) -> fmt::Result {
    match (from, to) {
        (Some(from), Some(to)) => write!(formatter, "{name} {from} → {to}"),
        (Some(from), None) => write!(formatter, "{name} {from} gone"),
        (None, Some(to)) => write!(formatter, "{name} {to} new"),
        (None, None) => formatter.write_str(name),
    }
}

/// The normalized name of the dependency of a record, which its file bears.
fn dependency(record: &Record) -> Option<String> {
    let RecordedFile { filename, kind, .. } = record.environment.file.as_ref()?;
    // The parts of a wheel's name hold no `-`; the name in an old sdist may.
    let name = match kind {
        FileKind::Wheel => filename.split_once('-'),
        FileKind::Sdist => filename.rsplit_once('-'),
    };
    Some(normalized(name?.0))
}

/// As PEP 503 has it. A name that is none is kept as it is.
pub(in crate::analysis) fn normalized(name: &str) -> String {
    name.parse::<PackageName>()
        .map_or_else(|_| name.to_owned(), |name| name.normalized().to_owned())
}

impl fmt::Display for AlsoDiffers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { factor, name, from, to } = self;
        let short = |value: &String| -> String {
            match factor {
                // A digest says no more with all of its digits.
                Factor::Base => value.chars().take(19).collect(),
                Factor::Package | Factor::Python | Factor::Machine => value.clone(),
            }
        };
        write_change(formatter, name, from.as_ref().map(short), to.as_ref().map(short))
    }
}
