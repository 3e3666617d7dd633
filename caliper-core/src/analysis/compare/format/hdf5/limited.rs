//! Bytes of which only so many are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_reader::error::{Error, Result};
use hdf5_reader::{BytesStorage, Storage, StorageBuffer};

/// How often a file may be read in all, by its length, and how many bytes beside that. Objects of a hostile file can lie
/// on top of each other, so that a short file holds millions of long ones.
const TIMES: u64 = 32;
const BESIDE: u64 = 256 << 20;

/// The bytes of a file, and how many of them may still be read.
pub(super) struct Limited {
    bytes: BytesStorage,
    left: AtomicU64,
}

impl Limited {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let left = AtomicU64::new(length.saturating_mul(TIMES).saturating_add(BESIDE));
        Self { bytes: BytesStorage::from_shared(Arc::from(bytes)), left }
    }
}

impl Storage for Limited {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read_range(&self, offset: u64, length: usize) -> Result<StorageBuffer> {
        let asked = u64::try_from(length).unwrap_or(u64::MAX);
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(asked));
        taken.map_err(|_| {
            Error::ResourceLimit("more of the file is read than it should take".to_owned())
        })?;
        self.bytes.read_range(offset, length)
    }
}
