//! Single values: their types, and how they lie in bytes.

use std::borrow::Cow;

use super::item::{Item, Moment, Unit};
use crate::analysis::compare::number::{Number, from_half};
use crate::analysis::compare::show;

/// The type of a single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis::compare::format) struct Scalar {
    pub(in crate::analysis::compare::format) kind: Kind,
    /// In bytes.
    pub(in crate::analysis::compare::format) size: usize,
    /// Whether its highest byte comes first.
    pub(in crate::analysis::compare::format) big: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis::compare::format) enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// `bfloat16`: the upper half of a float of 32 bits.
    Brain,
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
    /// A place in the heap of an array, and a length, where bytes of a text lie.
    #[cfg_attr(not(feature = "hdf5"), expect(dead_code, reason = "only HDF5 has such"))]
    HeapText,
    /// The same with bytes of which nothing is known.
    #[cfg_attr(not(feature = "hdf5"), expect(dead_code, reason = "only HDF5 has such"))]
    HeapBytes,
    /// A number that means another object of the file, and says nothing by itself.
    Reference,
}

impl Scalar {
    pub(super) fn read(written: &str) -> Result<Self, String> {
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

    pub(super) fn canonical(self) -> String {
        match self.kind {
            Kind::Bytes | Kind::HeapText => "Bytes".to_owned(),
            Kind::Text | Kind::HeapBytes | Kind::Reference => format!("{:?}", self.kind),
            Kind::Bool
            | Kind::Signed
            | Kind::Unsigned
            | Kind::Float
            | Kind::Brain
            | Kind::Complex
            | Kind::Long
            | Kind::Moment(_)
            | Kind::Span(_)
            | Kind::Void => format!("{:?}{}", self.kind, self.size),
        }
    }

    pub(super) fn is_numeric(self) -> bool {
        matches!(
            self.kind,
            Kind::Bool | Kind::Signed | Kind::Unsigned | Kind::Float | Kind::Brain | Kind::Complex
        )
    }

    /// The value that these bytes stand for; `heap` is what those of variable length lie in.
    pub(super) fn item<'a>(self, bytes: &'a [u8], heap: &'a [u8]) -> Item<'a> {
        let Self { kind, size, big } = self;
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
            Kind::Brain => {
                let bits = u32::try_from(unsigned(bytes, big)).unwrap_or_default() << 16;
                Item::Number(Number::Float(f64::from(f32::from_bits(bits))))
            }
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
            Kind::Void | Kind::Reference => Item::Bytes(bytes),
            Kind::Bytes => Item::Text(text(bytes)),
            Kind::HeapText => Item::Text(text(on_heap(bytes, heap))),
            Kind::HeapBytes => Item::Bytes(on_heap(bytes, heap)),
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

/// Text up to the zeros at its end.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    show::decoded(&bytes[..end])
}

/// What lies at a place in a heap: the place in 8 bytes and the length in 4, the lowest first.
fn on_heap<'a>(bytes: &[u8], heap: &'a [u8]) -> &'a [u8] {
    let part = |range: std::ops::Range<usize>| {
        let part = bytes.get(range).unwrap_or_default();
        usize::try_from(unsigned(part, false)).unwrap_or(usize::MAX)
    };
    let (from, length) = (part(0..8), part(8..12));
    heap.get(from..from.saturating_add(length)).unwrap_or_default()
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
