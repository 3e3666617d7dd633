#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the one module of this crate whose job is files"
)]

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ResultStore, StoreError};
use crate::analysis::results;
use crate::facts::record;
use crate::facts::record::{BlobRef, Record};
use crate::names::Sha256;
use crate::question::grid::CellId;

/// A folder of results, made for people to share, diff and merge:
///
/// ```text
/// results.json          the summary
/// records/<cell>.json   one file for each cell, replaced atomically
/// blobs/<sha256>.zst    long outputs and build logs, by their content
/// lock                  held by the store that may write; holds the number of its process
/// ```
///
/// The records are the truth, and the summary can be made again from them. Two folders merge by copying
/// records and blobs.
#[derive(Debug)]
pub struct DirStore {
    folder: PathBuf,
    /// Held as long as this store may write.
    _lock: Option<File>,
    /// Numbers the files in the making.
    serial: AtomicU64,
}

/// A record that is there and cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// What is wrong, with the path.
    pub error: StoreError,
}

/// The beginning of the names of files in the making.
const UNFINISHED: &str = ".unfinished-";

/// No record or blob of Caliper's own making is larger.
const MOST_BYTES: u64 = 256 << 20;

impl DirStore {
    /// Opens `folder` for writing, and makes it if need be. Only one at a time can.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process has it open for writing; [`StoreError::Write`] if it
    /// cannot be written.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        let path = folder.join("lock");
        let failed = |source| StoreError::Write { path: path.clone(), source };
        for part in ["records", "blobs"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(|source| StoreError::Write { path, source })?;
        }
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.take(20).read_to_string(&mut holder);
                return Err(StoreError::Locked {
                    path: folder,
                    holder: holder.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(failed)?;
        let store = Self { folder, _lock: Some(lock), serial: AtomicU64::new(0) };
        store.sweep();
        Ok(store)
    }

    /// Opens `folder` for reading only; it need not exist.
    pub fn read_only(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), _lock: None, serial: AtomicU64::new(0) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every record that can be read, sorted by cell, and what is wrong with the others.
    ///
    /// # Errors
    ///
    /// [`StoreError::Read`] if the folder itself cannot be read.
    pub fn records(&self) -> Result<(Vec<Record>, Vec<Unreadable>), StoreError> {
        let folder = self.folder.join("records");
        let failed = |source| StoreError::Read { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((vec![], vec![])),
            entries => entries.map_err(failed)?,
        };
        let (mut records, mut unreadable) = (Vec::new(), Vec::new());
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match read_json::<Record>(&path, record::SCHEMA) {
                Ok(Some(record)) => records.push(record),
                Ok(None) => {}
                Err(error) => unreadable.push(Unreadable { error }),
            }
        }
        records.sort_by_key(Record::id);
        Ok((records, unreadable))
    }

    /// Removes what a killed run did not finish.
    fn sweep(&self) {
        for part in ["", "records", "blobs"] {
            let Ok(entries) = fs::read_dir(self.folder.join(part)) else { continue };
            for entry in entries.flatten() {
                if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                    // What cannot be removed now does no harm; the next run tries again.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }

    fn record_path(&self, id: &CellId) -> PathBuf {
        self.folder.join("records").join(format!("{}.json", id.file_stem()))
    }

    fn blob_path(&self, blob: BlobRef) -> PathBuf {
        self.folder.join("blobs").join(format!("{}.zst", blob.0.hex()))
    }

    /// Writes beside the target and renames, so that a reader sees the old content or the new.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let unfinished =
            path.with_file_name(format!("{UNFINISHED}{}-{serial}", std::process::id()));
        fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path)).map_err(
            |source| {
                let _ = fs::remove_file(&unfinished);
                StoreError::Write { path: path.to_owned(), source }
            },
        )
    }

    fn replace_json(&self, path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
        let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| StoreError::Write {
            path: path.to_owned(),
            source: io::Error::other(error),
        })?;
        bytes.push(b'\n');
        self.replace(path, &bytes)
    }
}

/// A newer format may lack what this one has, so its number is read first.
#[derive(serde::Deserialize)]
struct Schema {
    schema: u32,
}

fn read_json<T: DeserializeOwned>(path: &Path, known: u32) -> Result<Option<T>, StoreError> {
    let failed = |source| StoreError::Read { path: path.to_owned(), source };
    let damaged = |problem: String| StoreError::Damaged { path: path.to_owned(), problem };
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?,
    };
    let Schema { schema: found } =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if found > known {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known });
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
}

