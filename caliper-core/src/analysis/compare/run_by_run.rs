//! What each run of a test left for the stages of an experiment, held against what the first run left.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Blobs;
use super::comparer::Comparer;
use super::comparison::{Comparison, PartComparison, Rung};
use super::runs::Runs;
use crate::facts::record::Record;
use crate::question::criteria::{Criteria, Stage};

/// What one run left.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::analysis) struct RunOfStages {
    /// The number of the run, from 1.
    pub(in crate::analysis) attempt: u32,
    /// For each stage, what it left.
    pub(in crate::analysis) stages: Vec<FilesOfStage>,
}

/// What a run left for a stage.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::analysis) struct FilesOfStage {
    /// Its files, by their paths.
    pub(in crate::analysis) files: BTreeSet<String>,
    /// Those that do not hold what they hold in the first run, in the order of their paths, with those that only one of
    /// the two left. A difference within the tolerance counts; another
    /// spelling of the same number, such as `-0.0`, does not.
    pub(in crate::analysis) differing: Vec<PartComparison>,
}

/// All runs of a test in a cell, passed or not, for the stages at these places of the criteria. Files of other stages
/// are not read.
pub(in crate::analysis) fn run_by_run(
    record: &Record,
    test: &str,
    stages: &[usize],
    criteria: &Criteria,
    blobs: Blobs<'_>,
) -> Vec<RunOfStages> {
    let comparer = Comparer { criteria, outputs: Arc::default(), blobs };
    let runs = Runs::of(record, test, &comparer);
    let find = Stage::finder(&criteria.stages);
    let place =
        |part: &str| find(part).and_then(|found| stages.iter().position(|one| *one == found));
    let wanted = |part: &str| place(part).is_some();
    // Nothing of the first run differs from itself.
    let differing = std::iter::once(Vec::new()).chain(runs.against_first(&comparer, &wanted));
    let attempts = record.test(test).into_iter().flat_map(|test| &test.runs);
    let of_run = |(index, (attempt, differing)): (usize, (u32, Vec<PartComparison>))| {
        let mut left = vec![FilesOfStage::default(); stages.len()];
        for part in runs.parts_of(index) {
            if let Some(place) = place(part) {
                left[place].files.insert(part.to_owned());
            }
        }
        for part in differing {
            if let Some(place) = place(&part.part)
                && differs(&part.comparison)
            {
                left[place].differing.push(part);
            }
        }
        RunOfStages { attempt, stages: left }
    };
    attempts.map(|run| run.attempt).zip(differing).enumerate().map(of_run).collect()
}

/// Whether two results hold other values.
fn differs(comparison: &Comparison) -> bool {
    match comparison.rung {
        Rung::SameBytes | Rung::SameNormalised => false,
        Rung::WithinTolerance => {
            let largest = comparison.numbers.as_ref().and_then(|numbers| numbers.largest_absolute);
            largest.is_some_and(|largest| largest > 0.0)
        }
        Rung::OtherNumbers | Rung::OtherText => true,
    }
}
