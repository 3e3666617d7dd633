use pep440_rs::{Version, VersionSpecifiers};

use crate::names::PythonVersion;
use crate::question::grid::CellId;

/// Which combinations `exclude` or `include` speaks of: all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule(pub Vec<(String, Condition)>);

/// What a part of a cell's name must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// One of these labels.
    Labels(Vec<String>),
    /// A version that these specifiers allow.
    Specifiers(VersionSpecifiers),
}

impl Rule {
    /// The release, as a part of a cell's name.
    pub const VERSION: &'static str = "version";
    /// The Python, as a part of a cell's name.
    pub const PYTHON: &'static str = "python";

    /// Whether this cell is spoken of.
    pub fn matches(&self, cell: &CellId) -> bool {
        self.0.iter().all(|(part, condition)| match part.as_str() {
            Self::VERSION => condition.holds(&cell.version.to_string()),
            Self::PYTHON => condition.holds(&cell.python.to_string()),
            axis => cell.variant.get(axis).is_some_and(|label| condition.holds(label)),
        })
    }
}

impl Condition {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Labels(labels) => labels.iter().any(|label| same(label, value)),
            Self::Specifiers(specifiers) => {
                value.parse::<Version>().is_ok_and(|version| specifiers.contains(&version))
            }
        }
    }
}

/// Labels are the same if their texts are, or if both are the same version (`2.0` and `2.0.0`) or
/// Python (`cp311` and `3.11`).
fn same(one: &str, other: &str) -> bool {
    fn equal<T: std::str::FromStr + PartialEq>(one: &str, other: &str) -> bool {
        one.parse::<T>().is_ok_and(|one| other.parse::<T>().is_ok_and(|other| one == other))
    }
    one == other || equal::<Version>(one, other) || equal::<PythonVersion>(one, other)
}
