//! The types of elements, and elements.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::item::{Item, Moment, Unit};
use super::literal::Literal;
use crate::analysis::compare::number::{Number, Precision, from_half};
use crate::analysis::compare::show;

/// The type of an array's elements.
#[derive(Debug)]
pub(super) struct Dtype {
    /// The values of which an element is made, in their order.
    pub(super) leaves: Vec<Leaf>,
    /// The size of an element, in bytes.
    pub(super) size: usize,
    /// What decides whether two types are the same: no order of bytes, padding, or width of strings.
    pub(super) canonical: String,
    /// The type as it is written.
    pub(super) shown: String,
}

/// A value within an element, or several in a row.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Its field, and the fields that this is in; empty where elements have no fields.
    pub(super) name: String,
    offset: usize,
    scalar: Scalar,
    /// The type as it is written.
    pub(super) written: String,
    /// How many there are: the product of the shape.
    pub(super) count: usize,
    pub(super) shape: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scalar {
    kind: Kind,
    /// In bytes.
    size: usize,
    big: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    Complex,
    /// A float or a complex number of a layout that depends on the machine.
    Long,
    /// Bytes, up to the zeros at the end.
    Bytes,
    /// Characters of 32 bits, likewise.
    Text,
    Moment(Unit),
    Span(Unit),
    Void,
}

impl Dtype {
    pub(super) fn read(literal: &Literal) -> Result<Self, String> {
        let mut dtype =
            Self { leaves: Vec::new(), size: 0, canonical: String::new(), shown: String::new() };
        match literal {
            Literal::Text(name) => {
                dtype.add(String::new(), name, Vec::new())?;
                dtype.shown = show::excerpt(name);
            }
            _ => dtype.add_fields("", literal)?,
        }
        let names: BTreeSet<&str> = dtype.leaves.iter().map(|leaf| &*leaf.name).collect();
        if names.len() < dtype.leaves.len() {
            return Err("its type has two fields of one name".to_owned());
        }
        Ok(dtype)
    }

