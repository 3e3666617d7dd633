//! `poetry.lock` (<https://python-poetry.org/docs/basic-usage/#installing-with-poetrylock>).
//!
//! Since version 2.1 of its format, which Poetry 2.0 writes, packages carry their markers. Before, only what requires
//! them did, and the requirements of the project itself stand in another file. So a package is installed there if
//! nothing in the lock requires it, or if something does that is installed.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifiers};
use serde::Deserialize;
use toml::Value;

use super::{Edge, LeftOutReason, LockFile, LockFileError, LockKind, Locked, Roots, parsed};
use crate::names::PackageName;

#[derive(Deserialize)]
struct File {
    metadata: Metadata,
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    lock_version: Option<String>,
    python_versions: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: PackageName,
    version: Version,
    python_versions: Option<String>,
    markers: Option<Markers>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, Value>,
    source: Option<Source>,
}

/// One for all groups, or one for each.
#[derive(Deserialize)]
#[serde(untagged)]
enum Markers {
    OfAll(String),
    OfGroups(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct Source {
    r#type: Option<String>,
}

pub(super) fn read(text: &str) -> Result<LockFile, LockFileError> {
    let File { metadata, package } = parsed("poetry.lock", text)?;
    let kind = LockKind::Poetry;
    let requires_python = metadata.python_versions.as_deref().and_then(specifiers);
    let version = metadata.lock_version.unwrap_or_else(|| "1.0".to_owned());
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    let has_markers = match parts.as_slice() {
        [1, ..] | [2] | [2, 0, ..] => false,
        [2, ..] => true,
        _ => return Err(LockFileError::Format { kind, version, known: "1.x and 2.x" }),
    };
    let packages: Vec<Locked> = package.into_iter().map(locked).collect();
    let roots = if has_markers { Roots::All } else { Roots::Reached(unrequired(&packages)) };
    Ok(LockFile { kind, packages, roots, requires_python, options: Vec::new() })
}

/// The packages that no package outside their own circle of requirements requires.
fn unrequired(packages: &[Locked]) -> Vec<(usize, BTreeSet<String>)> {
    let places = |edge: &Edge| {
        let name = edge.name.clone();
        (0..packages.len()).filter(move |place| packages[*place].name == name)
    };
    let requires = |place: usize| packages[place].requires.iter().flat_map(places);
    let required: BTreeSet<usize> = (0..packages.len())
        .flat_map(|one| requires(one).filter(move |other| *other != one))
        .collect();
    let mut roots: Vec<usize> =
        (0..packages.len()).filter(|place| !required.contains(place)).collect();
    let mut reached = BTreeSet::new();
    let mut next = roots.clone();
    for place in 0..packages.len() {
        while let Some(one) = next.pop() {
            if reached.insert(one) {
                next.extend(requires(one));
            }
        }
        // Packages that require each other in a circle, and nothing else requires them.
        if !reached.contains(&place) {
            roots.push(place);
            next.push(place);
        }
    }
    roots.into_iter().map(|place| (place, BTreeSet::new())).collect()
}

fn locked(package: Package) -> Locked {
    let markers = match package.markers {
        None => Vec::new(),
        Some(Markers::OfAll(marker)) => vec![marker],
        // A group without a marker installs it always.
        Some(Markers::OfGroups(of_groups)) if of_groups.len() < package.groups.len() => Vec::new(),
        Some(Markers::OfGroups(of_groups)) => of_groups.into_values().collect(),
    };
    let edges = package.dependencies.iter().flat_map(|(name, value)| {
        let name: Option<PackageName> = name.parse().ok();
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        name.into_iter().flat_map(move |name| values.iter().map(move |value| edge(&name, value)))
    });
    Locked {
        left_out: package.source.as_ref().and_then(left_out),
        markers: markers.into_iter().filter(|marker| !marker.is_empty()).collect(),
        requires_python: package.python_versions.as_deref().and_then(specifiers),
        requires: edges.collect(),
        ..Locked::new(package.name, Some(package.version))
    }
}

/// A requirement: a specifier, or a table with it. An `optional` one counts for an extra, and all extras are taken.
fn edge(name: &PackageName, value: &Value) -> Edge {
    let field = |key: &str| value.get(key).and_then(Value::as_str);
    let versions = value.as_str().or_else(|| field("version")).and_then(specifiers);
    let marker = field("markers").map(str::to_owned);
    Edge { name: name.clone(), versions, marker, extras: Vec::new() }
}

/// Specifiers in the notation of PEP 440. `None`, which allows everything, for what only Poetry writes: there `||`
/// stands between alternatives.
fn specifiers(text: &str) -> Option<VersionSpecifiers> {
    text.parse().ok()
}

fn left_out(source: &Source) -> Option<LeftOutReason> {
    match source.r#type.as_deref() {
        // Another index.
        None | Some("legacy") => None,
        Some("git") => Some(LeftOutReason::Repository),
        Some("directory") => Some(LeftOutReason::Folder),
        Some("file") => Some(LeftOutReason::File),
        Some(_) => Some(LeftOutReason::Address),
    }
}
