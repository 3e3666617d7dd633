use std::fmt;

use serde::{Deserialize, Serialize};

/// One side of a split: what the cells on it have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Split {
    /// What the factor is.
    pub factor: SplitFactor,
    /// Its name: of the release that of the dependency, of another package the normalized one.
    pub name: String,
    /// What the cells have in common.
    pub condition: Condition,
}

/// What can part cells. In the order in which they are named where they explain the same.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SplitFactor {
    /// The release that is measured.
    Release,
    /// The feature release of the Python.
    Python,
    /// Another package that is installed.
    Package,
}

/// What the cells on one side of a split have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// This version or a newer one.
    AtLeast {
        /// The oldest on this side.
        version: String,
        /// The newest on the other side; `None` if it is absent from all cells there. Versions between the two
        /// were in no cell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        older: Option<String>,
        /// Whether cells without it are on this side too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        or_absent: bool,
    },
    /// A version older than this one.
    Below {
        /// The oldest on the other side.
        version: String,
        /// The newest on this side; `None` if it is absent from all cells here. Versions between the two were in
        /// no cell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        older: Option<String>,
        /// Whether cells without it are on this side too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        or_absent: bool,
    },
    /// It is installed, in whatever version.
    Present,
    /// It is not installed.
    Absent,
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { factor, name, condition } = self;
        // `jinja2 < 3.0.0` may be read as a package that moved.
        let name = match factor {
            SplitFactor::Release => format!("the release {name}"),
            SplitFactor::Python | SplitFactor::Package => name.clone(),
        };
        let absent = |or_absent: &bool| if *or_absent { " (or without it)" } else { "" };
        match condition {
            Condition::AtLeast { version, or_absent, .. } => {
                write!(formatter, "{name} >= {version}{}", absent(or_absent))
            }
            Condition::Below { version, or_absent, .. } => {
                write!(formatter, "{name} < {version}{}", absent(or_absent))
            }
            Condition::Present => write!(formatter, "{name} installed"),
            Condition::Absent => write!(formatter, "{name} not installed"),
        }
    }
}
