//! Lock files of other tools: which release of each package is installed for a Python.
//!
//! Read are `uv.lock`, `pylock.toml` ([PEP 751](https://peps.python.org/pep-0751/)), `poetry.lock`, and requirements
//! files in which each line is a pin. The kind follows from the content, so a file may have any name.
//!
//! A lock is made for many Pythons and platforms. [`LockFile::pins`] chooses what it says for one: it evaluates the
//! markers, and follows the requirements from the project on where the file has no markers of its own. Extras and
//! groups of the project are all taken. What does not come from an index is no pin, and is listed as left out. Hashes
//! are not read.

mod choose;
mod poetry;
mod pylock;
mod requirements;
mod uv;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::interpreter::Interpreter;
use crate::names::{PackageName, excerpt};

/// A lock file that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct LockFile {
    kind: LockKind,
    packages: Vec<Locked>,
    roots: Roots,
    requires_python: Option<VersionSpecifiers>,
    /// What is not about packages.
    options: Vec<LeftOut>,
}

/// Which tool a lock file is from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LockKind {
    /// `uv.lock`
    Uv,
    /// `pylock.toml`
    Pylock,
    /// `poetry.lock`
    Poetry,
    /// A requirements file, of which each line is a pin.
    Requirements,
}

impl fmt::Display for LockKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Uv => "uv.lock",
            Self::Pylock => "pylock.toml",
            Self::Poetry => "poetry.lock",
            Self::Requirements => "requirements",
        })
    }
}

/// What a lock file says for one Python.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pinned {
    /// The release of each package that comes from an index.
    pub pins: BTreeMap<PackageName, Version>,
    /// What is not a pin, and why.
    pub left_out: Vec<LeftOut>,
    /// Which packages each one requires, as far as the file tells.
    pub requires: BTreeMap<PackageName, BTreeSet<PackageName>>,
}

/// Something in a lock file that is not a pin.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct LeftOut {
    /// The package, or the line.
    pub what: String,
    /// Why it is none.
    pub why: LeftOutReason,
}

/// Why something in a lock file is not a pin.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftOutReason {
    /// It is the project itself, or another folder of this machine.
    Folder,
    /// It is a file of this machine.
    File,
    /// It comes from a repository.
    Repository,
    /// It comes from an address, and not from an index.
    Address,
    /// It has no version.
    NoVersion,
    /// It is an option of pip.
    Option,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.what, self.why)
    }
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Folder => "a folder",
            Self::File => "a file of this machine",
            Self::Repository => "from a repository",
            Self::Address => "from an address",
            Self::NoVersion => "without a version",
            Self::Option => "an option of pip",
        })
    }
}

/// Why a lock file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockFileError {
    /// It is of no kind that is known.
    #[error(
        "it is neither a `uv.lock`, a `pylock.toml`, a `poetry.lock` nor a requirements file; most tools export one, such \
         as `pdm export --format pylock` or `pipenv requirements`"
    )]
    UnknownKind,
    /// It is not TOML, or not as this kind of file is.
    #[error("line {line} cannot be read as {kind}: {detail}")]
    Syntax {
        /// What it seems to be.
        kind: &'static str,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        detail: String,
    },
    /// It has a version of its format that is not known.
    #[error("version `{version}` of the format of {kind} is not known; known is {known}")]
    Format {
        /// Which kind of file.
        kind: LockKind,
        /// The version of its format.
        version: String,
        /// What can be read.
        known: &'static str,
    },
    /// A requirement of a requirements file allows more than one release.
    #[error(
        "line {line}: `{text}` is not pinned to one release; `pip freeze`, `pip-compile` and `uv pip compile` write pins"
    )]
    NotPinned {
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A line of a requirements file cannot be read.
    #[error("line {line}: `{text}` is not a requirement: write a pin, such as `demo==1.0`")]
    Requirement {
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A requirements file includes another one.
    #[error(
        "line {line} includes `{file}`; write all pins into one file, as `pip-compile` and `pip freeze` do"
    )]
    Includes {
        /// Which line, from 1.
        line: usize,
        /// The other file.
        file: String,
    },
    /// Several releases of one package are left for one Python.
    #[error(
        "several releases of {package} apply to Python {python}: {}; their markers do not decide it, so export the lock \
         for one environment, such as with `uv export`",
        .versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    Forks {
        /// The package.
        package: PackageName,
        /// The Python.
        python: Version,
        /// The releases.
        versions: Vec<Version>,
    },
}

