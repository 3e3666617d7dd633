//! The files of an environment: what to install where nothing may be resolved.
//!
//! A lock is written and read as a `pylock.toml` ([PEP 751](https://peps.python.org/pep-0751/)), which uv and pip
//! install too. It is made from the record of a cell, see [`facts::lock`](crate::facts::lock).

mod read;
mod render;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

pub use read::ReadLockError;

use crate::names::{PackageName, PythonVersion, Sha256, Timestamp};
use crate::question::grid::{DistFile, FileKind};
use crate::question::interpreter::Platform;

/// The files that an environment is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lock {
    /// The Python that they are for; `None` if it is not known.
    pub python: Option<PythonVersion>,
    /// The platform that they are for; `None` if it is not known, or if all of them fit any.
    pub platform: Option<Platform>,
    /// The address of the index that the files are from, without credentials.
    pub index: Option<String>,
    /// The index was read as it stood at this moment.
    pub as_of: Option<Timestamp>,
    /// When the environment was measured. The tools that files are built with are not locked: they are those that
    /// the index offered at [`as_of`](Self::as_of), or else now.
    pub recorded: Option<Timestamp>,
    /// The packages, sorted by name, each once.
    pub packages: Vec<LockedPackage>,
}

/// One package of a [`Lock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LockedPackage {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    #[schemars(with = "String")]
    pub version: Version,
    /// The file.
    pub file: LockedFile,
}

/// A file that is known by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LockedFile {
    /// Its name, without a path.
    pub filename: String,
    /// Where it was; no credentials.
    pub url: String,
    /// Its digest.
    pub sha256: Sha256,
    /// Whether it is built already.
    pub kind: FileKind,
    /// When it was uploaded, where the index said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_time: Option<Timestamp>,
    /// Its size in bytes, where the index said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl Lock {
    /// The digest over everything in it.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.to_toml().as_bytes())
    }

    /// The package of this name.
    pub fn package(&self, name: &PackageName) -> Option<&LockedPackage> {
        self.packages.iter().find(|package| package.name == *name)
    }

    /// The moment as of which the tools are taken that a file is built with.
    pub fn tools_as_of(&self) -> Option<Timestamp> {
        self.as_of.or(self.recorded)
    }

    /// Whether the index said of any file when it was uploaded, so that it can be read as of a date.
    pub fn is_dated(&self) -> bool {
        self.packages.iter().any(|package| package.file.upload_time.is_some())
    }
}

impl LockedFile {
    /// The file as an index would offer it.
    pub fn offered(&self) -> DistFile {
        DistFile {
            filename: self.filename.clone(),
            url: self.url.clone(),
            sha256: Some(self.sha256),
            size: self.size,
            kind: self.kind,
            upload_time: self.upload_time,
            requires_python: None,
            yanked: false,
        }
    }

    /// Whether it is built for one platform.
    pub fn is_of_platform(&self) -> bool {
        self.kind == FileKind::Wheel && !self.filename.ends_with("-any.whl")
    }
}

#[cfg(test)]
mod tests;
