//! A scenario: a package, a project that uses it, and how that ends.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml::Value;

/// One small world. See `grids/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The name of its file.
    #[serde(skip)]
    pub(crate) name: String,
    /// What it shows, in one sentence.
    pub(crate) about: String,
    /// The files of the package `demo`.
    #[serde(default = "answer")]
    pub(crate) package: BTreeMap<String, String>,
    /// What the package requires.
    #[serde(default)]
    pub(crate) requires: Vec<String>,
    /// Whether the package comes as source.
    #[serde(default)]
    pub(crate) sdist: bool,
    /// Further packages on the index, and their releases.
    #[serde(default)]
    pub(crate) others: BTreeMap<String, Vec<String>>,
    /// The files of the project.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// As in a configuration.
    #[serde(default)]
    pub(crate) project: Value,
    /// As in a configuration.
    #[serde(default)]
    pub(crate) requirements: Vec<String>,
    /// As in a configuration.
    #[serde(default)]
    pub(crate) tests: Vec<Value>,
    /// As in a configuration.
    #[serde(default)]
    pub(crate) limits: BTreeMap<String, Value>,
    /// The backends that it applies to; empty for all.
    #[serde(default)]
    backends: Vec<String>,
    /// Files that must not be there afterwards.
    #[serde(default)]
    pub(crate) absent: Vec<String>,
    /// No process with this in its command may be there afterwards.
    #[serde(default)]
    pub(crate) gone: Option<String>,
    expect: Expectation,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Expectation {
    /// On every backend.
    Everywhere(String),
    /// By backend.
    Each(BTreeMap<String, String>),
}

impl Scenario {
    /// How it must end on a backend; `None` if it does not apply there.
    pub(crate) fn expected(&self, backend: &str) -> Option<&str> {
        if !self.backends.is_empty() && !self.backends.iter().any(|name| name == backend) {
            return None;
        }
        match &self.expect {
            Expectation::Everywhere(text) => Some(text),
            Expectation::Each(each) => each.get(backend).map(String::as_str),
        }
    }

    /// The configuration of its project.
    pub(crate) fn configuration(&self) -> String {
        let mut analysis = serde_json::json!({
            "dependency": "demo",
            "requirements": self.requirements,
            "tests": self.tests,
            "limits": self.limits,
        });
        if !self.project.is_null() {
            analysis["project"] = serde_json::json!(self.project);
        }
        // JSON is YAML, and printing it cannot fail.
        serde_json::json!({ "analysis": analysis }).to_string()
    }
}

fn answer() -> BTreeMap<String, String> {
    BTreeMap::from([("demo.py".to_owned(), "VALUE = 42\n".to_owned())])
}

macro_rules! grids {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../grids/", $name, ".yaml")))),*]
    };
}

const GRIDS: &[(&str, &str)] = grids![
    "passes",
    "import-error",
    "hangs-on-import",
    "missing-dependency",
    "conflict",
    "installs-the-project",
    "conflicts-with-the-project",
    "builds-from-source",
    "does-not-build",
    "leaves-the-environment",
    "segfault",
    "abort",
    "eats-memory",
    "child-eats-memory",
    "fork-bomb",
    "fork-limit",
    "fills-the-disk",
    "endless-output",
    "idle",
    "not-utf-8",
    "ignores-sigterm",
    "leaves-a-daemon",
    "writes-into-the-project",
    "finds-its-files",
    "no-network",
    "exits-126",
    "exits-127",
    "no-such-program",
    "not-executable",
    "strange-names",
    "paints-the-terminal",
    "removes-its-environment",
    "kills-itself",
    "reads-input",
];

/// All scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    let read = |(name, text): &(&str, &str)| {
        let scenario: Scenario = serde_yaml::from_str(text).expect("a test reads them all");
        Scenario { name: (*name).to_owned(), ..scenario }
    };
    GRIDS.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_is_a_scenario() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/grids");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let known: BTreeSet<String> =
            all().iter().map(|scenario| format!("{}.yaml", scenario.name)).collect();
        assert_eq!(files, known);
    }
}
