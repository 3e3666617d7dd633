//! Bytes of which nothing is known: they are equal, or other bytes.

use super::{Outcome, ResultFormat};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::ReadAs;

/// Bytes.
pub(super) struct Binary;

impl ResultFormat for Binary {
    fn endings(&self) -> &'static [&'static str] {
        &[]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Bytes
    }

    fn compare(&self, expected: &[u8], actual: &[u8], collector: &mut Collector<'_>) -> Outcome {
        collector.bytes(None, expected, actual);
        Ok(Vec::new())
    }
}
