//! What every comparison needs.

use std::sync::Arc;

use super::{Blobs, Outputs};
use crate::facts::record::BlobRef;
use crate::facts::store::Content;
use crate::question::criteria::Criteria;

/// How results are compared, and where their outputs are.
#[derive(Clone)]
pub(in crate::analysis) struct Comparer<'a> {
    pub(in crate::analysis) criteria: &'a Criteria,
    pub(in crate::analysis) outputs: Arc<Outputs>,
    pub(in crate::analysis) blobs: Blobs<'a>,
}

impl Comparer<'_> {
    /// The content of a blob, which is read once.
    pub(in crate::analysis) fn content(&self, blob: BlobRef) -> Option<Content> {
        self.outputs.blob(blob, self.blobs)
    }

    /// The same, if it can be held in memory.
    pub(in crate::analysis) fn blob(&self, blob: BlobRef) -> Option<Arc<[u8]>> {
        self.content(blob)?.memory()
    }
}
