//! Numbers that tests must give, and where: a table of golden values.

use globset::Glob;

use super::axes::Rule;
use super::criteria::Tolerance;
use super::grid::CellId;

/// A number that a test must give in some cells. In a list of them the first that applies counts.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedValue {
    /// The test.
    pub test: String,
    /// The name of the number, as [`spread`](crate::analysis::spread) knows it.
    pub metric: String,
    /// In which cells; all without a condition.
    pub place: Rule,
    /// On which machines, as a glob that must match what is told of the machine; all if `None`.
    pub machine: Option<String>,
    /// The number.
    pub value: f64,
    /// How far it may be from that.
    pub tolerance: Tolerance,
}

impl ExpectedValue {
    /// Whether it speaks of a cell that was measured on this machine, as
    /// [`Machine`](crate::facts::record::Machine) is displayed; `None` if that is not known.
    pub fn applies(&self, cell: &CellId, machine: Option<&str>) -> bool {
        let on_machine = |pattern: &String| {
            let matches = |machine| {
                Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(machine))
            };
            machine.is_some_and(matches)
        };
        self.place.matches(cell) && self.machine.as_ref().is_none_or(on_machine)
    }
}
