use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::{excerpt, serde_as_string};

/// The name of a project on a package index.
///
/// Prints as it was written; compares, sorts and hashes by its normal form
/// ([PEP 503](https://peps.python.org/pep-0503/#normalized-names)), so that `Jinja2` and `jinja2`
/// are one project.
#[derive(Debug, Clone)]
pub struct PackageName {
    written: String,
    normalized: String,
}

impl PackageName {
    /// The normal form: lower case, with each run of `-`, `_` and `.` as one `-`.
    pub fn normalized(&self) -> &str {
        &self.normalized
    }

    /// The form that stands in file names: the normal form with `_` for `-`
    /// ([binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/#escaping-and-unicode)).
    pub fn escaped(&self) -> String {
        self.normalized.replace('-', "_")
    }

    /// Splits a [dependency specifier](https://packaging.python.org/en/latest/specifications/dependency-specifiers/)
    /// behind the name that it begins with, which may be empty or not valid.
    pub fn split(specifier: &str) -> (&str, &str) {
        let is_name = |part: char| part.is_ascii_alphanumeric() || "-_.".contains(part);
        let end = specifier.find(|part| !is_name(part)).unwrap_or(specifier.len());
        specifier.split_at(end)
    }
}

/// Why a text is not a project name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a project name: use ASCII letters, digits, `-`, `_` and `.`, \
     with a letter or digit at both ends"
)]
pub struct ParsePackageNameError(String);

impl FromStr for PackageName {
    type Err = ParsePackageNameError;

    /// Follows the [name format](https://packaging.python.org/en/latest/specifications/name-normalization/#name-format)
    /// of the core metadata specification.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at_the_ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        let valid = at_the_ends(bytes.first())
            && at_the_ends(bytes.last())
            && bytes.len() <= 200
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
        if !valid {
            return Err(ParsePackageNameError(excerpt(text, 80)));
        }
        let mut normalized = String::with_capacity(text.len());
        for character in text.chars() {
            if !matches!(character, '-' | '_' | '.') {
                normalized.push(character.to_ascii_lowercase());
            } else if !normalized.ends_with('-') {
                normalized.push('-');
            }
        }
        Ok(Self { written: text.to_owned(), normalized })
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

impl PartialEq for PackageName {
    fn eq(&self, other: &Self) -> bool {
        self.normalized == other.normalized
    }
}

impl Eq for PackageName {}

impl PartialOrd for PackageName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PackageName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.normalized.cmp(&other.normalized)
    }
}

impl Hash for PackageName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normalized.hash(state);
    }
}

serde_as_string!(
    PackageName,
    "the name of a project on a package index",
    "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_normalise_as_pep_503_says() {
        let cases: &[(&str, Result<&str, ()>)] = &[
            ("Jinja2", Ok("jinja2")),
            ("zope.interface", Ok("zope-interface")),
            ("a-_.b", Ok("a-b")), // a run is one dash
            ("x", Ok("x")),
            ("", Err(())),
            ("-x", Err(())),
            ("x.", Err(())),
            ("../etc", Err(())), // a name becomes part of paths and addresses
            ("naïve", Err(())),
            ("a b", Err(())),
        ];
        for (text, expected) in cases {
            let parsed = text.parse::<PackageName>();
            assert_eq!(
                parsed.as_ref().map(PackageName::normalized).map_err(|_| ()),
                *expected,
                "{text}"
            );
        }
        let name: PackageName = "Zope.Interface".parse().unwrap();
        assert_eq!(name.to_string(), "Zope.Interface");
        assert_eq!(name.escaped(), "zope_interface");
        assert_eq!(name, "zope-interface".parse().unwrap());
    }
}
