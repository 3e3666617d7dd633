//! A result as a list of things that can be compared one by one: lines of text, or the values of fields.

use super::comparison::hashed;
use super::number::Number;
use super::rules::{Lens, Line};
use super::tokens::{Token, Tokens, is_identifier};
use crate::question::criteria::Tolerance;

/// A line, or the value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// Which field it is; `None` for lines, which have no name.
    pub(super) key: Option<u64>,
    /// A digest of it without its numbers.
    pub(super) shape: u64,
    /// Its finite numbers, in order. All others are part of the shape.
    pub(super) numbers: Vec<ItemNumber>,
}

/// A number in an [`Item`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ItemNumber {
    pub(super) value: f64,
    /// Whether it is written without a fraction.
    is_whole: bool,
    tolerance: Tolerance,
}

impl ItemNumber {
    /// How far it may be from the same number in another run: whole numbers have no relative tolerance.
    pub(super) fn tolerance(self, other: Self) -> Tolerance {
        if self.is_whole && other.is_whole {
            self.tolerance.absolute_only()
        } else {
            self.tolerance
        }
    }
}

impl Item {
    /// A line of text.
    pub(super) fn line(line: &str, lens: &Lens<'_>) -> Self {
        Self::text(None, line, &lens.policy.tolerance, lens)
    }

    /// A text that is a line, or the value of a field.
    pub(super) fn text(key: Option<u64>, text: &str, within: &Tolerance, lens: &Lens<'_>) -> Self {
        let mut shape = String::new();
        let mut numbers = Vec::new();
        for line in text.split('\n') {
            for (_, token) in Tokens::of(&Line::under(lens, line).text) {
                match token {
                    Token::Number(number) => match ItemNumber::of(number, within) {
                        Some(number) => {
                            shape.push('0');
                            numbers.push(number);
                        }
                        None => shape.push_str(number),
                    },
                    Token::Text(text) => shape.push_str(text),
                }
                shape.push(' ');
            }
            shape.push('\n');
        }
        Self { key, shape: hashed(&shape), numbers }
    }

    /// The value of a field that is a number.
    pub(super) fn number(key: u64, number: &str, within: &Tolerance) -> Self {
        match ItemNumber::of(number, within) {
            Some(number) => Self { key: Some(key), shape: hashed(&0), numbers: vec![number] },
            None => Self { key: Some(key), shape: hashed(&number), numbers: Vec::new() },
        }
    }

    /// A digest of all of it.
    pub(super) fn digest(&self) -> u64 {
        let numbers = self.numbers.iter().map(|number| number.value.to_bits());
        hashed(&(self.key, self.shape, numbers.collect::<Vec<_>>()))
    }
}

impl ItemNumber {
    fn of(text: &str, tolerance: &Tolerance) -> Option<Self> {
        if is_identifier(text) {
            return None;
        }
        let number = Number::of(text);
        let [value, imaginary] = number.parts();
        let is_whole = matches!(number, Number::Whole(_) | Number::Long(_));
        let is_one = value.is_finite() && imaginary.to_bits() == 0;
        is_one.then_some(Self { value, is_whole, tolerance: *tolerance })
    }
}
