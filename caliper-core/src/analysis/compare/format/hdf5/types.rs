//! The types of elements in HDF5.

use std::ops::Range;

use hdf5_reader::messages::datatype::{StringSize, VarLenKind};
use hdf5_reader::{ByteOrder, Datatype};

use crate::analysis::compare::format::npy::{Dtype, Kind, Scalar};

/// A type, and where its elements refer to what lies elsewhere.
pub(super) struct Type {
    pub(super) dtype: Dtype,
    pub(super) references: Vec<Reference>,
}

/// Where in an element a reference is.
pub(super) struct Reference {
    offset: usize,
    length: usize,
    /// The size of one of the values that it refers to, in bytes.
    pub(super) size: usize,
}

impl Reference {
    pub(super) fn range(&self) -> Range<usize> {
        self.offset..self.offset.saturating_add(self.length)
    }

    /// Writes over a reference where on the heap its values are by now: the place in 8 bytes, and the length in 4.
    pub(super) fn settle(place: &mut [u8], at: usize, length: usize) {
        let at = u64::try_from(at).unwrap_or(u64::MAX).to_le_bytes();
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        let settled = at.into_iter().chain(length);
        place.iter_mut().zip(settled).for_each(|(byte, settled)| *byte = settled);
    }
}

/// What a type is read into.
struct Reader {
    of: Type,
    /// The size of a reference, in bytes.
    reference: usize,
    /// Whether its only number is a `bfloat16`.
    is_brain: bool,
}

impl Type {
    /// Reads a type. `raw` is how the file writes it, and `reference` the size of a reference, in bytes.
    pub(super) fn of(datatype: &Datatype, raw: &[u8], reference: usize) -> Result<Self, String> {
        if reference < 12 {
            return Err("its references are shorter than 12 bytes".to_owned());
        }
        let is_brain = matches!(datatype, Datatype::FloatingPoint { size: 2, .. })
            && raw.get(4..20) == Some(&float([2, 16, 7, 8, 7, 127]));
        if !is_brain && !is_plain(datatype, raw) {
            return Err("its numbers have a layout of bits that is not known".to_owned());
        }
        let of = Self { dtype: Dtype::default(), references: Vec::new() };
        let mut reader = Reader { of, reference, is_brain };
        reader.add(String::new(), datatype, 0, Vec::new())?;
        let Self { mut dtype, references } = reader.of;
        let size = size(datatype, reference)?;
        if dtype.size > size {
            return Err("its type has a field outside of it".to_owned());
        }
        dtype.size = size;
        Ok(Self { dtype: dtype.with_names()?, references })
    }
}

impl Reader {
    fn add(
        &mut self,
        name: String,
        of: &Datatype,
        at: usize,
        shape: Vec<usize>,
    ) -> Result<(), String> {
        let size = size(of, self.reference)?;
        let big = |order: &ByteOrder| matches!(order, ByteOrder::BigEndian);
        let sign = |order: &ByteOrder| match order {
            _ if size == 1 => '|',
            ByteOrder::BigEndian => '>',
            ByteOrder::LittleEndian => '<',
        };
        let (kind, is_big, written) = match of {
            Datatype::FixedPoint { signed, byte_order, .. } if is_word(size) => {
                let (kind, letter) =
                    if *signed { (Kind::Signed, 'i') } else { (Kind::Unsigned, 'u') };
                (kind, big(byte_order), format!("{}{letter}{size}", sign(byte_order)))
            }
            Datatype::Bitfield { byte_order, .. } if is_word(size) => {
                (Kind::Unsigned, big(byte_order), format!("{}u{size}", sign(byte_order)))
            }
            Datatype::FloatingPoint { byte_order, .. } if self.is_brain => {
                (Kind::Brain, big(byte_order), format!("{}bfloat16", sign(byte_order)))
            }
            Datatype::FloatingPoint { byte_order, .. } if matches!(size, 2 | 4 | 8) => {
                (Kind::Float, big(byte_order), format!("{}f{size}", sign(byte_order)))
            }
            Datatype::FloatingPoint { byte_order, .. } => {
                (Kind::Long, big(byte_order), format!("{}f{size}", sign(byte_order)))
            }
            Datatype::FixedPoint { .. } | Datatype::Bitfield { .. } => {
                (Kind::Void, false, format!("V{size}"))
            }
            Datatype::String { size: StringSize::Fixed(_), .. } => {
                (Kind::Bytes, false, format!("S{size}"))
            }
            Datatype::String { size: StringSize::Variable, .. } => {
                self.refer(at, &shape, 1);
                (Kind::HeapText, false, "text".to_owned())
            }
            Datatype::VarLen { base, kind, .. } => {
                if refers(base) {
                    return Err("its type has references within what is referred to".to_owned());
                }
                let inner = self::size(base, self.reference)?;
                self.refer(at, &shape, inner);
                match kind {
                    VarLenKind::String => (Kind::HeapText, false, "text".to_owned()),
                    VarLenKind::Sequence | VarLenKind::Unknown(_) => {
                        (Kind::HeapBytes, false, format!("sequence of {inner} bytes each"))
                    }
                }
            }
            Datatype::Opaque { tag, .. } => {
                let scalar = Scalar { kind: Kind::Void, size, big: false };
                let tag = format!("{tag:?}");
                return self.push(name, scalar, at, &format!("V{size}"), shape, &tag);
            }
            Datatype::Reference { .. } => (Kind::Reference, false, "reference".to_owned()),
            Datatype::Enum { base, members } => {
                let values: Vec<(&str, &[u8])> =
                    members.iter().map(|member| (&*member.name, &*member.value)).collect();
                if values == [("FALSE", &[0][..]), ("TRUE", &[1])] {
                    (Kind::Bool, false, "|b1".to_owned())
                } else {
                    return self.add_enum(name, base, at, shape, &format!("{values:?}"));
                }
            }
            Datatype::Array { base, dims } => {
                let mut inner = shape;
                for length in dims {
                    inner.push(usize::try_from(*length).map_err(|_| "its type is too large")?);
                }
                return self.add(name, base, at, inner);
            }
            Datatype::Compound { fields, .. } => match complex(of) {
                Some(order) => (Kind::Complex, big(&order), format!("{}c{size}", sign(&order))),
                None if !shape.is_empty() => {
                    return Err("its type has arrays of structures within structures".to_owned());
                }
                None => {
                    for field in fields {
                        let full = if name.is_empty() {
                            field.name.clone()
                        } else {
                            format!("{name}.{}", field.name)
                        };
                        if full.len() > 1000 {
                            return Err("its fields have names that are too long".to_owned());
                        }
                        let within = usize::try_from(field.byte_offset).unwrap_or(usize::MAX);
                        self.add(full, &field.datatype, at.saturating_add(within), Vec::new())?;
                    }
                    return Ok(());
                }
            },
        };
        self.push(name, Scalar { kind, size, big: is_big }, at, &written, shape, "")
    }

