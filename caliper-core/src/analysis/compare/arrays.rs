//! How the arrays of two results compare, one by one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::analysis::is_zero;

/// More arrays are counted and not listed.
pub(super) const MOST_ARRAYS: usize = 200;

/// How an array of a result compares with the array of the same name in the expected one.
///
/// Listed are arrays that differ in anything: their values, their type or shape, whether they exist, or
/// only the bits of equal values, as `-0.0` and `0.0` do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ArrayComparison {
    /// Its name; in HDF5 its path, and behind `@` the name of an attribute. `None` in `.npy`, which holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it stands in a model of Keras: `layer 1, array 0`, both counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Its place among the arrays of its file, from 0, if they stand one behind the other: in `.npz`, `.npy` and
    /// safetensors. It is not kept in results.
    #[serde(skip)]
    pub index: Option<u64>,
    /// What is expected; `None` if no such array is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ArrayKind>,
    /// What there is; `None` if there is no such array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<ArrayKind>,
    /// How many pairs of elements were compared: none if the shapes differ, or the types cannot be compared.
    pub elements: u64,
    /// How many of them differ in value. A NaN equals a NaN unless `nan: different` says otherwise.
    pub differing: u64,
    /// How many of them lie beyond their tolerance.
    pub beyond: u64,
    /// How many are equal in value and have other bits, such as `-0.0` and `0.0`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub other_bits: u64,
    /// The largest finite distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_absolute: Option<f64>,
    /// The largest as a part of the expected value, where that is not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_relative: Option<f64>,
    /// The largest in representable numbers of the coarser of the two types; floats only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_ulps: Option<u64>,
    /// Where the first element is that differs in value, or else in its bits: along each axis, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Vec<u64>>,
    /// Why its elements were not compared, or what there is instead of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// What an array is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ArrayKind {
    /// The type of its elements, as the file has it; shortened.
    pub dtype: String,
    /// Its length along each axis; empty for a single value.
    pub shape: Vec<u64>,
}

/// The lengths of an array along its axes, as Python writes them: `(2, 3)`, `(2,)`.
pub(super) fn shape<N: ToString>(lengths: &[N]) -> String {
    let axes: Vec<String> = lengths.iter().map(ToString::to_string).collect();
    let comma = if axes.len() == 1 { "," } else { "" };
    format!("({}{comma})", axes.join(", "))
}

impl fmt::Display for ArrayKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.dtype, shape(&self.shape))
    }
}

impl fmt::Display for ArrayComparison {
    /// On one line: `dense/kernel:0 (layer 1, array 0), <f4 (2, 3): 1 of 6 elements differ, by up to 2.4e-7 absolute,
    /// 2.4e-7 relative, 2 ULP, first at [0, 1]`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name.as_deref().unwrap_or("array"))?;
        if let Some(position) = &self.position {
            write!(formatter, " ({position})")?;
        }
        match (&self.expected, &self.actual) {
            (Some(expected), Some(actual)) if expected == actual => {
                write!(formatter, ", {expected}: ")?;
            }
            (Some(expected), Some(actual)) => write!(formatter, ": {expected} → {actual}, ")?,
            (Some(expected), None) => return write!(formatter, ", {expected}: missing"),
            (None, Some(actual)) => {
                return write!(formatter, ", {actual}: not in the expected result");
            }
            (None, None) => formatter.write_str(": ")?,
        }
        if let Some(unread) = &self.unread {
            return formatter.write_str(unread);
        }
        let Self { elements, differing, other_bits, .. } = self;
        let verb = if *differing == 1 { "differs" } else { "differ" };
        write!(formatter, "{differing} of {elements} elements {verb}")?;
        if let Some(absolute) = self.largest_absolute.filter(|_| *differing > 0) {
            write!(formatter, ", by up to {absolute:.3e} absolute")?;
        }
        if let Some(relative) = self.largest_relative.filter(|_| *differing > 0) {
            write!(formatter, ", {relative:.3e} relative")?;
        }
        if let Some(ulps) = self.largest_ulps.filter(|_| *differing > 0) {
            write!(formatter, ", {ulps} ULP")?;
        }
        if let Some(first) = &self.first {
            let index: Vec<String> = first.iter().map(u64::to_string).collect();
            write!(formatter, ", first at [{}]", index.join(", "))?;
        }
        if *other_bits > 0 {
            write!(formatter, "; {other_bits} more have equal values and other bits")?;
        }
        if *differing > self.beyond {
            write!(formatter, "; {} of them count as the same", differing - self.beyond)?;
        }
        Ok(())
    }
}
