//! HDF5: arrays by their path, and the attributes of groups and arrays.
//!
//! Chunks, filters and the order in which things lie say nothing. An attribute is an array of its own, called
//! `path@attribute`. A link to what has another path already is compared by that path, and a link to another file or to
//! nothing is not followed. References to objects of the file are not compared, because they are addresses in it;
//! sequences of variable length are compared by their bytes.
//!
//! In the files of Keras the weights come in the order of the layers, and are called by it too.
//!
//! The crate `hdf5-reader` reads the format. What it may read and unpack has a limit (`limited.rs`), because a few bytes
//! of a file can stand for any number of arrays.
//!
//! Sources: HDF5 File Format Specification, version 3.0; for Keras `save_weights_to_hdf5_group` in
//! `keras/src/legacy/saving/legacy_h5_format.py`.

mod bands;
mod keras;
mod limited;
mod tree;
mod types;

use std::sync::Arc;

use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Hdf5File, OpenOptions};

use super::named::{self, Container, Named, Part};
use super::npy::Array;
use super::source::{Data, Source};
use super::{Outcome, ResultFormat, Weaker, both};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::ReadAs;
use crate::analysis::compare::show;

use bands::Bands;
use limited::Limited;
use tree::{Tree, What};
use types::{Reference, Type};

/// How many bytes the arrays of a file may hold together, unpacked, if the file itself is not larger. Long arrays are
/// unpacked piece by piece, so that this limits the time and not the memory.
const MOST: u64 = 8 << 30;
/// Arrays that are not longer are unpacked at once.
const SHORT: u64 = if cfg!(test) { 16 } else { 64 << 20 };
/// Arrays that cannot be unpacked piece by piece are read if they are not longer.
const LONGEST_AT_ONCE: u64 = 1 << 30;
/// How many bytes a chunk may hold.
const LARGEST_CHUNK: usize = 256 << 20;
/// How many bytes may say what an object is.
const LONGEST_HEADER: usize = 4 << 20;

/// Groups of arrays.
pub(super) struct Hdf5;

impl ResultFormat for Hdf5 {
    fn endings(&self) -> &'static [&'static str] {
        &["h5", "hdf5"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Hdf5
    }

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let [expected, actual] = sides;
        let (mut expected, mut actual) =
            both("HDF5", Weaker::Bytes, File::open(expected), File::open(actual))?;
        named::compare(&mut expected, &mut actual, collector)
    }
}

/// A file of which it is known what it holds.
struct File {
    root: Group,
    tree: Tree,
    /// How many bytes may still be unpacked.
    left: u64,
}

impl File {
    fn open(source: Source<'_>) -> Result<Self, String> {
        let explain = |error: hdf5_reader::error::Error| show::excerpt(&error.to_string());
        let left = source.length().saturating_mul(2).max(MOST);
        let options = OpenOptions::default()
            .with_chunk_cache_bytes(0)
            .with_max_chunk_bytes(LARGEST_CHUNK)
            .with_max_read_bytes(usize::try_from(left).unwrap_or(usize::MAX))
            .with_max_object_header_bytes(LONGEST_HEADER);
        let storage = Arc::new(Limited::new(source.content()));
        let file = Hdf5File::from_storage_with_options(storage, options).map_err(explain)?;
        let root = file.root_group().map_err(explain)?;
        let tree = Tree::of(&root)?;
        let mut file = Self { root, tree, left };
        let positions = keras::positions(&mut file)?;
        file.tree.order(&positions);
        Ok(file)
    }

