//! Arrays of NumPy, by their values.
//!
//! The order of bytes and of axes, the width of strings and padding between fields say nothing.
//! Numbers of every type are compared with each other, as `assert_allclose` does; another type of
//! numbers is told, and keeps arrays from being the same. A shape is never stretched to another.
//! Objects are never unpickled. Numbers of 96 and 128 bits, which every machine lays out in its own
//! way, are compared by their bytes.
//!
//! Source: `numpy.lib.format`, versions 1.0, 2.0 and 3.0.

mod array;
mod dtype;
mod header;
mod item;
mod literal;
mod scalar;
mod tally;

use std::collections::BTreeMap;

use super::source::Source;
use super::{Outcome, ResultFormat, Unread, Weaker, both};
use crate::analysis::compare::arrays::{ArrayComparison, shape};
use crate::analysis::compare::collector::{Collector, Pair};
use crate::analysis::compare::comparison::{Place, ReadAs};
use crate::analysis::compare::number::Distance;
use crate::analysis::compare::show;
use crate::question::criteria::{Nan, Rule, Tolerance};

use array::{Order, Walk};
use dtype::Leaf;
use item::Item;
use tally::{Found, Tally};

pub(super) use array::Array;
pub(super) use dtype::Dtype;
pub(super) use header::read;
#[cfg(test)]
pub(super) use header::tests;
pub(super) use scalar::{Kind, Scalar};

/// One array.
pub(super) struct Npy;

impl ResultFormat for Npy {
    fn endings(&self) -> &'static [&'static str] {
        &["npy"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Npy
    }

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let [expected, actual] = sides;
        let (expected, actual) = (read(expected.all()), read(actual.all()));
        let reason = |(_, reason)| reason;
        let (expected, actual) =
            both("an array", Weaker::Bytes, expected.map_err(reason), actual.map_err(reason))?;
        compare(Name { index: Some(0), ..Name::default() }, &expected, &actual, collector)
            .map_err(|reason| Unread { reasons: vec![reason], weaker: Weaker::Bytes })?;
        Ok(Vec::new())
    }
}

/// The most axes that NumPy knows.
const AXES: usize = 64;

/// What an array is called.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_field_names, reason = "a name, and where what has it is")]
pub(super) struct Name<'a> {
    /// `None` where there is one array alone.
    pub(super) name: Option<&'a str>,
    /// Where it stands in a model.
    pub(super) position: Option<&'a str>,
    /// Its place among the arrays of its file.
    pub(super) index: Option<u64>,
}

impl Name<'_> {
    /// What is told of an array that is so called.
    pub(super) fn comparison(
        self,
        expected: Option<&Array<'_>>,
        actual: Option<&Array<'_>>,
    ) -> ArrayComparison {
        ArrayComparison {
            name: self.name.map(show::excerpt),
            position: self.position.map(str::to_owned),
            index: self.index,
            expected: expected.map(Array::kind),
            actual: actual.map(Array::kind),
            ..ArrayComparison::default()
        }
    }
}

/// What is compared of two elements.
struct Match<'a> {
    left: &'a Leaf,
    right: &'a Leaf,
    tolerance: Tolerance,
}

/// How many bytes are held against each other before their elements are.
const BLOCK: usize = 1 << 14;
/// How many bytes of a large array are read at once.
const PIECE: usize = if cfg!(test) { 40 } else { 1 << 18 };

/// Compares two arrays.
///
/// # Errors
///
/// Why one of them cannot be read to its end. What was found before is told nevertheless.
pub(super) fn compare(
    name: Name<'_>,
    expected: &Array<'_>,
    actual: &Array<'_>,
    collector: &mut Collector<'_>,
) -> Result<(), String> {
    let mut comparison = name.comparison(Some(expected), Some(actual));
    let array = comparison.name.clone();
    if expected.shape != actual.shape {
        let place = || Place::Shape { array: array.clone() };
        collector.other(&place, &shape(&expected.shape), &shape(&actual.shape));
        collector.array(comparison);
        return Ok(());
    }
    let dtype = || Place::Dtype { array: array.clone() };
    let Some(matches) = matched(name.name, expected, actual, collector) else {
        collector.other(&dtype, &expected.dtype.shown, &actual.dtype.shown);
        collector.array(comparison);
        return Ok(());
    };
    let order = order(expected, actual)?;
    let other_type = expected.dtype.canonical != actual.dtype.canonical;
    let how = How { matches: &matches, order, array: array.as_ref(), other_type };
    let mut tally = Tally::default();
    let read = elements(&how, expected, actual, &mut tally, collector);
    if other_type && !collector.looks_past(Rule::Spelling) {
        collector.other(&dtype, &expected.dtype.shown, &actual.dtype.shown);
    } else if other_type {
        collector.spelling(&dtype, &expected.dtype.shown, &actual.dtype.shown);
    }
    if other_type || tally.found_any() {
        let length = if matches.is_empty() { 0 } else { expected.length };
        comparison.elements = u64::try_from(length).unwrap_or(u64::MAX);
        tally.tell(&mut comparison, |element| index(element, &expected.shape, order));
        collector.array(comparison);
    }
    read
}

