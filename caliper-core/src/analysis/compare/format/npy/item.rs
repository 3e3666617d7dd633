//! Values of arrays.

use std::borrow::Cow;

use crate::analysis::compare::number::{Number, Precision};
use crate::analysis::compare::show::hex;

/// A value.
#[derive(Debug, PartialEq)]
pub(super) enum Item<'a> {
    Number(Number<'a>),
    Moment(Moment),
    Text(Cow<'a, str>),
    /// The bytes of a number, the lowest first.
    Long(Vec<u8>),
    Bytes(&'a [u8]),
}

impl Item<'_> {
    /// Whether two numbers have the same type and bits; `-0.0` is not `0.0` here, and `nan` is `nan`.
    pub(super) fn is(&self, other: &Self) -> bool {
        let same = |left: f64, right: f64| left.to_bits() == right.to_bits();
        match (self, other) {
            (Self::Number(Number::Float(left)), Self::Number(Number::Float(right))) => {
                same(*left, *right)
            }
            (
                Self::Number(Number::Complex(real, imaginary)),
                Self::Number(Number::Complex(other_real, other_imaginary)),
            ) => same(*real, *other_real) && same(*imaginary, *other_imaginary),
            (left, right) => left == right,
        }
    }

    /// The value with as many digits as its type can hold.
    pub(super) fn shown(&self, precision: Precision) -> String {
        #[expect(clippy::cast_possible_truncation, reason = "it has been of that type")]
        let float = |number: f64| match precision {
            Precision::Double => format!("{number:?}"),
            Precision::Single | Precision::Half | Precision::Brain => {
                format!("{:?}", number as f32)
            }
        };
        match self {
            Self::Number(Number::Whole(number)) => number.to_string(),
            Self::Number(Number::Long(text) | Number::Spelled(text)) => (*text).to_owned(),
            Self::Number(Number::Float(number)) => float(*number),
            Self::Number(Number::Complex(real, imaginary)) => {
                let sign = if imaginary.is_sign_negative() { "" } else { "+" };
                format!("{}{sign}{}j", float(*real), float(*imaginary))
            }
            Self::Moment(moment) if moment.is_missing() => "NaT".to_owned(),
            Self::Moment(moment) => moment.count.to_string(),
            Self::Text(text) => text.clone().into_owned(),
            Self::Long(bytes) => hex(bytes),
            Self::Bytes(bytes) => hex(&bytes[..bytes.len().min(40)]),
        }
    }
}

/// A moment or a span of time, in units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    pub(super) count: i64,
    pub(super) unit: Unit,
}

impl Moment {
    /// Whether it is NumPy's `NaT`.
    pub(super) fn is_missing(&self) -> bool {
        self.count == i64::MIN
    }

    /// Whether both are the same time, perhaps in other units.
    pub(super) fn equals(&self, other: &Self) -> bool {
        if self.unit == other.unit || self.is_missing() || other.is_missing() {
            return self.count == other.count;
        }
        let (left, right) = match (self.unit, other.unit) {
            (Unit::Attoseconds(left), Unit::Attoseconds(right))
            | (Unit::Months(left), Unit::Months(right)) => (left, right),
            (Unit::Generic | Unit::Attoseconds(_) | Unit::Months(_), _) => return false,
        };
        // Without a common divisor, products that are equal are below the square of 2^63; one that
        // overflows has no equal.
        let common = divisor(left, right);
        let product = |count: i64, length: i128| i128::from(count).checked_mul(length / common);
        product(self.count, left).is_some_and(|left| Some(left) == product(other.count, right))
    }
}

/// The greatest common divisor of two lengths, none of which is 0.
fn divisor(left: i128, right: i128) -> i128 {
    let (mut left, mut right) = (left, right);
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left.max(1)
}

/// A unit of time: how many attoseconds it lasts, or months, which have no length in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis::compare::format) enum Unit {
    Attoseconds(i128),
    Months(i128),
    Generic,
}

impl Unit {
    /// Such as `ns` or `25s`; or `ns/100`, which is 10 ps.
    pub(super) fn read(text: &str) -> Option<Self> {
        const SECOND: i128 = 1_000_000_000_000_000_000;
        let (text, part) = text.split_once('/').unwrap_or((text, "1"));
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let times = if digits == 0 { 1 } else { text[..digits].parse::<u32>().ok()? };
        let one = match &text[digits..] {
            "Y" => Self::Months(12),
            "M" => Self::Months(1),
            "W" => Self::Attoseconds(604_800 * SECOND),
            "D" => Self::Attoseconds(86_400 * SECOND),
            "h" => Self::Attoseconds(3_600 * SECOND),
            "m" => Self::Attoseconds(60 * SECOND),
            "s" => Self::Attoseconds(SECOND),
            "ms" => Self::Attoseconds(SECOND / 1_000),
            "us" | "μs" | "µs" => Self::Attoseconds(SECOND / 1_000_000),
            "ns" => Self::Attoseconds(SECOND / 1_000_000_000),
            "ps" => Self::Attoseconds(1_000_000),
            "fs" => Self::Attoseconds(1_000),
            "as" => Self::Attoseconds(1),
            "generic" => return Some(Self::Generic),
            _ => return None,
        };
        let part = part.parse::<u32>().ok().map(i128::from).filter(|part| *part > 0)?;
        let scaled = |length: i128| {
            let length = length * i128::from(times);
            (times > 0 && length % part == 0).then_some(length / part)
        };
        match one {
            Self::Attoseconds(length) => scaled(length).map(Self::Attoseconds),
            Self::Months(length) => scaled(length).map(Self::Months),
            Self::Generic => Some(Self::Generic),
        }
    }
}
