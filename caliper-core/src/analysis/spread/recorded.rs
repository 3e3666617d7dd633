//! Groups from recorded results: the labels of one axis.

use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::Serialize;

use super::group::{Group, Metric};
use super::problem::{Problem, counted, names};
use crate::analysis::compare::{Blobs, Labelled, LabelledRun, labelled};
use crate::facts::record::{CellOutcome, Record, test_names};
use crate::names::PythonVersion;
use crate::question::criteria::Criteria;
use crate::question::grid::Variant;

/// The axis whose labels are groups if nothing else is said.
const USUAL: &str = "group";

/// Recorded results, and how they are read.
pub struct Recording<'a> {
    /// The records.
    pub records: &'a [Record],
    /// What is a result, and what of it is ignored.
    pub criteria: &'a Criteria,
    /// The long outputs.
    pub blobs: Blobs<'a>,
    /// How many runs of a test were planned in a cell of this variant; `None` if it is not known.
    pub planned: &'a dyn Fn(&str, &Variant) -> Option<usize>,
    /// The labels of an axis in the order in which they shall stand, as far as it is known.
    pub labels: &'a dyn Fn(&str) -> Vec<String>,
}

/// The groups of one test on one release and Python, and with the same labels of all other axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Studied {
    /// Where.
    pub place: Place,
    /// The groups.
    pub groups: Vec<Group>,
}

/// Where groups were measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Place {
    /// The release.
    #[schemars(with = "String")]
    pub version: Version,
    /// The Python.
    pub python: PythonVersion,
    /// The labels of the other axes.
    pub variant: Variant,
    /// The test.
    pub test: String,
}

/// Why recorded results have no groups.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AxisError {
    /// They have no axis.
    #[error(
        "the results have no axis whose labels could be groups; `axes` in the configuration makes one"
    )]
    NoAxis,
    /// There is no such axis.
    #[error("the results have no axis `{axis}`; there is {}", names(.known))]
    Unknown {
        /// What was asked for.
        axis: String,
        /// The axes that there are.
        known: Vec<String>,
    },
    /// It is not known which axis is meant.
    #[error("the results have several axes, {}: say with `--by` whose labels are the groups", names(.known))]
    Several {
        /// The axes.
        known: Vec<String>,
    },
    /// All records have the same label.
    #[error(
        "all results have the label `{label}` of the axis `{axis}`: one group has nothing beside it to compare with"
    )]
    OneLabel {
        /// The axis.
        axis: String,
        /// The label.
        label: String,
    },
}

/// The groups of recorded results, for each release, Python, test, and combination of labels of the other axes; and the
/// axis whose labels they are. That is `axis`, or else the one called `group`, or else the only one.
///
/// # Errors
///
/// If there is no such axis, or it has one label.
pub fn recorded(
    recording: &Recording<'_>,
    axis: Option<&str>,
) -> Result<(String, Vec<Studied>), AxisError> {
    let axis = the_axis(recording.records, axis)?;
    let labels = labels(recording, &axis);
    if let [label] = labels.as_slice() {
        return Err(AxisError::OneLabel { axis, label: label.clone() });
    }
    let studied = by_place(recording, &axis).into_iter().map(|(place, records)| {
        let groups = labels.iter().map(|label| {
            let mut variant = place.variant.clone();
            variant.insert(&axis, label);
            let planned = (recording.planned)(&place.test, &variant);
            match records.get(label.as_str()) {
                Some(record) => group(label, record, &place.test, planned, recording),
                None => without_runs(label, planned, "it is not recorded"),
            }
        });
        Studied { groups: groups.collect(), place }
    });
    let studied = studied.collect();
    Ok((axis, studied))
}

/// The cells with each label of an axis, for each release, Python, test, and combination of labels of the other axes. Where
/// nothing at all was run there is nothing.
pub(in crate::analysis) fn by_place<'a>(
    recording: &Recording<'a>,
    axis: &str,
) -> BTreeMap<Place, BTreeMap<&'a str, &'a Record>> {
    let mut cells: BTreeMap<Place, BTreeMap<&str, &Record>> = BTreeMap::new();
    for record in recording.records {
        let Some(label) = record.variant.get(axis) else { continue };
        let variant: Variant = record.variant.iter().filter(|(name, _)| *name != axis).collect();
        let tests = test_names(record.judged());
        // A cell whose tests did not run belongs to those of its neighbours.
        let tests = if tests.is_empty() { known_tests(recording.records) } else { tests };
        for test in tests {
            let place = Place {
                version: record.version.clone(),
                python: record.python,
                variant: variant.clone(),
                test: test.to_owned(),
            };
            cells.entry(place).or_default().insert(label, record);
        }
    }
    // Where nothing at all was run, nothing is missing from a group.
    cells.retain(|place, records| records.values().any(|record| record.attempts(&place.test) > 0));
    cells
}

fn known_tests(records: &[Record]) -> Vec<&str> {
    test_names(records.iter().flat_map(Record::judged))
}

