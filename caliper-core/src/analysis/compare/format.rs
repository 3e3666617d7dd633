//! The formats of results, and how two results of one format are compared.
//!
//! [`compare`] tells the strictest [`Rung`] that two results reach, which rules had to be applied to
//! reach it, and where the results differ. It never fails: a result that cannot be read in its format
//! is compared more strictly, as text or as bytes, and [`Comparison::unread`] says why.
//!
//! Results are untrusted input. Recursion is limited, time is about linear, and memory is bounded by
//! the actual size of the data, not by the size that a header declares.
//!
//! Each format is a file of this folder with a [`ResultFormat`] in it. To add one, write that file and
//! name it in [`Format`] and [`Format::reader`].
//!
//! ```
//! use caliper_core::analysis::compare::{Format, Rung, compare};
//! use caliper_core::question::criteria::Policy;
//!
//! let (expected, actual) = (b"loss 0.5 in 1.2s\n", b"loss 0.50000001 in 3.4s\n");
//! let comparison = compare(Format::Text, expected, actual, &Policy::default());
//! assert_eq!(comparison.rung, Rung::WithinTolerance);
//! let divergence = comparison.divergence.unwrap();
//! assert_eq!(divergence.place.to_string(), "line 1, column 6");
//! assert_eq!((&*divergence.expected, &*divergence.actual), ("0.5", "0.50000001"));
//! ```

mod binary;
mod content;
#[cfg(feature = "hdf5")]
mod hdf5;
mod image;
mod json;
mod named;
mod npy;
mod npz;
mod safetensors;
mod source;
mod svg;
mod table;
mod text;
#[cfg(not(feature = "hdf5"))]
mod without_hdf5;

use super::collector::Collector;
#[cfg(doc)]
use super::comparison::Rung;
use super::comparison::{Comparison, Format, Place, ReadAs, Unlike};
use super::items::Item;
use super::nearest::Nearest;
use super::rules::Lens;
use crate::facts::store::Content;
use crate::question::criteria::Policy;

use source::Source;

/// How results of one format are read and compared.
trait ResultFormat: Sync {
    /// The endings of file names that promise this format, in lower case and without the dot.
    fn endings(&self) -> &'static [&'static str];

    /// What [`Comparison::read_as`] says when both results could be read.
    fn read_as(&self) -> ReadAs;

    /// Reads both results, the expected one first, and reports every difference to `collector`.
    ///
    /// Returns a sentence for each part that could not be read and was compared as bytes.
    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome;

    /// The lines or fields of a result, for a test that compares several runs with each other; `None` if
    /// such results can only be compared as a whole.
    fn items(&self, _result: &[u8], _lens: &Lens<'_>) -> Option<Vec<Item>> {
        None
    }

    /// Goes through the numbers of a result that have names: fields, columns of a single row, or the words before
    /// numbers of a text.
    fn labelled(&self, _result: &[u8], _lens: &Lens<'_>, _found: &mut dyn FnMut(&str, Nearest)) {}
}

/// What [`ResultFormat::compare`] returns.
type Outcome = Result<Vec<String>, Unread>;

/// Why two results could not be read in their format.
struct Unread {
    /// A sentence for each result.
    reasons: Vec<String>,
    /// How to compare them instead.
    weaker: Weaker,
}

/// How results are compared that cannot be read in their format.
#[derive(Clone, Copy)]
enum Weaker {
    Text,
    Bytes,
}

impl Format {
    /// All formats.
    const ALL: [Self; 10] = [
        Self::Text,
        Self::Json,
        Self::Csv,
        Self::Npy,
        Self::Npz,
        Self::Safetensors,
        Self::Hdf5,
        Self::Svg,
        Self::Image,
        Self::Binary,
    ];

    fn reader(self) -> &'static dyn ResultFormat {
        match self {
            Self::Text => &text::Text,
            Self::Json => &json::Json,
            Self::Csv => &table::Csv,
            Self::Npy => &npy::Npy,
            Self::Npz => &npz::Npz,
            Self::Safetensors => &safetensors::Safetensors,
            #[cfg(feature = "hdf5")]
            Self::Hdf5 => &hdf5::Hdf5,
            #[cfg(not(feature = "hdf5"))]
            Self::Hdf5 => &without_hdf5::Hdf5,
            Self::Svg => &svg::Svg,
            Self::Image => &image::Image,
            Self::Binary => &binary::Binary,
        }
    }

    /// The format that the ending of a file name promises; [`Format::Text`] for an unknown ending.
    pub fn of_name(name: &str) -> Self {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let promised = ending.and_then(|ending| {
            Self::ALL.into_iter().find(|format| format.reader().endings().contains(&&*ending))
        });
        promised.unwrap_or(Self::Text)
    }

    /// The format of a result file. Its content decides whether it is text, an image or other bytes; its
    /// name decides what the text or the archive holds.
    pub fn of(name: &str, content: &[u8]) -> Self {
        content::format(Self::of_name(name), content)
    }

    /// The format in which two contents of a file can be compared.
    pub(super) fn of_both(name: &str, expected: &Content, actual: &Content) -> Self {
        let of = |content| {
            let mut all = Source::of(content).all();
            // What cannot be read is told where it is compared.
            all.start(content::LOOKED_AT + 1).map_or(Self::Binary, |start| Self::of(name, &start))
        };
        let (expected, actual) = (of(expected), of(actual));
        if expected == actual {
            return expected;
        }
        let is_text = |format| match format {
            Self::Text | Self::Json | Self::Csv | Self::Svg => true,
            Self::Npy | Self::Npz | Self::Safetensors | Self::Hdf5 | Self::Image | Self::Binary => {
                false
            }
        };
        if is_text(expected) && is_text(actual) { Self::Text } else { Self::Binary }
    }
}

