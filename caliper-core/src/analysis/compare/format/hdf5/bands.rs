//! Long arrays, read piece by piece in the order of their elements.

use std::io::{self, Read};

use hdf5_reader::datatype_api::H5Type;
use hdf5_reader::error::{Error, Result};
use hdf5_reader::{Dataset, Datatype, SliceInfo, SliceInfoElem};

use super::types::Type;

/// How many bytes are read at once, if no row of chunks is longer.
const SHORT: u64 = if cfg!(test) { 32 } else { 8 << 20 };
/// How long a row of chunks may be, in bytes.
const LONGEST: u64 = 256 << 20;

/// Reads the values of an array. It is cut along one axis; of each axis before that one index is read at a time.
pub(super) struct Bands {
    dataset: Dataset,
    read: fn(&Dataset, &SliceInfo) -> Result<Vec<u8>>,
    /// The axis along which it is cut, and how many indices of it are read at once.
    axis: usize,
    step: u64,
    /// Where the next band begins, along each axis up to that one; `None` behind the last.
    next: Option<Vec<u64>>,
    band: io::Cursor<Vec<u8>>,
}

impl Bands {
    /// `None` if it cannot be read in pieces: its elements are no plain numbers, or its chunks are too large.
    pub(super) fn of(dataset: &Dataset, of: &Type) -> Option<Self> {
        if !of.references.is_empty() {
            return None;
        }
        let read = match of.dtype.size {
            1 => read::<1>,
            2 => read::<2>,
            4 => read::<4>,
            8 => read::<8>,
            16 => read::<16>,
            _ => return None,
        };
        let size = u64::try_from(of.dtype.size).ok()?;
        let shape = dataset.shape();
        // How many bytes one index of each axis holds.
        let mut row = size;
        let mut rows: Vec<u64> = Vec::new();
        for length in shape.iter().rev() {
            rows.push(row);
            row = row.saturating_mul(*length);
        }
        rows.reverse();
        let (axis, step) = if let Some(chunks) = dataset.chunks() {
            // Each chunk is unpacked once.
            let chunk = u64::from(*chunks.first()?).max(1);
            let row = rows.first()?.saturating_mul(chunk);
            if row > LONGEST {
                return None;
            }
            (0, chunk.saturating_mul((SHORT / row.max(1)).max(1)))
        } else {
            let axis = rows.iter().position(|row| *row <= SHORT)?;
            (axis, (SHORT / rows[axis].max(1)).max(1))
        };
        let next = Some(vec![0; axis + 1]);
        Some(Self { dataset: dataset.clone(), read, axis, step, next, band: io::Cursor::default() })
    }

    /// The next band; `None` behind the last.
    fn band(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(next) = &mut self.next else { return Ok(None) };
        let shape = self.dataset.shape();
        let selection = shape.iter().enumerate().map(|(axis, length)| {
            let (start, end) = match next.get(axis) {
                Some(at) if axis < self.axis => (*at, at + 1),
                Some(at) => (*at, at.saturating_add(self.step).min(*length)),
                None => (0, *length),
            };
            SliceInfoElem::Slice { start, end, step: 1 }
        });
        let selection = SliceInfo { selections: selection.collect() };
        let band = (self.read)(&self.dataset, &selection)?;
        next[self.axis] = next[self.axis].saturating_add(self.step);
        let mut axis = self.axis;
        while next[axis] >= shape[axis] {
            if axis == 0 {
                self.next = None;
                break;
            }
            next[axis] = 0;
            axis -= 1;
            next[axis] += 1;
        }
        Ok(Some(band))
    }
}

impl Read for Bands {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.band.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.band() {
                Ok(Some(band)) => self.band = io::Cursor::new(band),
                Ok(None) => return Ok(0),
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
        }
    }
}

/// An element as it lies in the file.
#[derive(Clone)]
struct Element<const SIZE: usize>([u8; SIZE]);

impl<const SIZE: usize> H5Type for Element<SIZE> {
    fn hdf5_type() -> Datatype {
        Datatype::Opaque { size: u32::try_from(SIZE).unwrap_or(u32::MAX), tag: String::new() }
    }

    fn from_bytes(bytes: &[u8], _: &Datatype) -> Result<Self> {
        let element = bytes.first_chunk().copied().map(Self);
        element.ok_or_else(|| Error::InvalidData("an element is cut off".to_owned()))
    }

    fn element_size(_: &Datatype) -> usize {
        SIZE
    }

    /// The bytes are taken as they are.
    fn native_copy_compatible(_: &Datatype) -> bool {
        true
    }
}

fn read<const SIZE: usize>(dataset: &Dataset, selection: &SliceInfo) -> Result<Vec<u8>> {
    let elements = dataset.read_slice::<Element<SIZE>>(selection)?;
    let mut bytes = Vec::with_capacity(elements.len().saturating_mul(SIZE));
    for element in &elements {
        bytes.extend_from_slice(&element.0);
    }
    Ok(bytes)
}
