//! Text, line by line.

use super::{Outcome, ResultFormat};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::{Place, ReadAs, hashed};
use crate::analysis::compare::{rules, show, tokens};
use crate::question::criteria::{Policy, Rule};

/// Lines of text: the format of everything that no other format reads.
pub(super) struct Text;

impl ResultFormat for Text {
    fn endings(&self) -> &'static [&'static str] {
        &[]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Text
    }

    fn compare(&self, expected: &[u8], actual: &[u8], collector: &mut Collector<'_>) -> Outcome {
        compare_bytes(expected, actual, collector);
        Ok(Vec::new())
    }

    fn shapes(&self, result: &[u8], policy: &Policy) -> Vec<u64> {
        shapes(result, policy)
    }
}

/// What text looks like without its numbers: a digest for each line.
pub(super) fn shapes(result: &[u8], policy: &Policy) -> Vec<u64> {
    let text = show::decoded(result);
    let lines = rules::without_last_break(&text).split('\n');
    lines.map(|line| hashed(&tokens::shape(line, policy))).collect()
}

/// Compares bytes as text; bytes that are not UTF-8 stay different from each other.
pub(super) fn compare_bytes(expected: &[u8], actual: &[u8], collector: &mut Collector<'_>) {
    compare(&show::decoded(expected), &show::decoded(actual), collector);
}

fn compare(expected: &str, actual: &str, collector: &mut Collector<'_>) {
    let (mut left, mut right) = (expected, actual);
    if collector.policy().rules.contains(&Rule::LineEndings) {
        (left, right) = (rules::without_last_break(left), rules::without_last_break(right));
        collector.ends = expected[left.len()..] != actual[right.len()..];
    }
    let tolerance = &collector.policy().tolerance;
    let lines = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
    // What stands behind a line that differs may differ as well, which matters where there is noise.
    let to_the_end = lines(left) == lines(right);
    let (mut left, mut right) = (left.split('\n'), right.split('\n'));
    let mut number = 0;
    loop {
        number += 1;
        match (left.next(), right.next()) {
            (None, None) => return,
            (Some(one), Some(other)) => {
                collector.line(one, other, tolerance, &|place| Place::Line {
                    line: number,
                    column: column(one, place),
                });
            }
            (one, other) => {
                let place = || Place::Line { line: number, column: 1 };
                let shown = |line: Option<&str>| match line {
                    Some(line) => format!("{line}\n"),
                    None => "the end".to_owned(),
                };
                collector.other(&place, &shown(one), &shown(other));
            }
        }
        if collector.decided() && !to_the_end {
            return;
        }
    }
}

/// Which character a place in a line is, from 1.
fn column(line: &str, place: usize) -> u64 {
    let before = line.char_indices().take_while(|(at, _)| *at < place).count();
    u64::try_from(before).unwrap_or(u64::MAX) + 1
}
