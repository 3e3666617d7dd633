//! What is compared: groups of runs, with a number for each metric and run.

use super::problem::Problem;

/// A group of runs that were made in the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What it is called, such as `same`.
    pub name: String,
    /// How many runs it has; those that could not be read do not count.
    pub runs: usize,
    /// How many runs were planned; `None` if it is not known.
    pub planned: Option<usize>,
    /// The metrics, each name once.
    pub metrics: Vec<Metric>,
    /// What is known to be wrong with it alone, apart from what [`spread`](super::spread()) finds by itself.
    pub problems: Vec<Problem>,
    /// Sentences about what is no problem, such as numbers that are left out.
    pub notes: Vec<String>,
}

/// A number of each run.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// What it is called, such as `loss`.
    pub name: String,
    /// One number for each run, in the order of the runs; may be NaN or infinite.
    pub values: Vec<f64>,
    /// How many of them are whole numbers that had to be rounded, because they have more than 53 bits.
    pub rounded: usize,
}

impl Group {
    /// A group without runs.
    pub fn new(name: impl Into<String>, planned: Option<usize>) -> Self {
        Self {
            name: name.into(),
            runs: 0,
            planned,
            metrics: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The numbers of a metric, if the group has it.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}
