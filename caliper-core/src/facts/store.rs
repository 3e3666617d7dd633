//! Where results are kept.

mod content;
#[cfg(feature = "store")]
mod dir;
mod memory;
mod output;
#[cfg(feature = "store")]
mod replace;

use std::io::{self, Read};
use std::path::PathBuf;

pub(crate) use content::Reading;
pub use content::{Content, Pieces};
#[cfg(feature = "store")]
pub use dir::{DirStore, Unreadable};
pub use memory::MemoryStore;
pub use output::Output;

use crate::facts::asked::Asked;
use crate::facts::record::{BlobRef, Record};
use crate::question::grid::CellId;

/// [`ResultStore::blob`] loads no larger blob into memory. The store itself keeps blobs of any size.
pub const MOST_IN_MEMORY: u64 = 256 << 20;

/// Keeps records and blobs (long outputs, build logs, result files), and what was asked last.
///
/// The real one is [`DirStore`] (feature `store`); [`MemoryStore`] is for embedders and for tests. A summary is not part of
/// this trait: it is a document that can be made again from the records ([`DirStore::save_summary`]).
pub trait ResultStore: Send + Sync {
    /// The record of a cell, if there is one that can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read, or the record is from a newer Caliper.
    fn load(&self, id: &CellId) -> Result<Option<Record>, StoreError>;

    /// Keeps a record in place of the one that its cell had. Either all of it is kept or nothing
    /// changes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    fn save(&self, record: &Record) -> Result<(), StoreError>;

    /// What the last run asked; `None` if no run did.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read, or is from a newer Caliper.
    fn asked(&self) -> Result<Option<Asked>, StoreError>;

    /// Keeps what a run asks, in place of what was asked before.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    fn save_asked(&self, asked: &Asked) -> Result<(), StoreError>;

    /// Keeps everything that `content` yields under its digest, without holding all of it in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError::Content`] if `content` cannot be read; otherwise [`StoreError`] if the store cannot be
    /// written.
    fn save_blob_from(&self, content: &mut dyn Read) -> Result<BlobRef, StoreError>;

    /// Keeps bytes under their digest.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    fn save_blob(&self, mut bytes: &[u8]) -> Result<BlobRef, StoreError> {
        self.save_blob_from(&mut bytes)
    }

    /// Whether a blob is there. Its content is not looked at.
    fn has_blob(&self, blob: BlobRef) -> bool {
        self.open_blob(blob).is_ok()
    }

    /// Opens a blob for reading. The reader fails with [`io::ErrorKind::InvalidData`] at the end of the
    /// content if that does not have the blob's digest.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is no such blob, or it cannot be opened.
    fn open_blob(&self, blob: BlobRef) -> Result<Box<dyn Read + Send>, StoreError>;

    /// Reads a blob of at most [`MOST_IN_MEMORY`] bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is no such blob, or it is damaged or larger.
    fn blob(&self, blob: BlobRef) -> Result<Vec<u8>, StoreError> {
        self.blob_up_to(blob, MOST_IN_MEMORY)
    }

    /// What a blob of any length holds. A store may lay what is longer than [`MOST_IN_MEMORY`] where it is read piece by
    /// piece; by default it is not read.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is no such blob, or it is damaged, or there is no room for it.
    fn content(&self, blob: BlobRef) -> Result<Content, StoreError> {
        self.blob(blob).map(Content::from)
    }

    /// Reads a blob of at most `most` bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is no such blob, or it is damaged or larger.
    fn blob_up_to(&self, blob: BlobRef, most: u64) -> Result<Vec<u8>, StoreError> {
        let unread = |source| StoreError::Blob { blob, source };
        let mut bytes = Vec::new();
        let mut content = self.open_blob(blob)?.take(most.saturating_add(1));
        content.read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() as u64 > most {
            return Err(unread(io::ErrorKind::FileTooLarge.into()));
        }
        Ok(bytes)
    }
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("could not write `{}`; what was measured before is kept", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// Another run uses the store.
    #[error(
        "another run of Caliper{} is using `{}`; wait for it, or stop it",
        holder.map(|holder| format!(" (process {holder})")).unwrap_or_default(),
        path.display()
    )]
    Locked {
        /// The store.
        path: PathBuf,
        /// The number of the other run's process.
        holder: Option<u32>,
    },
    /// A file holds something else than Caliper wrote.
    #[error("`{}` is damaged: {problem}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file was written by a newer Caliper.
    #[error(
        "`{}` has format {found}, and this Caliper reads up to {known}; use a newer Caliper",
        path.display()
    )]
    TooNew {
        /// Which.
        path: PathBuf,
        /// The version of its format.
        found: u32,
        /// The newest version that is known here.
        known: u32,
    },
    /// There is no such blob.
    #[error("there is no `{blob}` in `{}`", path.display())]
    NoBlob {
        /// Its name.
        blob: BlobRef,
        /// The store.
        path: PathBuf,
    },
    /// A blob cannot be read, or its content is damaged.
    #[error("could not read `{blob}`")]
    Blob {
        /// Its name.
        blob: BlobRef,
        /// What was wrong.
        source: io::Error,
    },
    /// The content to be kept cannot be read. Nothing was kept, and the store is as it was.
    #[error("could not read what was to be kept")]
    Content {
        /// What its reader says.
        source: io::Error,
    },
}
