//! Arrays with names, as the crate and the Python package `safetensors` write them.
//!
//! The header is read by the crate, which makes sure that the arrays fill the file without gap or overlap. Numbers of 8
//! bits and less are compared by their bytes. The texts beside the arrays (`__metadata__`) are compared as text.
//!
//! Source: <https://huggingface.co/docs/safetensors/index#format>.

use std::collections::BTreeMap;

use safetensors::Dtype as Type;
use safetensors::tensor::{Metadata, TensorInfo};

use super::named::{self, Container, Named, Part};
use super::npy::{Array, Dtype, Kind, Scalar};
use super::source::{Data, Source};
use super::{Outcome, ResultFormat, Weaker, both};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::ReadAs;

/// Arrays with names.
pub(super) struct Safetensors;

impl ResultFormat for Safetensors {
    fn endings(&self) -> &'static [&'static str] {
        &["safetensors"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Safetensors
    }

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let [expected, actual] = sides;
        let what = "a file of safetensors";
        let (mut expected, mut actual) = both(what, Weaker::Bytes, open(expected), open(actual))?;
        named::compare(&mut expected, &mut actual, collector)
    }
}

/// A file whose header was read.
struct Tensors<'a> {
    metadata: Metadata,
    /// What is said beside the arrays, by its key with `__metadata__.` before it.
    texts: BTreeMap<String, String>,
    source: Source<'a>,
    /// Where the values begin.
    start: u64,
}

/// What stands before the key of a text.
const TEXTS: &str = "__metadata__.";

/// A header that is longer is not read. It is held in memory several times over.
const LONGEST: u64 = 16 << 20;

fn open(source: Source<'_>) -> Result<Tensors<'_>, String> {
    let short = || "its header is cut off".to_owned();
    let mut all = source.all();
    let length = all.start(8)?.first_chunk().map(|length| u64::from_le_bytes(*length));
    let length = length.ok_or_else(short)?;
    if length > LONGEST {
        return Err(format!("its header is longer than {LONGEST} bytes"));
    }
    let start = 8 + length;
    let end = usize::try_from(start).unwrap_or(usize::MAX);
    let head = all.start(end)?;
    let header = head.get(8..end).ok_or_else(short)?;
    // This makes sure that each array is as long as its shape and type say, and begins where the one before it ends.
    let metadata: Metadata = serde_json::from_slice(header).map_err(|error| error.to_string())?;
    let values = metadata.tensors().values().map(|info| info.data_offsets.1).max().unwrap_or(0);
    let there = source.length() - start;
    if u64::try_from(values) != Ok(there) {
        return Err(format!("it has {there} bytes of values instead of {values}"));
    }
    let texts = metadata.metadata().iter().flatten();
    let texts = texts.map(|(key, text)| (format!("{TEXTS}{key}"), text.clone())).collect();
    Ok(Tensors { metadata, texts, source, start })
}

impl Container for Tensors<'_> {
    fn names(&self) -> Vec<Named> {
        let mut names: Vec<String> = self.metadata.tensors().into_keys().collect();
        names.sort_unstable();
        names.extend(self.texts.keys().cloned());
        let named = |(index, name): (u64, String)| Named {
            key: name.clone(),
            name,
            position: None,
            index: Some(index),
        };
        (0..).zip(names).map(named).collect()
    }

    fn open(&mut self, key: &str) -> Result<Part<'_>, String> {
        let lost = || "an array is not where its header says".to_owned();
        if let Some(info) = self.metadata.info(key) {
            let place = |at: usize| self.start + u64::try_from(at).unwrap_or(u64::MAX);
            let (from, to) = info.data_offsets;
            return Ok(part(info, self.source.part(place(from), place(to))?));
        }
        let text = self.texts.get(key).ok_or_else(lost)?;
        let scalar = Scalar { kind: Kind::Bytes, size: text.len(), big: false };
        let mut dtype = Dtype::called("text");
        dtype.push(String::new(), scalar, 0, "text", Vec::new(), "")?;
        Ok(array(Data::of(text.as_bytes()), Vec::new(), dtype))
    }
}

fn part<'a>(info: &TensorInfo, data: Data<'a>) -> Part<'a> {
    let shown = info.dtype.to_string();
    let (kind, size) = match info.dtype {
        Type::BOOL => (Kind::Bool, 1),
        Type::U8 => (Kind::Unsigned, 1),
        Type::I8 => (Kind::Signed, 1),
        Type::U16 => (Kind::Unsigned, 2),
        Type::I16 => (Kind::Signed, 2),
        Type::F16 => (Kind::Float, 2),
        Type::BF16 => (Kind::Brain, 2),
        Type::U32 => (Kind::Unsigned, 4),
        Type::I32 => (Kind::Signed, 4),
        Type::F32 => (Kind::Float, 4),
        Type::U64 => (Kind::Unsigned, 8),
        Type::I64 => (Kind::Signed, 8),
        Type::F64 => (Kind::Float, 8),
        Type::C64 => (Kind::Complex, 8),
        other if other.bitsize() == 8 => (Kind::Void, 1),
        other => {
            let reason = format!("its type {other} is not known");
            return Part::Opaque { bytes: Some(data), reason };
        }
    };
    let scalar = Scalar { kind, size, big: false };
    let mut dtype = Dtype::called(&shown);
    // Types of 8 bits are told apart by their names alone.
    let more = if kind == Kind::Void { &*shown } else { "" };
    match dtype.push(String::new(), scalar, 0, &shown, Vec::new(), more) {
        Ok(()) => array(data, info.shape.clone(), dtype),
        Err(reason) => Part::Opaque { bytes: Some(data), reason },
    }
}

fn array(data: Data<'_>, shape: Vec<usize>, dtype: Dtype) -> Part<'_> {
    match Array::new(data, 0, shape, false, dtype) {
        Ok(array) => Part::Array(array),
        Err((bytes, reason)) => Part::Opaque { bytes: Some(bytes), reason },
    }
}
