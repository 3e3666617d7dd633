//! Bytes of which only so many are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_reader::error::{Error, Result};
use hdf5_reader::{Storage, StorageBuffer};

use crate::facts::store::Content;

/// How often a file may be read in all, by its length, and how many bytes beside that. Objects of a hostile file can lie
/// on top of each other, so that a short file holds millions of long ones.
const TIMES: u64 = 32;
const BESIDE: u64 = 256 << 20;

/// The bytes of a file, and how many of them may still be read.
pub(super) struct Limited {
    content: Content,
    left: AtomicU64,
}

impl Limited {
    pub(super) fn new(content: Content) -> Self {
        let left = content.length().saturating_mul(TIMES).saturating_add(BESIDE);
        Self { content, left: AtomicU64::new(left) }
    }
}

impl Storage for Limited {
    fn len(&self) -> u64 {
        self.content.length()
    }

    fn read_range(&self, offset: u64, length: usize) -> Result<StorageBuffer> {
        let asked = u64::try_from(length).unwrap_or(u64::MAX);
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(asked));
        taken.map_err(|_| {
            Error::ResourceLimit("more of the file is read than it should take".to_owned())
        })?;
        let outside = || Error::OffsetOutOfBounds(offset);
        match &self.content {
            Content::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(|_| outside())?;
                StorageBuffer::from_shared(Arc::clone(bytes), start, length)
            }
            Content::Large(pieces) => {
                // Before room is made for it.
                if offset.checked_add(asked).is_none_or(|end| end > pieces.length()) {
                    return Err(outside());
                }
                let mut bytes = vec![0; length];
                pieces.read_at(offset, &mut bytes)?;
                Ok(StorageBuffer::from_vec(bytes))
            }
        }
    }
}
