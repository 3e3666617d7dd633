//! Arrays in memory, and the way through their elements.

use std::borrow::Cow;

use super::dtype::Dtype;
use crate::analysis::compare::arrays::ArrayKind;

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
    bytes: Cow<'a, [u8]>,
    /// Where in the bytes its values begin.
    start: usize,
}

impl<'a> Array<'a> {
    /// An array whose values lie in `bytes` from `start` to the end. If they are not as many as its shape and type
    /// say, the bytes and a reason.
    pub(in crate::analysis::compare::format) fn new(
        bytes: Cow<'a, [u8]>,
        start: usize,
        shape: Vec<usize>,
        fortran: bool,
        dtype: Dtype,
    ) -> Result<Self, (Cow<'a, [u8]>, String)> {
        // An axis without length makes up for any other.
        let length = if shape.contains(&0) {
            Some(0)
        } else {
            shape.iter().try_fold(1_usize, |product, length| product.checked_mul(*length))
        };
        let size = length.and_then(|length| length.checked_mul(dtype.size));
        let there = bytes.len().saturating_sub(start);
        let heap = Vec::new();
        match (length, size) {
            (Some(length), Some(size)) if size == there => {
                Ok(Self { shape, fortran, dtype, length, heap, bytes, start })
            }
            (_, Some(size)) => {
                Err((bytes, format!("it has {there} bytes of values instead of {size}")))
            }
            (_, None) => Err((bytes, "its shape is larger than can be".to_owned())),
        }
    }

    /// The same with what its texts of variable length lie in.
    #[cfg(feature = "hdf5")]
    pub(in crate::analysis::compare::format) fn with_heap(self, heap: Vec<u8>) -> Self {
        Self { heap, ..self }
    }

    /// Its values, if these are single texts.
    #[cfg(feature = "hdf5")]
    pub(in crate::analysis::compare::format) fn texts(&self) -> Vec<String> {
        let [leaf] = &self.dtype.leaves[..] else { return Vec::new() };
        let elements = self.data().chunks_exact(self.dtype.size.max(1));
        let text = |element| match leaf.scalar.item(element, &self.heap) {
            super::item::Item::Text(text) => Some(text.into_owned()),
            _ => None,
        };
        elements.filter_map(text).collect()
    }

    /// The bytes of its values.
    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(in crate::analysis::compare::format) fn kind(&self) -> ArrayKind {
        let length = |length: &usize| u64::try_from(*length).unwrap_or(u64::MAX);
        ArrayKind {
            dtype: crate::analysis::compare::show::excerpt(&self.dtype.shown),
            shape: self.shape.iter().map(length).collect(),
        }
    }
}

/// Goes through the elements in C's order, whatever the order in which they lie.
pub(super) struct Walk {
    /// For each axis that is longer than 1, the last first: its length, how far it goes in bytes, and
    /// where on it we are. All axes are one where the elements lie in C's order.
    axes: Vec<(usize, usize, usize)>,
    at: usize,
    size: usize,
}

impl Walk {
    pub(super) fn of(array: &Array<'_>) -> Self {
        let size = array.dtype.size;
        let mut stride = size;
        let mut axes = Vec::new();
        let mut add = |length: usize| {
            if length > 1 {
                axes.push((length, stride, 0));
                stride = stride.saturating_mul(length);
            }
        };
        if array.fortran {
            array.shape.iter().for_each(|length| add(*length));
            axes.reverse();
        } else {
            add(array.length);
        }
        Self { axes, at: 0, size }
    }

    /// Whether the elements lie in the order in which they are gone through.
    pub(super) fn is_straight(&self) -> bool {
        self.axes.len() <= 1
    }

    /// Where the present element begins, in bytes.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The bytes of the next elements, if they lie straight.
    pub(super) fn bytes<'b>(&self, array: &'b Array<'_>, elements: usize) -> Option<&'b [u8]> {
        let end = self.at.checked_add(elements.checked_mul(self.size)?)?;
        array.data().get(self.at..end)
    }

    /// Leaves out elements that lie straight.
    pub(super) fn skip(&mut self, elements: usize) {
        self.at += elements * self.size;
        if let Some((_, _, index)) = self.axes.first_mut() {
            *index += elements;
        }
    }

    pub(super) fn step(&mut self) {
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
