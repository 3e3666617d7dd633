//! What a test says of its functions: how each of them ended, and why.
//!
//! A test that knows functions ([`TestKind`](crate::question::plan::TestKind)) leaves a report, in the form of `JUnit`
//! XML. The report comes from a program that runs the user's code, so it is untrusted: its size, the number of
//! functions and the length of each text are limited, no entity is resolved, and what is not printable is escaped.

mod ended;
mod excerpt;
mod junit;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{FunctionOutcome, RecordedFunctions};
use super::store::{ResultStore, StoreError};
pub use ended::{Exited, ended};

/// A larger report is not read.
pub const MOST_BYTES: u64 = 32 << 20;

/// What is said of a function that did not pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionDetails {
    /// Its id: `tests/test_a.py::TestX::test_y[1]`.
    pub id: String,
    /// How it ended.
    pub outcome: FunctionOutcome,
    /// Why: the first line of the exception, or the reason why it was skipped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Where: the lines of the traceback that name a place or what was raised; cut if there are many.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub traceback: String,
}

impl FunctionDetails {
    /// What a message and the text of a traceback say, in pytest's form or in Python's own. Either may be empty.
    pub fn new(
        id: impl Into<String>,
        outcome: FunctionOutcome,
        message: &str,
        traceback: &str,
    ) -> Self {
        Self {
            id: id.into(),
            outcome,
            message: excerpt::message(message, traceback),
            traceback: if outcome.is_failure() {
                excerpt::traceback(traceback)
            } else {
                String::new()
            },
        }
    }
}

/// How each function ended, by their ids.
pub type Outcomes = BTreeMap<String, FunctionOutcome>;

/// The functions of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Functions {
    /// How each ended.
    pub outcomes: Outcomes,
    /// What is said of those that did not pass, sorted by their ids.
    pub details: Vec<FunctionDetails>,
    /// Whether there are more than are read.
    pub has_more: bool,
}

impl Functions {
    /// How many functions of a report are read.
    pub const MOST: usize = 100_000;

    /// Reads a report in the form of `JUnit` XML, as pytest writes it with `junit_family=xunit1`.
    ///
    /// # Errors
    ///
    /// [`ReportError`] if it is no such report.
    pub fn from_junit(report: &[u8]) -> Result<Self, ReportError> {
        junit::read(report)
    }

    /// Adds what is said of a function. One that is told of twice, such as a test that fails and whose fixture fails at
    /// its end, ended in the worst of the ways.
    fn add(&mut self, id: String, outcome: FunctionOutcome, said: Option<FunctionDetails>) {
        if self.outcomes.len() >= Self::MOST && !self.outcomes.contains_key(&id) {
            self.has_more = true;
            return;
        }
        let known = self.outcomes.entry(id).or_insert(outcome);
        *known = outcome.max(*known);
        self.details.extend(said);
    }

    /// Keeps them in `store`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    pub fn keep(&self, store: &dyn ResultStore) -> Result<RecordedFunctions, StoreError> {
        let mut counts: BTreeMap<FunctionOutcome, u32> = BTreeMap::new();
        for outcome in self.outcomes.values() {
            *counts.entry(*outcome).or_default() += 1;
        }
        // Plain values under textual keys can always be written.
        let save = |value: serde_json::Result<Vec<u8>>| {
            store.save_blob(&value.unwrap_or_else(|error| unreachable!("{error}")))
        };
        let details = (!self.details.is_empty()).then(|| save(serde_json::to_vec(&self.details)));
        Ok(RecordedFunctions {
            counts,
            outcomes: Some(save(serde_json::to_vec(&self.outcomes))?),
            details: details.transpose()?,
            problem: self.has_more.then(|| {
                format!(
                    "its report has more than {} functions; the others are left out",
                    Self::MOST
                )
            }),
        })
    }
}

/// Why a report cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The program ended without one.
    #[error("it left no report of its functions")]
    Missing,
    /// There is too much of it.
    #[error("its report of its functions is larger than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
    /// It is not well-formed.
    #[error("its report of its functions is damaged, at byte {position}: {problem}")]
    Damaged {
        /// Where.
        position: u64,
        /// What is wrong there.
        problem: String,
    },
}

#[cfg(test)]
mod tests;
