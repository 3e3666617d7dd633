//! What a comparison of two results finds: how alike they are, and where they differ.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use serde::{Deserialize, Serialize};

use super::arrays::ArrayComparison;
use super::show;
use crate::analysis::is_zero;
use crate::question::criteria::{Rule, Tolerance};

/// How alike two results are, the strictest first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// The same bytes.
    SameBytes,
    /// The same values: what differs is taken out by rules, or says nothing in this format, such as
    /// the order of keys or bytes. Every number has the same digits or bits.
    SameNormalised,
    /// The same but for numbers that lie within their tolerance, or are written in another way
    /// (`1` and `1.0`), or stand in arrays of another type.
    WithinTolerance,
    /// The same structure and text, with a number beyond its tolerance.
    OtherNumbers,
    /// Another text, or another structure: lines, keys, columns, shapes, kinds of values.
    OtherText,
}

impl fmt::Display for Rung {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SameBytes => "same bytes",
            Self::SameNormalised => "same, normalised",
            Self::WithinTolerance => "within tolerance",
            Self::OtherNumbers => "other numbers",
            Self::OtherText => "other text",
        })
    }
}

/// What a result is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Lines.
    Text,
    /// JSON, with the `NaN` and `Infinity` that Python writes.
    Json,
    /// Values with commas between them.
    Csv,
    /// An array of NumPy.
    Npy,
    /// Several arrays of NumPy.
    Npz,
    /// Several arrays, as `safetensors` writes them.
    Safetensors,
    /// Groups of arrays with attributes.
    Hdf5,
    /// An SVG image.
    Svg,
    /// Pixels: a PNG or JPEG image.
    Image,
    /// Bytes of which nothing is known.
    Binary,
}

/// As what two results were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadAs {
    /// As bytes: they are equal, or could not be read as anything else.
    Bytes,
    /// As lines.
    Text,
    /// As JSON.
    Json,
    /// As rows and columns.
    Csv,
    /// As an array.
    Npy,
    /// As arrays with names.
    Npz,
    /// As arrays with names, of `safetensors`.
    Safetensors,
    /// As arrays with paths, and attributes.
    Hdf5,
    /// As lines of an SVG image.
    Svg,
    /// As pixels.
    Image,
}

/// How two results compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Comparison {
    /// The strictest that they reach.
    pub rung: Rung,
    /// As what they were compared.
    pub read_as: ReadAs,
    /// What could not be read as it should have been, and was compared as text or as bytes instead:
    /// a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// The rules without which they would not reach it. Where one of two rules would do, it is the
    /// one that is applied first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// The same with how often each was needed, and what else was left out, as the configuration writes it
    /// (`line: ^versions`): in how many lines, for `spelling` of how many numbers, and for a field of how
    /// many values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub looked_past: BTreeMap<String, u64>,
    /// Where they part: the first difference that puts them on this rung, and for
    /// [`Rung::WithinTolerance`] the number that lies farthest off. `None` for the two rungs on
    /// which nothing is different.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
    /// What was found of numbers, on the two rungs that numbers decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// Of the numbers beyond their tolerance the one that lies relatively farthest off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub farthest: Option<Divergence>,
    /// How large the two results are, where they are not alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
    /// Of results that hold arrays each array that differs: those that are missing, those that are too many, and
    /// then in the order of the result; 200 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrays: Vec<ArrayComparison>,
    /// How many more arrays differ.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub arrays_left_out: u64,
}

impl Comparison {
    /// Of a result with itself.
    pub(super) fn alike() -> Self {
        Self {
            rung: Rung::SameBytes,
            read_as: ReadAs::Bytes,
            unread: Vec::new(),
            rules: Vec::new(),
            looked_past: BTreeMap::new(),
            divergence: None,
            numbers: None,
            farthest: None,
            extent: None,
            arrays: Vec::new(),
            arrays_left_out: 0,
        }
    }

    /// Compares two parts whose content is unknown; only their descriptions differ.
    pub(super) fn of_names(part: &str, expected: String, actual: String) -> Self {
        let place = Place::Whole { name: show::excerpt(part) };
        let (absolute, relative, ulps) = (None, None, None);
        let label = None;
        let divergence = Divergence { place, label, expected, actual, absolute, relative, ulps };
        Self { rung: Rung::OtherText, divergence: Some(divergence), ..Self::alike() }
    }
}

/// How a part of a result compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PartComparison {
    /// `stdout`, `stderr`, or the path of a file.
    pub part: String,
    /// How it compares.
    pub comparison: Comparison,
}

/// A difference, and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Divergence {
    /// Where.
    pub place: Place,
    /// What a number is called: the text before it in its line, its column, field or array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What stands there in the expected result; shortened, without control characters.
    pub expected: String,
    /// What stands there in the actual result; likewise.
    pub actual: String,
    /// How far the two numbers lie apart. This and the next two are told where they are finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<f64>,
    /// The same as a part of the expected number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
    /// The same in representable numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ulps: Option<u64>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, expected, actual, .. } = self;
        write!(formatter, "{place}: `{actual}` instead of `{expected}`")?;
        if let Some(absolute) = self.absolute.filter(|absolute| *absolute > 0.0) {
            write!(formatter, ", {absolute:.3e} off")?;
            if let Some(relative) = self.relative {
                write!(formatter, ", relatively {relative:.3e}")?;
            }
        }
        Ok(())
    }
}

