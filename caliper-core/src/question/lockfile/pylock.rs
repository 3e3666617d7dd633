//! `pylock.toml` ([PEP 751](https://packaging.python.org/en/latest/specifications/pylock-toml/)).

use pep440_rs::{Version, VersionSpecifiers};
use serde::Deserialize;
use toml::Table;

use super::{Edge, LeftOutReason, LockFile, LockFileError, LockKind, Locked, Roots, parsed};
use crate::names::PackageName;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    lock_version: String,
    requires_python: Option<VersionSpecifiers>,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: PackageName,
    version: Option<Version>,
    marker: Option<String>,
    requires_python: Option<VersionSpecifiers>,
    #[serde(default)]
    dependencies: Vec<Table>,
    vcs: Option<Table>,
    directory: Option<Table>,
    archive: Option<Table>,
}

pub(super) fn read(text: &str) -> Result<LockFile, LockFileError> {
    let File { lock_version: version, requires_python, packages } = parsed("pylock.toml", text)?;
    let kind = LockKind::Pylock;
    // Of another major version a tool must not read anything.
    if version.split('.').next() != Some("1") {
        return Err(LockFileError::Format { kind, version, known: "1.0" });
    }
    let packages = packages.into_iter().map(locked).collect();
    Ok(LockFile { kind, packages, roots: Roots::All, requires_python, options: Vec::new() })
}

fn locked(package: Package) -> Locked {
    let reasons = [
        (package.directory.is_some(), LeftOutReason::Folder),
        (package.vcs.is_some(), LeftOutReason::Repository),
        (package.archive.is_some(), LeftOutReason::Address),
    ];
    let left_out = reasons.into_iter().find_map(|(is_it, reason)| is_it.then_some(reason));
    // A requirement names a package of the lock by as many of its keys as are needed. The name is among them.
    let name = |table: &Table| table.get("name")?.as_str()?.parse().ok();
    let names = package.dependencies.iter().filter_map(name);
    let requires =
        names.map(|name| Edge { name, versions: None, marker: None, extras: Vec::new() });
    Locked {
        left_out,
        markers: package.marker.into_iter().collect(),
        requires_python: package.requires_python,
        requires: requires.collect(),
        ..Locked::new(package.name, package.version)
    }
}