    /// A type of named whole numbers. Other names make another type.
    fn add_enum(
        &mut self,
        name: String,
        base: &Datatype,
        at: usize,
        shape: Vec<usize>,
        members: &str,
    ) -> Result<(), String> {
        let Datatype::FixedPoint { size, signed, byte_order } = base else {
            return Err("its type has names of what is no whole number".to_owned());
        };
        let size = usize::from(*size);
        let kind = match signed {
            _ if !is_word(size) => Kind::Void,
            true => Kind::Signed,
            false => Kind::Unsigned,
        };
        let scalar = Scalar { kind, size, big: matches!(byte_order, ByteOrder::BigEndian) };
        self.push(name, scalar, at, &format!("names of {size} bytes"), shape, members)
    }

    fn push(
        &mut self,
        name: String,
        scalar: Scalar,
        at: usize,
        written: &str,
        shape: Vec<usize>,
        more: &str,
    ) -> Result<(), String> {
        let dtype = &mut self.of.dtype;
        if !dtype.shown.is_empty() {
            dtype.shown.push_str(", ");
        }
        if !name.is_empty() {
            dtype.shown.push_str(&format!("{name}: "));
        }
        dtype.shown.push_str(written);
        dtype.push(name, scalar, at, written, shape, more)
    }

    /// Takes note of references that lie in a row.
    fn refer(&mut self, at: usize, shape: &[usize], size: usize) {
        let count = shape.iter().fold(1_usize, |product, length| product.saturating_mul(*length));
        // More than lie in an element are refused where its size is held against that of its fields.
        for number in 0..count.min(MOST_REFERENCES) {
            let offset = at.saturating_add(number.saturating_mul(self.reference));
            self.of.references.push(Reference { offset, length: self.reference, size });
        }
    }
}

/// How many references a field may hold.
const MOST_REFERENCES: usize = 1 << 16;

/// Whether there are readers for whole numbers of so many bytes.
fn is_word(size: usize) -> bool {
    matches!(size, 1 | 2 | 4 | 8)
}

/// The size of a value, in bytes.
fn size(datatype: &Datatype, reference: usize) -> Result<usize, String> {
    let large = || "its type is larger than can be".to_owned();
    Ok(match datatype {
        Datatype::FixedPoint { size, .. }
        | Datatype::FloatingPoint { size, .. }
        | Datatype::Bitfield { size, .. }
        | Datatype::Reference { size, .. } => usize::from(*size),
        Datatype::String { size: StringSize::Fixed(size), .. }
        | Datatype::Opaque { size, .. }
        | Datatype::Compound { size, .. } => usize::try_from(*size).map_err(|_| large())?,
        Datatype::String { size: StringSize::Variable, .. } | Datatype::VarLen { .. } => reference,
        Datatype::Enum { base, .. } => size(base, reference)?,
        Datatype::Array { base, dims } => {
            let mut total = size(base, reference)?;
            for length in dims {
                let length = usize::try_from(*length).map_err(|_| large())?;
                total = total.checked_mul(length).ok_or_else(large)?;
            }
            total
        }
    })
}

