//! The report of the reproducibility experiment of M. Morin and M. Willetts, "Non-determinism in `TensorFlow` `ResNets`", 2020
//! ([arXiv:2001.11396](https://arxiv.org/abs/2001.11396)): whether the initial models, the training data and the batches of each
//! group of runs are the same.
//!
//! Each run of a group is held against its run #0. Where these three are the same and the results are not, the difference
//! comes from the computation. The original stops at training data that differ and at models with different layers, and
//! takes a NaN for different from itself; here all of these are compared as the criteria say.

use std::fmt;

use super::compare::{ArrayComparison, Comparison, FilesOfStage, RunOfStages, run_by_run};
use super::spread::{AxisError, Place, Recording, by_place, labels, the_axis};
use crate::facts::record::Record;
use crate::question::criteria::Stage;

/// The groups of one test on one release and Python, and with the same labels of all other axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Where.
    pub place: Place,
    /// The groups that were compared.
    pub groups: Vec<GroupOfRuns>,
    /// The groups that could not be.
    pub gaps: Vec<Gap>,
}

/// The runs of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupOfRuns {
    /// The group.
    pub group: String,
    /// How many runs were planned.
    pub planned: usize,
    /// The models with which the runs begin.
    pub models: Checked,
    /// The training data.
    pub data: Checked,
    /// The batches.
    pub batches: Checked,
}

/// What is found of one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// How many runs left files of it, run #0 among them.
    pub runs: usize,
    /// The runs that left something else than run #0.
    pub differing: Vec<Differing>,
}

/// A run that left something else than run #0.
#[derive(Debug, Clone, PartialEq)]
pub struct Differing {
    /// The run, counted from 0.
    pub run: u32,
    /// The first of its files that differs.
    pub file: String,
    /// The first array in it that differs; `None` if the file does not hold arrays, or is there only once.
    pub array: Option<ArrayAt>,
    /// What is wrong, if it is not values: an array or a file that is missing, another shape, or why it was compared as
    /// bytes.
    pub how: Option<String>,
}

/// Where an array is in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrayAt {
    /// By numbers from 0.
    Numbered {
        /// The layer of a model of Keras; in other files the place of the array.
        layer: u64,
        /// The array in the layer; 0 in other files.
        array: u64,
    },
    /// By its name, where it is in no layer.
    Named(String),
}

/// A group that could not be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The group.
    pub group: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the group `{}` is not compared: {}", self.group, self.why)
    }
}

/// Why there is no such report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MorinError {
    /// The results have no groups.
    #[error(transparent)]
    Axis(#[from] AxisError),
    /// The configuration has no stage for something that is compared.
    #[error(
        "`results` names no stage for {}; for example `results: {{init: [model.h5], data: [xy_train.npz], batches: [\"array *.txt\"]}}`",
        missing.join(" and none for ")
    )]
    NoStage {
        /// What there is no stage for, with the names that it could have.
        missing: Vec<String>,
    },
    /// No run left a file of any of the stages.
    #[error(
        "no run left a file of the stages {stages} that is compared (with `compare: exit-status` none is)"
    )]
    NoFiles {
        /// The stages.
        stages: String,
    },
}

/// What is compared, in the order of the report, and how the names of its stage begin.
const COMPARED: [(&str, &[&str]); 3] = [
    ("the models", &["init", "model"]),
    ("the training data", &["data", "xy"]),
    ("the batches", &["batch"]),
];

/// Compares the groups of recorded results: the labels of `axis`, or else of the one called `group`, or else of the only one. A
/// file belongs to the first stage with a pattern for it, and the first stage with a fitting name counts: `init…` or `model…`
/// for the models, `data…` or `xy…` for the training data, `batch…` for the batches.
///
/// # Errors
///
/// If there are no groups, no such stages, or no files of them.
pub fn experiments(
    recording: &Recording<'_>,
    axis: Option<&str>,
) -> Result<Vec<Experiment>, MorinError> {
    let stages = stages(&recording.criteria.stages)?;
    let axis = the_axis(recording.records, axis)?;
    let labels = labels(recording, &axis);
    let mut found = Vec::new();
    for (place, records) in by_place(recording, &axis) {
        let mut experiment = Experiment { place, groups: Vec::new(), gaps: Vec::new() };
        let mut has_files = false;
        for label in &labels {
            let mut variant = experiment.place.variant.clone();
            variant.insert(&axis, label);
            let test = &experiment.place.test;
            let gap = |why: String| Gap { group: label.clone(), why };
            let Some(record) = records.get(label.as_str()) else {
                experiment.gaps.push(gap("it is not recorded".to_owned()));
                continue;
            };
            let runs = run_by_run(record, test, &stages, recording.criteria, recording.blobs);
            let left = |run: &RunOfStages| run.stages.iter().any(|stage| !stage.files.is_empty());
            has_files |= runs.iter().any(left);
            let planned = (recording.planned)(test, &variant).unwrap_or(0).max(runs.len());
            match group(label, planned, &runs, &stages, recording) {
                Ok(group) => experiment.groups.push(group),
                Err(why) => experiment.gaps.push(gap(why_not(record, test, why, recording))),
            }
        }
        // Other tests, such as that of the import, are no experiments.
        if has_files {
            found.push(experiment);
        }
    }
    if found.is_empty() {
        let names = stages.iter().map(|stage| name(*stage, recording));
        return Err(MorinError::NoFiles { stages: names.collect::<Vec<_>>().join(", ") });
    }
    Ok(found)
}

