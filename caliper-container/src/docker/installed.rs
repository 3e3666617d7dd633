//! What is installed in an image.

use caliper_core::facts::record::Installed;
use caliper_core::names::PackageName;
use caliper_core::question::modules::importable;
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
    /// The files of the distribution in question, if it is installed.
    paths: Option<Vec<String>>,
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

    /// The modules to import in order to see that `dependency` works, if it is installed. Where its
    /// files tell of none, its own name has to do: that it cannot be imported is then the result.
    pub(super) fn modules(&self, dependency: &PackageName) -> Option<Vec<String>> {
        let paths = self.paths.as_ref()?;
        let modules = importable(paths.iter().map(String::as_str));
        Some(if modules.is_empty() { vec![dependency.escaped()] } else { modules })
    }
}
