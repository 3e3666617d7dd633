use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::{BlobRef, BuildReason};
use crate::names::{PackageName, PythonVersion, Sha256, Timestamp};
use crate::question::grid::{DistFile, FileKind};
use crate::question::interpreter::Interpreter;
use crate::question::overlay::{OverlayFile, PackageOverlay};
use crate::question::plan::Base;
use crate::question::project::{ProjectPackage, ProjectWheel};
use crate::question::requirement::Declared;

/// What the tests of a cell ran in, and how it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct RecordedEnvironment {
    /// The digest of everything that determines the environment; `None` for imported records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Sha256>,
    /// The name of the backend that made it.
    pub backend: String,
    /// The package index was read as it stood at this moment; `None` for its state while the environment
    /// was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// The names of the files of what is installed that the index gives no upload time for, and that
    /// were left out because of [`as_of`](Self::as_of); after a failed build, of all that was asked for.
    /// Where the backend can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_upload_time: Vec<String>,
    /// The digest of the lock that it was rebuilt from, in a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Sha256>,
    /// The address of the package index, without credentials; of several, the one that has the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The image that the environment was built from.
    pub base: Option<Base>,
    /// The rendered Dockerfile.
    pub dockerfile: Option<String>,
    /// The Python, as it described itself.
    pub interpreter: Option<Interpreter>,
    /// The programs that made the environment, with their versions, such as `uv` or the container
    /// engine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, String>,
    /// The file of the dependency that was installed.
    pub file: Option<RecordedFile>,
    /// The project's own package that was installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<RecordedProject>,
    /// The ranges of the dependency that the project declares and that were taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifted: Vec<Declared>,
    /// The files of the project that were laid over packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<RecordedOverlay>,
    /// The distributions that were installed when the tests began, sorted by name.
    pub installed: Vec<Installed>,
}

impl RecordedEnvironment {
    /// An environment of which only the backend is known.
    pub fn new(backend: impl Into<String>) -> Self {
        Self {
            key: None,
            backend: backend.into(),
            as_of: None,
            without_upload_time: Vec::new(),
            lock: None,
            index: None,
            base: None,
            dockerfile: None,
            interpreter: None,
            tools: BTreeMap::new(),
            file: None,
            project: None,
            lifted: Vec::new(),
            overlays: Vec::new(),
            installed: Vec::new(),
        }
    }
}

/// The project's own package, as it was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct RecordedProject {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    #[schemars(with = "String")]
    pub version: Version,
    /// The digest over what is in its wheel.
    pub content: Sha256,
    /// Its wheel, with the address `file:///` and its name: no index has it.
    pub file: RecordedFile,
    /// The extras that were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<String>,
    /// The dependency groups that were asked for ([PEP 735](https://peps.python.org/pep-0735/)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl RecordedProject {
    /// What is installed of `package` on a Python; `None` if it has no wheel for that.
    pub fn of(package: &ProjectPackage, python: PythonVersion) -> Option<Self> {
        let wheel = package.wheel(python)?;
        Some(Self {
            name: package.name.clone(),
            version: package.version.clone(),
            content: wheel.content,
            file: RecordedFile::from(&wheel.file),
            extras: package.extras.clone(),
            groups: package.groups.clone(),
        })
    }

    /// The package with this one wheel, to install it again.
    pub fn package(&self) -> ProjectPackage {
        let file = DistFile::from(&self.file);
        ProjectPackage {
            name: self.name.clone(),
            version: self.version.clone(),
            wheels: vec![ProjectWheel { python: None, content: self.content, file }],
            extras: self.extras.clone(),
            groups: self.groups.clone(),
        }
    }
}

/// Files of the project that were laid over a package, as the environment was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordedOverlay {
    /// The package.
    pub package: PackageName,
    /// The version that the files are for, and that was installed.
    #[schemars(with = "String")]
    pub version: Version,
    /// The folder of the project that held the files.
    pub folder: String,
    /// The files, sorted by path.
    pub files: Vec<OverlaidFile>,
    /// How the files differ from those of the package: a unified diff. `None` if none is text that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<BlobRef>,
    /// Whether the diff was longer than Caliper keeps, and ends early.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_diff_cut: bool,
}