/// A place in a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In text, as it is written in the expected result.
    Line {
        /// Its number, from 1.
        line: u64,
        /// The character, from 1.
        column: u64,
    },
    /// In JSON.
    Field {
        /// The way there, such as `$.a[3].b`.
        path: String,
    },
    /// In a table.
    Cell {
        /// The number of the row, from 1; the header is the first.
        row: u64,
        /// The number of the column, from 1.
        column: u64,
        /// Its name, where the table has a header.
        name: Option<String>,
    },
    /// In an array.
    Element {
        /// The array's name, where there are several.
        array: Option<String>,
        /// Where in it, along each axis, from 0.
        index: Vec<u64>,
        /// The field, where elements have several.
        field: Option<String>,
    },
    /// In an image.
    Pixel {
        /// The row, from 1 at the top.
        row: u64,
        /// The column, from 1.
        column: u64,
    },
    /// The shape of an array.
    Shape {
        /// The array's name, where there are several.
        array: Option<String>,
    },
    /// The type of an array's elements.
    Dtype {
        /// The array's name, where there are several.
        array: Option<String>,
    },
    /// Whether there is such an array.
    Array {
        /// Its name.
        array: String,
    },
    /// All of it.
    Whole {
        /// The name of the file.
        name: String,
    },
    /// In bytes that were read as nothing.
    Byte {
        /// How many bytes come before it.
        offset: u64,
        /// The array's name, where there are several.
        array: Option<String>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |array: &Option<String>| match array {
            Some(array) => format!(" of {array}"),
            None => String::new(),
        };
        match self {
            Self::Line { line, column } => write!(formatter, "line {line}, column {column}"),
            Self::Field { path } => formatter.write_str(path),
            Self::Cell { row, name: Some(name), .. } => write!(formatter, "row {row}, {name}"),
            Self::Cell { row, column, name: None } => {
                write!(formatter, "row {row}, column {column}")
            }
            Self::Element { array, index, field } => {
                let index: Vec<String> = index.iter().map(u64::to_string).collect();
                let array = array.as_deref().unwrap_or("array");
                write!(formatter, "{array}[{}]", index.join(", "))?;
                field.as_ref().map_or(Ok(()), |field| write!(formatter, ".{field}"))
            }
            Self::Pixel { row, column } => write!(formatter, "pixel in row {row}, column {column}"),
            Self::Shape { array } => write!(formatter, "shape{}", of(array)),
            Self::Dtype { array } => write!(formatter, "dtype{}", of(array)),
            Self::Whole { name } => formatter.write_str(name),
            Self::Array { array } => write!(formatter, "array {array}"),
            Self::Byte { offset, array } => write!(formatter, "byte {offset}{}", of(array)),
        }
    }
}

/// How large two results are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Lines of text, without those that are ignored.
    Lines {
        /// How many the expected result has.
        expected: u64,
        /// How many the actual result has.
        actual: u64,
        /// In how many the two differ in more than numbers, if they have equally many.
        differ: Option<u64>,
    },
    /// Bytes of which nothing is known.
    Bytes {
        /// How many the expected result has.
        expected: u64,
        /// How many the actual result has.
        actual: u64,
    },
}

/// What was found of the numbers in two results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Numbers {
    /// How many pairs were compared.
    pub compared: u64,
    /// How many of them lie beyond their tolerance.
    pub beyond: u64,
    /// The largest finite distance. This and the next two only concern pairs with different spelling, and
    /// are `None` without such pairs.
    pub largest_absolute: Option<f64>,
    /// The largest relative to its expected number, where that is not 0.
    pub largest_relative: Option<f64>,
    /// The largest in representable numbers, of those that are floats.
    pub largest_ulps: Option<u64>,
}

/// A number that is not written alike in two results of one structure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Apart {
    /// Where it stands: in which line or value, and where in that.
    pub(super) place: (u64, u32),
    /// How far the two may be apart: one of [`Unlike::tolerances`].
    pub(super) tolerance: u32,
    pub(super) expected: f64,
    pub(super) actual: f64,
}

/// In what a result is not like another of the same structure.
#[derive(Debug, Clone, Default)]
pub(super) struct Unlike {
    /// The numbers that are not written alike.
    pub(super) apart: Vec<Apart>,
    /// The tolerances of these numbers, most of which have the same.
    pub(super) tolerances: Vec<Tolerance>,
    /// A digest over what is not alike and has no place among floats: dates, infinities, long whole
    /// numbers.
    pub(super) rest: Option<u64>,
}

impl Unlike {
    /// Takes note of two numbers, which may be so far apart.
    pub(super) fn apart(&mut self, apart: Apart, tolerance: Tolerance) {
        if self.tolerances.last() != Some(&tolerance) {
            self.tolerances.push(tolerance);
        }
        let tolerance = u32::try_from(self.tolerances.len() - 1).unwrap_or(u32::MAX);
        self.apart.push(Apart { tolerance, ..apart });
    }

    /// Takes note of something that differs and is no float.
    pub(super) fn unseen(&mut self, place: u64, actual: &str) {
        self.rest = Some(hashed(&(self.rest, place, actual)));
    }
}

pub(super) fn hashed(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
