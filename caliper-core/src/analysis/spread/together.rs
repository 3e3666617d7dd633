//! Groups side by side.

use std::collections::BTreeSet;

use serde::Serialize;

use super::contrast::Contrast;
use super::describe::Description;
use super::group::Group;
use super::guard::problems;
use super::problem::Problem;

/// How the runs of groups vary, and which vary more.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Spread {
    /// The groups, the one first that the others are held against.
    pub groups: Vec<GroupSize>,
    /// What is not as planned.
    pub problems: Vec<Problem>,
    /// Sentences about what is no problem, such as numbers that are left out.
    pub notes: Vec<String>,
    /// Whether groups are not compared, because of the problems.
    pub withheld: bool,
    /// The metrics.
    pub metrics: Vec<MetricSpread>,
}

/// How many runs a group has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct GroupSize {
    /// The group.
    pub name: String,
    /// How many runs it has.
    pub runs: usize,
    /// How many were planned; `None` if it is not known.
    pub planned: Option<usize>,
}

/// How one metric varies.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct MetricSpread {
    /// The metric.
    pub name: String,
    /// The groups that have it.
    pub groups: Vec<Described>,
    /// Each further group against the first one; empty if that is withheld.
    pub contrasts: Vec<Contrast>,
}

/// One group by itself.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Described {
    /// The group.
    pub group: String,
    /// Its numbers.
    pub description: Description,
}

/// Describes groups, and holds each against the first, for the metrics that are `wanted`. If there is a [`Problem`],
/// they are only compared where problems are `allowed`; then what is missing is left out.
pub fn spread(groups: &[Group], wanted: impl Fn(&str) -> bool, allowed: bool) -> Spread {
    let kept = |group: &Group| {
        let mut group = group.clone();
        group.metrics.retain(|metric| wanted(&metric.name));
        group
    };
    let groups: Vec<Group> = groups.iter().map(kept).collect();
    let problems = problems(&groups);
    let withheld = !problems.is_empty() && !allowed;
    let mut names: Vec<&str> = Vec::new();
    let mut known = BTreeSet::new();
    for metric in groups.iter().flat_map(|group| &group.metrics) {
        if known.insert(metric.name.as_str()) {
            names.push(&metric.name);
        }
    }
    let metrics = names.into_iter().map(|name| {
        let having: Vec<(&str, &[f64])> = groups
            .iter()
            .filter_map(|group| Some((group.name.as_str(), &*group.metric(name)?.values)))
            .collect();
        let described = having.iter().map(|(group, values)| Described {
            group: (*group).to_owned(),
            description: Description::of(values),
        });
        let contrasts = match having.split_first() {
            Some((first, others)) if !withheld => {
                others.iter().map(|group| Contrast::of(*group, *first)).collect()
            }
            _ => Vec::new(),
        };
        MetricSpread { name: name.to_owned(), groups: described.collect(), contrasts }
    });
    let metrics = metrics.collect();
    let size = |group: &Group| GroupSize {
        name: group.name.clone(),
        runs: group.runs,
        planned: group.planned,
    };
    let notes = groups.iter().flat_map(|group| group.notes.iter().cloned()).collect();
    Spread { groups: groups.iter().map(size).collect(), problems, notes, withheld, metrics }
}