impl ResultStore for DirStore {
    fn load(&self, id: &CellId) -> Result<Option<Record>, StoreError> {
        match read_json::<Record>(&self.record_path(id), record::SCHEMA) {
            // A file under another cell's name would pass for its result.
            Ok(Some(record)) if record.id() == *id => Ok(Some(record)),
            // A damaged record is one that has to be measured again.
            Ok(_) | Err(StoreError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn save(&self, record: &Record) -> Result<(), StoreError> {
        self.replace_json(&self.record_path(&record.id()), record)
    }

    fn save_blob(&self, bytes: &[u8]) -> Result<BlobRef, StoreError> {
        let blob = BlobRef(Sha256::of(bytes));
        let path = self.blob_path(blob);
        if !path.exists() {
            let compressed = zstd::encode_all(bytes, 3)
                .map_err(|source| StoreError::Write { path: path.clone(), source })?;
            self.replace(&path, &compressed)?;
        }
        Ok(blob)
    }

    fn blob(&self, blob: BlobRef) -> Result<Vec<u8>, StoreError> {
        let path = self.blob_path(blob);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::NoBlob { blob, path: self.folder.clone() });
            }
            file => file.map_err(|source| StoreError::Read { path: path.clone(), source })?,
        };
        let mut bytes = Vec::new();
        zstd::Decoder::new(file)
            .and_then(|decoder| decoder.take(MOST_BYTES).read_to_end(&mut bytes))
            .map_err(|error| StoreError::Damaged {
                path: path.clone(),
                problem: error.to_string(),
            })?;
        if Sha256::of(&bytes) != blob.0 {
            let problem = "its content does not have its digest".to_owned();
            return Err(StoreError::Damaged { path, problem });
        }
        Ok(bytes)
    }

    fn save_results(&self, results: &results::Results) -> Result<(), StoreError> {
        self.replace_json(&self.folder.join("results.json"), results)
    }

    fn results(&self) -> Result<Option<results::Results>, StoreError> {
        read_json(&self.folder.join("results.json"), results::SCHEMA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::record::tests::record;

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirStore::open(folder.path()).unwrap();
        let record = record("1.10", "3.11");
        assert_eq!(store.load(&record.id()).unwrap(), None);
        store.save(&record).unwrap();
        assert_eq!(store.load(&record.id()).unwrap().as_ref(), Some(&record));
        assert_eq!(store.records().unwrap().0, [record]);

        let blob = store.save_blob(b"hello \xff").unwrap();
        assert_eq!(store.save_blob(b"hello \xff").unwrap(), blob);
        assert_eq!(store.blob(blob).unwrap(), b"hello \xff");
        let missing = BlobRef(Sha256::of(b"other"));
        assert!(matches!(store.blob(missing), Err(StoreError::NoBlob { .. })));
    }

    #[test]
    fn one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DirStore::open(folder.path()).unwrap();
        let error = DirStore::open(folder.path()).unwrap_err();
        assert!(
            matches!(&error, StoreError::Locked { holder, .. } if *holder == Some(std::process::id())),
            "{error}"
        );
        drop(first);
        DirStore::open(folder.path()).unwrap();
    }

    #[test]
    fn damage_is_seen_and_a_newer_format_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirStore::open(folder.path()).unwrap();
        let record = record("1.0", "3.11");
        let path = store.record_path(&record.id());
        fs::write(&path, "{\"schema\": 1, \"vers").unwrap();
        assert_eq!(store.load(&record.id()).unwrap(), None);
        assert_eq!(store.records().unwrap().1.len(), 1);
        fs::write(&path, "{\"schema\": 99}").unwrap();
        assert!(matches!(store.load(&record.id()), Err(StoreError::TooNew { found: 99, .. })));

        let blob = store.save_blob(b"hello").unwrap();
        fs::write(store.blob_path(blob), zstd::encode_all(&b"other"[..], 3).unwrap()).unwrap();
        assert!(matches!(store.blob(blob), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn what_a_killed_run_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        drop(DirStore::open(folder.path()).unwrap());
        let left = folder.path().join("records").join(format!("{UNFINISHED}1-1"));
        fs::write(&left, "half").unwrap();
        DirStore::open(folder.path()).unwrap();
        assert!(!left.exists());
    }
}
