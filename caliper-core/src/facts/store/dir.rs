#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the one module of this crate whose job is files"
)]

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::replace::{UNFINISHED, Unfinished, replace};
use super::{Content, MOST_IN_MEMORY, Pieces, ResultStore, StoreError};
use crate::facts::asked::{self, Asked};
use crate::facts::record;
use crate::facts::record::{BlobRef, Record};
use crate::names::{Sha256, Sha256Stream};
use crate::question::grid::CellId;

/// A folder of results, made for people to share, diff and merge:
///
/// ```text
/// results.json          the summary
/// asked.json            what the last run asked, to tell which records are stale
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
}

/// The file that holds what was asked last.
const ASKED: &str = "asked.json";

/// A record that is there and cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// What is wrong, with the path.
    pub error: StoreError,
}

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
        match try_lock(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { path: folder, holder: holder(&mut lock) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(failed)?;
        let store = Self { folder, _lock: Some(lock) };
        store.sweep();
        Ok(store)
    }

    /// Opens `folder` for reading only; it need not exist.
    pub fn read_only(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), _lock: None }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether another process has the folder open for writing: the number of that process, or 0 if it
    /// does not tell. `None` if no process has.
    pub fn writer(&self) -> Option<u32> {
        let mut lock = File::open(self.folder.join("lock")).ok()?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder(&mut lock).unwrap_or_default()),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    /// Forgets what was asked last: every record then counts as an answer.
    ///
    /// # Errors
    ///
    /// [`StoreError::Write`] if it cannot be removed.
    pub fn forget_asked(&self) -> Result<(), StoreError> {
        let path = self.folder.join(ASKED);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Write { path, source })
            }
            _ => Ok(()),
        }
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

    /// Keeps a summary of the records in place of the one before: any document with a `schema` number.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    pub fn save_summary(&self, summary: &impl Serialize) -> Result<(), StoreError> {
        replace_json(&self.folder.join("results.json"), summary)
    }

    /// The summary that was kept last; `None` without one. `known` is the newest version of its format that
    /// `T` can hold.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read, or is from a newer Caliper.
    pub fn summary<T: DeserializeOwned>(&self, known: u32) -> Result<Option<T>, StoreError> {
        read_json(&self.folder.join("results.json"), known)
    }
}

/// Locks, and tries again for a moment: [`DirStore::writer`] holds the lock while it looks.
fn try_lock(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..10 {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            locked => return locked,
        }
    }
    lock.try_lock()
}

/// The number of the process that holds the lock, as the file says.
fn holder(lock: &mut File) -> Option<u32> {
    let mut holder = String::new();
    lock.take(20).read_to_string(&mut holder).ok()?;
    holder.trim().parse().ok()
}

fn replace_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let written = replace(path, |file| {
        let mut file = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.flush()
    });
    written.map_err(|source| StoreError::Write { path: path.to_owned(), source })
}

/// Reads a blob and compares its digest at the end.
struct Verified<R> {
    content: R,
    blob: BlobRef,
    digest: Sha256Stream,
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.digest.update(&buffer[..count]);
        if count == 0 && !buffer.is_empty() {
            let problem = "the content does not have the digest that it is kept under";
            if self.digest.clone().finish() != self.blob.0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
        }
        Ok(count)
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
        file => file.map_err(failed)?.read_to_end(&mut bytes).map_err(failed)?,
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
        replace_json(&self.record_path(&record.id()), record)
    }

    fn asked(&self) -> Result<Option<Asked>, StoreError> {
        read_json(&self.folder.join(ASKED), asked::SCHEMA)
    }

    fn save_asked(&self, asked: &Asked) -> Result<(), StoreError> {
        replace_json(&self.folder.join(ASKED), asked)
    }

    fn save_blob_from(&self, content: &mut dyn Read) -> Result<BlobRef, StoreError> {
        let folder = self.folder.join("blobs");
        let failed = |source| StoreError::Write { path: folder.clone(), source };
        let mut unfinished = Unfinished::create(&folder).map_err(failed)?;
        let mut digest = Sha256Stream::default();
        let mut encoder = zstd::Encoder::new(unfinished.file(), LEVEL).map_err(failed)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    digest.update(&buffer[..count]);
                    encoder.write_all(&buffer[..count]).map_err(failed)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(StoreError::Content { source }),
            }
        }
        encoder.finish().map_err(failed)?;
        let blob = BlobRef(digest.finish());
        let path = self.blob_path(blob);
        // An older file of this name has the same content, or is damaged.
        unfinished.finish(&path).map_err(|source| StoreError::Write { path, source })?;
        Ok(blob)
    }

    /// Compresses nothing that is there already.
    fn save_blob(&self, mut bytes: &[u8]) -> Result<BlobRef, StoreError> {
        let blob = BlobRef(Sha256::of(bytes));
        if self.has_blob(blob) { Ok(blob) } else { self.save_blob_from(&mut bytes) }
    }

    fn has_blob(&self, blob: BlobRef) -> bool {
        self.blob_path(blob).exists()
    }

    fn open_blob(&self, blob: BlobRef) -> Result<Box<dyn Read + Send>, StoreError> {
        let path = self.blob_path(blob);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::NoBlob { blob, path: self.folder.clone() });
            }
            file => file.map_err(|source| StoreError::Read { path: path.clone(), source })?,
        };
        let content = zstd::Decoder::with_buffer(BufReader::new(file))
            .map_err(|source| StoreError::Blob { blob, source })?;
        Ok(Box::new(Verified { content, blob, digest: Sha256Stream::default() }))
    }

    /// What is long is unpacked into a file without a name, beside the blobs or, where these cannot be written, where the
    /// system has temporary files. The system removes it when it is no longer used, also if this process is killed.
    fn content(&self, blob: BlobRef) -> Result<Content, StoreError> {
        let unread = |source| StoreError::Blob { blob, source };
        let mut content = self.open_blob(blob)?;
        let mut start = Vec::new();
        (&mut content).take(SHORT).read_to_end(&mut start).map_err(unread)?;
        if (start.len() as u64) < SHORT {
            return Ok(start.into());
        }
        let file = tempfile::tempfile_in(self.folder.join("blobs"));
        let file = file.or_else(|_| tempfile::tempfile()).map_err(unread)?;
        let mut file = BufWriter::with_capacity(1 << 18, file);
        file.write_all(&start).map_err(unread)?;
        let length = start.len() as u64 + io::copy(&mut content, &mut file).map_err(unread)?;
        drop(start);
        let file = file.into_inner().map_err(|error| unread(error.into_error()))?;
        let unpacked = Unpacked { length, file: Mutex::new(file) };
        if length > MOST_IN_MEMORY {
            return Ok(Content::Large(Arc::new(unpacked)));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        unpacked.read_at(0, &mut bytes).map_err(unread)?;
        Ok(bytes.into())
    }
}

