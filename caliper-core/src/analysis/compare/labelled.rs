//! The numbers of each run that have names, for statistics over runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Blobs;
use super::comparer::Comparer;
use super::nearest::Nearest;
use super::runs::{Runs, STDOUT};
use crate::facts::record::{Record, TestOutcome};
use crate::question::criteria::Criteria;

/// A run has at most this many names; what comes after them is not read.
const MOST: usize = 1000;

/// The numbers of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledRun {
    /// Whether the run passed.
    pub passed: bool,
    /// Whether all of its results were kept and read, and they have no more names than are read.
    pub is_whole: bool,
    /// Each name with its number.
    pub numbers: BTreeMap<String, Labelled>,
}

/// A number by its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Labelled {
    /// The name occurs once in the run. The number may be NaN or infinite.
    Once(f64),
    /// The name occurs once, and the number is whole and has more than 53 bits: this is the nearest one.
    Rounded(f64),
    /// The name occurs several times.
    Often,
}

/// The numbers with names of each run of a test in a cell, in order: the words before a number that is printed, the
/// fields of JSON, the columns of a CSV with one row below its header, and what the test reported as measures. A number
/// of a file has the name of the file before its own: `metrics.json: loss`. By the criteria it is decided what is a
/// result, and what of it is ignored, as where results are compared.
pub fn labelled(
    record: &Record,
    test: &str,
    criteria: &Criteria,
    blobs: Blobs<'_>,
) -> Vec<LabelledRun> {
    let comparer = Comparer { criteria, outputs: Arc::default(), blobs };
    let runs = Runs::of(record, test, &comparer);
    let of_test = record.test(test).into_iter().flat_map(|test| &test.runs);
    let of_run = |(index, run): (usize, &crate::facts::record::Run)| {
        let mut numbers: BTreeMap<String, Labelled> = BTreeMap::new();
        let mut is_cut = false;
        let mut add = |name: String, Nearest { value, is_rounded }: Nearest| {
            if let Some(known) = numbers.get_mut(&name) {
                *known = Labelled::Often;
            } else if numbers.len() == MOST {
                is_cut = true;
            } else {
                let number = if is_rounded { Labelled::Rounded } else { Labelled::Once };
                numbers.insert(name, number(value));
            }
        };
        let is_whole = runs.labelled(index, &comparer, &mut |part, name, number| {
            if name.is_empty() {
                return;
            }
            let is_printed = part == STDOUT;
            add(if is_printed { name.to_owned() } else { format!("{part}: {name}") }, number);
        });
        for (name, number) in &run.measures {
            add(name.clone(), Nearest { value: *number, is_rounded: false });
        }
        LabelledRun {
            passed: run.outcome == TestOutcome::Passed,
            is_whole: is_whole && !is_cut,
            numbers,
        }
    };
    of_test.enumerate().map(of_run).collect()
}
