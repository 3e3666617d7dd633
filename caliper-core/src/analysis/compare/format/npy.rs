//! Arrays of NumPy, by their values.
//!
//! The order of bytes and of axes, the width of strings and padding between fields say nothing.
//! Numbers of every type are compared with each other, as `assert_allclose` does; another type of
//! numbers is told, and keeps arrays from being the same. A shape is never stretched to another.
//! Objects are never unpickled. Numbers of 96 and 128 bits, which every machine lays out in its own
//! way, are compared by their bytes.
//!
//! Source: `numpy.lib.format`, versions 1.0, 2.0 and 3.0.

mod dtype;
mod header;
mod item;
mod literal;

use std::collections::BTreeMap;

use super::{Outcome, ResultFormat, Weaker, both};
use crate::analysis::compare::collector::{Collector, Pair};
use crate::analysis::compare::comparison::{Place, ReadAs};
use crate::analysis::compare::show;
use crate::question::criteria::{Nan, Rule, Tolerance};

use dtype::{Dtype, Leaf};
use item::Item;

pub(super) use header::read;
#[cfg(test)]
pub(super) use header::tests;

/// One array.
pub(super) struct Npy;

impl ResultFormat for Npy {
    fn endings(&self) -> &'static [&'static str] {
        &["npy"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Npy
    }

    fn compare(&self, expected: &[u8], actual: &[u8], collector: &mut Collector<'_>) -> Outcome {
        let (expected, actual) = both("an array", Weaker::Bytes, read(expected), read(actual))?;
        compare(None, &expected, &actual, collector);
        Ok(Vec::new())
    }
}

/// An array, of which only the values are not looked at yet.
#[derive(Debug)]
pub(super) struct Array<'a> {
    shape: Vec<usize>,
    fortran: bool,
    dtype: Dtype,
    /// How many elements there are: the product of the shape.
    length: usize,
    data: &'a [u8],
}

/// The most axes that NumPy knows.
const AXES: usize = 64;

/// Goes through the elements in C's order, whatever the order in which they lie.
struct Walk {
    /// For each axis that is longer than 1, the last first: its length, how far it goes in bytes, and
    /// where on it we are.
    axes: Vec<(usize, usize, usize)>,
    at: usize,
}

impl Walk {
    fn of(array: &Array<'_>) -> Self {
        let mut stride = array.dtype.size;
        let mut axes = Vec::new();
        let mut add = |length: usize| {
            if length > 1 {
                axes.push((length, stride, 0));
                stride *= length;
            }
        };
        if array.fortran {
            array.shape.iter().for_each(|length| add(*length));
            axes.reverse();
        } else {
            array.shape.iter().rev().for_each(|length| add(*length));
        }
        Self { axes, at: 0 }
    }

    fn step(&mut self) {
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

/// What is compared of two elements.
struct Match<'a> {
    left: &'a Leaf,
    right: &'a Leaf,
    tolerance: Tolerance,
}

pub(super) fn compare(
    name: Option<&str>,
    expected: &Array<'_>,
    actual: &Array<'_>,
    collector: &mut Collector<'_>,
) {
    if name.is_some_and(|name| collector.ignores_field(&[name])) {
        return;
    }
    let array = name.map(show::excerpt);
    if expected.shape != actual.shape {
        let place = || Place::Shape { array: array.clone() };
        collector.other(&place, &shape(&expected.shape), &shape(&actual.shape));
        return;
    }
    let dtype = || Place::Dtype { array: array.clone() };
    let Some(matches) = matched(name, expected, actual, collector) else {
        collector.other(&dtype, &expected.dtype.shown, &actual.dtype.shown);
        return;
    };
    let other_type = expected.dtype.canonical != actual.dtype.canonical;
    let same = (&expected.dtype.shown, expected.fortran, expected.data)
        == (&actual.dtype.shown, actual.fortran, actual.data);
    if same && matches.iter().all(|leaf| leaf.tolerance.nan() == Nan::Equal) {
        let numbers = matches.iter().filter(|leaf| leaf.left.is_number());
        let each: usize = numbers.map(|leaf| leaf.left.count).sum();
        collector.count(u64::try_from(each.saturating_mul(expected.length)).unwrap_or(u64::MAX));
        return;
    }
    // Elements of no size have no value, however many there are said to be.
    let length = if matches.is_empty() { 0 } else { expected.length };
    let (mut left, mut right) = (Walk::of(expected), Walk::of(actual));
    for element in 0..length {
        for leaf in &matches {
            for repeat in 0..leaf.left.count {
                let place = || Place::Element {
                    array: array.clone(),
                    index: index(element, &expected.shape, leaf.left, repeat),
                    field: (!leaf.left.name.is_empty()).then(|| show::excerpt(&leaf.left.name)),
                };
                let (one, other) = (
                    leaf.left.item(expected.data, left.at, repeat),
                    leaf.right.item(actual.data, right.at, repeat),
                );
                items(&one, &other, leaf, &place, other_type, collector);
            }
        }
        if collector.decided() {
            return;
        }
        left.step();
        right.step();
    }
    if other_type && !collector.looks_past(Rule::Spelling) {
        collector.other(&dtype, &expected.dtype.shown, &actual.dtype.shown);
    } else if other_type {
        collector.spelling(&dtype, &expected.dtype.shown, &actual.dtype.shown);
    }
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
    Some(pairs.into_iter().filter(|pair| pair.left.size() > 0 && pair.right.size() > 0).collect())
}

fn items(
    expected: &Item<'_>,
    actual: &Item<'_>,
    leaf: &Match<'_>,
    at: &dyn Fn() -> Place,
    other_type: bool,
    collector: &mut Collector<'_>,
) {
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
            collector.pair(pair, &leaf.tolerance, at, &spelled);
        }
        (Item::Moment(left), Item::Moment(right)) => {
            let missing = left.is_missing() && leaf.tolerance.nan() == Nan::Different;
            if left.equals(right) && !missing {
                collector.count(1);
            } else {
                let (left, right) = spelled();
                collector.beyond(at, &left, &right);
            }
        }
        (Item::Text(left), Item::Text(right)) => collector.text(left, right, &leaf.tolerance, at),
        (Item::Long(left), Item::Long(right)) => {
            if left == right {
                collector.count(1);
            } else {
                let (left, right) = spelled();
                collector.beyond(at, &left, &right);
            }
        }
        (Item::Bytes(left), Item::Bytes(right)) if left == right => {}
        (Item::Number(_) | Item::Moment(_) | Item::Text(_) | Item::Long(_) | Item::Bytes(_), _) => {
            let (left, right) = spelled();
            collector.other(at, &left, &right);
        }
    }
}

/// The index of an element, from its place in C's order, and of a value in its field.
fn index(element: usize, shape: &[usize], leaf: &Leaf, repeat: usize) -> Vec<u64> {
    let mut index = Vec::new();
    for (mut place, shape) in [(repeat, &*leaf.shape), (element, shape)] {
        for length in shape.iter().rev() {
            let length = (*length).max(1);
            index.push(u64::try_from(place % length).unwrap_or(u64::MAX));
            place /= length;
        }
    }
    index.reverse();
    index
}

fn shape(shape: &[usize]) -> String {
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    match &axes[..] {
        [one] => format!("({one},)"),
        axes => format!("({})", axes.join(", ")),
    }
}