/// Whether values refer to what lies elsewhere.
fn refers(datatype: &Datatype) -> bool {
    match datatype {
        Datatype::VarLen { .. }
        | Datatype::Reference { .. }
        | Datatype::String { size: StringSize::Variable, .. } => true,
        Datatype::Compound { fields, .. } => fields.iter().any(|field| refers(&field.datatype)),
        Datatype::Array { base, .. } | Datatype::Enum { base, .. } => refers(base),
        Datatype::FixedPoint { .. }
        | Datatype::FloatingPoint { .. }
        | Datatype::String { .. }
        | Datatype::Opaque { .. }
        | Datatype::Bitfield { .. } => false,
    }
}

/// The order of bytes of a complex number, which h5py writes as a structure of `r` and `i`.
fn complex(datatype: &Datatype) -> Option<ByteOrder> {
    let Datatype::Compound { size, fields } = datatype else { return None };
    let [real, imaginary] = &fields[..] else { return None };
    let Datatype::FloatingPoint { size: half, byte_order } = &real.datatype else { return None };
    let is = (&*real.name, &*imaginary.name) == ("r", "i")
        && real.datatype == imaginary.datatype
        && matches!(half, 4 | 8)
        && (real.byte_offset, imaginary.byte_offset) == (0, u32::from(*half))
        && *size == 2 * u32::from(*half);
    is.then_some(*byte_order)
}

/// How the file writes a float: its size in bytes and in bits, where its exponent begins and how many bits that and the
/// mantissa have, and the bias. The size comes first, and the mantissa begins at 0.
fn float([size, bits, at, exponent, mantissa, bias]: [u16; 6]) -> [u8; 16] {
    let low = |number: u16| number.to_le_bytes()[0];
    let [bits_low, bits_high] = bits.to_le_bytes();
    let [bias_low, bias_high] = bias.to_le_bytes();
    let head = [low(size), 0, 0, 0, 0, 0, bits_low, bits_high];
    let tail = [low(at), low(exponent), 0, low(mantissa), bias_low, bias_high, 0, 0];
    let mut written = [0; 16];
    written.iter_mut().zip(head.into_iter().chain(tail)).for_each(|(byte, of)| *byte = of);
    written
}

/// Whether all numbers of a type have the bits that their size lets expect: floats those of IEEE 754, and whole numbers
/// all of them. The crate that reads types leaves this out, so the bytes are asked: each number of the type must be
/// written in one of these ways. (Bytes of a name may look the same, and then a number that is not is read wrongly.)
fn is_plain(datatype: &Datatype, raw: &[u8]) -> bool {
    let (floats, wholes) = numbers(datatype);
    let known =
        [[2, 16, 10, 5, 10, 15], [4, 32, 23, 8, 23, 127], [8, 64, 52, 11, 52, 1023]].map(float);
    let is_float = |bytes: &&[u8]| known.iter().any(|known| known == bytes);
    let found = raw.windows(16).filter(is_float).count();
    let is_whole = |bytes: &&[u8]| {
        let [size, 0, 0, 0, 0, 0, low, high] = bytes else { return false };
        u16::from_le_bytes([*low, *high]) == u16::from(*size) * 8
    };
    found >= floats && raw.windows(8).filter(is_whole).count() >= floats + wholes
}

/// How many floats and whole numbers a type has, without those that are compared by their bytes.
fn numbers(datatype: &Datatype) -> (usize, usize) {
    match datatype {
        Datatype::FloatingPoint { size: 2 | 4 | 8, .. } => (1, 0),
        Datatype::FixedPoint { size: 1 | 2 | 4 | 8, .. }
        | Datatype::Bitfield { size: 1 | 2 | 4 | 8, .. } => (0, 1),
        Datatype::Array { base, .. } | Datatype::Enum { base, .. } => numbers(base),
        Datatype::Compound { fields, .. } => {
            fields.iter().fold((0, 0), |(floats, wholes), field| {
                let (more_floats, more_wholes) = numbers(&field.datatype);
                (floats + more_floats, wholes + more_wholes)
            })
        }
        Datatype::FloatingPoint { .. }
        | Datatype::FixedPoint { .. }
        | Datatype::Bitfield { .. }
        | Datatype::VarLen { .. }
        | Datatype::String { .. }
        | Datatype::Opaque { .. }
        | Datatype::Reference { .. } => (0, 0),
    }
}
