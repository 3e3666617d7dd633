//! What is installed in an image.

use caliper_core::facts::record::Installed;
use caliper_core::names::PackageName;
use caliper_core::question::modules::{Distribution, Imports, imports};
use serde::{Deserialize, Serialize};

use super::pythons::Question;
use crate::direct_url;

/// What an image is asked for [`Inventory::parse`], of the distribution with that normalised name.
///
/// With these options no code of what was installed is run, which could answer instead.
pub(super) fn question(dependency: &PackageName) -> Question<'_> {
    let program = include_str!("installed.py");
    let argument = Some(dependency.normalized());
    Question { options: &["-E", "-s", "-S"], program, argument }
}

/// What a Python has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inventory {
    /// Name, version, and the text of `direct_url.json`.
    installed: Vec<(String, String, Option<String>)>,
    /// The distribution in question, if it is installed.
    found: Option<Found>,
}

/// What a distribution says of itself, and its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    metadata: String,
    top_level: String,
    namespaces: String,
    paths: Vec<String>,
    /// Those of `paths` that make their package a namespace.
    shared: Vec<String>,
}

impl Inventory {
    /// Reads what [`PROGRAM`] printed.
    pub(super) fn parse(output: &[u8]) -> Result<Self, serde_json::Error> {
        let text = String::from_utf8_lossy(output);
        serde_json::from_str(&text)
    }

    /// Everything that is installed, sorted by name.
    pub(super) fn installed(&self) -> Vec<Installed> {
        let all = self.installed.iter().map(|(name, version, direct)| {
            let mut one = Installed::new(name, version);
            one.file = direct.as_ref().and_then(|text| direct_url::read(text.as_bytes()));
            one
        });
        let mut all: Vec<Installed> = all.collect();
        all.sort_by_cached_key(|one| one.name.to_lowercase());
        all
    }

    /// The version of `dependency` that is installed, as its metadata spells it.
    pub(super) fn version(&self, dependency: &PackageName) -> Option<&str> {
        let is = |name: &str| name.parse().is_ok_and(|name: PackageName| name == *dependency);
        self.installed.iter().find(|(name, ..)| is(name)).map(|(_, version, _)| version.as_str())
    }

    /// What to import in order to see that `dependency` works, if it is installed.
    pub(super) fn imports(&self, dependency: &PackageName) -> Option<Imports> {
        let Found { metadata, top_level, namespaces, paths, shared } = self.found.as_ref()?;
        Some(imports(&Distribution {
            project: dependency,
            metadata,
            top_level,
            namespaces,
            paths,
            is_namespace: &|init| shared.iter().any(|path| path == init),
        }))
    }
}
