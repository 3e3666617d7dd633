//! Text, line by line.

use super::judge::Judge;
use super::ladder::Place;
use super::rules::{self, Line};
use super::tokens::{Token, Tokens};
use crate::question::criteria::Policy;
use crate::question::criteria::Rule;

/// What stands in the same place of two lines, with where it begins in the first of them.
pub(super) enum Found<'a> {
    /// Two numbers.
    Numbers(usize, &'a str, &'a str),
    /// Texts that differ, or what follows where one is a number and the other is not.
    Text(usize, &'a str, &'a str),
}

/// A line as the rules leave it, without its numbers.
pub(super) fn shape(line: &str, policy: &Policy) -> String {
    let mut shape = String::new();
    for (_, token) in Tokens::of(&Line::under(&policy.rules, line).text) {
        match token {
            Token::Number(_) => shape.push('0'),
            Token::Text(text) => shape.push_str(text),
        }
        shape.push(' ');
    }
    shape
}

/// How many numbers a line has.
pub(super) fn count(line: &str) -> u64 {
    let mut count = 0;
    if line.bytes().any(|byte| byte.is_ascii_digit() || matches!(byte, b'n' | b'N')) {
        for (_, token) in Tokens::of(line) {
            count += u64::from(matches!(token, Token::Number(_)));
        }
    }
    count
}

/// Goes through two lines side by side, until `each` has seen enough.
pub(super) fn tokens(expected: &str, actual: &str, each: &mut dyn FnMut(Found<'_>) -> bool) {
    let (mut left, mut right) = (Tokens::of(expected), Tokens::of(actual));
    loop {
        let (one, other) = (left.next(), right.next());
        match (one, other) {
            (None, None) => return,
            (Some((start, Token::Number(one))), Some((_, Token::Number(other)))) => {
                if !each(Found::Numbers(start, one, other)) {
                    return;
                }
            }
            (Some((_, Token::Text(one))), Some((_, Token::Text(other)))) if one == other => {}
            (one, other) => {
                let place = |line: &str, token: Option<(usize, Token<'_>)>| {
                    token.map_or(line.len(), |(start, _)| start)
                };
                let (mut start, mut other_start) = (place(expected, one), place(actual, other));
                // Within text, what both have in common says nothing.
                if let (Some((_, Token::Text(one))), Some((_, Token::Text(other)))) = (one, other) {
                    let same: usize = one
                        .chars()
                        .zip(other.chars())
                        .take_while(|(one, other)| one == other)
                        .map(|(character, _)| character.len_utf8())
                        .sum();
                    start += same;
                    other_start += same;
                }
                each(Found::Text(start, &expected[start..], &actual[other_start..]));
                return;
            }
        }
    }
}

pub(super) fn compare(expected: &str, actual: &str, judge: &mut Judge<'_>) {
    let (mut left, mut right) = (expected, actual);
    if judge.policy().rules.contains(&Rule::LineEndings) {
        (left, right) = (rules::without_last_break(left), rules::without_last_break(right));
        judge.ends = expected[left.len()..] != actual[right.len()..];
    }
    let tolerance = &judge.policy().tolerance;
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
                judge.line(one, other, tolerance, &|place| Place::Line {
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
                judge.other(&place, &shown(one), &shown(other));
            }
        }
        if judge.decided() && !to_the_end {
            return;
        }
    }
}

/// Which character a place in a line is, from 1.
fn column(line: &str, place: usize) -> u64 {
    let before = line.char_indices().take_while(|(at, _)| *at < place).count();
    u64::try_from(before).unwrap_or(u64::MAX) + 1
}
