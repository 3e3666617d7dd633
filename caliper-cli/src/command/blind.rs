//! The second measurements of the blind check, as they are kept in the folder of results.

use std::path::PathBuf;

use caliper_core::facts::record::{BlobRef, Record};
use caliper_core::facts::store::{Content, DirStore, ResultStore as _};

use crate::exit::Failure;
use crate::terminal::Terminal;

/// Where second measurements are kept: beside the records and apart from them.
pub(super) fn folder(store: &DirStore) -> PathBuf {
    store.folder().join("blind")
}

/// All second measurements that can be read, of the last run and of earlier ones.
pub(crate) struct Second {
    store: DirStore,
    pub(crate) records: Vec<Record>,
}

impl Second {
    /// Reads those that belong to `first`, and warns of those that cannot be read.
    pub(crate) fn open(first: &DirStore, terminal: Terminal) -> Result<Self, Failure> {
        let store = DirStore::read_only(folder(first));
        let (records, unreadable) = store.records()?;
        for problem in unreadable {
            terminal.warning(&format!("not part of the blind check: {}", problem.error));
        }
        Ok(Self { store, records })
    }

    /// Reads long outputs, of the first measurements from `first`. One that is lost is compared by its digest.
    pub(crate) fn blobs<'a>(
        &'a self,
        first: &'a DirStore,
    ) -> impl Fn(BlobRef) -> Option<Content> + 'a {
        |blob| first.content(blob).or_else(|_| self.store.content(blob)).ok()
    }
}
