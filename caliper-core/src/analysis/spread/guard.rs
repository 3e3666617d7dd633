//! Looks for what keeps groups from being compared.

use std::collections::BTreeSet;

use super::group::Group;
use super::problem::Problem;

/// All that is not as planned with these groups.
pub(super) fn problems(groups: &[Group]) -> Vec<Problem> {
    let mut found = Vec::new();
    for group in groups {
        let says_why = |known: &Problem| matches!(known, Problem::NoRun { .. });
        found.extend(group.problems.iter().cloned());
        if group.runs == 0 && !group.problems.iter().any(says_why) {
            found.push(Problem::NoRun { group: group.name.clone(), why: None });
        }
        if let Some(planned) = group.planned
            && group.runs < planned
            && group.runs > 0
        {
            let (group, runs) = (group.name.clone(), group.runs);
            found.push(Problem::NotAsPlanned { group, runs, planned });
        }
    }
    if groups.windows(2).any(|pair| pair[0].runs != pair[1].runs) {
        let groups = groups.iter().map(|group| (group.name.clone(), group.runs)).collect();
        found.push(Problem::UnequalRuns { groups });
    }
    if let Some((first, others)) = groups.split_first() {
        found.extend(others.iter().filter_map(|group| other_metrics(group, first)));
    }
    for group in groups {
        for metric in &group.metrics {
            let nan = metric.values.iter().filter(|value| value.is_nan()).count();
            let infinite = metric.values.iter().filter(|value| value.is_infinite()).count();
            if nan + infinite > 0 {
                let (group, metric) = (group.name.clone(), metric.name.clone());
                found.push(Problem::NotFinite { group, metric, nan, infinite });
            }
            if metric.rounded > 0 {
                let (name, runs) = (metric.name.clone(), metric.rounded);
                found.push(Problem::Rounded { group: group.name.clone(), metric: name, runs });
            }
        }
    }
    found
}

/// A group without any run lacks no metric: that it has none is told.
fn other_metrics(group: &Group, first: &Group) -> Option<Problem> {
    if group.runs == 0 || first.runs == 0 {
        return None;
    }
    let lacking = |from: &Group, of: &Group| -> Vec<String> {
        let names: BTreeSet<&str> = of.metrics.iter().map(|metric| metric.name.as_str()).collect();
        let metrics = from.metrics.iter().map(|metric| &metric.name);
        metrics.filter(|name| !names.contains(name.as_str())).cloned().collect()
    };
    let (missing, more) = (lacking(first, group), lacking(group, first));
    if missing.is_empty() && more.is_empty() {
        return None;
    }
    let (group, reference) = (group.name.clone(), first.name.clone());
    Some(Problem::OtherMetrics { group, reference, missing, more })
}