/// The places of the three stages.
fn stages(stages: &[Stage]) -> Result<[usize; 3], MorinError> {
    let find = |(_, begins): (&str, &[&str])| {
        stages.iter().position(|stage| {
            let name = stage.name.to_lowercase();
            begins.iter().any(|begin| name.starts_with(begin))
        })
    };
    if let [Some(models), Some(data), Some(batches)] = COMPARED.map(find) {
        return Ok([models, data, batches]);
    }
    let missing = COMPARED.into_iter().filter(|compared| find(*compared).is_none());
    let missing = missing.map(|(what, begins)| {
        let begins: Vec<String> = begins.iter().map(|begin| format!("`{begin}`")).collect();
        format!("{what} (a name that begins with {})", begins.join(" or "))
    });
    Err(MorinError::NoStage { missing: missing.collect() })
}

fn name(stage: usize, recording: &Recording<'_>) -> String {
    let stage = recording.criteria.stages.get(stage);
    format!("`{}`", stage.map_or("", |stage| stage.name.as_str()))
}

/// Why a group has nothing to compare with, as far as the record says more than that.
fn why_not(record: &Record, test: &str, why: String, recording: &Recording<'_>) -> String {
    if recording.criteria.of(test).exit_status {
        "with `compare: exit-status` no file is compared".to_owned()
    } else if record.attempts(test) == 0 {
        format!("`{test}` was not run: {}", record.outcome)
    } else {
        why
    }
}

fn group(
    label: &str,
    planned: usize,
    runs: &[RunOfStages],
    stages: &[usize; 3],
    recording: &Recording<'_>,
) -> Result<GroupOfRuns, String> {
    let first = runs.first().filter(|run| run.attempt == 1);
    let first = first.ok_or_else(|| "run #0 is not recorded; `caliper run` makes it".to_owned())?;
    let checked = |place: usize| {
        let of_first = &first.stages[place];
        if of_first.files.is_empty() {
            return Err(format!(
                "run #0 left no file of the stage {}",
                name(stages[place], recording)
            ));
        }
        let left = |run: &&RunOfStages| !run.stages[place].files.is_empty();
        let differing = runs.iter().filter(left).filter_map(|run| {
            differing(run.attempt.saturating_sub(1), of_first, &run.stages[place])
        });
        Ok(Checked { runs: runs.iter().filter(left).count(), differing: differing.collect() })
    };
    let [models, data, batches] = [checked(0)?, checked(1)?, checked(2)?];
    Ok(GroupOfRuns { group: label.to_owned(), planned, models, data, batches })
}

/// What of a run differs first, if anything does.
fn differing(run: u32, first: &FilesOfStage, here: &FilesOfStage) -> Option<Differing> {
    let part = here.differing.first()?;
    let file = part.part.clone();
    if !here.files.contains(&file) {
        return Some(Differing { run, file, array: None, how: Some("missing in this run".into()) });
    }
    if !first.files.contains(&file) {
        return Some(Differing { run, file, array: None, how: Some("not in run #0".into()) });
    }
    let array = first_array(&part.comparison);
    let how = array.and_then(|array| match (&array.expected, &array.actual) {
        _ if array.unread.is_some() => array.unread.clone(),
        (Some(_), None) => Some("missing in this run".to_owned()),
        (None, Some(_)) => Some("not in run #0".to_owned()),
        (Some(expected), Some(actual)) if expected.shape != actual.shape => {
            Some(format!("{actual} instead of {expected}"))
        }
        _ => None,
    });
    let how = how.or_else(|| part.comparison.unread.first().cloned());
    let array = array.and_then(|array| match position(array) {
        Some((layer, array)) => Some(ArrayAt::Numbered { layer, array }),
        None => array.name.clone().map(ArrayAt::Named),
    });
    Some(Differing { run, file, array, how })
}

/// The array that differs first in the order of a model. The list has those first that only one of the files has.
fn first_array(comparison: &Comparison) -> Option<&ArrayComparison> {
    let differs = |array: &&ArrayComparison| {
        let shape = |kind: &Option<_>| {
            kind.as_ref().map(|kind: &super::compare::ArrayKind| kind.shape.clone())
        };
        array.differing > 0
            || array.unread.is_some()
            || shape(&array.expected) != shape(&array.actual)
    };
    let order = |array: &&ArrayComparison| position(array).unwrap_or((u64::MAX, u64::MAX));
    comparison.arrays.iter().filter(differs).min_by_key(order)
}

/// The layer and the array in it, or else the place of the array in its file and 0.
fn position(array: &ArrayComparison) -> Option<(u64, u64)> {
    let of_model = || {
        let (layer, array) =
            array.position.as_ref()?.strip_prefix("layer ")?.split_once(", array ")?;
        Some((layer.parse().ok()?, array.parse().ok()?))
    };
    of_model().or_else(|| Some((array.index?, 0)))
}

#[cfg(test)]
mod tests;
