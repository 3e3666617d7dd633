//! The records of an analysis, with what is known of their outputs.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::runs::Runs;
use super::{Blobs, Outputs};
use crate::facts::record::{BlobRef, Record};
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
    pub(in crate::analysis) fn blob(&self, blob: BlobRef) -> Option<Arc<[u8]>> {
        self.outputs.blob(blob, self.blobs)
    }
}

/// Records, and the runs of their tests, which are laid out when they are asked for.
pub(in crate::analysis) struct Cells<'a> {
    pub(in crate::analysis) records: &'a [Record],
    pub(in crate::analysis) comparer: Comparer<'a>,
    /// For each record, by test.
    runs: Vec<BTreeMap<&'a str, OnceCell<Runs>>>,
}

impl<'a> Cells<'a> {
    pub(in crate::analysis) fn new(records: &'a [Record], comparer: Comparer<'a>) -> Self {
        let runs = |record: &'a Record| {
            record.tests.iter().map(|test| (test.name.as_str(), OnceCell::new())).collect()
        };
        Self { records, comparer, runs: records.iter().map(runs).collect() }
    }

    /// The runs of a test in the record at an index; `None` if it has no such test.
    pub(super) fn runs(&self, record: usize, test: &str) -> Option<&Runs> {
        let runs = self.runs.get(record)?.get(test)?;
        Some(runs.get_or_init(|| Runs::of(&self.records[record], test, &self.comparer)))
    }
}
