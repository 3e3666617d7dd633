//! Requirements as distributions declare them
//! ([dependency specifiers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/)).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::{PackageName, excerpt};

/// A requirement, split into its parts. What its range and its marker say is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The package.
    pub name: PackageName,
    /// The extras that it asks for, as written.
    pub extras: Vec<String>,
    /// Which releases, as written: specifiers such as `>=1.0,<2`, or `@` and an address. Empty for any.
    pub range: String,
    /// The [environment marker](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers)
    /// under which it holds, as written.
    pub marker: Option<String>,
}

impl Requirement {
    /// Whether it names an address and not releases.
    pub fn is_address(&self) -> bool {
        self.range.starts_with('@')
    }

    /// The same for any release.
    #[must_use]
    pub fn of_any_release(self) -> Self {
        Self { range: String::new(), ..self }
    }
}

/// Why a text is not a requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a requirement: write a name and a specifier, such as `demo>=1.0,<2`")]
pub struct ParseRequirementError(String);

impl FromStr for Requirement {
    type Err = ParseRequirementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseRequirementError(excerpt(text.trim(), 80));
        let (name, rest) = PackageName::split(text.trim());
        let name = name.parse().map_err(|_| error())?;
        let rest = rest.trim_start();
        let (extras, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(error)?,
            None => ("", rest),
        };
        let rest = rest.trim();
        let is_address = rest.starts_with('@');
        // An address may hold a semicolon; the one before a marker has a space before it.
        let (range, marker) = match rest.split_once(if is_address { " ;" } else { ";" }) {
            Some((range, marker)) => (range.trim(), Some(marker.trim().to_owned())),
            None => (rest, None),
        };
        // Metadata once had it in parentheses.
        let range = match range.strip_prefix('(') {
            Some(inner) => inner.strip_suffix(')').ok_or_else(error)?.trim(),
            None => range,
        };
        if !(range.is_empty() || is_address || range.starts_with(['<', '>', '=', '!', '~'])) {
            return Err(error());
        }
        let extras = extras.split(',').map(str::trim).filter(|extra| !extra.is_empty());
        Ok(Self {
            name,
            extras: extras.map(str::to_owned).collect(),
            range: range.to_owned(),
            marker: marker.filter(|marker| !marker.is_empty()),
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, extras, range, marker } = self;
        write!(formatter, "{name}")?;
        if !extras.is_empty() {
            write!(formatter, "[{}]", extras.join(","))?;
        }
        // Behind an address, only a space ends it.
        let space = if self.is_address() { " " } else { "" };
        write!(formatter, "{space}{range}")?;
        match marker {
            Some(marker) => write!(formatter, "{space}; {marker}"),
            None => Ok(()),
        }
    }
}

/// A requirement, and where it is declared.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Declared {
    /// The requirement, as written.
    pub requirement: String,
    /// Where: a file of the project, `dependency-groups.test`, or the name of a wheel.
    pub source: String,
}

/// What is left of a requirement when a range of one of `packages` is taken away; `None` if it says nothing of the
/// releases of these.
///
/// So releases can be measured that the project does not allow. Extras and marker stay.
pub fn lifted(requirement: &str, packages: &[PackageName]) -> Option<Requirement> {
    let parsed: Requirement = requirement.parse().ok()?;
    let is_lifted = packages.contains(&parsed.name) && !parsed.range.is_empty();
    is_lifted.then(|| parsed.of_any_release())
}

/// Takes the ranges of `packages` away from requirements. Returns what is left of all, and what was taken away.
pub fn lift(declared: &[Declared], packages: &[PackageName]) -> (Vec<String>, Vec<Declared>) {
    let (mut left, mut taken) = (Vec::new(), Vec::new());
    for one in declared {
        match lifted(&one.requirement, packages) {
            Some(rest) => {
                left.push(rest.to_string());
                taken.push(one.clone());
            }
            None => left.push(one.requirement.clone()),
        }
    }
    (left, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_split_and_joined() {
        for (text, expected) in [
            ("pandas", "pandas"),
            (" Pandas >= 1.3 , <2 ", "Pandas>= 1.3 , <2"),
            ("pandas (>=1.3)", "pandas>=1.3"),
            ("pandas[a, b]>=1;python_version < '3'", "pandas[a,b]>=1; python_version < '3'"),
            ("pandas ; extra == 'x'", "pandas; extra == 'x'"),
            ("pandas @ https://x/a;b.whl", "pandas @ https://x/a;b.whl"),
            (
                "pandas[a] @ https://x/a.whl ; os_name == 'nt'",
                "pandas[a] @ https://x/a.whl ; os_name == 'nt'",
            ),
        ] {
            let parsed: Requirement = text.parse().unwrap();
            assert_eq!(parsed.to_string(), expected, "{text}");
            assert_eq!(parsed.to_string().parse::<Requirement>().unwrap(), parsed);
        }
        for bad in ["", "-e .", ".[test]", "pandas[a", "pandas (>=1", "pandas two", "./x.whl"] {
            assert!(bad.parse::<Requirement>().is_err(), "{bad}");
        }
        insta::assert_snapshot!("pandas two".parse::<Requirement>().unwrap_err(), @"`pandas two` is not a requirement: write a name and a specifier, such as `demo>=1.0,<2`");
    }

    #[test]
    fn a_range_is_lifted_and_all_else_stays() {
        let packages = ["pandas".parse().unwrap(), "numpy".parse().unwrap()];
        for (text, expected) in [
            ("Pandas>=1.3,<2", Some("Pandas")),
            ("pandas[test]~=1.3; extra == 'x'", Some("pandas[test]; extra == 'x'")),
            ("numpy @ git+https://x/y", Some("numpy")),
            ("pandas", None),
            ("pandas-stubs>=1", None),
            ("click>=8", None),
        ] {
            let found = lifted(text, &packages).map(|rest| rest.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let declared = |text: &str| Declared { requirement: text.into(), source: "f".into() };
        let (left, taken) = lift(&[declared("click>=8"), declared("pandas<2")], &packages);
        assert_eq!(left, ["click>=8", "pandas"]);
        assert_eq!(taken, [declared("pandas<2")]);
    }
}