/// What is not longer is unpacked in memory without a look at how long it is.
const SHORT: u64 = 16 << 20;

/// A blob that is unpacked on the disk.
struct Unpacked {
    length: u64,
    file: Mutex<File>,
}

impl Pieces for Unpacked {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(buffer)
    }
}

/// The level of zstd at which blobs are compressed.
const LEVEL: i32 = 3;

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

    /// Yields `left` zeros, then an error or the end.
    struct Zeros {
        left: usize,
        error: Option<io::ErrorKind>,
    }

    impl Read for Zeros {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.left);
            buffer[..count].fill(0);
            self.left -= count;
            match self.error.filter(|_| count == 0) {
                Some(kind) => Err(kind.into()),
                None => Ok(count),
            }
        }
    }

    #[test]
    fn a_stream_is_kept_under_its_digest_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirStore::open(folder.path()).unwrap();
        let files = || fs::read_dir(folder.path().join("blobs")).unwrap().count();
        let mut cut = Zeros { left: 100, error: Some(io::ErrorKind::ConnectionReset) };
        assert!(matches!(store.save_blob_from(&mut cut), Err(StoreError::Content { .. })));
        assert_eq!(files(), 0);

        let left = 1 << 20;
        let blob = store.save_blob_from(&mut Zeros { left, error: None }).unwrap();
        assert_eq!(files(), 1);
        let read = io::copy(&mut store.open_blob(blob).unwrap(), &mut io::sink()).unwrap();
        assert_eq!(read, left as u64);
        assert_eq!(store.blob_up_to(blob, read).unwrap(), vec![0; left]);
        let error = store.blob_up_to(blob, read - 1).unwrap_err();
        assert!(
            matches!(&error, StoreError::Blob { source, .. } if source.kind() == io::ErrorKind::FileTooLarge),
            "{error}"
        );
    }

    #[test]
    fn a_long_blob_is_read_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirStore::open(folder.path()).unwrap();
        for (left, is_large) in [(SHORT, false), (SHORT + 1, false), (MOST_IN_MEMORY + 5, true)] {
            let mut bytes =
                (&b"start"[..]).chain(io::repeat(7).take(left - 10)).chain(&b"ended"[..]);
            let blob = store.save_blob_from(&mut bytes).unwrap();
            let content = store.content(blob).unwrap();
            assert_eq!(content.length(), left);
            let mut end = [0; 6];
            match &content {
                Content::Memory(bytes) => end.copy_from_slice(&bytes[bytes.len() - 6..]),
                Content::Large(pieces) => {
                    pieces.read_at(left - 6, &mut end).unwrap();
                    assert!(pieces.read_at(left - 5, &mut [0; 6]).is_err());
                }
            }
            assert_eq!((&end, matches!(content, Content::Large(_))), (b"\x07ended", is_large));
        }
        // Nothing is left but the blobs themselves.
        assert_eq!(fs::read_dir(folder.path().join("blobs")).unwrap().count(), 3);
    }

    #[test]
    fn a_summary_is_any_document_with_a_schema() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirStore::open(folder.path()).unwrap();
        assert_eq!(store.summary::<serde_json::Value>(1).unwrap(), None);
        let summary = serde_json::json!({"schema": 2, "cells": 3});
        store.save_summary(&summary).unwrap();
        assert_eq!(store.summary(2).unwrap(), Some(summary));
        assert!(matches!(
            store.summary::<serde_json::Value>(1),
            Err(StoreError::TooNew { found: 2, known: 1, .. })
        ));
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
        assert!(matches!(store.blob(blob), Err(StoreError::Blob { .. })));
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
