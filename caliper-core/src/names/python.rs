use std::fmt;
use std::str::FromStr;

use super::{Timestamp, excerpt, serde_as_string};

/// A feature release of CPython, such as 2.7, 3.11 or the free-threaded 3.13t.
///
/// Accepts `3.11` and the tag form `cp311` (with `t` behind either for the free-threaded build,
/// [PEP 703](https://peps.python.org/pep-0703/)); prints the dotted form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PythonVersion {
    major: u8,
    minor: u8,
    free_threaded: bool,
}

impl PythonVersion {
    /// The feature release `major.minor` with the global interpreter lock.
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor, free_threaded: false }
    }

    /// The same release, built with or without the global interpreter lock.
    #[must_use]
    pub const fn with_free_threading(self, free_threaded: bool) -> Self {
        Self { free_threaded, ..self }
    }

    /// The 3 of 3.11.
    pub const fn major(self) -> u8 {
        self.major
    }

    /// The 11 of 3.11.
    pub const fn minor(self) -> u8 {
        self.minor
    }

    /// Whether this is the build without the global interpreter lock.
    pub const fn is_free_threaded(self) -> bool {
        self.free_threaded
    }

    /// The [Python tag](https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/#python-tag)
    /// of CPython at this release: `cp311`, also for a free-threaded build.
    pub fn tag(self) -> String {
        format!("cp{}{}", self.major, self.minor)
    }

    /// The day on which this release came out, where that is known (its release schedule, such as
    /// [PEP 596](https://peps.python.org/pep-0596/) for 3.9).
    pub fn released(self) -> Option<Timestamp> {
        let day = match (self.major, self.minor) {
            (2, 7) => "2010-07-03",
            (3, 2) => "2011-02-20",
            (3, 3) => "2012-09-29",
            (3, 4) => "2014-03-16",
            (3, 5) => "2015-09-13",
            (3, 6) => "2016-12-23",
            (3, 7) => "2018-06-27",
            (3, 8) => "2019-10-14",
            (3, 9) => "2020-10-05",
            (3, 10) => "2021-10-04",
            (3, 11) => "2022-10-24",
            (3, 12) => "2023-10-02",
            (3, 13) => "2024-10-07",
            (3, 14) => "2025-10-07",
            _ => return None,
        };
        day.parse().ok()
    }

    /// The ABI tag that a Linux build of this release has unless it was configured otherwise.
    ///
    /// 2.7 is `cp27mu` (wide Unicode, as distributions build it); 3.2 to 3.7 carry the `m` of
    /// pymalloc ([PEP 3149](https://peps.python.org/pep-3149/)); 3.8 dropped it.
    pub fn usual_abi(self) -> AbiTag {
        let suffix = match (self.major, self.minor) {
            (2, _) => "mu",
            (3, 0..=7) => "m",
            _ if self.free_threaded => "t",
            _ => "",
        };
        AbiTag(format!("{}{suffix}", self.tag()))
    }
}

/// Why a text is not the version of a Python.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Python version: write `3.11` or `cp311` (`3.13t` when free-threaded)")]
pub struct ParsePythonVersionError(String);

impl FromStr for PythonVersion {
    type Err = ParsePythonVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (body, free_threaded) = match text.strip_suffix('t') {
                Some(body) => (body, true),
                None => (text, false),
            };
            let (major, minor) = match body.strip_prefix("cp") {
                // The first digit is the major version and all others are the minor: cp310 is 3.10.
                Some(digits) => digits.split_at_checked(1)?,
                None => body.split_once('.')?,
            };
            // `parse` would take `+3`; a leading zero would give one version two names.
            let number = |part: &str| {
                let plain = part.bytes().all(|byte| byte.is_ascii_digit());
                (plain && (part == "0" || !part.starts_with('0'))).then(|| part.parse().ok())?
            };
            let version = Self { major: number(major)?, minor: number(minor)?, free_threaded };
            let exists = matches!((version.major, version.minor), (2, 0..=7) | (3..=9, _))
                && (!free_threaded || (version.major, version.minor) >= (3, 13));
            exists.then_some(version)
        };
        parse().ok_or_else(|| ParsePythonVersionError(excerpt(text, 40)))
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.free_threaded { "t" } else { "" };
        write!(formatter, "{}.{}{suffix}", self.major, self.minor)
    }
}

serde_as_string!(PythonVersion, "a feature release of CPython", r"^[0-9]\.[0-9]+t?$");

/// An [ABI tag](https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/#abi-tag)
/// of one interpreter, such as `cp311`, `cp27mu`, `cp313t` or `pypy39_pp73`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AbiTag(String);

impl AbiTag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not an ABI tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an ABI tag: expected lower-case ASCII letters, digits and `_`")]
pub struct ParseAbiTagError(String);

impl FromStr for AbiTag {
    type Err = ParseAbiTagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (1..=40).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if valid { Ok(Self(text.to_owned())) } else { Err(ParseAbiTagError(excerpt(text, 40))) }
    }
}

impl fmt::Display for AbiTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

serde_as_string!(AbiTag, "an ABI tag", "^[a-z0-9_]{1,40}$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_version_is_not_joined_digits() {
        let cases: &[(&str, Result<&str, ()>)] = &[
            ("cp39", Ok("3.9")),
            ("cp310", Ok("3.10")), // joining digits with dots would give 3.1.0
            ("cp27", Ok("2.7")),
            ("3.10", Ok("3.10")),
            ("3.13t", Ok("3.13t")),
            ("cp314t", Ok("3.14t")),
            ("cp3", Err(())),
            ("py3", Err(())), // a tag of files, not one Python
            ("3", Err(())),
            ("3.11.2", Err(())),
            ("3.+1", Err(())),
            ("3.01", Err(())),
            ("3.9t", Err(())), // there was no free-threaded build before 3.13
            ("2.8", Err(())),
            ("", Err(())),
            ("cp", Err(())),
            ("cp3é", Err(())),
        ];
        for (text, expected) in cases {
            let parsed = text.parse::<PythonVersion>().map(|version| version.to_string());
            assert_eq!(parsed.as_deref().map_err(|_| ()), *expected, "{text}");
        }
    }

    #[test]
    fn versions_sort_by_number() {
        let version = |text: &str| text.parse::<PythonVersion>().unwrap();
        assert!(version("3.9") < version("3.10"));
        assert!(version("2.7") < version("3.5"));
        assert!(version("3.13") < version("3.13t"));
    }

    #[test]
    fn the_usual_abi_follows_the_era() {
        for (python, abi) in
            [("2.7", "cp27mu"), ("3.6", "cp36m"), ("3.8", "cp38"), ("3.13t", "cp313t")]
        {
            assert_eq!(python.parse::<PythonVersion>().unwrap().usual_abi().as_str(), abi);
        }
    }
}
