//! Whether tests give the numbers that are expected of them.
//!
//! A table says which number a test must give where: on which releases, Pythons, labels of axes and machines. A cell that
//! the table does not speak of is an outcome of its own, and never a pass, because the right number is not known.

use std::collections::BTreeSet;
use std::fmt;

use super::compare::{Blobs, Labelled, LabelledRun, is_close, labelled};
use super::expect::{Held, Violation};
use crate::facts::record::Record;
use crate::question::criteria::Criteria;
use crate::question::expected::ExpectedValue;
use crate::question::grid::CellId;

/// What is found of one number of a test in one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueVerdict {
    /// The cell.
    pub cell: CellId,
    /// The test.
    pub test: String,
    /// The name of the number.
    pub metric: String,
    /// What is found.
    pub outcome: ValueOutcome,
}

/// Whether a number is the expected one.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueOutcome {
    /// It is, in each run that passed.
    AsExpected,
    /// It is another one.
    Different {
        /// The expected number.
        expected: f64,
        /// The number in the first run in which it is another one.
        found: f64,
        /// That run, counted from 1.
        run: u32,
        /// In how many runs it is another one.
        differing: usize,
        /// How many runs passed.
        runs: usize,
    },
    /// It is not said which number is expected here.
    UnknownCombination,
    /// It is said, and the runs do not have such a number.
    MetricMissing {
        /// Why, in words.
        why: String,
    },
}

impl ValueOutcome {
    /// Whether the number is the expected one.
    pub fn is_as_expected(&self) -> bool {
        match self {
            Self::AsExpected => true,
            Self::Different { .. } | Self::UnknownCombination | Self::MetricMissing { .. } => false,
        }
    }
}

impl fmt::Display for ValueVerdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { test, metric, outcome, .. } = self;
        write!(formatter, "`{metric}` of `{test}` ")?;
        match outcome {
            ValueOutcome::AsExpected => formatter.write_str("is as expected"),
            ValueOutcome::Different { expected, found, run, differing, runs } => {
                write!(formatter, "is {found} in run {run}, and {expected} is expected")?;
                if *runs > 1 {
                    write!(formatter, " ({differing} of {runs} runs differ)")?;
                }
                Ok(())
            }
            ValueOutcome::UnknownCombination => formatter
                .write_str("has no expected value here: `expect` does not know this combination"),
            ValueOutcome::MetricMissing { why } => write!(formatter, "is missing: {why}"),
        }
    }
}

/// How many numbers have each outcome: as expected, different, unknown combination, missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ValueCounts {
    /// How many are as expected.
    pub as_expected: usize,
    /// How many differ.
    pub different: usize,
    /// Of how many it is not said what is expected.
    pub unknown_combination: usize,
    /// How many are missing.
    pub metric_missing: usize,
}

impl ValueCounts {
    /// Counts the outcomes.
    pub fn of(verdicts: &[ValueVerdict]) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            *match verdict.outcome {
                ValueOutcome::AsExpected => &mut counts.as_expected,
                ValueOutcome::Different { .. } => &mut counts.different,
                ValueOutcome::UnknownCombination => &mut counts.unknown_combination,
                ValueOutcome::MetricMissing { .. } => &mut counts.metric_missing,
            } += 1;
        }
        counts
    }
}

impl fmt::Display for ValueCounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { as_expected, different, unknown_combination, metric_missing } = self;
        write!(
            formatter,
            "{as_expected} as expected, {different} different, {unknown_combination} of an unknown combination, \
             {metric_missing} missing"
        )
    }
}

/// Holds the numbers of records against what is expected: for each number that is named for a test, in each cell in which the
/// test was run. Numbers are found as where groups are compared.
pub fn expected_values(
    records: &[Record],
    expected: &[ExpectedValue],
    criteria: &Criteria,
    blobs: Blobs<'_>,
) -> Vec<ValueVerdict> {
    let named: BTreeSet<(&str, &str)> =
        expected.iter().map(|one| (one.test.as_str(), one.metric.as_str())).collect();
    let tests: BTreeSet<&str> = named.iter().map(|(test, _)| *test).collect();
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by_key(|record| record.id());
    let mut found = Vec::new();
    for record in sorted {
        let (cell, machine) = (record.id(), record.machine.as_ref().map(ToString::to_string));
        for test in tests.iter().filter(|test| record.attempts(test) > 0) {
            let attempts = record.test(test).into_iter().flat_map(|test| &test.runs);
            let attempts = attempts.map(|run| run.attempt);
            let runs: Vec<(u32, LabelledRun)> =
                attempts.zip(labelled(record, test, criteria, blobs)).collect();
            let metrics = named.iter().filter(|(of, _)| of == test).map(|(_, metric)| *metric);
            for metric in metrics {
                let applying = expected.iter().find(|one| {
                    one.test == *test
                        && one.metric == metric
                        && one.applies(&cell, machine.as_deref())
                });
                let outcome = applying
                    .map_or(ValueOutcome::UnknownCombination, |expected| outcome(expected, &runs));
                let (test, metric) = ((*test).to_owned(), metric.to_owned());
                found.push(ValueVerdict { cell: cell.clone(), test, metric, outcome });
            }
        }
    }
    found
}

fn outcome(expected: &ExpectedValue, runs: &[(u32, LabelledRun)]) -> ValueOutcome {
    let missing = |why: String| ValueOutcome::MetricMissing { why };
    let passed: Vec<&(u32, LabelledRun)> = runs.iter().filter(|(_, run)| run.passed).collect();
    if passed.is_empty() {
        return missing("no run passed".to_owned());
    }
    let mut differing = Vec::new();
    for (run, labelled) in &passed {
        let found = match labelled.numbers.get(&expected.metric) {
            Some(Labelled::Once(found)) => *found,
            Some(Labelled::Rounded(found)) => {
                return missing(format!(
                    "in run {run} it is a whole number of more than 53 bits, about {found}"
                ));
            }
            Some(Labelled::Often) => {
                return missing(format!("it occurs several times in run {run}"));
            }
            None if labelled.is_whole => return missing(format!("run {run} does not have it")),
            None => {
                return missing(format!(
                    "the results of run {run} were not kept whole, and what there is does not have it"
                ));
            }
        };
        if !is_close(expected.value, found, &expected.tolerance) {
            differing.push((*run, found));
        }
    }
    match differing.first() {
        None => ValueOutcome::AsExpected,
        Some((run, found)) => ValueOutcome::Different {
            expected: expected.value,
            found: *found,
            run: *run,
            differing: differing.len(),
            runs: passed.len(),
        },
    }
}

/// What is not as expected, told apart by whether it was so before, in the same way: in results of the default branch,
/// say. Without such results all of it is new.
pub fn violations_of_values(found: &[ValueVerdict], before: &[ValueVerdict]) -> Held {
    let is_same = |one: &ValueVerdict, other: &ValueVerdict| {
        let kind = |verdict: &ValueVerdict| std::mem::discriminant(&verdict.outcome);
        (&one.cell, &one.test, &one.metric, kind(one))
            == (&other.cell, &other.test, &other.metric, kind(other))
    };
    let mut held = Held::default();
    for verdict in found.iter().filter(|verdict| !verdict.outcome.is_as_expected()) {
        let violation = Violation {
            cell: verdict.cell.clone(),
            test: Some(verdict.test.clone()),
            is_of_result: true,
            what: verdict.to_string(),
        };
        let is_known = before.iter().any(|known| is_same(known, verdict));
        if is_known { held.known.push(violation) } else { held.new.push(violation) }
    }
    held
}

#[cfg(test)]
mod tests;
