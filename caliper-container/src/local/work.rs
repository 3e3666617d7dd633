//! The folders that hold environments and copies of the project while they are used.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::discarded::{Discarded, remove};
use crate::backend::{BackendError, RunId};
use crate::cache::Taken;
use crate::interrupt::Interrupt;

/// How often a user is told what is left to be removed.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// The lock file in the folder of a run. The run is alive while the lock is held: the system releases it
/// when the process ends for any reason. A process number would not show this, since it may be reused.
const LOCK: &str = "lock";

/// The folder of one run. Dropping it removes it with its contents.
///
/// Folders that are discarded earlier are moved into it and removed by a background thread.
#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
    next: AtomicU64,
    discarded: Arc<Discarded>,
    remover: Option<JoinHandle<()>>,
}

impl Workspace {
    /// Makes a folder for `run` in `root`, and begins to remove the folders of dead runs.
    pub(super) fn open(root: &Path, run: &RunId) -> Result<Self, BackendError> {
        let failed =
            |path: &Path| BackendError::machine(format!("could not make `{}`", path.display()));
        fs::create_dir_all(root).map_err(failed(root))?;
        // Tests run in it, so its path must be absolute and without links.
        let root = fs::canonicalize(root).map_err(failed(root))?;
        // Held while folders are made and removed: a folder without a lock yet must not look dead.
        let guard = File::create(root.join(LOCK)).and_then(|file| file.lock().map(|()| file));
        let guard = guard.map_err(failed(&root.join(LOCK)))?;
        let dead = dead_runs(&root);
        // An embedder may use one name for several backends.
        let names = (0..).map(|number| match number {
            0 => run.to_string(),
            more => format!("{run}-{more}"),
        });
        for name in names {
            let folder = root.join(name);
            match fs::create_dir(&folder) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed(&folder)(error)),
            }
            let lock = File::create(folder.join(LOCK)).and_then(|file| file.lock().map(|()| file));
            let lock = lock.map_err(failed(&folder.join(LOCK)))?;
            let discarded = Arc::new(Discarded::default());
            let remover = {
                let discarded = Arc::clone(&discarded);
                thread::spawn(move || {
                    // The run is alive as long as something of it is being removed.
                    let _lock = lock;
                    discarded.remove_all();
                })
            };
            let made = Self { folder, next: AtomicU64::new(1), discarded, remover: Some(remover) };
            for folder in dead {
                made.discard_later(&folder)?;
            }
            drop(guard);
            return Ok(made);
        }
        unreachable!("there are more numbers than folders")
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a unique folder. Its name is short, because the paths of sockets and of interpreters in
    /// scripts have a maximum length.
    pub(super) fn place(&self, kind: char) -> Result<Place<'_>, BackendError> {
        let path = self.name(kind);
        fs::create_dir(&path)
            .map_err(BackendError::machine(format!("could not make `{}`", path.display())))?;
        Ok(Place { path, workspace: self })
    }

    fn name(&self, kind: char) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("{kind}{number}"))
    }

    /// Moves a folder away at once, and removes it in the background. Waits while many others wait for
    /// that. Does nothing if it does not exist.
    ///
    /// # Errors
    ///
    /// If it cannot be moved, or if an earlier folder could not be removed.
    pub(super) fn discard(&self, folder: &Path) -> Result<(), BackendError> {
        self.discarded.wait_for_room();
        self.discard_later(folder)
    }

    /// As [`discard`](Self::discard), without waiting: for what is there when a run begins, which may be much.
    pub(super) fn discard_later(&self, folder: &Path) -> Result<(), BackendError> {
        let failed =
            |path: &Path| BackendError::machine(format!("could not remove `{}`", path.display()));
        let discarded = self.name('x');
        match fs::rename(folder, &discarded) {
            Ok(()) => self.discarded.push(discarded),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // A folder that a test made read-only cannot be moved.
            Err(_) => remove(folder).map_err(failed(folder))?,
        }
        self.discarded.failure().map_or(Ok(()), |(path, error)| Err(failed(&path)(error)))
    }

    /// Waits until everything that was discarded is removed, and says from time to time what is left. If
    /// `interrupt` is raised meanwhile, the rest is left for the next run.
    pub(super) fn finish(&self, interrupt: &Interrupt, left: &dyn Fn(Taken)) {
        // Who stopped the run before wants it to be cleaned up.
        let was_raised = interrupt.is_raised();
        let mut told = Instant::now();
        while self.discarded.is_at_work() {
            if interrupt.is_raised() && !was_raised {
                self.discarded.abandon();
                return;
            }
            if told.elapsed() >= TOLD_EVERY {
                left(self.discarded.left());
                told = Instant::now();
            }
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if self.discarded.close() {
            if let Some(remover) = self.remover.take() {
                let _ = remover.join();
            }
            // The next run removes what is left.
            let _ = remove(&self.folder);
        }
    }
}

/// A folder that is discarded when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    path: PathBuf,
    workspace: &'a Workspace,
}

impl Place<'_> {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder in it.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, BackendError> {
        let path = self.path.join(name);
        fs::create_dir(&path)
            .map_err(BackendError::machine(format!("could not make `{}`", path.display())))?;
        Ok(path)
    }

    /// Keeps it.
    pub(super) fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            self.workspace.discarded.wait_for_room();
            self.workspace.discarded.push(std::mem::take(&mut self.path));
        }
    }
}

/// The folders of dead runs.
fn dead_runs(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let is_dead = |folder: &PathBuf| match File::open(folder.join(LOCK)) {
        Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    folders.map(|entry| entry.path()).filter(is_dead).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_run_leaves_nothing_and_a_dead_one_is_cleared_away() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("work");
        let dead = root.join("18a0p1");
        fs::create_dir_all(dead.join("e1/bin")).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::set_permissions(dead.join("e1"), fs::Permissions::from_mode(0o500)).unwrap();

        let run = RunId::fresh();
        let one = Workspace::open(&root, &run).unwrap();
        assert!(!dead.exists(), "it is moved away at once");
        let other = Workspace::open(&root, &run).unwrap();
        assert!(one.folder().exists(), "a live run must not be cleared away");
        assert_ne!(one.folder(), other.folder());

        let place = other.place('t').unwrap();
        let kept = other.place('e').unwrap().keep();
        let path = place.path().to_owned();
        fs::write(place.folder("home").unwrap().join("x"), "").unwrap();
        drop(place);
        other.discard(&path).unwrap();
        assert!(kept.exists());
        other.discard(&kept).unwrap();
        assert!(!kept.exists());
        drop(one);
        drop(other);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "only the lock");
    }

    #[test]
    fn what_is_discarded_is_removed_in_the_background_or_by_the_next_run() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("work");
        let run = Workspace::open(&root, &RunId::fresh()).unwrap();
        let discard = |run: &Workspace| run.discard(&run.place('e').unwrap().keep()).unwrap();
        (0..100).for_each(|_| discard(&run));
        run.finish(&Interrupt::default(), &|_| {});
        assert_eq!(fs::read_dir(run.folder()).unwrap().count(), 1, "only the lock");

        run.discarded.abandon();
        discard(&run);
        let left = run.folder().to_owned();
        drop(run);
        assert!(left.exists());
        let wait_for_the_lock = || File::open(left.join(LOCK)).unwrap().lock().unwrap();
        wait_for_the_lock();
        let next = Workspace::open(&root, &RunId::fresh()).unwrap();
        assert!(!left.exists());
        next.finish(&Interrupt::default(), &|_| {});
        assert_eq!(fs::read_dir(next.folder()).unwrap().count(), 1, "only the lock");
    }
}
