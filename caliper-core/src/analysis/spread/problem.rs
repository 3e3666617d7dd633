//! What keeps groups from being compared.

use std::fmt;

use serde::Serialize;

/// Something that is not as planned. With it, no group is compared with another until that is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// The group has fewer runs than planned.
    NotAsPlanned {
        /// The group.
        group: String,
        /// How many runs it has.
        runs: usize,
        /// How many were planned.
        planned: usize,
    },
    /// The group has no run.
    NoRun {
        /// The group.
        group: String,
        /// Why, as far as it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Groups have different numbers of runs.
    UnequalRuns {
        /// Each group with its number of runs.
        groups: Vec<(String, usize)>,
    },
    /// The columns of the group have no names.
    UnnamedColumns {
        /// The group.
        group: String,
    },
    /// The group does not have the same metrics as the first one.
    OtherMetrics {
        /// The group.
        group: String,
        /// The first group.
        reference: String,
        /// Metrics of the first group that it lacks.
        missing: Vec<String>,
        /// Metrics that the first group lacks.
        more: Vec<String>,
    },
    /// Runs of the group have a number that is not finite.
    NotFinite {
        /// The group.
        group: String,
        /// The metric.
        metric: String,
        /// How many numbers are NaN.
        nan: usize,
        /// How many are infinite.
        infinite: usize,
    },
    /// Runs of the group have a whole number that no floating point number equals, so that it is rounded.
    Rounded {
        /// The group.
        group: String,
        /// The metric.
        metric: String,
        /// How many runs.
        runs: usize,
    },
    /// Rows of the group's table could not be read; they are left out.
    UnreadRows {
        /// The group.
        group: String,
        /// How many.
        rows: usize,
        /// The line of the first one, from 1.
        line: u64,
        /// What is wrong with the first one.
        what: String,
    },
    /// Runs of the group did not pass; their numbers are left out.
    NotPassed {
        /// The group.
        group: String,
        /// How many.
        runs: usize,
    },
    /// Results of runs of the group were not kept whole, or are lost; their numbers are incomplete.
    NotWhole {
        /// The group.
        group: String,
        /// How many runs.
        runs: usize,
    },
}

/// More names than these are counted.
const LISTED: usize = 5;

/// Names as they are told: the first few, and how many more there are.
pub(super) fn names(names: &[String]) -> String {
    let mut told: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    if names.len() > LISTED {
        told.push(format!("{} more", names.len() - LISTED));
    }
    told.join(", ")
}

pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl Problem {
    /// Whether it is a mistake in the question, and not in what was measured.
    pub fn is_of_question(&self) -> bool {
        match self {
            Self::UnnamedColumns { .. } | Self::OtherMetrics { .. } => true,
            Self::NotAsPlanned { .. }
            | Self::NoRun { .. }
            | Self::UnequalRuns { .. }
            | Self::NotFinite { .. }
            | Self::Rounded { .. }
            | Self::UnreadRows { .. }
            | Self::NotPassed { .. }
            | Self::NotWhole { .. } => false,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = |count: &usize| counted(*count, "run", "runs");
        match self {
            Self::NotAsPlanned { group, runs: found, planned } => {
                write!(formatter, "`{group}` has {} of {planned} planned", runs(found))
            }
            Self::NoRun { group, why: None } => write!(formatter, "`{group}` has no run"),
            Self::NoRun { group, why: Some(why) } => {
                write!(formatter, "`{group}` has no run: {why}")
            }
            Self::UnequalRuns { groups } => {
                let told = groups.iter().map(|(group, count)| format!("`{group}` {count}"));
                let told = told.collect::<Vec<_>>().join(", ");
                write!(formatter, "the groups have different numbers of runs: {told}")
            }
            Self::UnnamedColumns { group } => write!(
                formatter,
                "the columns of `{group}` have no names: name them with `--columns`"
            ),
            Self::OtherMetrics { group, reference, missing, more } => {
                write!(formatter, "`{group}` does not have the metrics of `{reference}`:")?;
                if !missing.is_empty() {
                    write!(formatter, " it lacks {}", names(missing))?;
                }
                if !more.is_empty() {
                    let and = if missing.is_empty() { "" } else { ", and" };
                    write!(formatter, "{and} it has {} besides", names(more))?;
                }
                Ok(())
            }
            Self::NotFinite { group, metric, nan, infinite } => {
                let kinds = [(nan, "NaN"), (infinite, "infinite")];
                let told = kinds.iter().filter(|(count, _)| **count > 0);
                let told: Vec<String> =
                    told.map(|(count, kind)| format!("{kind} in {}", runs(count))).collect();
                write!(formatter, "`{metric}` of `{group}` is {}", told.join(" and "))
            }
            Self::Rounded { group, metric, runs: rounded } => write!(
                formatter,
                "`{metric}` of `{group}` is rounded in {}: it is a whole number of more than 53 bits, which no floating \
                 point number equals; let the runs tell its distance from a fixed number",
                runs(rounded)
            ),
            Self::UnreadRows { group, rows, line, what } => {
                let rows = counted(*rows, "row", "rows");
                write!(formatter, "{rows} of `{group}` cannot be read; line {line}: {what}")
            }
            Self::NotPassed { group, runs: failed } => {
                write!(formatter, "{} of `{group}` did not pass", runs(failed))
            }
            Self::NotWhole { group, runs: cut } => {
                write!(formatter, "the results of {} of `{group}` were not kept whole", runs(cut))
            }
        }
    }
}
