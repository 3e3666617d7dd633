//! Removing folders in the background.
//!
//! To remove tens of thousands of files takes little processor time, but can block for seconds until data that was
//! just written is on the disk.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::cache::{DiskUsage, Taken};
use crate::interrupt::Interrupt;

/// How many folders may wait for removal before a test waits for them, so that they do not fill the disk.
const WAITING: usize = 64;

/// Folders that wait for removal, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Discarded {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The first is being removed.
    folders: VecDeque<PathBuf>,
    end: End,
    failure: Option<(PathBuf, io::Error)>,
}

/// Whether more is to come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// Nothing more comes.
    Closed,
    /// What is left stays.
    Abandoned,
}

impl Discarded {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what comes, until no more is to come.
    pub(super) fn remove_all(&self) {
        let mut state = self.state();
        loop {
            match (state.end, state.folders.front().cloned()) {
                (End::Abandoned, _) | (End::Closed, None) => return,
                (End::Open, None) => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                (End::Open | End::Closed, Some(folder)) => {
                    drop(state);
                    let removed = remove(&folder);
                    state = self.state();
                    state.folders.pop_front();
                    if let Err(error) = removed {
                        state.failure.get_or_insert((folder, error));
                    }
                    self.changed.notify_all();
                }
            }
        }
    }

    /// Adds a folder.
    pub(super) fn push(&self, folder: PathBuf) {
        self.state().folders.push_back(folder);
        self.changed.notify_all();
    }

    /// Waits while too many folders are there.
    pub(super) fn wait_for_room(&self) {
        let mut state = self.state();
        while state.folders.len() > WAITING && state.end != End::Abandoned {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The first folder that could not be removed since the last call, and why.
    pub(super) fn failure(&self) -> Option<(PathBuf, io::Error)> {
        self.state().failure.take()
    }

    /// Whether anything is left, after a short wait if so.
    pub(super) fn is_at_work(&self) -> bool {
        let state = self.state();
        if state.folders.is_empty() {
            return false;
        }
        let waited = self.changed.wait_timeout(state, Interrupt::POLL);
        !waited.unwrap_or_else(PoisonError::into_inner).0.folders.is_empty()
    }

    /// What is left.
    pub(super) fn left(&self) -> Taken {
        let folders = self.state().folders.clone();
        let mut usage = DiskUsage::default();
        folders.iter().map(|folder| usage.of(folder)).sum()
    }

    /// Leaves what has not been begun.
    pub(super) fn abandon(&self) {
        self.state().end = End::Abandoned;
        self.changed.notify_all();
    }

    /// Nothing more comes. Returns whether everything will be removed.
    pub(super) fn close(&self) -> bool {
        let mut state = self.state();
        if state.end == End::Open {
            state.end = End::Closed;
        }
        self.changed.notify_all();
        state.end == End::Closed
    }
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
    fn what_is_abandoned_stays_and_what_is_closed_goes() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        fs::create_dir_all(folder.join("deep")).unwrap();
        let discarded = Discarded::default();
        discarded.push(folder.clone());
        assert!(discarded.is_at_work());
        assert_eq!(discarded.left().files, 2);
        discarded.abandon();
        discarded.remove_all();
        assert!(!discarded.close() && folder.exists());

        let discarded = Discarded::default();
        discarded.push(folder.clone());
        assert!(discarded.close());
        discarded.remove_all();
        assert!(!discarded.is_at_work() && !folder.exists());
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