/// In which order the elements of two arrays of one shape are held against each other. Large ones are read in the order
/// in which they lie.
fn order(expected: &Array<'_>, actual: &Array<'_>) -> Result<Order, String> {
    let is_fixed = |array: &Array<'_>| array.is_large() && !array.is_in_order();
    match (is_fixed(expected), is_fixed(actual)) {
        (false, false) => Ok(Order::C),
        _ if !expected.is_in_order() && !actual.is_in_order() => Ok(Order::AsTheyLie),
        _ => Err(
            "the elements of a large array lie in another order than those that it is compared \
                  with"
                .to_owned(),
        ),
    }
}

/// How the elements of two arrays are compared.
struct How<'a> {
    matches: &'a [Match<'a>],
    order: Order,
    /// The name of the array.
    array: Option<&'a String>,
    other_type: bool,
}

/// Compares the elements of two arrays of one shape.
fn elements(
    how: &How<'_>,
    expected: &Array<'_>,
    actual: &Array<'_>,
    tally: &mut Tally,
    collector: &mut Collector<'_>,
) -> Result<(), String> {
    let How { matches, order, array, other_type } = *how;
    // Elements of no size have no value, however many there are said to be.
    let length = if matches.is_empty() { 0 } else { expected.length };
    let (mut left, mut right) = (Walk::of(expected, order), Walk::of(actual, order));
    // Blocks of equal bytes need no look at their elements: a file of gigabytes with one other number is compared as
    // fast as its bytes are. Each element counts as many numbers as it holds, so that places stay what they are.
    let numbers = matches.iter().all(|leaf| {
        leaf.left.is_number() && leaf.left.size() > 0 && leaf.tolerance.nan() == Nan::Equal
    });
    let alike =
        expected.dtype.shown == actual.dtype.shown && left.is_straight() && right.is_straight();
    let each: usize = matches.iter().fold(0, |sum, leaf| sum.saturating_add(leaf.left.count));
    let size = expected.dtype.size.max(actual.dtype.size).max(1);
    let block = if numbers && alike { (BLOCK / size).max(1) } else { usize::MAX };
    let is_large = expected.is_large() || actual.is_large();
    let piece = if is_large { (PIECE / size).max(1) } else { usize::MAX };
    let (mut element, mut unread) = (0, 0);
    while element < length {
        if element == unread {
            unread = element.saturating_add(piece).min(length);
            left.read(unread - element)?;
            right.read(unread - element)?;
        }
        let end = element.saturating_add(block).min(unread);
        if block < usize::MAX && left.bytes(end - element) == right.bytes(end - element) {
            let count = each.saturating_mul(end - element);
            collector.count(u64::try_from(count).unwrap_or(u64::MAX));
            left.skip(end - element);
            right.skip(end - element);
            element = end;
            continue;
        }
        for element in element..end {
            let mut found = Found::default();
            for leaf in matches {
                for repeat in 0..leaf.left.count {
                    let place = || Place::Element {
                        array: array.cloned(),
                        index: {
                            let mut index = index(element, &expected.shape, order);
                            index.extend(axes(repeat, &leaf.left.shape));
                            index
                        },
                        field: (!leaf.left.name.is_empty()).then(|| show::excerpt(&leaf.left.name)),
                    };
                    let (one, other) = (
                        leaf.left.item(left.data(), &expected.heap, left.at(), repeat),
                        leaf.right.item(right.data(), &actual.heap, right.at(), repeat),
                    );
                    let before = collector.differences();
                    let distance = items(&one, &other, leaf, &place, other_type, collector);
                    let is_beyond = collector.differences() > before;
                    found.add(distance, is_beyond, other_type, tally);
                }
            }
            tally.add(found, element);
            left.step();
            right.step();
        }
        element = end;
    }
    Ok(())
}

