//! Repeating tests until what is undecided can be decided.

use std::collections::BTreeSet;
use std::sync::Arc;

use caliper_core::facts::event::RoundPurpose;
use caliper_core::facts::record::Record;
use caliper_core::question::grid::CellId;

use super::{Question, ROUNDS, Study};
use crate::runner::{Rerun, RunContext, RunError, RunOptions, Session};

impl Study {
    /// Repeats tests until nothing is left to decide, or for [`ROUNDS`] rounds.
    ///
    /// More runs change the verdicts, and with them what is open, so each round judges all records
    /// again and asks anew how many runs each test needs.
    pub(super) fn confirm(
        &mut self,
        session: &Session<'_>,
        question: &Question<'_>,
        context: RunContext<'_>,
        options: &RunOptions,
    ) -> Result<(), RunError> {
        let blobs = |blob| context.store.content(blob).ok();
        let outputs = Arc::clone(&self.outputs);
        let analysis = question.analysis(&blobs, &outputs);
        for _ in 0..ROUNDS {
            let records: Vec<Record> = self.all().cloned().collect();
            let attempts = analysis.with(&records).repeats_to_decide();
            let lacks_runs = self.records.iter().any(|record| {
                let wanted = attempts.get(&record.id()).into_iter().flatten();
                wanted.into_iter().any(|(test, wanted)| record.attempts(test) < *wanted)
            });
            if !lacks_runs || self.interrupted {
                break;
            }
            // `--rerun` has been obeyed already: only the missing runs are added now.
            let options = RunOptions { rerun: Rerun::Nothing, attempts, ..options.clone() };
            // Cells that a search skipped, or that could not be measured, stay out of it.
            let known = self.records.iter().filter(|record| !record.outcome.is_spurious());
            let known: BTreeSet<CellId> = known.map(Record::id).collect();
            let plan = question.plan.part(|cell| known.contains(cell));
            let again = session.round(&plan, context, &options, RoundPurpose::Confirm)?;
            self.not_measured.extend(again.not_measured);
            self.interrupted = again.interrupted;
            // A cell keeps its earlier record unless it was measured anew.
            let mut records = again.records;
            records.retain(|record| !record.outcome.is_spurious());
            let renewed: BTreeSet<CellId> = records.iter().map(Record::id).collect();
            let earlier = std::mem::take(&mut self.records);
            records.extend(earlier.into_iter().filter(|record| !renewed.contains(&record.id())));
            self.records = records;
        }
        Ok(())
    }
}
