//! Measuring cells a second time, for the blind check.

use std::collections::BTreeMap;

use caliper_core::analysis::compare::blind;
use caliper_core::facts::event::RoundPurpose;
use caliper_core::facts::record::{Record, test_names};

use super::{BlindCheck, Question, Study};
use crate::runner::{RunContext, RunError, RunOptions, Session};

impl Study {
    /// Measures a share of the cells again, each test as often as before, into a store of their own.
    pub(super) fn measure_again(
        &mut self,
        session: &Session<'_>,
        question: &Question<'_>,
        context: RunContext<'_>,
        options: &RunOptions,
        check: &BlindCheck<'_>,
    ) -> Result<(), RunError> {
        let chosen = blind::choose(&self.records, check.share);
        let purpose = RoundPurpose::Blind { of: self.records.len() };
        let plan = question.plan.part(|cell| chosen.contains(cell));
        let runs = |record: &Record| -> BTreeMap<String, u32> {
            let tests = test_names(&record.tests).into_iter();
            tests.map(|test| (test.to_owned(), record.attempts(test))).collect()
        };
        let chosen = self.records.iter().filter(|record| chosen.contains(&record.id()));
        let attempts = chosen.map(|record| (record.id(), runs(record))).collect();
        let options = RunOptions { attempts, ..options.clone() };
        let context = RunContext { store: check.store, ..context };
        let again = session.round(&plan, context, &options, purpose)?;
        self.not_measured.extend(again.not_measured);
        self.interrupted |= again.interrupted;
        Ok(())
    }
}
