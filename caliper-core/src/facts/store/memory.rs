use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{ResultStore, StoreError};
use crate::facts::asked::Asked;
use crate::facts::record::{BlobRef, Record};
use crate::names::Sha256;
use crate::question::grid::CellId;

/// A [`ResultStore`] in the memory of the process.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    records: BTreeMap<CellId, Record>,
    blobs: BTreeMap<Sha256, Arc<[u8]>>,
    asked: Option<Asked>,
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

    fn asked(&self) -> Result<Option<Asked>, StoreError> {
        Ok(self.kept().asked.clone())
    }

    fn save_asked(&self, asked: &Asked) -> Result<(), StoreError> {
        self.kept().asked = Some(asked.clone());
        Ok(())
    }

    fn save_blob_from(&self, content: &mut dyn Read) -> Result<BlobRef, StoreError> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|source| StoreError::Content { source })?;
        let digest = Sha256::of(&bytes);
        self.kept().blobs.insert(digest, bytes.into());
        Ok(BlobRef(digest))
    }

    fn open_blob(&self, blob: BlobRef) -> Result<Box<dyn Read + Send>, StoreError> {
        let missing = || StoreError::NoBlob { blob, path: PathBuf::from("memory") };
        let bytes = self.kept().blobs.get(&blob.0).cloned().ok_or_else(missing)?;
        Ok(Box::new(Cursor::new(bytes)))
    }
}