/// The fields that are compared with each other, if both types have the same ones, of kinds that
/// compare.
fn matched<'a>(
    name: Option<&str>,
    expected: &'a Array<'_>,
    actual: &'a Array<'_>,
    collector: &mut Collector<'_>,
) -> Option<Vec<Match<'a>>> {
    let (left, right) = (&expected.dtype.leaves, &actual.dtype.leaves);
    let places: BTreeMap<&str, &Leaf> = right.iter().map(|leaf| (&*leaf.name, leaf)).collect();
    if left.len() != right.len() {
        return None;
    }
    let policy = collector.policy();
    let pairs = left.iter().map(|left| {
        let right = *places.get(&*left.name)?;
        let full = format!("{}.{}", name.unwrap_or_default(), left.name);
        let tolerance = match (name, &*left.name) {
            (None, "") => policy.tolerance,
            (None, field) => *policy.of_field(&[field]),
            (Some(name), "") => *policy.of_field(&[name]),
            (Some(name), field) => *policy.of_field(&[&full, field, name]),
        };
        left.compares_with(right).then_some(Match { left, right, tolerance })
    });
    let mut pairs = pairs.collect::<Option<Vec<_>>>()?;
    if !collector.policy().ignore.fields.is_empty() {
        pairs.retain(|pair| {
            let field = &*pair.left.name;
            field.is_empty()
                || !collector
                    .ignores_field(&[&format!("{}.{field}", name.unwrap_or_default()), field])
        });
    }
    // What takes no place on either side could be there any number of times.
    let is_some = |leaf: &Leaf| leaf.size() > 0 && leaf.count > 0;
    Some(pairs.into_iter().filter(|pair| is_some(pair.left) || is_some(pair.right)).collect())
}

/// Compares two values. Returns how far they lie apart, which is not known of what is no number; `None` if they are
/// the same.
fn items(
    expected: &Item<'_>,
    actual: &Item<'_>,
    leaf: &Match<'_>,
    at: &dyn Fn() -> Place,
    other_type: bool,
    collector: &mut Collector<'_>,
) -> Option<Distance> {
    let shown = |item: &Item<'_>, leaf: &Leaf| {
        let value = item.shown(leaf.precision());
        let unit = matches!(item, Item::Moment(_));
        if other_type || unit { format!("{value} ({})", leaf.written) } else { value }
    };
    let spelled = || (shown(expected, leaf.left), shown(actual, leaf.right));
    match (expected, actual) {
        (Item::Number(left), Item::Number(right)) => {
            let pair = Pair {
                expected: *left,
                actual: *right,
                identical: expected.is(actual),
                identifier: false,
                precision: leaf.left.precision().min(leaf.right.precision()),
            };
            return collector.pair(pair, &leaf.tolerance, at, &spelled);
        }
        (Item::Moment(left), Item::Moment(right)) => {
            let missing = left.is_missing() && leaf.tolerance.nan() == Nan::Different;
            if left.equals(right) && !missing {
                collector.count(1);
                return None;
            }
            let (left, right) = spelled();
            collector.beyond(at, &left, &right);
        }
        (Item::Text(left), Item::Text(right)) => {
            collector.text(left, right, &leaf.tolerance, at);
            if left == right {
                return None;
            }
        }
        (Item::Long(left), Item::Long(right)) => {
            if left == right {
                collector.count(1);
                return None;
            }
            let (left, right) = spelled();
            collector.beyond(at, &left, &right);
        }
        (Item::Bytes(left), Item::Bytes(right)) if left == right => return None,
        (Item::Number(_) | Item::Moment(_) | Item::Text(_) | Item::Long(_) | Item::Bytes(_), _) => {
            let (left, right) = spelled();
            collector.others += 1;
            collector.other(at, &left, &right);
        }
    }
    Some(Distance::unknown(false))
}

/// The index of an element, from its place in the order in which elements are gone through.
fn index(element: usize, shape: &[usize], order: Order) -> Vec<u64> {
    match order {
        Order::C => axes(element, shape),
        Order::AsTheyLie => {
            let reversed: Vec<usize> = shape.iter().rev().copied().collect();
            let mut index = axes(element, &reversed);
            index.reverse();
            index
        }
    }
}

/// The index of a place in C's order.
fn axes(mut place: usize, shape: &[usize]) -> Vec<u64> {
    let mut index = Vec::new();
    for length in shape.iter().rev() {
        let length = (*length).max(1);
        index.push(u64::try_from(place % length).unwrap_or(u64::MAX));
        place /= length;
    }
    index.reverse();
    index
}
