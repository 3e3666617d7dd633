//! Where results are kept.

mod dir;
mod memory;
mod output;

use std::path::PathBuf;

pub use dir::{DirStore, Unreadable};
pub use memory::MemoryStore;
pub use output::Output;

use crate::analysis::results::Results;
use crate::facts::record::{BlobRef, Record};
use crate::question::grid::CellId;

/// Keeps records, long outputs, and the summary.
///
/// The real one is [`DirStore`]; [`MemoryStore`] is for embedders and for tests.
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

    /// Keeps bytes under their digest.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    fn save_blob(&self, bytes: &[u8]) -> Result<BlobRef, StoreError>;

    /// The bytes that [`ResultStore::save_blob`] was given.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is no such blob, or it is damaged.
    fn blob(&self, blob: BlobRef) -> Result<Vec<u8>, StoreError>;

    /// Keeps the summary.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    fn save_results(&self, results: &Results) -> Result<(), StoreError>;

    /// The summary that was kept last.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read, or is from a newer Caliper.
    fn results(&self) -> Result<Option<Results>, StoreError>;
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
}
