//! The records of an analysis, with what is known of their outputs.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::comparer::Comparer;
use super::runs::Runs;
use crate::facts::record::Record;

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
