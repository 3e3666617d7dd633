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
    let program = concat!(include_str!("../distributions.py"), include_str!("installed.py"));
    let argument = Some(dependency.normalized());
    Question { options: &["-E", "-s", "-S"], program, argument }
}

/// What a Python has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inventory {
    installed: Vec<Told>,
    /// The distribution in question, if it is installed.
    found: Option<Found>,
}

/// What an installed distribution says of where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) version: String,
    /// The text of `direct_url.json`.
    direct_url: Option<String>,
    /// The program that installed it
    /// ([INSTALLER](https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-installer-file)).
    installer: Option<String>,
    /// The tags of its wheel; none of what was installed without one.
    pub(super) tags: Vec<String>,
    /// The build tag of its wheel.
    pub(super) build: Option<String>,
}

impl Told {
    /// Whether it was taken from an index: pip or uv installed it, and not from somewhere that they were told.
    pub(super) fn is_of_index(&self) -> bool {
        let installer = self.installer.as_deref().unwrap_or_default();
        ["pip", "uv"].contains(&installer) && self.direct_url.is_none()
    }

    fn installed(&self) -> Installed {
        let mut one = Installed::new(&self.name, &self.version);
        one.file = self.direct_url.as_ref().and_then(|text| direct_url::read(text.as_bytes()));
        one
    }
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

    /// Everything that is installed, sorted by name, each with what it says.
    pub(super) fn installed(&self) -> Vec<(Installed, &Told)> {
        let mut all: Vec<_> = self.installed.iter().map(|told| (told.installed(), told)).collect();
        all.sort_by_cached_key(|(one, _)| one.name.to_lowercase());
        all
    }

    /// Whether a distribution is there in the same version.
    pub(super) fn has(&self, other: &Told) -> bool {
        let normal = |name: &str| name.parse::<PackageName>().ok();
        let same = |one: &&Told| {
            one.version == other.version
                && (one.name == other.name || normal(&one.name) == normal(&other.name))
        };
        self.installed.iter().any(|one| same(&one))
    }

    /// The version of `dependency` that is installed, as its metadata spells it.
    pub(super) fn version(&self, dependency: &PackageName) -> Option<&str> {
        let is = |name: &str| name.parse().is_ok_and(|name: PackageName| name == *dependency);
        self.installed.iter().find(|one| is(&one.name)).map(|one| one.version.as_str())
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
