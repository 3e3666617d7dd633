//! The lock of a record: the files that its environment was made of.
//!
//! Records are the truth, and a lock is rendered from one whenever it is needed. What is of the image and of no index
//! is no part of it.

use std::fmt;

use crate::facts::record::{CellOutcome, Installed, Record, RecordedFile};
use crate::question::grid::CellId;
use crate::question::lock::{Lock, LockedFile, LockedPackage};

/// Why a record gives no lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// There is no environment.
    #[error("{cell} has no environment to rebuild: {outcome}")]
    NoEnvironment {
        /// The cell.
        cell: CellId,
        /// How it ended.
        outcome: CellOutcome,
    },
    /// Nothing says which file some packages are from.
    #[error(
        "{cell} cannot be rebuilt from files alone: {}; measure it again with `caliper run --only '{cell}' --rerun all`",
        list(packages)
    )]
    Unknown {
        /// The cell.
        cell: CellId,
        /// The packages.
        packages: Vec<Unlocked>,
    },
}

/// A package of which no file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlocked {
    /// Its name, as its metadata spells it.
    pub name: String,
    /// Its version, as its metadata spells it.
    pub version: String,
    /// What is lacking.
    pub lacks: Lacks,
}

/// What it would take to lock a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// The record names no file.
    File,
    /// The index gave no digest of the file.
    Digest,
    /// Its name or its version is not valid.
    Name,
}

impl fmt::Display for Unlocked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, lacks } = self;
        let what = match lacks {
            Lacks::File => "it is not recorded which file it is from",
            Lacks::Digest => "the index gave no digest of its file",
            Lacks::Name => "its name or version is not one of an index",
        };
        write!(formatter, "of {name} {version} {what}")
    }
}

fn list(packages: &[Unlocked]) -> String {
    let shown: Vec<String> = packages.iter().take(5).map(ToString::to_string).collect();
    let more = packages.len() - shown.len();
    let more = if more > 0 { format!(" (and {more} more packages)") } else { String::new() };
    shown.join(", ") + &more
}

/// The lock of a record.
///
/// # Errors
///
/// [`LockError`] if there was no environment, or if the file of a package that a build installed is not known.
pub fn of(record: &Record) -> Result<Lock, LockError> {
    let cell = record.id();
    if record.outcome != CellOutcome::Tested {
        return Err(LockError::NoEnvironment { cell, outcome: record.outcome });
    }
    let environment = &record.environment;
    let mut packages = Vec::new();
    let mut lacking = Vec::new();
    for one in environment.installed.iter().filter(|one| !one.of_image) {
        match locked(one) {
            Ok(package) => packages.push(package),
            Err(lacks) => {
                let Installed { name, version, .. } = one.clone();
                lacking.push(Unlocked { name, version, lacks });
            }
        }
    }
    if !lacking.is_empty() {
        return Err(LockError::Unknown { cell, packages: lacking });
    }
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    let platform = environment.interpreter.as_ref().map(|found| found.platform.clone());
    let matters = packages.iter().any(|package| package.file.is_of_platform());
    Ok(Lock {
        python: Some(record.python),
        platform: platform.filter(|_| matters),
        index: environment.index.clone(),
        as_of: environment.as_of,
        recorded: Some(record.started),
        packages,
    })
}

fn locked(one: &Installed) -> Result<LockedPackage, Lacks> {
    let (name, version) = one.pin().ok_or(Lacks::Name)?;
    let RecordedFile { filename, url, sha256, kind, upload_time, size } =
        one.file.clone().ok_or(Lacks::File)?;
    let sha256 = sha256.ok_or(Lacks::Digest)?;
    Ok(LockedPackage {
        name,
        version,
        file: LockedFile { filename, url, sha256, kind, upload_time, size },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::testing::record;
    use crate::names::Sha256;
    use crate::question::grid::FileKind;

    fn installed(name: &str, version: &str, filename: Option<&str>) -> Installed {
        let mut one = Installed::new(name, version);
        one.file = filename.map(|filename| RecordedFile {
            filename: filename.to_owned(),
            url: format!("https://files.example/{filename}"),
            sha256: Some(Sha256::of(filename.as_bytes())),
            kind: FileKind::Wheel,
            upload_time: None,
            size: None,
        });
        one
    }

    #[test]
    fn a_record_has_a_lock_without_what_its_base_has() {
        let mut record = record("1.0", "3.11");
        let pip = Installed { of_image: true, ..installed("pip", "23.0", None) };
        record.environment.installed = vec![
            installed("Zope", "1.0", Some("zope-1.0-py3-none-any.whl")),
            pip,
            installed("demo", "1.0", Some("demo-1.0-py3-none-any.whl")),
        ];
        let lock = of(&record).unwrap();
        let names: Vec<&str> = lock.packages.iter().map(|one| one.name.normalized()).collect();
        assert_eq!(names, ["demo", "zope"]);
        assert_eq!((lock.platform, lock.recorded), (None, Some(record.started)));
    }

    #[test]
    fn what_is_lacking_is_named() {
        let mut record = record("1.0", "3.11");
        let mut bare = installed("bare", "1", Some("bare-1-py3-none-any.whl"));
        bare.file.as_mut().unwrap().sha256 = None;
        record.environment.installed =
            vec![installed("local", "1", None), bare, installed("odd", "of today", None)];
        insta::assert_snapshot!(of(&record).unwrap_err(), @"1.0/3.11 cannot be rebuilt from files alone: of local 1 it is not recorded which file it is from, of bare 1 the index gave no digest of its file, of odd of today its name or version is not one of an index; measure it again with `caliper run --only '1.0/3.11' --rerun all`");
        record.outcome = CellOutcome::BuildFailed;
        insta::assert_snapshot!(of(&record).unwrap_err(), @"1.0/3.11 has no environment to rebuild: cannot be built");
    }
}