    /// The texts of an attribute; none if there is no such attribute or it holds no texts.
    fn texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        if self.tree.find(key).is_none() {
            return Ok(Vec::new());
        }
        Ok(match self.open(key)? {
            Part::Array(array) => array.texts(),
            Part::Opaque { .. } | Part::Other(_) => Vec::new(),
        })
    }

    /// Takes so many bytes from those that may still be unpacked.
    fn take(&mut self, bytes: u64) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            format!("it holds more bytes than are unpacked, which are {MOST} or twice its length")
        })?;
        Ok(())
    }

    fn dataset<'a>(&mut self, dataset: &Dataset) -> Result<Part<'a>, String> {
        let known = shape(dataset.shape(), dataset.num_elements().ok())
            .and_then(|shape| {
                Ok((shape, dataset.raw_datatype().map_err(|error| error.to_string())?))
            })
            .and_then(|(shape, raw)| {
                Ok((shape, Type::of(dataset.dtype(), &raw, dataset.vlen_reference_size())?))
            });
        let (shape, of) = match known {
            Ok(known) => known,
            Err(reason) => return Ok(unreadable(&reason)),
        };
        let size = unpacked(dataset);
        self.take(size)?;
        if size > SHORT {
            if let Some(bands) = Bands::of(dataset, &of) {
                let length = dataset.raw_byte_len().unwrap_or_default();
                let values = Data::there(u64::try_from(length).unwrap_or(u64::MAX), bands);
                return Ok(match Array::new(values, 0, shape, false, of.dtype) {
                    Ok(array) => Part::Array(array),
                    Err((_, reason)) => unreadable(&reason),
                });
            }
            if size > LONGEST_AT_ONCE {
                return Ok(unreadable(
                    "it is too large to be read at once, and cannot be read in pieces",
                ));
            }
        }
        match dataset.read_raw_bytes() {
            Ok(bytes) => self.array(bytes, shape, of),
            Err(error) => Ok(unreadable(&error.to_string())),
        }
    }

    /// An array of these bytes, with what they refer to.
    fn array<'a>(
        &mut self,
        mut bytes: Vec<u8>,
        shape: Vec<usize>,
        of: Type,
    ) -> Result<Part<'a>, String> {
        let Type { dtype, references } = of;
        let mut heap: Vec<u8> = Vec::new();
        for element in bytes.chunks_exact_mut(dtype.size.max(1)) {
            for reference in &references {
                let Some(place) = element.get_mut(reference.range()) else { continue };
                match self.root.resolve_vlen_reference_bytes(place, reference.size) {
                    Ok(content) => {
                        self.take(u64::try_from(content.len()).unwrap_or(u64::MAX))?;
                        Reference::settle(place, heap.len(), content.len());
                        heap.extend(content);
                    }
                    Err(error) => return Ok(unreadable(&error.to_string())),
                }
            }
        }
        Ok(match Array::new(bytes.into(), 0, shape, false, dtype) {
            Ok(array) => Part::Array(array.with_heap(heap)),
            Err((_, reason)) => unreadable(&reason),
        })
    }
}

impl Container for File {
    fn names(&self) -> Vec<Named> {
        self.tree.names()
    }

    fn open(&mut self, key: &str) -> Result<Part<'_>, String> {
        let what = self.tree.find(key).cloned();
        match what.ok_or("an object is not where it was")? {
            What::Dataset(dataset) => self.dataset(&dataset),
            What::Attribute(raw) => {
                let (message, raw) = raw.as_ref().clone().into_parts();
                let reference = 8 + usize::from(self.root.offset_size());
                let known = shape(&message.dataspace.dims, message.dataspace.num_elements().ok())
                    .and_then(|shape| Ok((shape, Type::of(&message.datatype, &raw, reference)?)));
                match known {
                    Ok((shape, of)) => self.array(message.raw_data, shape, of),
                    Err(reason) => {
                        let bytes = Some(message.raw_data.into());
                        Ok(Part::Opaque { bytes, reason: show::excerpt(&reason) })
                    }
                }
            }
            What::Other(what) => Ok(Part::Other(what)),
        }
    }
}

fn unreadable<'a>(reason: &str) -> Part<'a> {
    Part::Opaque { bytes: None, reason: show::excerpt(reason) }
}

/// The shape of something with so many elements. What has no axes is one value, or says that it has none.
fn shape(axes: &[u64], elements: Option<u64>) -> Result<Vec<usize>, String> {
    let elements = elements.ok_or("its shape is larger than can be")?;
    if axes.is_empty() && elements == 0 {
        return Ok(vec![0]);
    }
    let axis = |axis: &u64| usize::try_from(*axis).map_err(|_| "its shape is too large".to_owned());
    axes.iter().map(axis).collect()
}

/// How many bytes are unpacked to read an array: all of its chunks, of which more may lie outside of it than within.
fn unpacked(dataset: &Dataset) -> u64 {
    let size = dataset.raw_element_size().ok().and_then(|size| u64::try_from(size).ok());
    let chunks = dataset.chunks();
    let axes = dataset.shape().iter().enumerate().map(|(axis, length)| {
        let chunk = chunks.as_ref().and_then(|chunks| chunks.get(axis));
        let chunk = chunk.map_or(1, |chunk| u64::from(*chunk)).max(1);
        length.div_ceil(chunk).saturating_mul(chunk)
    });
    let elements = axes.fold(1, u64::saturating_mul);
    elements.saturating_mul(size.unwrap_or(u64::MAX))
}
