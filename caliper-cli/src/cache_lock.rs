//! Keeps a cache from being removed while runs use it. A cache may be shared by projects, whose own locks say nothing
//! of each other.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::exit::Failure;
use crate::own;

/// Held while a cache is used, by any number of runs, or while it is removed, by one.
pub(crate) struct CacheLock {
    path: PathBuf,
    file: File,
}

/// How long a run waits for another command that removes something from the cache.
const PATIENCE: Duration = Duration::from_secs(30);

impl CacheLock {
    /// For a command that measures in a project: makes Caliper's folder there and the cache, if they are missing.
    pub(crate) fn open(project: &Path, cache: &Path) -> Result<Self, Failure> {
        own::make(project)?;
        own::make_cache(cache);
        Self::to_use(cache)
    }

    /// For a run, which fills the cache.
    pub(crate) fn to_use(cache: &Path) -> Result<Self, Failure> {
        Self::take(cache, File::try_lock_shared, "it is being removed", PATIENCE)
    }

    /// For removing what is in the cache, which must exist.
    pub(crate) fn to_remove(cache: &Path) -> Result<Self, Failure> {
        Self::take(cache, File::try_lock, "a run is using it", Duration::ZERO)
    }

    /// Does something with the cache while no other run uses it. `None` if another one does. Afterwards the cache is no
    /// longer protected.
    pub(crate) fn alone<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        // First unlocked: what happens to a lock that is taken twice depends on the system.
        let _ = self.file.unlock();
        match self.file.try_lock() {
            Ok(()) | Err(TryLockError::Error(_)) => {
                let done = work();
                let _ = self.file.unlock();
                Some(done)
            }
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn take(
        cache: &Path,
        lock: fn(&File) -> Result<(), TryLockError>,
        otherwise: &str,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let path = cache.join(".lock");
        let action = || format!("could not lock the cache `{}`", cache.display());
        let failed = |error| Failure::infrastructure(action(), error);
        let begun = Instant::now();
        loop {
            // Each time anew, as a command that removes the cache removes the file too.
            fs::create_dir_all(cache).map_err(failed)?;
            let file = File::create(&path).map_err(failed)?;
            match lock(&file) {
                Err(TryLockError::WouldBlock) if begun.elapsed() < patience => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::question(format!(
                        "the cache `{}` is in use: {otherwise}; try again when that has ended",
                        cache.display()
                    )));
                }
                // A file system without locks protects nothing.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Self { path, file }),
            }
        }
    }

    /// Removes the file of the lock too, with what it protected.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}
