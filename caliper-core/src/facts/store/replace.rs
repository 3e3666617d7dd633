#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "writes the files of a store"
)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The beginning of the names of unfinished files.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// Numbers the unfinished files of this process.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Replaces the file at `path` by what `write` writes: a reader sees the old content or the new, also after
/// the machine has lost power. The new content is on the disk when this returns.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut unfinished = Unfinished::create(path.parent().unwrap_or(Path::new(".")))?;
    write(unfinished.file())?;
    unfinished.finish(path)
}

/// A file under a temporary name, which is removed unless it gets its final name.
#[derive(Debug)]
pub(super) struct Unfinished {
    path: PathBuf,
    file: File,
    is_finished: bool,
}

impl Unfinished {
    /// Creates one in the folder of the final file.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{UNFINISHED}{}-{serial}", std::process::id()));
        let file = File::create(&path)?;
        Ok(Self { path, file, is_finished: false })
    }

    /// The file, for writing.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Writes everything to the disk, then gives the file its final name, then writes the folder to the
    /// disk. In another order, a loss of power could leave an empty file under the final name.
    pub(super) fn finish(mut self, path: &Path) -> io::Result<()> {
        self.file.flush()?;
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        self.is_finished = true;
        // On Unix, a folder is opened and synced like a file.
        let folder = path.parent().unwrap_or(Path::new("."));
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be removed now is removed by the next run.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_changes_nothing_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, |file| file.write_all(b"old")).unwrap();
        let failed = replace(&path, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        replace(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
