//! Several arrays with names in one result, whatever the format.

use std::collections::BTreeSet;

use super::npy::{self, Array, Name};
use super::source::Data;
use super::{Outcome, Unread, Weaker, binary};
use crate::analysis::compare::arrays::ArrayComparison;
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::Place;
use crate::analysis::compare::show;

/// Of how many arrays it is told why they were not read.
const TOLD: usize = 10;

/// A result that holds arrays with names.
pub(super) trait Container {
    /// The arrays, in the order in which they are told.
    fn names(&self) -> Vec<Named>;

    /// Reads an array.
    ///
    /// # Errors
    ///
    /// Why nothing of the result can be read any more, such as a limit.
    fn open(&mut self, key: &str) -> Result<Part<'_>, String>;
}

/// What an array is called.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// What it is found by in both results.
    pub(super) key: String,
    /// What it is called, also in the configuration.
    pub(super) name: String,
    /// Where it stands in a model.
    pub(super) position: Option<String>,
    /// Its place among the arrays of its file, if they stand one behind the other.
    pub(super) index: Option<u64>,
}

/// Something with a name.
pub(super) enum Part<'a> {
    Array(Array<'a>),
    /// What cannot be read as an array, and its bytes where these at least can be read.
    Opaque {
        bytes: Option<Data<'a>>,
        reason: String,
    },
    /// What is no array: a group without content, or another name of something; said in words.
    #[cfg_attr(not(feature = "hdf5"), expect(dead_code, reason = "only HDF5 has such"))]
    Other(String),
}

impl Part<'_> {
    /// What it is, in a word.
    fn kind(&self) -> &str {
        match self {
            Self::Array(_) | Self::Opaque { .. } => "an array",
            Self::Other(what) => what,
        }
    }
}

/// Compares all arrays of two results: first which there are, then those that both have, in the order of the expected
/// result. Every difference is told; none ends the comparison.
pub(super) fn compare(
    expected: &mut dyn Container,
    actual: &mut dyn Container,
    collector: &mut Collector<'_>,
) -> Outcome {
    named(expected, actual, collector).map_err(|reason| Unread {
        reasons: vec![format!("{reason}: compared as bytes")],
        weaker: Weaker::Bytes,
    })
}

fn named(
    expected: &mut dyn Container,
    actual: &mut dyn Container,
    collector: &mut Collector<'_>,
) -> Result<Vec<String>, String> {
    let (left, right) = (expected.names(), actual.names());
    let keys = |names: &[Named]| -> BTreeSet<String> {
        names.iter().map(|named| named.key.clone()).collect()
    };
    let (in_left, in_right) = (keys(&left), keys(&right));
    let policy = collector.policy();
    let compared = |named: &&Named| policy.ignored(&[&named.name]).is_none();
    for named in left.iter().filter(|named| !in_right.contains(&named.key)).filter(compared) {
        let part = expected.open(&named.key)?;
        lone(named, Some(&part), None, collector);
    }
    for named in right.iter().filter(|named| !in_left.contains(&named.key)).filter(compared) {
        let part = actual.open(&named.key)?;
        lone(named, None, Some(&part), collector);
    }
    let mut opaque = Opaque::default();
    for (number, named) in (0..).zip(&left) {
        if !in_right.contains(&named.key) || collector.ignores_field(&[&named.name]) {
            continue;
        }
        // What stands in an array has the same place in each comparison with this result.
        collector.begin(number);
        let (one, other) = (expected.open(&named.key)?, actual.open(&named.key)?);
        both(named, one, other, collector, &mut opaque);
    }
    Ok(opaque.told())
}

/// What only one of two results has.
fn lone(
    named: &Named,
    expected: Option<&Part<'_>>,
    actual: Option<&Part<'_>>,
    collector: &mut Collector<'_>,
) {
    let kind = |part: Option<&Part<'_>>| part.map_or("nothing", Part::kind).to_owned();
    let place = || Place::Array { array: show::excerpt(&named.name) };
    collector.other(&place, &kind(expected), &kind(actual));
    let array = |part: Option<&Part<'_>>| match part? {
        Part::Array(array) => Some(array.kind()),
        Part::Opaque { .. } | Part::Other(_) => None,
    };
    let (left, right) = (array(expected), array(actual));
    let is_array = left.is_some() || right.is_some();
    let unread = format!("{} instead of {}", kind(actual), kind(expected));
    collector.array(ArrayComparison {
        expected: left,
        actual: right,
        unread: (!is_array).then_some(unread),
        ..called(named).comparison(None, None)
    });
}

fn called(named: &Named) -> Name<'_> {
    Name { name: Some(&named.name), position: named.position.as_deref(), index: named.index }
}

/// What both results have.
fn both(
    named: &Named,
    expected: Part<'_>,
    actual: Part<'_>,
    collector: &mut Collector<'_>,
    opaque: &mut Opaque,
) {
    let place = || Place::Array { array: show::excerpt(&named.name) };
    match (expected, actual) {
        (Part::Array(left), Part::Array(right)) => {
            if let Err(reason) = npy::compare(called(named), &left, &right, collector) {
                unread(named, &reason, None, None, collector, opaque);
            }
        }
        (Part::Other(left), Part::Other(right)) if left == right => {}
        (Part::Opaque { bytes, reason }, other) => {
            let other = match other {
                Part::Opaque { bytes, .. } => bytes,
                Part::Array(_) | Part::Other(_) => None,
            };
            unread(named, &reason, bytes, other, collector, opaque);
        }
        (_, Part::Opaque { bytes, reason }) => {
            unread(named, &reason, None, bytes, collector, opaque);
        }
        (left @ (Part::Array(_) | Part::Other(_)), right @ (Part::Array(_) | Part::Other(_))) => {
            collector.other(&place, left.kind(), right.kind());
            let unread = format!("{} instead of {}", right.kind(), left.kind());
            collector.array(ArrayComparison {
                unread: Some(unread),
                ..called(named).comparison(None, None)
            });
        }
    }
}

/// What cannot be read as an array on at least one side: it is the same only if its bytes are.
fn unread(
    named: &Named,
    reason: &str,
    expected: Option<Data<'_>>,
    actual: Option<Data<'_>>,
    collector: &mut Collector<'_>,
    opaque: &mut Opaque,
) {
    let name = show::excerpt(&named.name);
    let compared = match (expected, actual) {
        (Some(left), Some(right)) => {
            binary::compare(Some(&named.name), left, right, collector).ok()
        }
        _ => None,
    };
    if compared.is_some() {
        opaque.add(|| format!("`{name}` was compared as bytes: {reason}"));
    }
    if compared == Some(true) {
        return;
    }
    if compared.is_none() {
        opaque.add(|| format!("`{name}` was not compared, and counts as other: {reason}"));
        let place = || Place::Array { array: name.clone() };
        collector.other(&place, "an array", "one that cannot be compared with it");
    }
    let unread = Some(format!("not compared by its values: {reason}"));
    collector.array(ArrayComparison { unread, ..called(named).comparison(None, None) });
}

/// Sentences about what was not read. A hostile result has many.
#[derive(Default)]
struct Opaque {
    told: Vec<String>,
    more: u64,
}

impl Opaque {
    fn add(&mut self, sentence: impl FnOnce() -> String) {
        if self.told.len() < TOLD {
            self.told.push(sentence());
        } else {
            self.more += 1;
        }
    }

    fn told(mut self) -> Vec<String> {
        if self.more > 0 {
            self.told.push(format!("{} more arrays were compared as bytes", self.more));
        }
        self.told
    }
}
