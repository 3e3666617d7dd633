//! `uv.lock` (<https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile>).
//!
//! Its packages carry no markers, but what requires them does. So what is installed is what can be reached from the
//! project.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::{Version, VersionSpecifier, VersionSpecifiers};
use serde::Deserialize;

use super::{Edge, LeftOutReason, LockFile, LockFileError, LockKind, Locked, Roots, parsed};
use crate::names::PackageName;

/// The version of the format.
const VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    version: u32,
    requires_python: Option<VersionSpecifiers>,
    #[serde(default)]
    manifest: Manifest,
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Manifest {
    #[serde(default)]
    members: Vec<PackageName>,
    /// Of a script.
    #[serde(default)]
    requirements: Vec<Dependency>,
    #[serde(default)]
    dependency_groups: BTreeMap<String, Vec<Dependency>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: PackageName,
    version: Option<Version>,
    source: Source,
    #[serde(default)]
    resolution_markers: Vec<String>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Dependency>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Vec<Dependency>>,
}

#[derive(Clone, Deserialize)]
struct Dependency {
    name: PackageName,
    version: Option<Version>,
    marker: Option<String>,
    #[serde(default, alias = "extras")]
    extra: Vec<String>,
}

#[derive(Deserialize)]
struct Source {
    git: Option<String>,
    url: Option<String>,
    path: Option<String>,
    directory: Option<String>,
    editable: Option<String>,
    r#virtual: Option<String>,
}

impl Source {
    fn left_out(&self) -> Option<LeftOutReason> {
        let folder = self.directory.is_some() || self.is_of_project();
        let reasons = [
            (folder, LeftOutReason::Folder),
            (self.git.is_some(), LeftOutReason::Repository),
            (self.url.is_some(), LeftOutReason::Address),
            (self.path.is_some(), LeftOutReason::File),
        ];
        reasons.into_iter().find_map(|(is_it, reason)| is_it.then_some(reason))
    }

    fn is_of_project(&self) -> bool {
        self.editable.is_some() || self.r#virtual.is_some()
    }
}

pub(super) fn read(text: &str) -> Result<LockFile, LockFileError> {
    let File { version, requires_python, manifest, package } = parsed("uv.lock", text)?;
    let kind = LockKind::Uv;
    if version != VERSION {
        return Err(LockFileError::Format { kind, version: version.to_string(), known: "1" });
    }
    let is_root = |package: &Package| {
        package.source.is_of_project() || manifest.members.contains(&package.name)
    };
    // Groups of the project are taken as extras of it: their names cannot clash, because of the `:`.
    let of_project: Vec<(usize, BTreeSet<String>)> = (0..)
        .zip(&package)
        .filter(|(_, one)| is_root(one))
        .map(|(place, one)| {
            let groups = one.dev_dependencies.keys().map(|group| format!("group:{group}"));
            (place, one.optional_dependencies.keys().cloned().chain(groups).collect())
        })
        .collect();
    let asked = manifest.requirements.iter().chain(manifest.dependency_groups.values().flatten());
    let asked = asked.flat_map(|asked| {
        let places = (0..).zip(&package).filter(|(_, one)| one.name == asked.name);
        places.map(|(place, _)| (place, asked.extra.iter().cloned().collect::<BTreeSet<_>>()))
    });
    let roots: Vec<(usize, BTreeSet<String>)> = of_project.into_iter().chain(asked).collect();
    let roots = if roots.is_empty() { Roots::All } else { Roots::Reached(roots) };
    let packages = package.into_iter().map(locked).collect();
    Ok(LockFile { kind, packages, roots, requires_python, options: Vec::new() })
}

fn locked(package: Package) -> Locked {
    let groups = package.dev_dependencies.into_iter();
    let groups = groups.map(|(group, all)| (format!("group:{group}"), all));
    let extras = package.optional_dependencies.into_iter().chain(groups);
    Locked {
        left_out: package.source.left_out(),
        markers: package.resolution_markers,
        requires: edges(package.dependencies),
        extras: extras.map(|(extra, all)| (extra, edges(all))).collect(),
        ..Locked::new(package.name, package.version)
    }
}

fn edges(dependencies: Vec<Dependency>) -> Vec<Edge> {
    let edge = |Dependency { name, version, marker, extra }| {
        let versions = version
            .map(|version| VersionSpecifiers::from(VersionSpecifier::equals_version(version)));
        Edge { name, versions, marker, extras: extra }
    };
    dependencies.into_iter().map(edge).collect()
}