/// A file that was laid over a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OverlaidFile {
    /// Its path in `site-packages`.
    pub path: String,
    /// The digest of the file that it replaced; `None` if there was none.
    pub before: Option<Sha256>,
    /// Its own digest.
    pub after: Sha256,
    /// How many lines are in it and were not; `None` if one of both is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<u64>,
    /// How many lines were in it and are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
}

impl RecordedOverlay {
    /// The overlay as it was asked for, to lay it again.
    pub fn overlay(&self) -> PackageOverlay {
        let file =
            |file: &OverlaidFile| OverlayFile { path: file.path.clone(), sha256: file.after };
        PackageOverlay {
            package: self.package.clone(),
            version: self.version.clone(),
            folder: self.folder.clone(),
            files: self.files.iter().map(file).collect(),
        }
    }
}

/// A file that was installed.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct RecordedFile {
    /// Its name.
    pub filename: String,
    /// Where it came from; no credentials.
    pub url: String,
    /// Its digest.
    pub sha256: Option<Sha256>,
    /// Whether it came built, or was built here from source.
    pub kind: FileKind,
    /// When it was uploaded, where the index says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_time: Option<Timestamp>,
    /// Its size in bytes, where the index says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl From<&DistFile> for RecordedFile {
    fn from(file: &DistFile) -> Self {
        Self {
            filename: file.filename.clone(),
            url: file.url.clone(),
            sha256: file.sha256,
            kind: file.kind,
            upload_time: file.upload_time,
            size: file.size,
        }
    }
}

impl From<&RecordedFile> for DistFile {
    fn from(file: &RecordedFile) -> Self {
        Self {
            filename: file.filename.clone(),
            url: file.url.clone(),
            sha256: file.sha256,
            size: file.size,
            kind: file.kind,
            upload_time: file.upload_time,
            requires_python: None,
            yanked: false,
        }
    }
}

/// A distribution that was installed.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[non_exhaustive]
pub struct Installed {
    /// Its name, as its metadata spells it.
    pub name: String,
    /// Its version, as its metadata spells it.
    pub version: String,
    /// The file that it was installed from; `None` if the installer does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<RecordedFile>,
    /// Whether it is from no index, so that a build that is repeated has it again: the base image has it in this
    /// version, or the template installs it in another way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_image: bool,
}

impl Installed {
    /// A distribution of which the file is not known.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), file: None, of_image: false }
    }

    /// Its name and version as values; `None` if one of them is not valid.
    pub fn pin(&self) -> Option<(PackageName, Version)> {
        Some((self.name.parse().ok()?, self.version.parse().ok()?))
    }

    /// Whether both are the same content, as far as both tell: how much an index says of a file may grow.
    pub fn is_same(&self, other: &Self) -> bool {
        let digest = |one: &Self| one.file.as_ref().and_then(|file| file.sha256);
        let differ = digest(self).zip(digest(other)).is_some_and(|(one, other)| one != other);
        self.name == other.name && self.version == other.version && !differ
    }
}

/// How the environment of a cell was built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct BuildRecord {
    /// Whether there was an environment in the end.
    pub ok: bool,
    /// When it was begun; `None` for imported records and for those of older versions of Caliper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Wall-clock time, in nanoseconds.
    pub nanoseconds: u64,
    /// Whether the environment was built already: by an earlier run, or for another cell of this run, which
    /// shares it. The log is of that build, and [`BuildRecord::nanoseconds`] is the time it took to open the
    /// environment; 0 for a shared one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// Why the build failed.
    pub reason: Option<BuildReason>,
    /// All that the build printed.
    pub log: Option<BlobRef>,
}

impl BuildRecord {
    /// A build that took so many nanoseconds, and failed if there is a reason.
    pub fn new(reason: Option<BuildReason>, nanoseconds: u64) -> Self {
        Self { ok: reason.is_none(), started: None, nanoseconds, reused: false, reason, log: None }
    }

    /// Wall-clock time, in seconds.
    pub fn seconds(&self) -> f64 {
        super::test::seconds(self.nanoseconds)
    }
}
