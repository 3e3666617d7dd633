//! The project's own package, which is installed beside the dependency.

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::names::{PackageName, PythonVersion, Sha256};
use crate::question::grid::DistFile;

/// What is asked for of the project's own package: the key `project` of a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectChoice {
    /// The folder of the package, relative to that of the configuration; empty for that itself.
    pub path: String,
    /// The extras to install.
    pub extras: Vec<String>,
    /// The dependency groups ([PEP 735](https://peps.python.org/pep-0735/)) to install. What they require is among
    /// the requirements of a setup.
    pub groups: Vec<String>,
}

/// The project's own package, built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProjectPackage {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    #[schemars(with = "String")]
    pub version: Version,
    /// Its wheels: one for all Pythons, or one for each.
    pub wheels: Vec<ProjectWheel>,
    /// The extras that are installed, as the package spells them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<String>,
    /// The dependency groups that are installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// A wheel of the project's own package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProjectWheel {
    /// The Python that it was built for; `None` if it fits all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonVersion>,
    /// The digest over what is in it, which a build of the same sources has again, whatever the archive looks like.
    pub content: Sha256,
    /// The file, whose address names no path of this machine.
    pub file: DistFile,
}

impl ProjectPackage {
    /// The wheel for a Python.
    pub fn wheel(&self, python: PythonVersion) -> Option<&ProjectWheel> {
        self.wheels.iter().find(|wheel| wheel.python.is_none_or(|built_for| built_for == python))
    }

    /// Whether one wheel fits all Pythons of all machines.
    pub fn is_pure(&self) -> bool {
        self.wheels.iter().all(|wheel| wheel.python.is_none())
    }

    /// What an installer is told behind the name or the path of the package: `[test,plot]`, or nothing.
    pub fn extras_in_brackets(&self) -> String {
        if self.extras.is_empty() { String::new() } else { format!("[{}]", self.extras.join(",")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::testing;

    #[test]
    fn a_python_has_its_wheel() {
        let wheel = |python: Option<&str>| ProjectWheel {
            python: python.map(|python| python.parse().unwrap()),
            content: Sha256::of(b"content"),
            file: testing::wheel(python.unwrap_or("any")),
        };
        let package = |wheels| ProjectPackage {
            name: "weatherkit".parse().unwrap(),
            version: "1.0".parse().unwrap(),
            wheels,
            extras: vec!["test".to_owned(), "plot".to_owned()],
            groups: Vec::new(),
        };
        let of = |package: &ProjectPackage, python: &str| {
            package.wheel(python.parse().unwrap()).map(|wheel| wheel.file.filename.clone())
        };
        let pure = package(vec![wheel(None)]);
        assert!(pure.is_pure());
        assert_eq!(of(&pure, "3.9").as_deref(), Some("any"));
        let built = package(vec![wheel(Some("3.9")), wheel(Some("3.11"))]);
        assert!(!built.is_pure());
        assert_eq!(of(&built, "3.11").as_deref(), Some("3.11"));
        assert_eq!(of(&built, "3.10"), None);
        assert_eq!(built.extras_in_brackets(), "[test,plot]");
    }
}