impl LockFile {
    /// Reads a lock file.
    ///
    /// # Errors
    ///
    /// [`LockFileError`] with the line, if it is none that is known, or is broken.
    pub fn read(text: &str) -> Result<Self, LockFileError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match toml::from_str::<Table>(text) {
            Ok(table) if table.is_empty() => requirements::read(text),
            Ok(table) => match kind(&table).ok_or(LockFileError::UnknownKind)? {
                LockKind::Uv => uv::read(text),
                LockKind::Pylock => pylock::read(text),
                LockKind::Poetry => poetry::read(text),
                LockKind::Requirements => requirements::read(text),
            },
            // Such as a lock in which git left the marks of a conflict.
            Err(error) if is_meant_as_toml(text) => Err(syntax("TOML", text, &error)),
            Err(_) if text.trim_start().starts_with(['{', '[']) => Err(LockFileError::UnknownKind),
            Err(_) => requirements::read(text),
        }
    }

    /// Which tool it is from.
    pub fn kind(&self) -> LockKind {
        self.kind
    }

    /// The Pythons that it is made for, as far as it tells.
    pub fn requires_python(&self) -> Option<&VersionSpecifiers> {
        self.requires_python.as_ref()
    }

    /// Whether it is made for this Python.
    pub fn allows(&self, interpreter: &Interpreter) -> bool {
        self.requires_python.as_ref().is_none_or(|wanted| wanted.contains(&interpreter.version))
    }

    /// What it says for this Python.
    ///
    /// # Errors
    ///
    /// [`LockFileError::Forks`] if more than one release of a package applies.
    pub fn pins(&self, interpreter: &Interpreter) -> Result<Pinned, LockFileError> {
        choose::pins(self, interpreter)
    }
}

/// What a file is by its tables.
fn kind(table: &Table) -> Option<LockKind> {
    let metadata = table.get("metadata").and_then(toml::Value::as_table);
    if table.contains_key("lock-version") {
        Some(LockKind::Pylock)
    } else if metadata.is_some_and(|known| {
        known.contains_key("lock-version") || known.contains_key("content-hash")
    }) {
        Some(LockKind::Poetry)
    } else if table.get("version").is_some_and(toml::Value::is_integer) {
        Some(LockKind::Uv)
    } else {
        None
    }
}

fn is_meant_as_toml(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("[[package"))
}

/// Reads a file of which the kind is known.
fn parsed<T: DeserializeOwned>(kind: &'static str, text: &str) -> Result<T, LockFileError> {
    toml::from_str(text).map_err(|error| syntax(kind, text, &error))
}

fn syntax(kind: &'static str, text: &str, error: &toml::de::Error) -> LockFileError {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
    LockFileError::Syntax { kind, line, detail: excerpt(error.message().trim(), 160) }
}

/// A package of a lock file, as all kinds of files can tell it.
#[derive(Debug, Clone, PartialEq)]
struct Locked {
    name: PackageName,
    version: Option<Version>,
    /// Why it is not from an index.
    left_out: Option<LeftOutReason>,
    /// One of these must hold; none for always.
    markers: Vec<String>,
    requires_python: Option<VersionSpecifiers>,
    requires: Vec<Edge>,
    /// What it requires besides for an extra.
    extras: BTreeMap<String, Vec<Edge>>,
}

impl Locked {
    fn new(name: PackageName, version: Option<Version>) -> Self {
        Self {
            name,
            version,
            left_out: None,
            markers: Vec::new(),
            requires_python: None,
            requires: Vec::new(),
            extras: BTreeMap::new(),
        }
    }
}

/// That a package is required.
#[derive(Debug, Clone, PartialEq)]
struct Edge {
    name: PackageName,
    /// Which releases of it are meant, where there are several.
    versions: Option<VersionSpecifiers>,
    marker: Option<String>,
    /// The extras of it.
    extras: Vec<String>,
}

/// What of a lock is installed.
#[derive(Debug, Clone, PartialEq)]
enum Roots {
    /// Each package whose own markers hold.
    All,
    /// What is reached from these packages: by their place in the list of packages, with these extras.
    Reached(Vec<(usize, BTreeSet<String>)>),
}

#[cfg(test)]
mod tests;