/// The axis that is asked for, or else the one called `group`, or else the only one.
///
/// # Errors
///
/// If there is no such axis.
pub(in crate::analysis) fn the_axis(
    records: &[Record],
    asked: Option<&str>,
) -> Result<String, AxisError> {
    let mut known: Vec<String> = Vec::new();
    for (axis, _) in records.iter().flat_map(|record| record.variant.iter()) {
        if !known.iter().any(|name| name == axis) {
            known.push(axis.to_owned());
        }
    }
    let wanted = asked.unwrap_or(USUAL);
    match known.as_slice() {
        [] => Err(AxisError::NoAxis),
        names if names.iter().any(|name| name == wanted) => Ok(wanted.to_owned()),
        [only] if asked.is_none() => Ok(only.clone()),
        _ => Err(match asked {
            Some(axis) => AxisError::Unknown { axis: axis.to_owned(), known },
            None => AxisError::Several { known },
        }),
    }
}

/// The labels of an axis: in the order that is known, and the others behind them, sorted.
pub(in crate::analysis) fn labels(recording: &Recording<'_>, axis: &str) -> Vec<String> {
    let order = (recording.labels)(axis);
    let mut found: Vec<String> = Vec::new();
    for label in recording.records.iter().filter_map(|record| record.variant.get(axis)) {
        if !found.iter().any(|known| known == label) {
            found.push(label.to_owned());
        }
    }
    // A label that was planned and has no record at all is missing everywhere, which is told.
    found.extend(order.iter().filter(|label| !found.contains(label)).cloned().collect::<Vec<_>>());
    let place = |label: &String| order.iter().position(|known| known == label);
    found.sort_by_key(|label| (place(label).unwrap_or(usize::MAX), label.clone()));
    found
}

fn without_runs(label: &str, planned: Option<usize>, why: &str) -> Group {
    let mut group = Group::new(label, planned);
    group.problems.push(Problem::NoRun { group: label.to_owned(), why: Some(why.to_owned()) });
    group
}

/// The runs of a test in one cell.
fn group(
    label: &str,
    record: &Record,
    test: &str,
    planned: Option<usize>,
    recording: &Recording<'_>,
) -> Group {
    let why = match record.outcome {
        CellOutcome::Tested => None,
        CellOutcome::Unavailable => Some("there is nothing to install"),
        CellOutcome::BuildFailed => Some("the environment could not be built"),
        CellOutcome::NotMeasured => Some("it could not be measured"),
    };
    if let Some(why) = why.filter(|_| record.attempts(test) == 0) {
        return without_runs(label, planned, why);
    }
    let all = labelled(record, test, recording.criteria, recording.blobs);
    let (passed, failed): (Vec<&LabelledRun>, Vec<&LabelledRun>) =
        all.iter().partition(|run| run.passed);
    let mut group = Group::new(label, planned);
    group.runs = passed.len();
    let name = || label.to_owned();
    if !failed.is_empty() {
        group.problems.push(Problem::NotPassed { group: name(), runs: failed.len() });
    }
    let cut = passed.iter().filter(|run| !run.is_whole).count();
    if cut > 0 {
        group.problems.push(Problem::NotWhole { group: name(), runs: cut });
    }
    let (metrics, left_out) = metrics(&passed);
    group.metrics = metrics;
    group.notes.extend(left_out.into_iter().map(|what| format!("`{label}`: {what}")));
    group
}

/// The numbers that occur once in each run; and sentences about the others.
fn metrics(runs: &[&LabelledRun]) -> (Vec<Metric>, Vec<String>) {
    let mut once: BTreeMap<&str, (Vec<f64>, usize)> = BTreeMap::new();
    let mut often: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, found) in runs.iter().flat_map(|run| &run.numbers) {
        match found {
            Labelled::Once(number) | Labelled::Rounded(number) => {
                let (values, rounded) = once.entry(name).or_default();
                values.push(*number);
                *rounded += usize::from(matches!(found, Labelled::Rounded(_)));
            }
            Labelled::Often => *often.entry(name).or_default() += 1,
        }
    }
    let mut left_out: Vec<String> = Vec::new();
    let several: Vec<String> = often.keys().map(ToString::to_string).collect();
    if !several.is_empty() {
        let several = names(&several);
        left_out.push(format!("left out, because they occur several times in a run: {several}"));
    }
    let (whole, rare): (Vec<_>, Vec<_>) = once
        .into_iter()
        .filter(|(name, _)| !often.contains_key(name))
        .partition(|(_, (values, _))| values.len() == runs.len());
    if !rare.is_empty() {
        let told: Vec<String> = rare.iter().map(|(name, _)| (*name).to_owned()).collect();
        let rare = names(&told);
        let runs = counted(runs.len(), "run", "runs");
        left_out.push(format!("left out, because they are not in each of its {runs}: {rare}"));
    }
    let metric = |(name, (values, rounded)): (&str, (Vec<f64>, usize))| Metric {
        name: name.to_owned(),
        values,
        rounded,
    };
    (whole.into_iter().map(metric).collect(), left_out)
}

#[cfg(test)]
mod tests;
