use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ResultStore, StoreError};
use crate::analysis::results::Results;
use crate::facts::record::{BlobRef, Record};
use crate::names::Sha256;
use crate::question::grid::CellId;

/// A [`ResultStore`] that forgets everything with the process.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    records: BTreeMap<CellId, Record>,
    blobs: BTreeMap<Sha256, Vec<u8>>,
    results: Option<Results>,
}

impl MemoryStore {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All records, sorted by cell.
    pub fn records(&self) -> Vec<Record> {
        self.kept().records.values().cloned().collect()
    }
}

impl ResultStore for MemoryStore {
    fn load(&self, id: &CellId) -> Result<Option<Record>, StoreError> {
        Ok(self.kept().records.get(id).cloned())
    }

    fn save(&self, record: &Record) -> Result<(), StoreError> {
        self.kept().records.insert(record.id(), record.clone());
        Ok(())
    }

    fn save_blob(&self, bytes: &[u8]) -> Result<BlobRef, StoreError> {
        let digest = Sha256::of(bytes);
        self.kept().blobs.insert(digest, bytes.to_owned());
        Ok(BlobRef(digest))
    }

    fn blob(&self, blob: BlobRef) -> Result<Vec<u8>, StoreError> {
        let path = PathBuf::from("memory");
        self.kept().blobs.get(&blob.0).cloned().ok_or(StoreError::NoBlob { blob, path })
    }

    fn save_results(&self, results: &Results) -> Result<(), StoreError> {
        self.kept().results = Some(results.clone());
        Ok(())
    }

    fn results(&self) -> Result<Option<Results>, StoreError> {
        Ok(self.kept().results.clone())
    }
}
