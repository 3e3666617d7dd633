//! Arrays, and the way through their elements.

use super::dtype::Dtype;
use crate::analysis::compare::arrays::ArrayKind;
use crate::analysis::compare::format::source::Data;

/// Up to so many bytes of values are read into memory if they do not lie in C's order.
const LARGEST_TURNED: u64 = 256 << 20;

/// An element of an array that is not in memory is no longer, in bytes.
const LARGEST_ELEMENT: usize = if cfg!(test) { 40 } else { 64 << 20 };

/// An array, of which only the values are not looked at yet.
#[derive(Debug)]
pub(in crate::analysis::compare::format) struct Array<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) fortran: bool,
    pub(super) dtype: Dtype,
    /// How many elements there are: the product of the shape.
    pub(super) length: usize,
    /// What texts of variable length lie in.
    pub(super) heap: Vec<u8>,
    data: Data<'a>,
}

impl<'a> Array<'a> {
    /// An array whose values lie in `data` from `start` to the end. If they are not as many as its shape and type
    /// say, the data and a reason.
    pub(in crate::analysis::compare::format) fn new(
        mut data: Data<'a>,
        start: usize,
        shape: Vec<usize>,
        fortran: bool,
        dtype: Dtype,
    ) -> Result<Self, (Data<'a>, String)> {
        // An axis without length makes up for any other.
        let length = if shape.contains(&0) {
            Some(0)
        } else {
            shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length))
        };
        let size = length.and_then(|length| length.checked_mul(dtype.size));
        let there = data.length().saturating_sub(u64::try_from(start).unwrap_or(u64::MAX));
        let length = match (length, size) {
            (Some(length), Some(size)) if u64::try_from(size) == Ok(there) => length,
            (_, Some(size)) => {
                return Err((data, format!("it has {there} bytes of values instead of {size}")));
            }
            (_, None) => return Err((data, "its shape is larger than can be".to_owned())),
        };
        if matches!(data, Data::There(_)) && dtype.size > LARGEST_ELEMENT {
            return Err((data, "its elements are too large to be held in memory".to_owned()));
        }
        if let Err(reason) = data.skip(start) {
            return Err((data, reason));
        }
        let array = Self { shape, fortran, dtype, length, heap: Vec::new(), data };
        if !array.is_in_order() && there <= LARGEST_TURNED {
            let data = array.data.in_memory().map_err(|reason| (Vec::new().into(), reason))?;
            return Ok(Self { data, ..array });
        }
        Ok(array)
    }

    /// The same with what its texts of variable length lie in.
    #[cfg(feature = "hdf5")]
    pub(in crate::analysis::compare::format) fn with_heap(self, heap: Vec<u8>) -> Self {
        Self { heap, ..self }
    }

    /// Its values, if these are single texts.
    #[cfg(feature = "hdf5")]
    pub(in crate::analysis::compare::format) fn texts(&self) -> Vec<String> {
        let ([leaf], Data::Here(bytes, start)) = (&self.dtype.leaves[..], &self.data) else {
            return Vec::new();
        };
        let elements = bytes[*start..].chunks_exact(self.dtype.size.max(1));
        let text = |element| match leaf.scalar.item(element, &self.heap) {
            super::item::Item::Text(text) => Some(text.into_owned()),
            _ => None,
        };
        elements.filter_map(text).collect()
    }

    /// Whether its elements are read once, in the order in which they lie.
    pub(super) fn is_large(&self) -> bool {
        matches!(self.data, Data::There(_))
    }

    /// Whether its elements lie in C's order. In an array with one axis that is longer than 1 they do.
    pub(super) fn is_in_order(&self) -> bool {
        !self.fortran || self.shape.iter().filter(|length| **length > 1).count() < 2
    }

    pub(in crate::analysis::compare::format) fn kind(&self) -> ArrayKind {
        let length = |length: &usize| u64::try_from(*length).unwrap_or(u64::MAX);
        ArrayKind {
            dtype: crate::analysis::compare::show::excerpt(&self.dtype.shown),
            shape: self.shape.iter().map(length).collect(),
        }
    }
}

/// The order in which the elements of an array are gone through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// C's: along the last axis first.
    C,
    /// That in which they lie.
    AsTheyLie,
}

/// Goes through the elements of an array.
pub(super) struct Walk<'w, 'a> {
    array: &'w Array<'a>,
    /// For each axis that is longer than 1, the last first: its length, how far it goes in bytes, and
    /// where on it we are. Empty where the elements lie in the order in which they are gone through.
    axes: Vec<(usize, usize, usize)>,
    /// What was read of a large array.
    read: Vec<u8>,
    /// Where the present element begins: in the values, or in what was read of them.
    at: usize,
}

impl<'w, 'a> Walk<'w, 'a> {
    pub(super) fn of(array: &'w Array<'a>, order: Order) -> Self {
        let mut axes = Vec::new();
        if order == Order::C && !array.is_in_order() {
            let mut stride = array.dtype.size;
            for length in array.shape.iter().filter(|length| **length > 1) {
                axes.push((*length, stride, 0));
                stride = stride.saturating_mul(*length);
            }
            axes.reverse();
        }
        Self { array, axes, read: Vec::new(), at: 0 }
    }

    /// Whether the elements lie in the order in which they are gone through.
    pub(super) fn is_straight(&self) -> bool {
        self.axes.is_empty()
    }

    /// Reads the next elements of a large array, all of which must be gone through before the next are read.
    pub(super) fn read(&mut self, elements: usize) -> Result<(), String> {
        if self.array.is_large() {
            self.at = 0;
            self.read.resize(elements.saturating_mul(self.array.dtype.size), 0);
            self.array.data.read(&mut self.read)?;
        }
        Ok(())
    }

    /// The bytes in which the present element lies.
    pub(super) fn data(&self) -> &[u8] {
        match &self.array.data {
            Data::Here(bytes, start) => &bytes[*start..],
            Data::There(_) => &self.read,
        }
    }

    /// Where in these the present element begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The bytes of the next elements, if they lie straight.
    pub(super) fn bytes(&self, elements: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(elements.checked_mul(self.array.dtype.size)?)?;
        self.data().get(self.at..end)
    }

    /// Leaves out elements that lie straight.
    pub(super) fn skip(&mut self, elements: usize) {
        self.at += elements * self.array.dtype.size;
    }

    pub(super) fn step(&mut self) {
        if self.is_straight() {
            self.at += self.array.dtype.size;
        }
        for (length, stride, index) in &mut self.axes {
            *index += 1;
            self.at += *stride;
            if *index < *length {
                return;
            }
            self.at -= *length * *stride;
            *index = 0;
        }
    }
}
