//! Failures as they come: each cause once, with the first cell that has it.

use std::collections::BTreeMap;

use caliper_core::analysis::causes::cluster_with;
use caliper_core::facts::record::{BlobRef, Record};

use super::state::Ended;

/// So many causes are told at most; a run with more has a list at its end.
const MOST: usize = 30;

/// So many lines tell at the end how often causes came again.
const MOST_AGAIN: usize = 5;

/// The causes that were told.
#[derive(Default)]
pub(super) struct Told {
    causes: BTreeMap<String, usize>,
    /// The cells with causes that came after [`MOST`] others.
    untold: usize,
}

/// A cause that was not seen before.
#[derive(Debug, PartialEq)]
pub(super) struct New {
    pub(super) ended: Ended,
    /// The cell, and what is wrong with it.
    pub(super) text: String,
}

impl Told {
    /// What is to be told of a cell that ended. `logs` reads the log of a build.
    pub(super) fn take(
        &mut self,
        record: &Record,
        logs: &dyn Fn(&BlobRef) -> Option<String>,
    ) -> Vec<New> {
        let Some(ended @ (Ended::Failed | Ended::NotMeasured)) = Ended::of(record) else {
            return Vec::new();
        };
        let cell = record.id().to_string();
        let mut new = Vec::new();
        for (cause, told) in causes(record, ended, logs) {
            let count = self.causes.len();
            match self.causes.get_mut(&cause) {
                Some(again) => *again += 1,
                None if count >= MOST => self.untold += 1,
                None => {
                    let text = format!("{cell} {told}");
                    self.causes.insert(cause, 0);
                    new.push(New { ended, text });
                }
            }
        }
        new
    }

    /// How often causes came again, the most frequent first; then begins anew.
    pub(super) fn again(&mut self) -> Vec<String> {
        let mut again: Vec<(String, usize)> =
            std::mem::take(&mut self.causes).into_iter().collect();
        again.retain(|(_, more)| *more > 0);
        again.sort_by_key(|(_, more)| std::cmp::Reverse(*more));
        let lines = again.iter().take(MOST_AGAIN);
        let mut lines: Vec<String> = lines
            .map(|(cause, more)| match more {
                1 => format!("… and 1 more cell: {cause}"),
                more => format!("… and {more} more cells: {cause}"),
            })
            .collect();
        let others: usize = again.iter().skip(MOST_AGAIN).map(|(_, more)| more).sum();
        let others = others + std::mem::take(&mut self.untold);
        if others > 0 {
            lines.push(format!("… and {others} more failures of other causes"));
        }
        lines
    }
}

/// The causes of the failures of one cell: each with what it is told by.
fn causes(
    record: &Record,
    ended: Ended,
    logs: &dyn Fn(&BlobRef) -> Option<String>,
) -> Vec<(String, String)> {
    if ended == Ended::NotMeasured {
        let why = record.reason.as_deref().unwrap_or_default();
        // The first line tells it, and the cell is named before it.
        let why = why.lines().next().unwrap_or_default().replace(&record.id().to_string(), "…");
        let told = format!("could not be measured: {why}");
        return vec![(told.clone(), told)];
    }
    let causes = cluster_with(std::slice::from_ref(record), logs).into_iter().map(|cause| {
        let mut tests: Vec<&str> = Vec::new();
        tests.extend(cause.places.iter().flat_map(|place| &place.tests).map(String::as_str));
        tests.dedup();
        let tests =
            if tests.is_empty() { String::new() } else { format!("{}: ", tests.join(", ")) };
        let at = match cause.places.as_slice() {
            [place] => place.at.as_ref().map(|at| format!(" ({at})")),
            _ => None,
        };
        let told = format!("{tests}{}{}", cause.signature, at.unwrap_or_default());
        (cause.signature, told)
    });
    let causes: Vec<(String, String)> = causes.collect();
    if causes.is_empty() {
        let told = super::summary(record);
        return vec![(told.clone(), told)];
    }
    causes
}

#[cfg(test)]
mod tests;
