//! The folders that hold environments and copies of the project while they are used.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::backend::{BackendError, RunId};

/// The lock file in the folder of a run. The run is alive while the lock is held: the system releases it
/// when the process ends for any reason. A process number would not show this, since it may be reused.
const LOCK: &str = "lock";

/// The folder of one run. Dropping it removes it with its contents.
///
/// Folders that are discarded earlier are removed by a background thread. Removing takes little processor
/// time, but can block for a tenth of a second and more until data that was just written is on the disk.
#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
    next: AtomicU64,
    /// `None` only while this is dropped.
    discard: Option<SyncSender<PathBuf>>,
    remover: Option<JoinHandle<()>>,
    left_behind: Arc<Mutex<Option<(PathBuf, io::Error)>>>,
    _lock: File,
}

/// How many folders may wait for removal, so that they do not fill the disk.
const WAITING: usize = 16;

impl Workspace {
    /// Makes a folder for `run` in `root`, and removes the folders of dead runs.
    pub(super) fn open(root: &Path, run: &RunId) -> Result<Self, BackendError> {
        let failed =
            |path: &Path| BackendError::machine(format!("could not make `{}`", path.display()));
        fs::create_dir_all(root).map_err(failed(root))?;
        // Tests run in it, so its path must be absolute and without links.
        let root = fs::canonicalize(root).map_err(failed(root))?;
        // Held while folders are made and removed: a folder without a lock yet must not look dead.
        let guard = File::create(root.join(LOCK)).and_then(|file| file.lock().map(|()| file));
        let guard = guard.map_err(failed(&root.join(LOCK)))?;
        remove_dead(&root)?;
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
            drop(guard);
            let (discard, discarded) = mpsc::sync_channel::<PathBuf>(WAITING);
            let left_behind = Arc::new(Mutex::new(None));
            let failures = Arc::clone(&left_behind);
            let remover = thread::spawn(move || {
                for folder in discarded {
                    if let Err(error) = remove(&folder) {
                        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                        failures.get_or_insert((folder, error));
                    }
                }
            });
            return Ok(Self {
                folder,
                next: AtomicU64::new(1),
                discard: Some(discard),
                remover: Some(remover),
                left_behind,
                _lock: lock,
            });
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

    /// Moves a folder away at once, and removes it in the background. Does nothing if it does not exist.
    ///
    /// # Errors
    ///
    /// If it cannot be moved, or if an earlier folder could not be removed.
    pub(super) fn discard(&self, folder: &Path) -> Result<(), BackendError> {
        let failed =
            |path: &Path| BackendError::machine(format!("could not remove `{}`", path.display()));
        let discarded = self.name('x');
        match fs::rename(folder, &discarded) {
            Ok(()) => self.send(discarded),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                remove(folder).map_err(failed(folder))?;
            }
            Err(error) => return Err(failed(folder)(error)),
        }
        let earlier = self.left_behind.lock().unwrap_or_else(PoisonError::into_inner).take();
        earlier.map_or(Ok(()), |(path, error)| Err(failed(&path)(error)))
    }

    fn send(&self, folder: PathBuf) {
        if let Some(discard) = &self.discard {
            // Fails only if the thread has ended; then the folder is removed with that of the run.
            let _ = discard.send(folder);
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        drop(self.discard.take());
        if let Some(remover) = self.remover.take() {
            let _ = remover.join();
        }
        // The next run removes what is left.
        let _ = remove(&self.folder);
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
            self.workspace.send(std::mem::take(&mut self.path));
        }
    }
}

/// Removes the folders of dead runs.
fn remove_dead(root: &Path) -> Result<(), BackendError> {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let folder = entry.path();
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let is_dead = match File::open(folder.join(LOCK)) {
            Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_dead {
            remove(&folder).map_err(BackendError::machine(format!(
                "could not remove `{}`, which a run that is gone left behind",
                folder.display()
            )))?;
        }
    }
    Ok(())
}

/// Removes a folder with its contents, also those that a test made read-only. A missing folder is not an
/// error.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let mut patience = 5;
    loop {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => {
                return Ok(());
            }
            Err(error) if patience == 0 => return Err(error),
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
                    open_up(folder);
                } else {
                    // A process that is just ending may still create files.
                    thread::sleep(Duration::from_millis(10));
                }
                patience -= 1;
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// Makes the folders in `folder` writable again. Does not follow links.
fn open_up(folder: &Path) {
    if !fs::symlink_metadata(folder).is_ok_and(|kind| kind.is_dir()) {
        return;
    }
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert!(!dead.exists());
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
    fn what_is_read_only_is_removed_and_what_a_link_leads_to_is_not() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        let elsewhere = root.path().join("elsewhere");
        fs::create_dir_all(folder.join("a/b")).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        fs::write(elsewhere.join("x"), "").unwrap();
        fs::write(folder.join("a/b/c"), "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.join("a/link")).unwrap();
        for path in ["a/b", "a"] {
            fs::set_permissions(folder.join(path), fs::Permissions::from_mode(0o500)).unwrap();
        }
        remove(&folder).unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists() && elsewhere.join("x").exists());
    }
}
