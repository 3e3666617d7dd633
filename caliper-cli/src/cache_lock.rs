//! Who uses a cache, and who removes it. A cache may be shared by projects, whose own locks say nothing of
//! each other.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// Held while a cache is used, by any number of runs, or while it is removed, by one.
pub(crate) struct CacheLock {
    path: PathBuf,
    _file: File,
}

impl CacheLock {
    /// For a run, which fills the cache.
    pub(crate) fn to_use(cache: &Path) -> Result<Self, Failure> {
        Self::take(cache, File::try_lock_shared, "it is being removed")
    }

    /// For removing what is in the cache, which must exist.
    pub(crate) fn to_remove(cache: &Path) -> Result<Self, Failure> {
        Self::take(cache, File::try_lock, "a run is using it")
    }

    fn take(
        cache: &Path,
        lock: fn(&File) -> Result<(), TryLockError>,
        otherwise: &str,
    ) -> Result<Self, Failure> {
        let path = cache.join(".lock");
        let action = || format!("could not lock the cache `{}`", cache.display());
        let failed = |error| Failure::infrastructure(action(), error);
        fs::create_dir_all(cache).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        match lock(&file) {
            Err(TryLockError::WouldBlock) => Err(Failure::question(format!(
                "the cache `{}` is in use: {otherwise}; try again when that has ended",
                cache.display()
            ))),
            // Where a file system has no locks nobody can be told.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, _file: file }),
        }
    }

    /// Removes the file of the lock too, with what it protected.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}