    /// The literals lie in each other no deeper than those that are read.
    fn add_fields(&mut self, within: &str, literal: &Literal) -> Result<(), String> {
        let wrong = || format!("its type is not known: {}", show::excerpt(&format!("{literal:?}")));
        let Literal::Sequence(fields) = literal else { return Err(wrong()) };
        for field in fields {
            let Literal::Sequence(parts) = field else { return Err(wrong()) };
            let (name, inner, shape) = match &parts[..] {
                [name, inner] => (name, inner, Vec::new()),
                [name, inner, shape] => (name, inner, axes(shape).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            };
            let name = match name {
                Literal::Text(name) => name,
                // A title, and the name.
                Literal::Sequence(names) => match &names[..] {
                    [_, Literal::Text(name)] => name,
                    _ => return Err(wrong()),
                },
                Literal::Number(_) | Literal::Word(_) | Literal::Dictionary(_) => {
                    return Err(wrong());
                }
            };
            let full = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
            // Many fields could be within one, and repeat its name.
            if full.len() > 1000 {
                return Err("its fields have names that are too long".to_owned());
            }
            match inner {
                Literal::Text(inner) => {
                    if !self.shown.is_empty() {
                        self.shown.push_str(", ");
                    }
                    self.shown.push_str(&format!("{full}: {inner}"));
                    let (padding, before) = (name.is_empty(), self.leaves.len());
                    let canonical = self.canonical.len();
                    self.add(full, inner, shape)?;
                    if padding {
                        self.leaves.truncate(before);
                        self.canonical.truncate(canonical);
                    }
                }
                // A field of nested arrays of fields could stand for any number of values.
                inner if shape.is_empty() => self.add_fields(&full, inner)?,
                _ => return Err("its type has arrays of structures within structures".to_owned()),
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, written: &str, shape: Vec<usize>) -> Result<(), String> {
        let scalar = Scalar::read(written)?;
        let count = shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
        let size = count.and_then(|count| count.checked_mul(scalar.size));
        let end = size.and_then(|size| self.size.checked_add(size));
        let (Some(count), Some(end)) = (count, end) else {
            return Err("its type is larger than can be".to_owned());
        };
        self.canonical.push_str(&format!("{name:?} {} {shape:?};", scalar.canonical()));
        let (offset, written) = (self.size, show::excerpt(written));
        self.leaves.push(Leaf { name, offset, scalar, written, count, shape });
        self.size = end;
        Ok(())
    }
}

fn axes(literal: &Literal) -> Option<Vec<usize>> {
    let number = |literal: &Literal| match literal {
        Literal::Number(number) => Some(*number),
        _ => None,
    };
    match literal {
        Literal::Sequence(axes) if axes.len() <= super::AXES => axes.iter().map(number).collect(),
        literal => number(literal).map(|length| vec![length]),
    }
}

impl Scalar {
    fn read(written: &str) -> Result<Self, String> {
        let unknown = || format!("its type `{}` is not known", show::excerpt(written));
        let big = written.starts_with('>');
        let plain = written.trim_start_matches(['<', '>', '|', '=']);
        let (plain, unit) = match plain.split_once('[') {
            Some((plain, unit)) => (plain, Some(unit.strip_suffix(']').ok_or_else(unknown)?)),
            None => (plain, None),
        };
        let kind = plain.chars().next().ok_or_else(unknown)?;
        if kind == 'O' {
            return Err("it holds pickled objects, which are never unpickled".to_owned());
        }
        let size: usize = plain[kind.len_utf8()..].parse().map_err(|_| unknown())?;
        let unit = || unit.map_or(Some(Unit::Generic), Unit::read).ok_or_else(unknown);
        let (kind, size) = match (kind, size) {
            ('b', 1) => (Kind::Bool, 1),
            ('i', 1 | 2 | 4 | 8) => (Kind::Signed, size),
            ('u', 1 | 2 | 4 | 8) => (Kind::Unsigned, size),
            ('f', 2 | 4 | 8) => (Kind::Float, size),
            ('c', 8 | 16) => (Kind::Complex, size),
            ('f', 10 | 12 | 16) | ('c', 20 | 24 | 32) => (Kind::Long, size),
            ('S' | 'a', _) => (Kind::Bytes, size),
            ('U', _) => (Kind::Text, size.checked_mul(4).ok_or_else(unknown)?),
            ('V', _) => (Kind::Void, size),
            ('M', 8) => (Kind::Moment(unit()?), size),
            ('m', 8) => (Kind::Span(unit()?), size),
            _ => return Err(unknown()),
        };
        Ok(Self { kind, size, big })
    }

    fn canonical(self) -> String {
        match self.kind {
            Kind::Bytes | Kind::Text => format!("{:?}", self.kind),
            Kind::Bool
            | Kind::Signed
            | Kind::Unsigned
            | Kind::Float
            | Kind::Complex
            | Kind::Long
            | Kind::Moment(_)
            | Kind::Span(_)
            | Kind::Void => format!("{:?}{}", self.kind, self.size),
        }
    }

    fn is_numeric(self) -> bool {
        matches!(
            self.kind,
            Kind::Bool | Kind::Signed | Kind::Unsigned | Kind::Float | Kind::Complex
        )
    }
}

impl Leaf {
    pub(super) fn is_number(&self) -> bool {
        self.scalar.is_numeric()
            || matches!(self.scalar.kind, Kind::Moment(_) | Kind::Span(_) | Kind::Long)
    }

    /// The size of one value, in bytes.
    pub(super) fn size(&self) -> usize {
        self.scalar.size
    }

    /// Whether values of the two can be the same.
    pub(super) fn compares_with(&self, other: &Self) -> bool {
        let (left, right) = (self.scalar, other.scalar);
        let same_unit = |left: Unit, right: Unit| {
            std::mem::discriminant(&left) == std::mem::discriminant(&right)
        };
        self.shape == other.shape
            && match (left.kind, right.kind) {
                (Kind::Moment(left), Kind::Moment(right))
                | (Kind::Span(left), Kind::Span(right)) => same_unit(left, right),
                (Kind::Bytes, Kind::Bytes) | (Kind::Text, Kind::Text) => true,
                (left_kind, right_kind) => {
                    (left.is_numeric() && right.is_numeric())
                        || (left_kind == right_kind && left.size == right.size)
                }
            }
    }

    /// The type in which representable numbers are counted.
    pub(super) fn precision(&self) -> Precision {
        match (self.scalar.kind, self.scalar.size) {
            (Kind::Float, 2) => Precision::Half,
            (Kind::Float, 4) | (Kind::Complex, 8) => Precision::Single,
            _ => Precision::Double,
        }
    }

    /// One of its values, in the element that begins at `at`. Zero where the data ends before it,
    /// which a reader of the header has made sure of.
    pub(super) fn item<'a>(&self, data: &'a [u8], at: usize, repeat: usize) -> Item<'a> {
        let Scalar { kind, size, big } = self.scalar;
        let from = at + self.offset + repeat * size;
        let bytes = data.get(from..from + size).unwrap_or_default();
        let half = |from: usize, size: usize| {
            let bits = unsigned(bytes.get(from..from + size).unwrap_or_default(), big);
            #[expect(clippy::cast_possible_truncation, reason = "as many bits as were read")]
            match size {
                2 => from_half(bits as u16),
                4 => f64::from(f32::from_bits(bits as u32)),
                _ => f64::from_bits(bits),
            }
        };
        match kind {
            Kind::Bool => Item::Number(Number::Whole(i128::from(bytes != [0]))),
            Kind::Unsigned => Item::Number(Number::Whole(i128::from(unsigned(bytes, big)))),
            Kind::Signed => Item::Number(Number::Whole(i128::from(signed(bytes, big)))),
            Kind::Float => Item::Number(Number::Float(half(0, size))),
            Kind::Complex => {
                Item::Number(Number::Complex(half(0, size / 2), half(size / 2, size / 2)))
            }
            Kind::Long => {
                let mut bytes = bytes.to_vec();
                if big {
                    bytes.reverse();
                }
                Item::Long(bytes)
            }
            Kind::Void => Item::Bytes(bytes),
            Kind::Bytes => {
                let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                Item::Text(show::decoded(&bytes[..end]))
            }
            Kind::Text => {
                let codes = bytes.chunks_exact(4).map(|code| unsigned(code, big));
                let mut text = String::new();
                for code in codes {
                    let code = u32::try_from(code).unwrap_or(u32::MAX);
                    match char::from_u32(code).or_else(|| show::surrogate(code)) {
                        Some(character) => text.push(character),
                        None => text.push_str(&format!("\\U{code:08x}")),
                    }
                }
                text.truncate(text.trim_end_matches('\0').len());
                Item::Text(Cow::Owned(text))
            }
            Kind::Moment(unit) | Kind::Span(unit) => {
                Item::Moment(Moment { count: signed(bytes, big), unit })
            }
        }
    }
}

fn unsigned(bytes: &[u8], big: bool) -> u64 {
    let join = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
    if big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
}

fn signed(bytes: &[u8], big: bool) -> i64 {
    // The sign is the highest bit that was read.
    let unread = 64 - u32::try_from(bytes.len().min(8) * 8).unwrap_or(64);
    unsigned(bytes, big)
        .checked_shl(unread)
        .map_or(0, u64::cast_signed)
        .checked_shr(unread)
        .unwrap_or(0)
}
