//! Bytes of which nothing is known: they are equal, or other bytes.

use std::io::Read;

use super::source::{Data, Source};
use super::{Outcome, ResultFormat, Unread, Weaker};
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

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let [expected, actual] = sides;
        let read = compare(None, expected.all(), actual.all(), collector);
        read.map_err(|reason| Unread { reasons: vec![reason], weaker: Weaker::Bytes })?;
        Ok(Vec::new())
    }
}

/// How many bytes are read at once.
const PIECE: usize = if cfg!(test) { 16 } else { 1 << 16 };

/// Compares bytes, of a whole result or of an array in it. Returns whether they are the same.
///
/// # Errors
///
/// Why they cannot be read to their end.
pub(super) fn compare(
    array: Option<&str>,
    expected: Data<'_>,
    actual: Data<'_>,
    collector: &mut Collector<'_>,
) -> Result<bool, String> {
    let lengths = [expected.length(), actual.length()];
    let (mut expected, mut actual) = (expected.reader(), actual.reader());
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut offset = 0;
    loop {
        fill(&mut *expected, &mut left, PIECE)?;
        fill(&mut *actual, &mut right, PIECE)?;
        if left != right {
            break;
        }
        if left.is_empty() {
            return Ok(true);
        }
        offset += u64::try_from(left.len()).unwrap_or(u64::MAX);
        left.clear();
        right.clear();
    }
    let same = left.iter().zip(&right).take_while(|(one, other)| one == other).count();
    // What follows is told, and may lie in the next piece.
    fill(&mut *expected, &mut left, PIECE + 8)?;
    fill(&mut *actual, &mut right, PIECE + 8)?;
    offset += u64::try_from(same).unwrap_or(u64::MAX);
    collector.bytes(array, offset, [&left[same..], &right[same..]], lengths);
    Ok(false)
}

/// Reads until there are so many bytes, or no more.
fn fill(reader: &mut dyn Read, bytes: &mut Vec<u8>, most: usize) -> Result<(), String> {
    let missing = u64::try_from(most.saturating_sub(bytes.len())).unwrap_or(u64::MAX);
    reader.take(missing).read_to_end(bytes).map(drop).map_err(|error| error.to_string())
}