/// Compares a result with the one that is expected.
///
/// `expected` and `actual` are not interchangeable: distances are relative to what is expected. Apart
/// from that, and with whole numbers or absolute tolerances alone, the rung is the same either way.
pub fn compare(format: Format, expected: &[u8], actual: &[u8], policy: &Policy) -> Comparison {
    let lens = Lens::new(policy, None);
    let [expected, actual] = [expected, actual].map(|bytes| Content::Memory(bytes.into()));
    compare_numbers(format, [&expected, &actual], [lens, lens]).0
}

/// Compares as [`compare`] does, and also returns the differences that the test for noise needs. Of results that are too
/// large for memory those that hold arrays are compared by their values, piece by piece, and others by their bytes.
pub(super) fn compare_numbers(
    format: Format,
    [expected, actual]: [&Content; 2],
    lenses: [Lens<'_>; 2],
) -> (Comparison, Unlike) {
    let (expected, actual) = (Source::of(expected), Source::of(actual));
    let in_memory = expected.memory().ok().zip(actual.memory().ok());
    if in_memory.is_some_and(|(expected, actual)| expected == actual) {
        return (Comparison::alike(), Unlike::default());
    }
    let reader = format.reader();
    let mut collector = Collector::new(lenses);
    match reader.compare([expected, actual], &mut collector) {
        Ok(unread) => collector.done(reader.read_as(), unread),
        // What was collected before reading failed does not count: begin again.
        Err(Unread { mut reasons, weaker }) => {
            let mut collector = Collector::new(lenses);
            let read_as = match (weaker, in_memory) {
                (Weaker::Text, Some((expected, actual))) => {
                    text::compare_bytes(expected, actual, &mut collector);
                    ReadAs::Text
                }
                (Weaker::Text | Weaker::Bytes, _) => {
                    let read = binary::compare(None, expected.all(), actual.all(), &mut collector);
                    if let Err(reason) = read {
                        let place = || Place::Whole { name: "bytes".to_owned() };
                        collector.other(&place, "what can be read", "what cannot be read");
                        reasons.push(format!("the results could not be read: {reason}"));
                    }
                    ReadAs::Bytes
                }
            };
            collector.done(read_as, reasons)
        }
    }
}

/// The lines or fields of a result; `None` if it has none.
pub(super) fn items(format: Format, result: &[u8], lens: &Lens<'_>) -> Option<Vec<Item>> {
    format.reader().items(result, lens)
}

/// Goes through the numbers of a result that have names. A name may occur several times, and a number may be NaN or
/// infinite.
pub(super) fn labelled(
    format: Format,
    result: &[u8],
    lens: &Lens<'_>,
    found: &mut dyn FnMut(&str, Nearest),
) {
    format.reader().labelled(result, lens, found);
}

/// Both results as bytes in memory, if `what` can be held there.
fn in_memory<'a>(
    what: &str,
    [expected, actual]: [Source<'a>; 2],
) -> Result<(&'a [u8], &'a [u8]), Unread> {
    both(what, Weaker::Bytes, expected.memory(), actual.memory())
}

/// Both results as they were read, or why one of them could not be read as `what`.
fn both<T>(
    what: &str,
    weaker: Weaker,
    expected: Result<T, String>,
    actual: Result<T, String>,
) -> Result<(T, T), Unread> {
    let (expected, actual) = match (expected, actual) {
        (Ok(expected), Ok(actual)) => return Ok((expected, actual)),
        (expected, actual) => (expected.err(), actual.err()),
    };
    let instead = match weaker {
        Weaker::Text => "text",
        Weaker::Bytes => "bytes",
    };
    let sides = [("expected", expected), ("actual", actual)];
    let reasons = sides.into_iter().filter_map(|(side, reason)| {
        let reason = reason?;
        Some(format!(
            "the {side} result is not {what}, so they were compared as {instead}: {reason}"
        ))
    });
    Err(Unread { reasons: reasons.collect(), weaker })
}

#[cfg(test)]
mod tests;
