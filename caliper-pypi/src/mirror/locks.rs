//! The locks for which a mirror is an index of their files alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use caliper_core::names::{PackageName, Sha256};
use caliper_core::question::lock::{Lock, LockedFile};

use super::pages;
use crate::index::{CoreMetadata, Project, ProjectFile, Release};
use crate::web::page::Row;

/// The locks that were given to a mirror, by their digests, and all of their files.
#[derive(Debug, Default)]
pub(super) struct Locks {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    locks: BTreeMap<Sha256, Arc<Lock>>,
    files: HashMap<(Sha256, String), ProjectFile>,
}

impl Locks {
    /// Takes up a lock, and returns its digest.
    pub(super) fn offer(&self, lock: &Lock) -> Sha256 {
        let digest = lock.digest();
        let mut known = self.known();
        if known.locks.contains_key(&digest) {
            return digest;
        }
        for package in &lock.packages {
            if let Some(file) = project_file(&package.name, &package.file) {
                let name = package.file.filename.clone();
                known.files.insert((package.file.sha256, name), file);
            }
        }
        known.locks.insert(digest, Arc::new(lock.clone()));
        digest
    }

    /// The lock with this digest.
    pub(super) fn of(&self, digest: Sha256) -> Option<Arc<Lock>> {
        self.known().locks.get(&digest).cloned()
    }

    /// A file of any lock.
    pub(super) fn file(&self, sha256: Sha256, filename: &str) -> Option<ProjectFile> {
        self.known().files.get(&(sha256, filename.to_owned())).cloned()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the page of a project, `depth` folders below the root, has in the world of a lock, if that has the project.
pub(super) fn row(lock: &Lock, project: &PackageName, depth: usize) -> Option<Row> {
    let package = lock.package(project)?;
    let file = project_file(project, &package.file)?;
    Some(pages::row(&file, package.version.clone(), depth))
}

/// A locked file with its name taken apart; `None` if that is not the name of a file of the project.
fn project_file(project: &PackageName, file: &LockedFile) -> Option<ProjectFile> {
    let project = Project::from_files(project.clone(), [file.offered()]);
    let found = project.releases().iter().flat_map(Release::files).next()?;
    Some(ProjectFile { core_metadata: CoreMetadata::Absent, ..found.clone() })
}
