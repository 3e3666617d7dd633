//! Reading a `pylock.toml`, which may come from anywhere.

use std::collections::BTreeSet;

use pep440_rs::Version;
use serde::Deserialize;

use super::{Lock, LockedFile, LockedPackage};
use crate::names::{PackageName, PythonVersion, Sha256, Timestamp, excerpt};
use crate::question::grid::FileKind;

/// A longer text is no lock.
const LONGEST: usize = 32 << 20;

/// Why a text is not a lock that an environment can be made from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadLockError {
    /// It is not the TOML that PEP 751 describes.
    #[error("it is not a `pylock.toml`: {problem}")]
    Malformed {
        /// What is wrong.
        problem: String,
    },
    /// It is written in a later form.
    #[error("it has lock version {found}, and this Caliper reads 1.0; use a newer Caliper")]
    Version {
        /// Its version.
        found: String,
    },
    /// A package is named twice: the lock is for several environments, or leaves a choice.
    #[error(
        "it has `{name}` more than once: it is for several environments, and Caliper takes one for each cell"
    )]
    Twice {
        /// The package.
        name: PackageName,
    },
    /// A package cannot be taken.
    #[error("its package `{name}` {fault}")]
    Package {
        /// The package, as it is named there.
        name: String,
        /// What is wrong.
        fault: PackageFault,
    },
}

/// Why a package of a lock cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackageFault {
    /// Its name is not valid.
    #[error("has no valid name")]
    Name,
    /// It has no version, or none of PEP 440.
    #[error("has no version: write one with uv or pip from packages of an index")]
    Version,
    /// It has several wheels, or none and no source distribution.
    #[error("has not exactly one file: only locks for one Python and one platform can be taken")]
    Files,
    /// Its file has no address.
    #[error("has a file without `url`")]
    Address,
    /// Its file has no digest.
    #[error("has a file without a valid `hashes.sha256`")]
    Digest,
    /// Its file has no name.
    #[error("has a file without a name")]
    FileName,
    /// An upload time cannot be read.
    #[error("has an `upload-time` that is no moment")]
    Time,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    lock_version: String,
    #[serde(default)]
    requires_python: Option<String>,
    #[serde(default)]
    packages: Vec<Package>,
    #[serde(default)]
    tool: Tools,
}

#[derive(Default, Deserialize)]
struct Tools {
    #[serde(default)]
    caliper: Own,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Own {
    index: Option<String>,
    as_of: Option<toml::value::Datetime>,
    recorded: Option<toml::value::Datetime>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    #[serde(default)]
    wheels: Vec<Archive>,
    sdist: Option<Archive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Archive {
    name: Option<String>,
    upload_time: Option<toml::value::Datetime>,
    url: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: Hashes,
}

#[derive(Default, Deserialize)]
struct Hashes {
    sha256: Option<String>,
}

impl Lock {
    /// Reads the text of a `pylock.toml` in which each package has one file on an index, as Caliper writes it. The
    /// platform is not read, because nothing depends on it.
    ///
    /// # Errors
    ///
    /// [`ReadLockError`] says what is wrong with it.
    pub fn from_toml(text: &str) -> Result<Self, ReadLockError> {
        let malformed = |problem: String| ReadLockError::Malformed { problem };
        if text.len() > LONGEST {
            return Err(malformed(format!("it is longer than {LONGEST} bytes")));
        }
        let File { lock_version, requires_python, packages, tool } =
            toml::from_str(text).map_err(|error| malformed(first_line(&error)))?;
        if lock_version != "1.0" && !lock_version.starts_with("1.") {
            return Err(ReadLockError::Version { found: excerpt(&lock_version, 20) });
        }
        let moment = |time: Option<toml::value::Datetime>, key: &str| {
            let parsed = time.map(|time| time.to_string().parse::<Timestamp>()).transpose();
            parsed.map_err(|error| malformed(format!("`tool.caliper.{key}`: {error}")))
        };
        let mut seen = BTreeSet::new();
        let mut read = Vec::with_capacity(packages.len());
        for package in packages {
            let named = excerpt(&package.name, 60);
            let package =
                package.read().map_err(|fault| ReadLockError::Package { name: named, fault })?;
            if !seen.insert(package.name.clone()) {
                return Err(ReadLockError::Twice { name: package.name });
            }
            read.push(package);
        }
        read.sort_by(|one, other| one.name.cmp(&other.name));
        let python = requires_python.as_deref().and_then(one_python);
        Ok(Self {
            python,
            platform: None,
            index: tool.caliper.index,
            as_of: moment(tool.caliper.as_of, "as-of")?,
            recorded: moment(tool.caliper.recorded, "recorded")?,
            packages: read,
        })
    }
}

impl Package {
    fn read(self) -> Result<LockedPackage, PackageFault> {
        let name = self.name.parse().map_err(|_| PackageFault::Name)?;
        let version = self.version.and_then(|version| version.parse::<Version>().ok());
        let version = version.ok_or(PackageFault::Version)?;
        let mut wheels = self.wheels.into_iter();
        let (file, kind) = match (wheels.next(), wheels.next(), self.sdist) {
            (Some(wheel), None, _) => (wheel, FileKind::Wheel),
            (None, None, Some(sdist)) => (sdist, FileKind::Sdist),
            _ => return Err(PackageFault::Files),
        };
        Ok(LockedPackage { name, version, file: file.read(kind)? })
    }
}

impl Archive {
    fn read(self, kind: FileKind) -> Result<LockedFile, PackageFault> {
        let url = self.url.ok_or(PackageFault::Address)?;
        let is_address = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
        if !is_address {
            return Err(PackageFault::Address);
        }
        let last = || url.split(['?', '#']).next()?.rsplit('/').next().map(str::to_owned);
        let filename = self.name.or_else(last).filter(|name| !name.is_empty());
        let filename = filename.ok_or(PackageFault::FileName)?;
        let sha256 = self.hashes.sha256.and_then(|digest| digest.parse::<Sha256>().ok());
        let time = self.upload_time.map(|time| time.to_string().parse()).transpose();
        Ok(LockedFile {
            filename,
            url,
            sha256: sha256.ok_or(PackageFault::Digest)?,
            kind,
            upload_time: time.map_err(|_| PackageFault::Time)?,
            size: self.size,
        })
    }
}

/// The Python of `==3.11.*`.
fn one_python(specifier: &str) -> Option<PythonVersion> {
    specifier.trim().strip_prefix("==")?.strip_suffix(".*")?.trim().parse().ok()
}

fn first_line(error: &toml::de::Error) -> String {
    excerpt(error.message().lines().next().unwrap_or_default(), 200)
}
