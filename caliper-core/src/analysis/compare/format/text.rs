//! Text, line by line.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::source::Source;
use super::{Outcome, ResultFormat, in_memory};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::{Extent, Place, ReadAs};
use crate::analysis::compare::items::Item;
use crate::analysis::compare::named;
use crate::analysis::compare::nearest::Nearest;
use crate::analysis::compare::rules::{self, LeftOut, Lens};
use crate::analysis::compare::show;
use crate::question::criteria::Rule;

/// Lines of text: the format of everything that no other format reads.
pub(super) struct Text;

impl ResultFormat for Text {
    fn endings(&self) -> &'static [&'static str] {
        &[]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Text
    }

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let (expected, actual) = in_memory("text", sides)?;
        compare_bytes(expected, actual, collector);
        Ok(Vec::new())
    }

    fn items(&self, result: &[u8], lens: &Lens<'_>) -> Option<Vec<Item>> {
        Some(items(result, lens))
    }

    fn labelled(&self, result: &[u8], lens: &Lens<'_>, found: &mut dyn FnMut(&str, Nearest)) {
        labelled(result, lens, found);
    }
}

/// The numbers of a text with the words before them.
pub(super) fn labelled(result: &[u8], lens: &Lens<'_>, found: &mut dyn FnMut(&str, Nearest)) {
    let _ = named::labelled(&show::decoded(result), lens, &mut |name, number| {
        found(name, number);
        ControlFlow::Continue(())
    });
}

/// The lines of a text that are not left out.
pub(super) fn items(result: &[u8], lens: &Lens<'_>) -> Vec<Item> {
    let text = show::decoded(result);
    let lines = rules::without_last_break(&text).split('\n');
    let lines = lines.filter(|line| lens.leaves_out(line).is_none());
    lines.map(|line| Item::line(line, lens)).collect()
}

/// Compares bytes as text; bytes that are not UTF-8 stay different from each other.
pub(super) fn compare_bytes(expected: &[u8], actual: &[u8], collector: &mut Collector<'_>) {
    compare(&show::decoded(expected), &show::decoded(actual), collector);
}

pub(super) fn compare(expected: &str, actual: &str, collector: &mut Collector<'_>) {
    let (mut left, mut right) = (expected, actual);
    if collector.policy().rules.contains(&Rule::LineEndings) {
        (left, right) = (rules::without_last_break(left), rules::without_last_break(right));
        if expected[left.len()..] != actual[right.len()..] {
            collector.looks_past(Rule::LineEndings);
        }
    }
    let tolerance = &collector.policy().tolerance;
    let [left, right] = kept([left, right], collector);
    let (of_left, of_right) = (count(left.len()), count(right.len()));
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    // What stands behind a line that differs may differ as well, which matters where there is noise.
    let to_the_end = of_left == of_right;
    loop {
        match (left.next(), right.next()) {
            (None, None) => break,
            (Some((number, one)), Some((_, other))) => {
                collector.line(one, other, tolerance, &|place| Place::Line {
                    line: number,
                    column: column(one, place),
                });
            }
            (one, other) => {
                let number = one.or(other).map_or(1, |(number, _)| number);
                let place = || Place::Line { line: number, column: 1 };
                let shown = |line: Option<(u64, &str)>| match line {
                    Some((_, line)) => format!("{line}\n"),
                    None => "the end".to_owned(),
                };
                collector.other(&place, &shown(one), &shown(other));
            }
        }
        if collector.decided() && !to_the_end {
            break;
        }
    }
    let differ = to_the_end.then_some(collector.others);
    collector.extent = Some(Extent::Lines { expected: of_left, actual: of_right, differ });
}

/// The lines of both texts that are compared, with their numbers.
fn kept<'a>(texts: [&'a str; 2], collector: &mut Collector<'_>) -> [Vec<(u64, &'a str)>; 2] {
    let lenses = collector.lenses();
    // A line may have been left out on one side only.
    let mut times: BTreeMap<LeftOut, [u64; 2]> = BTreeMap::new();
    let sides = [0, 1].map(|side| {
        let mut lines: Vec<(u64, &str)> = Vec::new();
        for (number, line) in (1_u64..).zip(texts[side].split('\n')) {
            match lenses[side].leaves_out(line) {
                Some(why) => times.entry(why).or_default()[side] += 1,
                None => lines.push((number, line)),
            }
        }
        lines
    });
    for (why, [left, right]) in times {
        collector.left_out(why, left.max(right));
    }
    sides
}

fn count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}

/// Which character a place in a line is, from 1.
fn column(line: &str, place: usize) -> u64 {
    let before = line.char_indices().take_while(|(at, _)| *at < place).count();
    count(before) + 1
}
