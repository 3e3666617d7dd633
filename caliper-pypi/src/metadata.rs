//! What a wheel says of itself: its metadata, and the paths that it installs.
//!
//! Specifications: [binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/),
//! [core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/).

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

/// The most that a METADATA file is read; the largest on the public index are below 2 MiB.
pub(crate) const LARGEST_METADATA: u64 = 16 << 20;
/// The most members that an archive may have.
const MOST_MEMBERS: usize = 500_000;

/// The part of a wheel's METADATA that decides where it can be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `Name`.
    pub name: String,
    /// `Version`.
    pub version: String,
    /// `Requires-Python`, as written.
    pub requires_python: Option<String>,
    /// Each `Requires-Dist`, as written.
    pub requires_dist: Vec<String>,
    /// Each `Provides-Extra`, as written.
    pub provides_extra: Vec<String>,
}

impl Metadata {
    /// Reads a METADATA file.
    ///
    /// Only its headers are read; the description behind them is not. Returns `None` without a
    /// `Name` and a `Version`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut headers: Vec<(&str, String)> = Vec::new();
        for line in text.lines() {
            if line.is_empty() {
                break; // the description follows
            }
            if line.starts_with([' ', '\t']) {
                // A folded header goes on.
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name, value.trim().to_owned()));
            }
        }
        let all = |wanted: &'static str| {
            headers
                .iter()
                .filter(move |(name, _)| name.eq_ignore_ascii_case(wanted))
                // A value may begin on the line after its name.
                .map(|(_, value)| value.trim().to_owned())
        };
        Some(Self {
            name: all("Name").next()?,
            version: all("Version").next()?,
            requires_python: all("Requires-Python").next(),
            requires_dist: all("Requires-Dist").collect(),
            provides_extra: all("Provides-Extra").collect(),
        })
    }
}

/// Reads the METADATA of the wheel at `path`.
///
/// # Errors
///
/// [`WheelError`] if the file cannot be read, is no wheel, or holds paths that lead out of it.
pub fn read_metadata(path: &Path) -> Result<Metadata, WheelError> {
    let bytes = read_metadata_bytes(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let error = || WheelError::new(path, Fault::Metadata);
    Metadata::parse(&text).ok_or_else(error)
}

/// The METADATA of the wheel at `path` as it is in it.
///
/// # Errors
///
/// As [`read_metadata`].
pub(crate) fn read_metadata_bytes(path: &Path) -> Result<Vec<u8>, WheelError> {
    let fault = |fault| WheelError::new(path, fault);
    let file = File::open(path).map_err(|error| fault(Fault::Open(error)))?;
    metadata_in(file).map_err(fault)
}

/// The METADATA in a wheel, wherever that is.
pub(crate) fn metadata_in(wheel: impl Read + Seek) -> Result<Vec<u8>, Fault> {
    let mut archive = open(wheel)?;
    let wanted = record_paths_in(&archive)?
        .into_iter()
        .find(|name| {
            name.strip_suffix(".dist-info/METADATA").is_some_and(|folder| !folder.contains('/'))
        })
        .ok_or(Fault::Metadata)?;
    let member = archive.by_name(&wanted).map_err(|error| Fault::Archive(error.into()))?;
    let mut bytes = Vec::new();
    // The size that the archive declares is the archive's word only.
    let read = member.take(LARGEST_METADATA + 1).read_to_end(&mut bytes);
    read.map_err(|error| Fault::Archive(error.into()))?;
    if bytes.len() as u64 > LARGEST_METADATA {
        return Err(Fault::TooLarge);
    }
    Ok(bytes)
}

/// The paths of all files in the wheel at `path`, sorted, with `/` between their parts.
///
/// These are the names of the archive's members, which RECORD must list
/// ([recording installed projects](https://packaging.python.org/en/latest/specifications/binary-distribution-format/#the-dist-info-directory)).
///
/// # Errors
///
/// As [`read_metadata`].
pub fn record_paths(path: &Path) -> Result<Vec<String>, WheelError> {
    let fault = |fault| WheelError::new(path, fault);
    let file = File::open(path).map_err(|error| fault(Fault::Open(error)))?;
    let mut paths = open(file).and_then(|archive| record_paths_in(&archive)).map_err(fault)?;
    paths.sort();
    Ok(paths)
}

pub(crate) fn open<R: Read + Seek>(wheel: R) -> Result<ZipArchive<R>, Fault> {
    let archive = ZipArchive::new(wheel).map_err(|error| Fault::Archive(error.into()))?;
    if archive.len() > MOST_MEMBERS {
        return Err(Fault::TooLarge);
    }
    Ok(archive)
}

pub(crate) fn record_paths_in<R: Read + Seek>(
    archive: &ZipArchive<R>,
) -> Result<Vec<String>, Fault> {
    let mut paths = Vec::with_capacity(archive.len());
    for name in archive.file_names() {
        let name = name.map_err(|error| Fault::Archive(error.into()))?;
        if name.ends_with('/') {
            continue; // a folder
        }
        let inside = !name.contains(['\\', '\0'])
            && !name.starts_with('/')
            && !name.split('/').any(|part| matches!(part, "" | "." | ".."))
            && name.as_bytes().get(1) != Some(&b':');
        if !inside {
            return Err(Fault::Traversal(crate::excerpt::excerpt(&name)));
        }
        paths.push(name.into_owned());
    }
    Ok(paths)
}

/// Why a wheel could not be read.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be read as a wheel", path.display())]
pub struct WheelError {
    path: PathBuf,
    source: Fault,
}

impl WheelError {
    pub(crate) fn new(path: &Path, source: Fault) -> Self {
        Self { path: path.to_owned(), source }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it cannot be opened")]
    Open(#[source] io::Error),
    #[error("it is not a whole zip archive")]
    Archive(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("it has no `.dist-info/METADATA` with a name and a version")]
    Metadata,
    #[error("it holds `{0}`, a path that could lead out of it")]
    Traversal(String),
    #[error("it holds more than is read of any wheel")]
    TooLarge,
}
